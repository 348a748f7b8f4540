//! Parameters multiplied by constants.

use crate::Result;
use crate::graph::{Gradients, Lowering, Node, Operation};
use crate::plan::{Grid, constants};

/// Inputs: a value, and the constants.
#[derive(Debug)]
pub(super) struct Masked;

impl Operation for Masked {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, MaskedGradient(target.1), &[upstream, node.inputs[1]], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        multiply(node, lowering, false)
    }
}

/// Inputs: upstream gradient, and the constants.
#[derive(Debug)]
struct MaskedGradient(bool);

impl Operation for MaskedGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        multiply(node, lowering, self.0)
    }
}

fn multiply(node: &Node, lowering: &mut Lowering<'_>, accumulate: bool) -> Result<()> {
    let length = lowering.shape(node.outputs[0]).length();
    lowering.dispatch(
        node,
        "apply_mask",
        constants! { LENGTH: length / 4, ACCUMULATE: accumulate },
        &[("input", node.inputs[0]), ("mask", node.inputs[1]), ("output", node.outputs[0])],
        Grid::Elements(length / 4),
        length,
    )
}
