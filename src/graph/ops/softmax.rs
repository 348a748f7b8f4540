//! The softmax of rows.

use crate::graph::{Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Input: x. Output: y.
#[derive(Debug)]
struct Softmax;

impl Operation for Softmax {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, SoftmaxGradient(target.1), &[upstream, node.outputs[0]], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "softmax",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4, WIDTH: shape.columns },
            &[("x", node.inputs[0]), ("y", node.outputs[0])],
            Grid::Workgroups(shape.rows),
            5 * shape.length(),
        )
    }
}

/// Inputs: dy, y. Output: dx.
#[derive(Debug)]
struct SoftmaxGradient(bool);

impl Operation for SoftmaxGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "softmax_gradient",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4, ACCUMULATE: self.0 },
            &[("y_gradient", node.inputs[0]), ("saved", node.inputs[1]), ("x_gradient", node.outputs[0])],
            Grid::Workgroups(shape.rows),
            4 * shape.length(),
        )
    }
}

impl Graph {
    /// The softmax of each row of `x`, exp(x) over the sum of the row's exponentials, computed from the distances to the row's
    /// largest value. Each pixel of feature maps is a row.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, or rows of more than 4 million columns.
    pub fn softmax(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        /// The most vec4 of a row: a lane of a workgroup goes through 32,000 of them, twice.
        const MOST: usize = 32 * 32_000;
        let shape = self.shape(x);
        if shape.sections != 1 || shape.length() == 0 || shape.stride() / 4 > MOST {
            return Err(Error::shape(name, format!("no softmax of the rows of {shape}")));
        }
        Ok(self.apply(name, Softmax, &[x], shape))
    }
}
