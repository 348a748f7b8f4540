//! The maximum mean discrepancy between latents and prior (Tolstikhin et al., arXiv 1711.01558).

use super::one_a_row;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::random::stream;
use crate::{Error, Result};

/// Output: draws of the prior.
#[derive(Debug)]
struct PriorSamples;

impl Operation for PriorSamples {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Shape { rows: batch, columns: width, .. } = lowering.shape(node.outputs[0]);
        let columns = width.div_ceil(4);
        let constants =
            constants! { BATCH: batch, COLUMNS: columns, WIDTH: width, STREAM: stream::DISCREPANCY };
        let grid = Grid::Elements(batch * columns);
        let values = [("prior", node.outputs[0])];
        lowering.dispatch(node, "prior_samples", constants, &values, grid, 16 * batch * width)
    }
}

/// Inputs: z, draws of the prior. Output: the discrepancy of each row.
#[derive(Debug)]
struct KernelDiscrepancy;

/// Operations of the distances between all rows of two matrices of `shape`, and of their kernels.
fn flops(shape: Shape) -> usize {
    shape.rows * shape.rows * (3 * shape.columns + 21)
}

impl Operation for KernelDiscrepancy {
    fn carries(&self, input: usize, _: usize) -> bool {
        input == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [z, prior] = [node.inputs[0], node.inputs[1]];
        if let Some(target) = gradients.target(z) {
            let label = format!("gradient of {} through its discrepancy", gradients.name(z));
            gradients.push_into(label, DiscrepancyGradient(target.1), &[upstream, z, prior], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        let constants =
            constants! { BATCH: shape.rows, COLUMNS: shape.columns.div_ceil(4), WIDTH: shape.columns };
        let values =
            [("z", node.inputs[0]), ("prior_used", node.inputs[1]), ("discrepancy", node.outputs[0])];
        let grid = Grid::Elements(shape.rows);
        lowering.dispatch(node, "kernel_discrepancy", constants, &values, grid, 3 * flops(shape))
    }
}

/// Inputs: upstream, z, draws of the prior. Output: the gradient of z.
#[derive(Debug)]
struct DiscrepancyGradient(bool);

impl Operation for DiscrepancyGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[1]);
        let columns = shape.columns.div_ceil(4);
        lowering.dispatch(
            node,
            "kernel_discrepancy_gradient",
            constants! { BATCH: shape.rows, COLUMNS: columns, WIDTH: shape.columns, ACCUMULATE: self.0 },
            &[
                ("upstream", node.inputs[0]),
                ("z", node.inputs[1]),
                ("prior_used", node.inputs[2]),
                ("z_gradient", node.outputs[0]),
            ],
            Grid::Elements(shape.rows * columns),
            4 * flops(shape),
        )
    }
}

impl Graph {
    /// The part of each row of the minibatch in the maximum mean discrepancy between `z`, `[batch, latent]`, and as many draws of
    /// N(0, I): the mean is the unbiased estimate. Each step draws anew.
    ///
    /// # Errors
    /// [`Error::Shape`] if `z` has sections.
    pub fn kernel_discrepancy(&mut self, z: ValueId) -> Result<ValueId> {
        let shape = self.shape(z);
        if shape.sections != 1 {
            return Err(Error::shape("discrepancy", "latents have one section".to_string()));
        }
        let name = self.value(z).name.clone();
        let prior =
            self.apply(format!("{name}.prior"), PriorSamples, &[], Shape::matrix(shape.rows, shape.columns));
        Ok(self.apply(format!("{name}.discrepancy"), KernelDiscrepancy, &[z, prior], one_a_row(shape.rows)))
    }
}
