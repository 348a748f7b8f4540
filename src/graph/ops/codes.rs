//! Penalties of deterministic autoencoders: on their codes, and on weights.

use super::gaussian::batch_mean;
use super::one_a_row;
use super::residual::multiply_columns;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Codes of each image, elementwise: a kernel from codes to penalties, and one from these to gradients, which is called the
/// same with `_gradient` at the end.
fn of_codes(node: &Node, lowering: &mut Lowering<'_>, kernel: &'static str, scale: f64) -> Result<()> {
    let shape = lowering.shape(node.inputs[0]);
    lowering.dispatch(
        node,
        kernel,
        constants! { LENGTH: shape.length() / 4, COLUMNS: shape.stride() / 4, SCALE: scale },
        &[("code", node.inputs[0]), ("penalty", node.outputs[0])],
        Grid::Elements(shape.length() / 4),
        4 * shape.length(),
    )
}

/// Inputs: codes, the upstream gradient. Output: the gradient of the codes.
#[derive(Debug)]
struct CodesGradient {
    kernel: &'static str,
    scale: f64,
    accumulate: bool,
}

impl Operation for CodesGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            self.kernel,
            constants! {
                LENGTH: shape.length() / 4, COLUMNS: shape.stride() / 4, SCALE: self.scale, ACCUMULATE: self.accumulate,
            },
            &[("code", node.inputs[0]), ("upstream", node.inputs[1]), ("code_gradient", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            6 * shape.length(),
        )
    }
}

fn codes_gradient(node: &Node, gradients: &mut Gradients<'_>, kernel: &'static str, scale: f64) {
    let Some(upstream) = gradients.upstream(node.outputs[0]) else { return };
    let Some(target) = gradients.target(node.inputs[0]) else { return };
    let label = format!("gradient of {} through {}", gradients.name(node.inputs[0]), node.label);
    let operation = CodesGradient { kernel, scale, accumulate: target.1 };
    gradients.push_into(label, operation, &[node.inputs[0], upstream], target);
}

/// Input: codes. Output: a multiple of their squares.
#[derive(Debug)]
struct Squares(f64);

impl Operation for Squares {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        codes_gradient(node, gradients, "squares_gradient", self.0);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        of_codes(node, lowering, "squares", self.0)
    }
}

/// Input: outputs h of sigmoids. Output: a multiple of (h (1 - h))^2.
#[derive(Debug)]
struct SlopeSquares(f64);

impl Operation for SlopeSquares {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        codes_gradient(node, gradients, "slope_squares_gradient", self.0);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        of_codes(node, lowering, "slope_squares", self.0)
    }
}

/// Inputs: a weight, and the sum so far, if there is one. Output: the sum with the squares of the weight.
#[derive(Debug)]
struct AddSquareSum(f64);

impl Operation for AddSquareSum {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        if let Some(&before) = node.inputs.get(1) {
            gradients.share(before, upstream);
        }
        let weight = node.inputs[0];
        let Some(target) = gradients.target(weight) else { return Ok(()) };
        let label = format!("gradient of {} through its squares", gradients.name(weight));
        let operation = AddSquareSumGradient { scale: self.0, accumulate: target.1 };
        gradients.push_into(label, operation, &[weight, upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.inputs[0]).length();
        let before = node.inputs.get(1).map(|&before| ("before", before));
        let own = [("weight", node.inputs[0]), ("total", node.outputs[0])];
        // A kernel binds all its variables: without a sum so far, the weight stands there unread.
        let bindings: Vec<_> =
            own.into_iter().chain([before.unwrap_or(("before", node.inputs[0]))]).collect();
        lowering.dispatch(
            node,
            "add_square_sum",
            constants! { LENGTH: length / 4, SCALE: self.0, FIRST: before.is_none() },
            &bindings,
            Grid::Workgroups(1),
            2 * length,
        )
    }
}

/// Inputs: a weight, the upstream gradient. Output: the gradient of the weight.
#[derive(Debug)]
struct AddSquareSumGradient {
    scale: f64,
    accumulate: bool,
}

impl Operation for AddSquareSumGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.inputs[0]).length();
        lowering.dispatch(
            node,
            "add_square_sum_gradient",
            constants! { LENGTH: length / 4, SCALE: self.scale, ACCUMULATE: self.accumulate },
            &[("weight", node.inputs[0]), ("upstream", node.inputs[1]), ("weight_gradient", node.outputs[0])],
            Grid::Elements(length / 4),
            length,
        )
    }
}

/// Input: a weight, `[out, in]`. Output: the sum of the squares of each row, `[1, out]`.
#[derive(Debug)]
struct RowSquares;

impl Operation for RowSquares {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {} through its rows' squares", gradients.name(node.inputs[0]));
        gradients.push_into(label, RowSquaresGradient(target.1), &[node.inputs[0], upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "row_squares",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4 },
            &[("weight", node.inputs[0]), ("norms", node.outputs[0])],
            Grid::Elements(shape.rows),
            2 * shape.length(),
        )
    }
}

/// Inputs: a weight, the upstream gradient of each row. Output: the gradient of the weight.
#[derive(Debug)]
struct RowSquaresGradient(bool);

impl Operation for RowSquaresGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "row_squares_gradient",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4, ACCUMULATE: self.0 },
            &[
                ("weight", node.inputs[0]),
                ("norms_upstream", node.inputs[1]),
                ("weight_gradient", node.outputs[0]),
            ],
            Grid::Elements(shape.length() / 4),
            2 * shape.length(),
        )
    }
}

/// Inputs: codes, and their mean over the minibatch. Output: a multiple of KL(target || mean) of each unit.
#[derive(Clone, Copy, Debug)]
struct Sparsity {
    target: f64,
    scale: f64,
}

impl Operation for Sparsity {
    /// The rule for the codes takes the way through their mean.
    fn carries(&self, input: usize, _: usize) -> bool {
        input == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [code, average] = node.inputs[..] else { return Ok(()) };
        let Some(target) = gradients.target(code) else { return Ok(()) };
        let label = format!("gradient of {} through {}", gradients.name(code), node.label);
        // The codes are not read: the first input gives the shape.
        let operation = SparsityGradient { of: *self, shape: gradients.shape(code), accumulate: target.1 };
        gradients.push_into(label, operation, &[average, upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "sparsity",
            constants! {
                COLUMNS: shape.stride() / 4, WIDTH: shape.columns, SCALE: self.scale, TARGET: self.target,
            },
            &[("average", node.inputs[1]), ("penalty", node.outputs[0])],
            Grid::Elements(shape.stride() / 4),
            10 * shape.columns,
        )
    }
}

/// Inputs: the mean codes, the upstream gradient of each unit. Output: the gradient of the codes.
#[derive(Debug)]
struct SparsityGradient {
    of: Sparsity,
    shape: Shape,
    accumulate: bool,
}

impl Operation for SparsityGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = self.shape;
        lowering.dispatch(
            node,
            "sparsity_gradient",
            constants! {
                LENGTH: shape.length() / 4, COLUMNS: shape.stride() / 4, WIDTH: shape.columns, SCALE: self.of.scale,
                TARGET: self.of.target, ACCUMULATE: self.accumulate,
            },
            &[("average", node.inputs[0]), ("upstream", node.inputs[1]), ("code_gradient", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            6 * shape.length(),
        )
    }
}

impl Graph {
    /// `scale` times the square of each code; rows past the minibatch are 0.
    pub fn code_squares(&mut self, code: ValueId, scale: f64) -> ValueId {
        let shape = self.shape(code);
        self.apply("code.squares", Squares(scale), &[code], shape)
    }

    /// `scale` times the sum of the squares of all parameters in `weights`, `[1, 1]`, times the images of the minibatch: as a
    /// loss, which is an average over these, it does not depend on their number. `None` without weights.
    pub fn square_sum(&mut self, weights: &[ValueId], scale: f64) -> Option<ValueId> {
        let mut sum = None;
        for &weight in weights {
            let inputs: Vec<ValueId> = [weight].into_iter().chain(sum).collect();
            sum = Some(self.apply("weight.squares", AddSquareSum(scale), &inputs, one_a_row(1)));
        }
        sum
    }

    /// `scale` times the squared Frobenius norm of the Jacobian of `code` = sigmoid(`weight` x + b), as one term for each unit
    /// of each image: (h (1 - h))^2 times the squares of the unit's weights (Rifai et al., ICML 2011, equation 7).
    ///
    /// # Errors
    /// [`Error::Shape`] if the weight is not that of as many units.
    pub fn contraction(&mut self, code: ValueId, weight: ValueId, scale: f64) -> Result<ValueId> {
        let (h, w) = (self.shape(code), self.shape(weight));
        if w.rows != h.stride() {
            return Err(Error::shape("contraction", format!("codes {h} do not fit the weight {w}")));
        }
        let slopes = self.apply("code.slopes", SlopeSquares(scale), &[code], h);
        let norms = self.apply("weight.norms", RowSquares, &[weight], Shape::matrix(1, h.columns));
        Ok(multiply_columns(self, "contraction", slopes, norms))
    }

    /// `scale` times KL(`target` || r) of each unit, `[1, units]`, where r is the mean of its `code` over the minibatch, which
    /// must be from 0 to 1; times the images of the minibatch, by which losses are divided.
    ///
    /// # Errors
    /// [`Error::Shape`] if `target` is not between 0 and 1.
    pub fn sparsity(&mut self, code: ValueId, target: f64, scale: f64) -> Result<ValueId> {
        if !(target > 0.0 && target < 1.0) {
            return Err(Error::shape("sparsity", format!("{target} is not between 0 and 1")));
        }
        let shape = self.shape(code);
        let average = batch_mean(self, "code.mean", code);
        Ok(self.apply(
            "sparsity",
            Sparsity { target, scale },
            &[code, average],
            Shape::matrix(1, shape.columns),
        ))
    }
}
