//! Values cut off at two ends.

use crate::graph::{Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Input: x. Output: x, and where it is outside the nearer of both ends.
#[derive(Debug)]
struct Clamp([f64; 2]);

impl Operation for Clamp {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let x = node.inputs[0];
        let Some(target) = gradients.target(x) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(x));
        gradients.push_into(label, ClampGradient(self.0, target.1), &[upstream, x], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "clamp_values",
            constants! {
                LENGTH: shape.length() / 4, SECTION: shape.section_stride() / 4, WIDTH: shape.columns,
                LOW: self.0[0], HIGH: self.0[1],
            },
            &[("input", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            2 * shape.length(),
        )
    }
}

/// Inputs: upstream gradient, x. Output: the gradient of x, 0 outside.
#[derive(Debug)]
struct ClampGradient([f64; 2], bool);

impl Operation for ClampGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.outputs[0]).length();
        lowering.dispatch(
            node,
            "clamp_gradient",
            constants! { LENGTH: length / 4, LOW: self.0[0], HIGH: self.0[1], ACCUMULATE: self.1 },
            &[("input", node.inputs[0]), ("saved", node.inputs[1]), ("output", node.outputs[0])],
            Grid::Elements(length / 4),
            2 * length,
        )
    }
}

impl Graph {
    /// `x` cut off at `low` and `high`. No gradient reaches what lies outside.
    ///
    /// # Errors
    /// [`Error::Shape`] if `low` is not below `high`.
    pub fn clamp(&mut self, name: &str, x: ValueId, [low, high]: [f64; 2]) -> Result<ValueId> {
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(Error::shape(name, format!("no numbers lie between {low} and {high}")));
        }
        let shape = self.shape(x);
        Ok(self.apply(name, Clamp([low, high]), &[x], shape))
    }
}
