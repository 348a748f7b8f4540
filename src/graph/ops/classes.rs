//! A discriminator's input and losses: columns in random orders, and classes of rows.

use super::one_a_row;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::random::stream;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Input: a matrix. Output: each of its columns in another order.
#[derive(Debug)]
struct PermuteColumns;

impl Operation for PermuteColumns {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut constants = sizes(lowering.shape(node.inputs[0]));
        constants.insert("STREAM", f64::from(stream::PERMUTATION));
        let length = (constants["BATCH"] * constants["COLUMNS"]) as usize;
        let values = [("input", node.inputs[0]), ("output", node.outputs[0])];
        let grid = Grid::Elements(length);
        lowering.dispatch(node, "permute_columns", constants, &values, grid, 4 * length)
    }
}

fn sizes(shape: Shape) -> BTreeMap<&'static str, f64> {
    constants! { BATCH: shape.rows, COLUMNS: shape.columns.div_ceil(4), WIDTH: shape.columns }
}

/// What is computed of the logits of a row.
#[derive(Clone, Copy, Debug)]
enum OfLogits {
    /// The cross-entropy with this class.
    CrossEntropy(usize),
    /// The first logit less the second.
    Contrast,
}

impl OfLogits {
    fn kernels(self) -> [&'static str; 2] {
        match self {
            Self::CrossEntropy(_) => ["cross_entropy", "cross_entropy_gradient"],
            Self::Contrast => ["contrast", "contrast_gradient"],
        }
    }
}

/// Input: logits. Output: a number for each row.
#[derive(Debug)]
struct Classes(OfLogits);

impl Operation for Classes {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let logits = node.inputs[0];
        if let Some(target) = gradients.target(logits) {
            let label = format!("gradient of {}", gradients.name(logits));
            gradients.push_into(label, ClassesGradient(self.0, target.1), &[upstream, logits], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        let mut constants = sizes(shape);
        let variable = match self.0 {
            OfLogits::CrossEntropy(class) => {
                constants.insert("CLASS", class as f64);
                "loss"
            }
            OfLogits::Contrast => {
                constants.remove("WIDTH");
                "difference"
            }
        };
        let values = [("logits", node.inputs[0]), (variable, node.outputs[0])];
        let (kernel, grid) = (self.0.kernels()[0], Grid::Elements(shape.rows));
        lowering.dispatch(node, kernel, constants, &values, grid, 4 * shape.rows * shape.columns)
    }
}

/// Inputs: upstream, logits. Output: the gradient of the logits.
#[derive(Debug)]
struct ClassesGradient(OfLogits, bool);

impl Operation for ClassesGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[1]);
        let mut constants = sizes(shape);
        constants.insert("ACCUMULATE", f64::from(u8::from(self.1)));
        match self.0 {
            OfLogits::CrossEntropy(class) => drop(constants.insert("CLASS", class as f64)),
            OfLogits::Contrast => drop(constants.remove("WIDTH")),
        }
        lowering.dispatch(
            node,
            self.0.kernels()[1],
            constants,
            &[("upstream", node.inputs[0]), ("logits", node.inputs[1]), ("logits_gradient", node.outputs[0])],
            Grid::Elements(shape.rows),
            6 * shape.rows * shape.columns,
        )
    }
}

impl Graph {
    /// The rows of the minibatch in `x`, `[batch, columns]`, with each column in another random order, which each step draws
    /// anew. No gradient passes.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections.
    pub fn permute_columns(&mut self, x: ValueId) -> Result<ValueId> {
        let shape = self.shape(x);
        if shape.sections != 1 {
            return Err(Error::shape("permutation", "what is permuted has one section".to_string()));
        }
        let name = format!("{}.permuted", self.value(x).name);
        Ok(self.apply(name, PermuteColumns, &[x], Shape::matrix(shape.rows, shape.columns)))
    }

    /// The cross-entropy of each row of `logits`, `[batch, classes]`, with the class of this number.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such class.
    pub fn cross_entropy(&mut self, logits: ValueId, class: usize) -> Result<ValueId> {
        self.of_logits(logits, OfLogits::CrossEntropy(class), class + 1)
    }

    /// The first logit of each row of `logits`, `[batch, classes]`, less the second: the logarithm of the ratio of the two
    /// classes' probabilities.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are fewer than two.
    pub fn contrast(&mut self, logits: ValueId) -> Result<ValueId> {
        self.of_logits(logits, OfLogits::Contrast, 2)
    }

    fn of_logits(&mut self, logits: ValueId, what: OfLogits, classes: usize) -> Result<ValueId> {
        let shape = self.shape(logits);
        if shape.sections != 1 || shape.columns < classes {
            let problem =
                format!("{} logits a row in {} sections, not {classes}", shape.columns, shape.sections);
            return Err(Error::shape("classes", problem));
        }
        let name = format!("{}.{}", self.value(logits).name, what.kernels()[0]);
        Ok(self.apply(name, Classes(what), &[logits], one_a_row(shape.rows)))
    }
}
