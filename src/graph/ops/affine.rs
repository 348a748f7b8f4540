//! A line through each number.

use super::residual::Scaled;
use crate::Result;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};

/// Input: x. Output: scale * x + shift.
#[derive(Debug)]
struct Affine {
    scale: f64,
    shift: f64,
}

impl Operation for Affine {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, Scaled { scale: self.scale, accumulate: target.1 }, &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "affine",
            constants! {
                ROWS: shape.rows, COLUMNS: shape.stride() / 4, SECTION: shape.section_stride() / 4,
                WIDTH: shape.columns, SCALE: self.scale, SHIFT: self.shift,
            },
            &[("x", node.inputs[0]), ("y", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            2 * shape.length(),
        )
    }
}

impl Graph {
    /// scale * x + shift, for each element of `x`.
    pub fn affine(&mut self, name: &str, x: ValueId, scale: f64, shift: f64) -> ValueId {
        let shape = self.shape(x);
        self.apply(name, Affine { scale, shift }, &[x], shape)
    }
}
