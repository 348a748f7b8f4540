//! Free bits, floor and capacity for a KL divergence that is estimated from samples: its gradient is multiplied by 0 or ±1.

use super::sampled_kl::Sizes;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Input: the divergence of each dimension of each row. Output: 1 for dimensions above these nats on average, else 0.
#[derive(Debug)]
pub(super) struct FreeBitsGate(pub(super) Sizes, pub(super) f64);

impl Operation for FreeBitsGate {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Self(sizes, nats) = self;
        lowering.dispatch(
            node,
            "free_bits_gate",
            constants! {
                SAMPLES: sizes.samples, ROWS: sizes.rows(), COLUMNS: sizes.vec4(), FREE_BITS: *nats,
            },
            &[("dimensions", node.inputs[0]), ("gate", node.outputs[0])],
            Grid::Workgroups(sizes.vec4()),
            sizes.rows() * sizes.width,
        )
    }
}

/// Input: the divergence of each row. Output: the same.
#[derive(Debug)]
struct DownToFloor {
    samples: usize,
    nats: f64,
}

impl Operation for DownToFloor {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let (divergence, output) = (node.inputs[0], node.outputs[0]);
        let Some(upstream) = gradients.upstream(output) else { return Ok(()) };
        let Some(part) = gradients.part(divergence) else { return Ok(()) };
        let label = format!("gradient of {} down to the floor", gradients.name(divergence));
        let operation = FloorGradient { samples: self.samples, nats: self.nats };
        gradients.push(label, operation, &[divergence, upstream], &[part]);
        gradients.add(divergence, part, part);
        Ok(())
    }

    fn lower(&self, _: &Node, _: &mut Lowering<'_>) -> Result<()> {
        Ok(())
    }
}

/// Inputs: the divergence of each row, the gradient. Output: the gradient of images whose average is at least these nats,
/// else 0.
#[derive(Debug)]
struct FloorGradient {
    samples: usize,
    nats: f64,
}

impl Operation for FloorGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let rows = lowering.shape(node.inputs[0]).columns;
        lowering.dispatch(
            node,
            "floor_gradient",
            constants! { SAMPLES: self.samples, BATCH: rows / self.samples, FLOOR: self.nats },
            &[
                ("divergence_read", node.inputs[0]),
                ("upstream", node.inputs[1]),
                ("divergence_gradient", node.outputs[0]),
            ],
            Grid::Elements(rows),
            rows * self.samples,
        )
    }
}

/// Input: the divergence of each row. Output: the same.
#[derive(Debug)]
struct TowardsCapacity {
    samples: usize,
}

impl Operation for TowardsCapacity {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let (divergence, output) = (node.inputs[0], node.outputs[0]);
        let Some(upstream) = gradients.upstream(output) else { return Ok(()) };
        let Some(part) = gradients.part(divergence) else { return Ok(()) };
        let label = format!("gradient of {} towards the capacity", gradients.name(divergence));
        let operation = CapacityGradient { samples: self.samples, capacity: gradients.number("capacity")? };
        gradients.push(label, operation, &[divergence, upstream], &[part]);
        gradients.add(divergence, part, part);
        Ok(())
    }

    fn lower(&self, _: &Node, _: &mut Lowering<'_>) -> Result<()> {
        Ok(())
    }
}

/// Inputs: the divergence of each row, the gradient. Output: the gradient times the sign of the average less the capacity.
#[derive(Debug)]
struct CapacityGradient {
    samples: usize,
    /// Index of the step's capacity.
    capacity: usize,
}

impl Operation for CapacityGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let rows = lowering.shape(node.inputs[0]).columns;
        lowering.dispatch(
            node,
            "capacity_gradient",
            constants! { SAMPLES: self.samples, ROWS: rows, CAPACITY: self.capacity },
            &[
                ("divergence_read", node.inputs[0]),
                ("upstream", node.inputs[1]),
                ("divergence_gradient", node.outputs[0]),
            ],
            Grid::Workgroups(1),
            2 * rows,
        )
    }
}

impl Graph {
    /// `divergence`, one number for each of `samples` samples of each image, trained down to `nats`: images whose average
    /// over samples is below them have no gradient (Ha and Schmidhuber 2018).
    ///
    /// # Errors
    /// [`Error::Shape`] if the samples do not divide the rows.
    pub fn down_to_floor(&mut self, divergence: ValueId, samples: usize, nats: f64) -> Result<ValueId> {
        let rows = self.shape(divergence).columns;
        if samples == 0 || !rows.is_multiple_of(samples) {
            let problem = format!("{rows} rows are not {samples} samples of each image");
            return Err(Error::shape("floor of the KL divergence", problem));
        }
        let name = format!("{}.to.floor", self.value(divergence).name);
        let output = self.alias(&name, divergence);
        self.push(name, DownToFloor { samples, nats }, &[divergence], &[output]);
        Ok(output)
    }

    /// `divergence`, one number for each of `samples` samples of each image, trained towards the step's capacity: its
    /// gradient is that of the distance of its average to the capacity (Burgess et al. 2018, equation 8).
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no samples.
    pub fn towards_capacity(&mut self, divergence: ValueId, samples: usize) -> Result<ValueId> {
        if samples == 0 {
            return Err(Error::shape("capacity", "there are no samples".to_string()));
        }
        let name = format!("{}.to.capacity", self.value(divergence).name);
        let output = self.alias(&name, divergence);
        self.push(name, TowardsCapacity { samples }, &[divergence], &[output]);
        Ok(output)
    }
}
