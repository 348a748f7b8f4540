//! Layer normalisation (Ba, Kiros and Hinton, arXiv 1607.06450) as PyTorch's `LayerNorm`.

use super::batch_norm::scale;
use super::blocks::{add_blocks, blocks};
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;

fn constants(shape: Shape) -> BTreeMap<&'static str, f64> {
    constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4, WIDTH: shape.columns }
}

/// Inputs: x, scale (weight and bias). Outputs: y, and the moments of each row.
#[derive(Debug)]
struct LayerNorm {
    epsilon: f64,
}

impl Operation for LayerNorm {
    fn carries(&self, _: usize, output: usize) -> bool {
        output == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, scale] = node.inputs[..] else { return Ok(()) };
        let moments = node.outputs[1];
        if let Some(target) = gradients.target(scale) {
            let label = format!("gradient of {}", gradients.name(scale));
            let rows = blocks("layer_norm_scale", gradients.shape(x).rows);
            let shape = Shape { rows, ..gradients.shape(scale) };
            let partial = gradients.temporary(format!("{label}.partial"), shape);
            gradients.push(label.clone(), ScaleGradient, &[x, upstream, moments], &[partial]);
            add_blocks(gradients, &label, partial, target);
        }
        if let Some(target) = gradients.target(x) {
            let label = format!("gradient of {}", gradients.name(x));
            gradients.push_into(label, InputGradient(target.1), &[x, upstream, moments, scale], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        let mut constants = constants(shape);
        constants.extend(constants! { EPSILON: self.epsilon });
        lowering.dispatch(
            node,
            "layer_norm",
            constants,
            &[
                ("x", node.inputs[0]),
                ("scale", node.inputs[1]),
                ("y", node.outputs[0]),
                ("moments", node.outputs[1]),
            ],
            Grid::Elements(shape.rows),
            9 * shape.length(),
        )
    }
}

/// Inputs: x, dy, moments, scale. Output: dx.
#[derive(Debug)]
struct InputGradient(bool);

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        let mut constants = constants(shape);
        constants.extend(constants! { ACCUMULATE: self.0 });
        lowering.dispatch(
            node,
            "layer_norm_gradient",
            constants,
            &[
                ("x", node.inputs[0]),
                ("y_gradient", node.inputs[1]),
                ("saved", node.inputs[2]),
                ("scale", node.inputs[3]),
                ("x_gradient", node.outputs[0]),
            ],
            Grid::Elements(shape.rows),
            13 * shape.length(),
        )
    }
}

/// Inputs: x, dy, moments. Output: sums over blocks of rows of dy * normalised and of dy.
#[derive(Debug)]
struct ScaleGradient;

impl Operation for ScaleGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (shape, blocks) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]).rows);
        lowering.dispatch(
            node,
            "layer_norm_scale",
            constants(shape),
            &[
                ("x", node.inputs[0]),
                ("y_gradient", node.inputs[1]),
                ("saved", node.inputs[2]),
                ("partial", node.outputs[0]),
            ],
            Grid::Elements(blocks * shape.stride() / 4),
            5 * shape.length(),
        )
    }
}

impl Graph {
    /// Layer normalisation of the rows of `x`: y = (x - mean) / sqrt(variance + epsilon) * weight + bias with the mean and
    /// variance of a row's columns, as PyTorch's `LayerNorm`. Each pixel of feature maps is a row. The tensors are `NAME.weight`
    /// and `NAME.bias`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections or rows of more than 80,000 columns, or the table holds a layer of this name and
    /// another size.
    pub fn layer_norm(&mut self, name: &str, x: ValueId, epsilon: f64) -> Result<ValueId> {
        /// The most columns: an invocation goes through the vec4 of a row three times.
        const MOST: usize = 80_000;
        let shape = self.shape(x);
        if shape.sections != 1 || shape.length() == 0 || shape.columns > MOST {
            return Err(Error::shape(name, format!("no layer normalisation of the rows of {shape}")));
        }
        let scale = scale(self, name, shape.columns)?;
        let y = self.add_value(name.into(), shape);
        let moments = self.add_value(format!("{name}.moments"), Shape::matrix(shape.rows, 2));
        self.push(name, LayerNorm { epsilon }, &[x, scale], &[y, moments]);
        Ok(y)
    }
}
