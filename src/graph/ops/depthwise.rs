//! Depthwise convolution: each channel has one window (PyTorch's `Conv2d` with as many groups as channels).

use super::blocks::{add_blocks, blocks};
use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, Tensor, ValueId, Window};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Sizes {
    items: usize,
    window: Window,
}

impl Sizes {
    fn constants(&self) -> BTreeMap<&'static str, f64> {
        let Window { large, small, kernel, stride, padding, .. } = self.window;
        constants! {
            ITEMS: self.items, COLUMNS: self.window.large_stride() / 4,
            LARGE_HEIGHT: large[0], LARGE_WIDTH: large[1], SMALL_HEIGHT: small[0], SMALL_WIDTH: small[1],
            KERNEL_HEIGHT: kernel[0], KERNEL_WIDTH: kernel[1], STRIDE_Y: stride[0], STRIDE_X: stride[1],
            PADDING_TOP: padding[0], PADDING_LEFT: padding[1],
        }
    }

    /// Those of one direction, with padding counted.
    fn flops(&self) -> usize {
        let Window { small, kernel, .. } = self.window;
        2 * self.items * small.iter().product::<usize>() * kernel[0] * kernel[1]
    }
}

/// Inputs: x, weight. Output: y.
#[derive(Debug)]
struct Depthwise(Sizes);

impl Operation for Depthwise {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, weight] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(weight) {
            let label = format!("gradient of {}", gradients.name(weight));
            // A row has the weights of all elements of the window.
            let rows = blocks("depthwise_weight", gradients.shape(upstream).rows);
            let shape = Shape::matrix(rows, gradients.shape(weight).length());
            let partial = gradients.temporary(format!("{label}.partial"), shape);
            gradients.push(label.clone(), WeightGradient(self.0), &[upstream, x], &[partial]);
            add_blocks(gradients, &label, partial, target);
        }
        if let Some(target) = gradients.target(x) {
            let label = format!("gradient of {}", gradients.name(x));
            let operation = InputGradient { sizes: self.0, accumulate: target.1 };
            gradients.push_into(label, operation, &[upstream, weight], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let output = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "depthwise",
            self.0.constants(),
            &[("large", node.inputs[0]), ("weight", node.inputs[1]), ("small", node.outputs[0])],
            Grid::Elements(output.length() / 4),
            self.0.flops(),
        )
    }
}

/// Inputs: dy, weight. Output: dx.
#[derive(Debug)]
struct InputGradient {
    sizes: Sizes,
    accumulate: bool,
}

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let output = lowering.shape(node.outputs[0]);
        let mut constants = self.sizes.constants();
        constants.extend(constants! { ACCUMULATE: self.accumulate });
        lowering.dispatch(
            node,
            "depthwise_input",
            constants,
            &[
                ("small_gradient", node.inputs[0]),
                ("weight", node.inputs[1]),
                ("large_gradient", node.outputs[0]),
            ],
            Grid::Elements(output.length() / 4),
            self.sizes.flops(),
        )
    }
}

/// Inputs: dy, x. Output: the gradient of the weight, a part for each block of pixels of y.
#[derive(Debug)]
struct WeightGradient(Sizes);

impl Operation for WeightGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let partial = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "depthwise_weight",
            self.0.constants(),
            &[("small_gradient", node.inputs[0]), ("large", node.inputs[1]), ("partial", node.outputs[0])],
            Grid::Elements(partial.length() / 4),
            self.0.flops(),
        )
    }
}

/// A depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthwiseConvolution {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Pixels from one position of the window to the next, down and across.
    pub stride: [usize; 2],
    /// Zeros around the maps: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Whether a number is added to each channel.
    pub bias: bool,
}

impl Graph {
    /// The depthwise convolution of the maps `x`. The tensors are `NAME.weight` `[channels, 1, height, width]` and, where
    /// asked for, `NAME.bias` `[channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, the window does not fit, or the table holds a layer of this name and another size.
    pub fn depthwise(&mut self, name: &str, x: ValueId, how: DepthwiseConvolution) -> Result<ValueId> {
        let shape = self.shape(x);
        if shape.sections != 1 {
            return Err(Error::shape(name, format!("{shape} has sections")));
        }
        let (channels, [height, width]) = (shape.columns, shape.space);
        let window =
            Window::convolution([height, width, channels], channels, how.kernel, how.stride, how.padding)?;
        let [rows, columns] = how.kernel;
        let matrix = Shape::matrix(rows * columns, channels);
        let tensor = Tensor {
            name: format!("{name}.weight"),
            shape: vec![channels, 1, rows, columns],
            dimensions: vec![(channels, 1), (rows, columns * matrix.stride()), (columns, matrix.stride())],
            offset: 0,
            init: Init::Weight { fan_in: rows * columns, fan_out: channels * rows * columns },
        };
        let weight = self.parameter(&format!("{name}.weight"), matrix, vec![tensor])?;
        let output = Shape::maps(shape.items(), [window.small[0], window.small[1]], channels);
        let operation = Depthwise(Sizes { items: shape.items(), window });
        let y = self.apply(name, operation, &[x, weight], output);
        if !how.bias {
            return Ok(y);
        }
        self.add_to_channels(&format!("{name}.bias"), y, Init::Bias { fan_in: rows * columns })
    }
}
