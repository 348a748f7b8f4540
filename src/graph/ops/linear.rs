//! The linear layer y = x Wᵀ + b.

use crate::graph::shape::padded;
use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, Tensor, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: x, weight, bias.
#[derive(Debug)]
struct Linear;

impl Operation for Linear {
    /// dW = dYᵀ x, db = column sums of dY, dx = dY W.
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [input, weight, bias] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(weight) {
            let label = format!("gradient of {}", gradients.name(weight));
            gradients.push_into(label, WeightGradient(target.1), &[upstream, input], target);
        }
        if let Some(target) = gradients.target(bias) {
            let label = format!("gradient of {}", gradients.name(bias));
            gradients.push_into(label, BiasGradient(target.1), &[upstream], target);
        }
        if let Some(target) = gradients.target(input) {
            let label = format!("gradient of {}", gradients.name(input));
            gradients.push_into(label, InputGradient(target.1), &[upstream, weight], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "matmul_nt",
            constants! {
                ROWS: output.rows, COLUMNS: output.stride() / 4, INNER: input.stride() / 4, ACTIVATION: 0,
                SECTION: output.section_stride() / 4, WIDTH: output.columns,
            },
            &[
                ("a_elements", node.inputs[0]),
                ("b_elements", node.inputs[1]),
                ("bias", node.inputs[2]),
                ("output", node.outputs[0]),
            ],
            Grid::Tiles { rows: output.rows, columns: output.stride() / 4 },
            2 * output.rows * output.sections * output.columns * input.sections * input.columns,
        )
    }
}

/// Inputs: dY, weight. Output: dx.
#[derive(Debug)]
struct InputGradient(bool);

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (upstream, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "matmul_nn",
            constants! {
                ROWS: output.rows, COLUMNS: output.stride() / 4, INNER: upstream.stride() / 4, ACCUMULATE: self.0,
            },
            &[("a_elements", node.inputs[0]), ("b", node.inputs[1]), ("output", node.outputs[0])],
            Grid::Tiles { rows: output.rows, columns: output.stride() / 4 },
            2 * output.rows * output.sections * output.columns * upstream.sections * upstream.columns,
        )
    }
}

/// Inputs: dY, x. Output: dW.
#[derive(Debug)]
struct WeightGradient(bool);

impl Operation for WeightGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (upstream, input) = (lowering.shape(node.inputs[0]), lowering.shape(node.inputs[1]));
        let output = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "matmul_tn",
            constants! {
                ROWS: output.rows, COLUMNS: output.stride() / 4, INNER: upstream.rows, ACCUMULATE: self.0,
            },
            &[("a", node.inputs[0]), ("b", node.inputs[1]), ("output", node.outputs[0])],
            Grid::Tiles { rows: output.rows, columns: output.stride() / 4 },
            2 * upstream.rows * upstream.sections * upstream.columns * input.sections * input.columns,
        )
    }
}

/// Input: dY. Output: db.
#[derive(Debug)]
struct BiasGradient(bool);

impl Operation for BiasGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let upstream = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "column_sum",
            constants! { COLUMNS: upstream.stride() / 4, INNER: upstream.rows, ACCUMULATE: self.0 },
            &[("a", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(upstream.stride() / 4),
            upstream.length(),
        )
    }
}

impl Graph {
    /// A linear layer on `input`, `[rows, in]`. With one name the output is `[rows, width]`; with several it is
    /// `[rows, names, width]`: layers that share their input are computed as one. The tensors are
    /// `NAME.weight` `[width, in]` and `NAME.bias` `[width]` for each name. A layer whose names are in the table already
    /// shares its weights.
    ///
    /// # Errors
    /// [`Error::Shape`] if `input` has sections, a size is zero, or the table holds a layer of these names and other sizes.
    pub fn linear(&mut self, names: &[&str], input: ValueId, width: usize) -> Result<ValueId> {
        let x = self.shape(input);
        let name = names.join("+");
        if x.sections != 1 {
            return Err(Error::shape(name, format!("input of shape {x} is not a plain matrix")));
        }
        if names.is_empty() || width == 0 || x.columns == 0 {
            return Err(Error::shape(name, format!("no layer from {} to {width} values", x.columns)));
        }
        let output = Shape { sections: names.len(), columns: width, ..x };
        let (fan_in, fan_out) = (x.columns, width);
        let each = || (0..).map(|section| section * padded(width)).zip(names);
        let weights = each().map(|(row, name)| Tensor {
            name: format!("{name}.weight"),
            shape: vec![width, x.columns],
            strides: vec![x.stride(), 1],
            offset: row * x.stride(),
            init: Init::Weight { fan_in, fan_out },
        });
        let biases = each().map(|(offset, name)| Tensor {
            name: format!("{name}.bias"),
            shape: vec![width],
            strides: vec![1],
            offset,
            init: Init::Bias { fan_in },
        });
        let shape = Shape::matrix(output.stride(), x.columns);
        let weight = self.parameter(&format!("{name}.weight"), shape, weights.collect())?;
        let shape = Shape::with_sections(1, output.sections, output.columns);
        let bias = self.parameter(&format!("{name}.bias"), shape, biases.collect())?;
        Ok(self.apply(name, Linear, &[input, weight, bias], output))
    }
}
