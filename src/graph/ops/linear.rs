//! The linear layer y = x Wᵀ + b.

use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, Tensor, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// What a layer sees as one row.
#[derive(Clone, Copy, Debug)]
enum View {
    /// A row of the matrix: a pixel of feature maps.
    Row,
    /// All maps of an item, with the padding of their pixels.
    Item,
}

impl View {
    fn of(self, shape: Shape) -> Shape {
        match self {
            Self::Row => shape,
            Self::Item => Shape::with_sections(shape.items(), shape.pixels() * shape.sections, shape.columns),
        }
    }
}

/// Inputs: x, weight, bias.
#[derive(Debug)]
struct Linear(View);

impl Operation for Linear {
    /// dW = dYᵀ x, db = column sums of dY, dx = dY W.
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [input, weight, bias] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(weight) {
            let label = format!("gradient of {}", gradients.name(weight));
            gradients.push_into(label, WeightGradient(self.0, target.1), &[upstream, input], target);
        }
        if let Some(target) = gradients.target(bias) {
            let label = format!("gradient of {}", gradients.name(bias));
            gradients.push_into(label, BiasGradient(self.0, target.1), &[upstream], target);
        }
        if let Some(target) = gradients.target(input) {
            let label = format!("gradient of {}", gradients.name(input));
            gradients.push_into(label, InputGradient(self.0, target.1), &[upstream, weight], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let seen = |value: ValueId| self.0.of(lowering.shape(value));
        let (input, output) = (seen(node.inputs[0]), seen(node.outputs[0]));
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
struct InputGradient(View, bool);

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let seen = |value: ValueId| self.0.of(lowering.shape(value));
        let (upstream, output) = (seen(node.inputs[0]), seen(node.outputs[0]));
        lowering.dispatch(
            node,
            "matmul_nn",
            constants! {
                ROWS: output.rows, COLUMNS: output.stride() / 4, INNER: upstream.stride() / 4, ACCUMULATE: self.1,
            },
            &[("a_elements", node.inputs[0]), ("b", node.inputs[1]), ("output", node.outputs[0])],
            Grid::Tiles { rows: output.rows, columns: output.stride() / 4 },
            2 * output.rows * output.sections * output.columns * upstream.sections * upstream.columns,
        )
    }
}

/// Inputs: dY, x. Output: dW.
#[derive(Debug)]
struct WeightGradient(View, bool);

impl Operation for WeightGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let seen = |value: ValueId| self.0.of(lowering.shape(value));
        let (upstream, input) = (seen(node.inputs[0]), seen(node.inputs[1]));
        let output = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "matmul_tn",
            constants! {
                ROWS: output.rows, COLUMNS: output.stride() / 4, INNER: upstream.rows, ACCUMULATE: self.1,
            },
            &[("a", node.inputs[0]), ("b", node.inputs[1]), ("output", node.outputs[0])],
            Grid::Tiles { rows: output.rows, columns: output.stride() / 4 },
            2 * upstream.rows * upstream.sections * upstream.columns * input.sections * input.columns,
        )
    }
}

/// Add the gradient of `weight` to what is there: dYᵀ x, where `upstream` is dY.
pub(super) fn add_weight_gradient(
    gradients: &mut Gradients<'_>,
    weight: ValueId,
    [upstream, x]: [ValueId; 2],
) {
    if let Some(target) = gradients.target(weight) {
        let label = format!("gradient of {}", gradients.name(weight));
        gradients.push_into(label, WeightGradient(View::Row, target.1), &[upstream, x], target);
    }
}

/// Input: dY. Output: db.
#[derive(Debug)]
struct BiasGradient(View, bool);

impl Operation for BiasGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let upstream = self.0.of(lowering.shape(node.inputs[0]));
        lowering.dispatch(
            node,
            "column_sum",
            constants! { COLUMNS: upstream.stride() / 4, INNER: upstream.rows, ACCUMULATE: self.1 },
            &[("a", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(upstream.stride() / 4),
            upstream.length(),
        )
    }
}

/// Dimensions of an item of `shape`, in the order of checkpoints: channels, rows, columns. `scale` is how far apart two
/// elements are that follow each other in memory.
fn dimensions(shape: Shape, scale: usize) -> Vec<(usize, usize)> {
    let ([height, width], pixel) = (shape.space, shape.stride());
    vec![(shape.columns, scale), (height, width * pixel * scale), (width, pixel * scale)]
}

impl Graph {
    /// A linear layer on `input`, `[rows, in]`. With one name the output is `[rows, width]`; with several it is
    /// `[rows, names, width]`: layers that share their input are computed as one. The tensors are
    /// `NAME.weight` `[width, in]` and `NAME.bias` `[width]` for each name. A layer whose names are in the table already
    /// shares its weights. Each pixel of feature maps is a row.
    ///
    /// # Errors
    /// [`Error::Shape`] if `input` has sections, a size is zero, or the table holds a layer of these names and other sizes.
    pub fn linear(&mut self, names: &[&str], input: ValueId, width: usize) -> Result<ValueId> {
        let x = self.shape(input);
        let output = Shape { sections: names.len(), columns: width, ..x };
        self.add_linear(names, input, output, View::Row)
    }

    /// A linear layer on all maps of an item of `input`, `[items, height, width, channels]`: the output is `[items, width]`,
    /// or `[items, names, width]` with several names. The tensors are those of a layer on flattened maps in the order channel,
    /// row, column: `NAME.weight` `[width, channels * height * width]` and `NAME.bias` `[width]`.
    ///
    /// # Errors
    /// Those of [`Graph::linear`].
    pub fn linear_from_maps(&mut self, names: &[&str], input: ValueId, width: usize) -> Result<ValueId> {
        let output = Shape::with_sections(self.shape(input).items(), names.len(), width);
        self.add_linear(names, input, output, View::Item)
    }

    /// A linear layer on `input`, `[items, in]`, whose output is maps of `space`, height and width, and `channels`. The
    /// tensors are those of a layer whose output is maps in the order channel, row, column: `NAME.weight`
    /// `[channels * height * width, in]` and `NAME.bias` `[channels * height * width]`.
    ///
    /// # Errors
    /// Those of [`Graph::linear`], or if `input` are feature maps.
    pub fn linear_to_maps(
        &mut self,
        name: &str,
        input: ValueId,
        space: [usize; 2],
        channels: usize,
    ) -> Result<ValueId> {
        let x = self.shape(input);
        if x.pixels() != 1 {
            return Err(Error::shape(name, format!("input of shape {x} has more than one row for an item")));
        }
        self.add_linear(&[name], input, Shape::maps(x.rows, space, channels), View::Item)
    }

    /// The linear layer of parameters that are in the graph already: `input`, `[rows, in]`, times `weight`, `[out, in]`, plus
    /// `bias`, `[1, out]`. With a bias of several sections, `[1, sections, width]`, the output is `[rows, sections, width]`, and
    /// `weight` has a row for each of its elements and for its padding.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit together.
    pub fn linear_with(
        &mut self,
        name: &str,
        input: ValueId,
        [weight, bias]: [ValueId; 2],
    ) -> Result<ValueId> {
        let [x, w, b] = [input, weight, bias].map(|value| self.shape(value));
        if x.sections != 1 || w.columns != x.columns || w.rows != b.stride() {
            return Err(Error::shape(name, format!("{x}, weight {w} and bias {b} do not fit together")));
        }
        let output = Shape::with_sections(x.rows, b.sections, b.columns);
        Ok(self.apply(name, Linear(View::Row), &[input, weight, bias], output))
    }

    fn add_linear(&mut self, names: &[&str], input: ValueId, output: Shape, view: View) -> Result<ValueId> {
        let (x, name) = (self.shape(input), names.join("+"));
        if x.sections != 1 {
            return Err(Error::shape(name, format!("input of shape {x} is not a plain matrix")));
        }
        // An item's numbers, without padding; of one of several layers.
        let count = |shape: Shape| match view {
            View::Row => shape.columns,
            View::Item => shape.pixels() * shape.columns,
        };
        let (inner, width) = (count(x), count(output));
        if names.is_empty() || width == 0 || inner == 0 {
            return Err(Error::shape(name, format!("no layer from {inner} to {width} values")));
        }
        // One element for each of these in memory, with padding.
        let (from, to) = (view.of(x), view.of(output));
        let each = || (0..).map(|section| section * output.section_stride()).zip(names);
        let of = |shape: Shape, scale: usize| match view {
            View::Row => vec![(shape.columns, scale)],
            View::Item => dimensions(Shape { sections: 1, ..shape }, scale),
        };
        let weights = each().map(|(row, name)| Tensor {
            name: format!("{name}.weight"),
            shape: vec![width, inner],
            dimensions: [of(output, from.stride()), of(x, 1)].concat(),
            offset: row * from.stride(),
            init: Init::Weight { fan_in: inner, fan_out: width },
        });
        let biases = each().map(|(offset, name)| Tensor {
            name: format!("{name}.bias"),
            shape: vec![width],
            dimensions: of(output, 1),
            offset,
            init: Init::Bias { fan_in: inner },
        });
        let columns = if from.sections == 1 { from.columns } else { from.stride() };
        let shape = Shape::matrix(to.stride(), columns);
        let weight = self.parameter(&format!("{name}.weight"), shape, weights.collect())?;
        let shape = Shape::with_sections(1, to.sections, to.columns);
        let bias = self.parameter(&format!("{name}.bias"), shape, biases.collect())?;
        Ok(self.apply(name, Linear(view), &[input, weight, bias], output))
    }
}
