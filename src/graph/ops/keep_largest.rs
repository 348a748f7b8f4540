//! The largest numbers of each row.

use super::mask::Masked;
use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Input: a matrix. Output: 1 where a number is among the largest of its row, else 0.
#[derive(Debug)]
struct KeepLargest(usize);

impl Operation for KeepLargest {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "keep_largest",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4, WIDTH: shape.columns, KEEP: self.0 },
            &[("code", node.inputs[0]), ("kept", node.outputs[0])],
            Grid::Workgroups(shape.rows),
            34 * shape.length(),
        )
    }
}

impl Graph {
    /// `x`, `[rows, columns]`, with the `keep` largest numbers of each row as they are, of equal ones those further left, and
    /// the others 0. The gradient goes through those kept only (Makhzani and Frey, arXiv 1312.5663, section 2).
    ///
    /// # Errors
    /// [`Error::Shape`] if `keep` is 0 or more than there are columns, or `x` has sections.
    pub fn keep_largest(&mut self, name: &str, x: ValueId, keep: usize) -> Result<ValueId> {
        let shape = self.shape(x);
        if keep == 0 || keep > shape.columns || shape != Shape::matrix(shape.rows, shape.columns) {
            return Err(Error::shape(name, format!("the {keep} largest of rows of {shape}")));
        }
        let kept = self.apply(format!("{name}.kept"), KeepLargest(keep), &[x], shape);
        Ok(self.apply(name, Masked, &[x, kept], shape))
    }
}
