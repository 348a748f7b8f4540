//! Batch normalisation (Ioffe and Szegedy, arXiv 1502.03167) as PyTorch's `BatchNorm1d` and `BatchNorm2d`.

use super::blocks::{add_blocks, blocks};
use crate::graph::{
    Activation, Gradients, Graph, Init, Lowering, Mode, Node, Operation, Shape, Tensor, ValueId,
};
use crate::kernels::kernel;
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// The most blocks of rows whose moments one invocation merges at the end.
const MOST: usize = 128;

/// How a batch normalisation works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Samples of each image: the input has this many items for each item of the minibatch.
    pub samples: usize,
    /// Share of a minibatch in the running statistics, from 0 to 1.
    pub momentum: f64,
    /// Added to variances.
    pub epsilon: f64,
}

impl Default for BatchNorm {
    /// One sample, and PyTorch's numbers.
    fn default() -> Self {
        Self { samples: 1, momentum: 0.1, epsilon: 1e-5 }
    }
}

/// What the kernels ask of the input, and of the minibatch that it belongs to.
#[derive(Clone, Copy, Debug)]
struct Rows {
    rows: usize,
    /// vec4 in a row.
    columns: usize,
    /// Channels.
    width: usize,
    /// Items that a minibatch has room for.
    batch: usize,
    /// Rows of an item.
    space: usize,
}

/// Input: x. Outputs: mean and variance of each channel, its unbiased variance, and moments of ever larger blocks of rows on
/// the way to them.
#[derive(Debug)]
struct BatchMoments(Rows);

impl Operation for BatchMoments {
    /// The derivative rule of [`Normalise`] goes through the moments too.
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Rows { rows, columns, batch, space, .. } = self.0;
        let [first, larger @ ..] = &node.outputs[3..] else { return Ok(()) };
        let blocks = lowering.shape(*first).rows;
        lowering.dispatch(
            node,
            "batch_moments",
            constants! { ROWS: rows, COLUMNS: columns, BATCH: batch, SPACE: space, TRAIN: true },
            &[("x", node.inputs[0]), ("partial", *first)],
            Grid::Elements(blocks * columns),
            4 * rows * 4 * columns,
        )?;
        let kernel = kernel("batch_moments");
        let (mut from, mut span) = (*first, kernel.constant("BLOCK") as usize);
        for &next in larger {
            let (parts, blocks) = (lowering.shape(from).rows, lowering.shape(next).rows);
            lowering.dispatch(
                node,
                "merge_moments",
                constants! {
                    ROWS: rows, COLUMNS: columns, BATCH: batch, SPACE: space, PARTS: parts, SPAN: span,
                },
                &[("parts", from), ("partial", next)],
                Grid::Elements(blocks * columns),
                6 * parts * 4 * columns,
            )?;
            (from, span) = (next, span * kernel.constant("MERGED") as usize);
        }
        let parts = lowering.shape(from).rows;
        lowering.dispatch(
            node,
            "finish_moments",
            constants! { ROWS: rows, COLUMNS: columns, BATCH: batch, SPACE: space, PARTS: parts, SPAN: span },
            &[
                ("parts", from),
                ("batch_mean", node.outputs[0]),
                ("batch_variance", node.outputs[1]),
                ("unbiased", node.outputs[2]),
            ],
            Grid::Elements(columns),
            6 * parts * 4 * columns,
        )
    }
}

/// Inputs: x, mean, variance, scale (weight and bias). Output: y.
#[derive(Debug)]
struct Normalise {
    rows: Rows,
    epsilon: f64,
    /// Whether mean and variance are those of x; else they are constants.
    train: bool,
}

impl Operation for Normalise {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, mean, variance, scale] = node.inputs[..] else { return Ok(()) };
        let Self { rows, epsilon, train } = *self;
        // The sums of dy * normalised and of dy are the gradients of weight and bias; that of x needs them too.
        let label = format!("gradient of {}", gradients.name(scale));
        let part = gradients.part(scale);
        let sums = match part {
            None if train && gradients.wants(x) => {
                let shape = gradients.shape(scale);
                Some(gradients.temporary(format!("{label}.sums"), shape))
            }
            part => part,
        };
        if let Some(sums) = sums {
            let shape = Shape { rows: blocks("batch_moments", rows.rows), ..gradients.shape(scale) };
            let partial = gradients.temporary(format!("{label}.partial"), shape);
            let operation = Sums { rows, epsilon, train };
            gradients.push(label.clone(), operation, &[x, upstream, mean, variance, scale], &[partial]);
            add_blocks(gradients, &label, partial, (sums, false));
        }
        if let Some(target) = gradients.target(x) {
            let label = format!("gradient of {}", gradients.name(x));
            let operation = InputGradient { rows, epsilon, accumulate: target.1 };
            let inputs = [upstream, variance, scale, x, mean];
            match sums.filter(|_| train) {
                Some(sums) => {
                    gradients.push_into(label, operation, &[&inputs[..], &[sums]].concat(), target);
                }
                None => gradients.push_into(label, FixedGradient(operation), &inputs[..3], target),
            }
        }
        if let Some(part) = part {
            gradients.add(scale, part, part);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Rows { rows, columns, width, .. } = self.rows;
        lowering.dispatch(
            node,
            "batch_norm",
            constants! {
                ROWS: rows, COLUMNS: columns, WIDTH: width, EPSILON: self.epsilon,
                ACTIVATION: Activation::Identity.number(),
            },
            &[
                ("x", node.inputs[0]),
                ("mean", node.inputs[1]),
                ("variance", node.inputs[2]),
                ("scale", node.inputs[3]),
                ("y", node.outputs[0]),
            ],
            Grid::Elements(rows * columns),
            3 * rows * 4 * columns,
        )
    }
}

/// Inputs: x, dy, mean, variance, scale. Output: sums over blocks of rows of dy * normalised and of dy.
#[derive(Debug)]
struct Sums {
    rows: Rows,
    epsilon: f64,
    train: bool,
}

impl Operation for Sums {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Rows { rows, columns, batch, space, .. } = self.rows;
        let partial = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "batch_norm_sums",
            constants! {
                ROWS: rows, COLUMNS: columns, BATCH: batch, SPACE: space, EPSILON: self.epsilon, TRAIN: self.train,
                ACTIVATION: Activation::Identity.number(),
            },
            &[
                ("x", node.inputs[0]),
                ("y_gradient", node.inputs[1]),
                ("mean", node.inputs[2]),
                ("variance", node.inputs[3]),
                ("scale", node.inputs[4]),
                ("partial", node.outputs[0]),
            ],
            Grid::Elements(partial.rows * columns),
            4 * rows * 4 * columns,
        )
    }
}

/// Inputs: dy, variance, scale, x, mean, the sums over all rows. Output: dx.
#[derive(Debug)]
struct InputGradient {
    rows: Rows,
    epsilon: f64,
    accumulate: bool,
}

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Rows { rows, columns, batch, space, .. } = self.rows;
        lowering.dispatch(
            node,
            "batch_norm_gradient",
            constants! {
                ROWS: rows, COLUMNS: columns, BATCH: batch, SPACE: space, EPSILON: self.epsilon,
                ACCUMULATE: self.accumulate, ACTIVATION: Activation::Identity.number(),
            },
            &[
                ("y_gradient", node.inputs[0]),
                ("variance", node.inputs[1]),
                ("scale", node.inputs[2]),
                ("x", node.inputs[3]),
                ("mean", node.inputs[4]),
                ("sums", node.inputs[5]),
                ("x_gradient", node.outputs[0]),
            ],
            Grid::Elements(rows * columns),
            7 * rows * 4 * columns,
        )
    }
}

/// Inputs: dy, variance, scale. Output: dx, where mean and variance are constants.
#[derive(Debug)]
struct FixedGradient(InputGradient);

impl Operation for FixedGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let InputGradient { rows: Rows { rows, columns, .. }, epsilon, accumulate } = self.0;
        lowering.dispatch(
            node,
            "fixed_norm_gradient",
            constants! { ROWS: rows, COLUMNS: columns, EPSILON: epsilon, ACCUMULATE: accumulate },
            &[
                ("y_gradient", node.inputs[0]),
                ("variance", node.inputs[1]),
                ("scale", node.inputs[2]),
                ("x_gradient", node.outputs[0]),
            ],
            Grid::Elements(rows * columns),
            rows * 4 * columns,
        )
    }
}

/// The block of the parameters `NAME.weight`, 1 at first, and `NAME.bias`, 0 at first, of `channels` each.
pub(super) fn scale(graph: &mut Graph, name: &str, channels: usize) -> Result<ValueId> {
    let shape = Shape::with_sections(1, 2, channels);
    let tensor = |part: &str, offset: usize, value: f64| Tensor {
        name: format!("{name}.{part}"),
        shape: vec![channels],
        dimensions: vec![(channels, 1)],
        offset,
        init: Init::Constant(value),
    };
    let tensors = vec![tensor("weight", 0, 1.0), tensor("bias", shape.section_stride(), 0.0)];
    graph.parameter(&format!("{name}.scale"), shape, tensors)
}

impl Graph {
    /// Batch normalisation of each channel of `x`, a matrix or maps: y = (x - mean) / sqrt(variance + epsilon) * weight +
    /// bias, as PyTorch's `BatchNorm1d` and `BatchNorm2d`. Under [`Mode::Train`] mean and variance are those of the items of
    /// the minibatch, and move the running ones in training steps; else they are the running ones. Items past the step's
    /// minibatch count for nothing. The tensors are `NAME.weight` and `NAME.bias`, the states `NAME.running_mean` and
    /// `NAME.running_var`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, its items are not a multiple of the samples, or the table holds a layer of this
    /// name and another size.
    pub fn batch_norm(&mut self, name: &str, x: ValueId, how: BatchNorm) -> Result<ValueId> {
        let shape = self.shape(x);
        if shape.sections != 1 || how.samples == 0 || !shape.items().is_multiple_of(how.samples) {
            let problem = format!("no batch normalisation of {shape} with {} samples", how.samples);
            return Err(Error::shape(name, problem));
        }
        let rows = Rows {
            rows: shape.rows,
            columns: shape.stride() / 4,
            width: shape.columns,
            batch: shape.items() / how.samples,
            space: shape.pixels(),
        };
        let scale = scale(self, name, shape.columns)?;
        let one = Shape::matrix(1, shape.columns);
        let running_mean = self.saved_state(&format!("{name}.running_mean"), one, Init::Constant(0.0))?;
        let running_variance = self.saved_state(&format!("{name}.running_var"), one, Init::Constant(1.0))?;
        let train = self.mode() == Mode::Train;
        let (mean, variance) = if train {
            let outputs = ["mean", "variance", "unbiased"];
            let mut outputs: Vec<ValueId> =
                outputs.iter().map(|part| self.add_value(format!("{name}.{part}"), one)).collect();
            let (mut parts, together) = (usize::MAX, kernel("batch_moments").constant("MERGED") as usize);
            while parts > MOST {
                let merged = parts.div_ceil(together);
                parts = if parts == usize::MAX { blocks("batch_moments", rows.rows) } else { merged };
                let shape = Shape::with_sections(parts, 2, shape.columns);
                outputs.push(self.add_value(format!("{name}.moments"), shape));
            }
            self.push(format!("{name}.moments"), BatchMoments(rows), &[x], &outputs);
            for (state, value) in [(running_mean, outputs[0]), (running_variance, outputs[2])] {
                let now = self.latest(state);
                self.update(now, value, how.momentum)?;
            }
            (outputs[0], outputs[1])
        } else {
            (running_mean, running_variance)
        };
        let operation = Normalise { rows, epsilon: how.epsilon, train };
        Ok(self.apply(name, operation, &[x, mean, variance, scale], shape))
    }
}
