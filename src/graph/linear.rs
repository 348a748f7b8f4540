//! The linear layer y = x Wᵀ + b.

use super::parameters::TensorKind;
use super::shape::padded;
use super::{Gradients, Graph, Node, Operation, Shape, Tensor, ValueId};
use crate::plan::{Grid, Lowering, constants};
use crate::{Error, Result};

/// What a layer's gradient is passed on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// Its parameters and its input.
    All,
    /// Its parameters: the input counts as given.
    Parameters,
    /// Its input: the parameters are those of a layer that is there already, and count as given.
    Input,
}

/// Inputs: x, weight, bias.
#[derive(Debug)]
struct Linear(Receivers);

impl Operation for Linear {
    /// dW = dYᵀ x, db = column sums of dY, dx = dY W.
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = upstream else { return Ok(()) };
        let [input, weight, bias] = node.inputs[..] else { return Ok(()) };
        if self.0 != Receivers::Input {
            if let Some((target, accumulate)) = gradients.target(weight) {
                let label = format!("gradient of {}", gradients.name(weight));
                gradients.push(label, WeightGradient(accumulate), &[upstream, input], &[target]);
            }
            if let Some((target, accumulate)) = gradients.target(bias) {
                let label = format!("gradient of {}", gradients.name(bias));
                gradients.push(label, BiasGradient(accumulate), &[upstream], &[target]);
            }
        }
        if self.0 != Receivers::Parameters
            && let Some((target, accumulate)) = gradients.target(input)
        {
            let label = format!("gradient of {}", gradients.name(input));
            gradients.push(label, InputGradient(accumulate), &[upstream, weight], &[target]);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
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
        );
    }
}

/// Inputs: dY, weight. Output: dx.
#[derive(Debug)]
struct InputGradient(bool);

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
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
        );
    }
}

/// Inputs: dY, x. Output: dW.
#[derive(Debug)]
struct WeightGradient(bool);

impl Operation for WeightGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
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
        );
    }
}

/// Input: dY. Output: db.
#[derive(Debug)]
struct BiasGradient(bool);

impl Operation for BiasGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let upstream = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "column_sum",
            constants! { COLUMNS: upstream.stride() / 4, INNER: upstream.rows, ACCUMULATE: self.0 },
            &[("a", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(upstream.stride() / 4),
            upstream.length(),
        );
    }
}

impl Graph {
    /// A linear layer on `input`, `[rows, in]`. With one name the output is `[rows, width]`; with several it is
    /// `[rows, names, width]`: layers that share their input are computed as one. The tensors are
    /// `NAME.weight` `[width, in]` and `NAME.bias` `[width]` for each name.
    ///
    /// # Errors
    /// [`Error::Shape`] if `input` has sections or a size is zero.
    pub fn linear(&mut self, names: &[&str], input: ValueId, width: usize) -> Result<ValueId> {
        self.linear_for(Receivers::All, names, input, width)
    }

    /// The same, whose gradient goes to `receivers` only. For [`Receivers::Input`] the layer is one that the graph has
    /// already, computed once more; the output's name then ends with `(again)`.
    ///
    /// # Errors
    /// [`Error::Shape`] as for [`Graph::linear`], and if there is no such layer to compute once more.
    pub fn linear_for(
        &mut self,
        receivers: Receivers,
        names: &[&str],
        input: ValueId,
        width: usize,
    ) -> Result<ValueId> {
        let x = self.shape(input);
        if x.sections != 1 {
            return Err(Error::shape(names.join(" + "), format!("input of shape {x} is not a plain matrix")));
        }
        if names.is_empty() || width == 0 || x.columns == 0 {
            return Err(Error::shape(
                names.join(" + "),
                format!("no layer from {} to {width} values", x.columns),
            ));
        }
        let output = Shape { rows: x.rows, sections: names.len(), columns: width };
        let name = names.join("+");
        if receivers == Receivers::Input {
            let found = ["weight", "bias"].map(|part| self.find(&format!("{name}.{part}")));
            let ([Some(weight), Some(bias)], shape) = (found, Shape::matrix(output.stride(), x.columns))
            else {
                return Err(Error::shape(name, "there is no such layer to compute once more".to_string()));
            };
            if self.shape(weight) != shape {
                let problem = format!("its weights are {}, not {shape}", self.shape(weight));
                return Err(Error::shape(name, problem));
            }
            return Ok(self.apply(
                format!("{name} (again)"),
                Linear(receivers),
                &[input, weight, bias],
                output,
            ));
        }
        let tensor = |name: String, kind, shape: Vec<usize>, offset, stride| Tensor {
            name,
            kind,
            shape,
            offset,
            stride,
            fan_in: x.columns,
            fan_out: width,
        };
        let weights = (0..).zip(names).map(|(section, name)| {
            let offset = section * padded(width) * x.stride();
            tensor(format!("{name}.weight"), TensorKind::Weight, vec![width, x.columns], offset, x.stride())
        });
        let biases = (0..).zip(names).map(|(section, name)| {
            let offset = section * padded(width);
            tensor(format!("{name}.bias"), TensorKind::Bias, vec![width], offset, width)
        });
        let weight = self.parameter(
            format!("{name}.weight"),
            Shape::matrix(output.stride(), x.columns),
            weights.collect(),
        );
        let bias = self.parameter(format!("{name}.bias"), Shape { rows: 1, ..output }, biases.collect());
        Ok(self.apply(name, Linear(receivers), &[input, weight, bias], output))
    }
}
