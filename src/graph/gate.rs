//! What a divergence that is known at samples only is drawn to, when that is not 0: every dimension's gradient is multiplied
//! by a gate.

use super::samples::Sizes;
use super::{Gradients, KlTarget, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, Lowering, constants};

/// Input: the divergence of each dimension of each row. Output: 1 for dimensions above so many nats on average, else 0.
#[derive(Debug)]
struct FreeBitsGate(Sizes, f64);

impl Operation for FreeBitsGate {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
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
        );
    }
}

/// Input: the divergence of each row. Output: the sign of its average over the step's capacity.
#[derive(Debug)]
struct CapacityGate(Sizes);

impl Operation for CapacityGate {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let sizes = self.0;
        lowering.dispatch(
            node,
            "capacity_gate",
            constants! {
                SAMPLES: sizes.samples, ROWS: sizes.rows(), COLUMNS: sizes.vec4(), WIDTH: sizes.width,
            },
            &[("divergence_read", node.inputs[0]), ("gate", node.outputs[0])],
            Grid::Workgroups(1),
            sizes.rows(),
        );
    }
}

/// The gates `[1, latent]` of the latents `z` of one layer, whose divergence is drawn to `target`; `None` for 0.
///
/// `divergence` is that of each row, all layers together; `dimensions` appends what computes that of each dimension of
/// this layer into the value it is given.
pub(super) fn push_gate(
    gradients: &mut Gradients<'_>,
    (sizes, target): (Sizes, KlTarget),
    z: ValueId,
    divergence: ValueId,
    dimensions: impl FnOnce(&mut Gradients<'_>, String, ValueId),
) -> Option<ValueId> {
    let name = gradients.name(z).to_string();
    let label = format!("gate of {name}");
    let gate = |gradients: &mut Gradients<'_>| {
        gradients.temporary(format!("{name}.gate"), Shape::matrix(1, sizes.width))
    };
    match target {
        KlTarget::Zero => None,
        KlTarget::FreeBits(nats) => {
            let shape = Shape::matrix(sizes.rows(), sizes.width);
            let each = gradients.temporary(format!("{name}.divergence"), shape);
            dimensions(gradients, format!("divergence of each dimension of {name}"), each);
            let gate = gate(gradients);
            gradients.push(label, FreeBitsGate(sizes, nats), &[each], &[gate]);
            Some(gate)
        }
        KlTarget::Capacity => {
            let gate = gate(gradients);
            gradients.push(label, CapacityGate(sizes), &[divergence], &[gate]);
            Some(gate)
        }
    }
}
