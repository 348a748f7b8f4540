//! Pooling and resizing of maps.

use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// A window that slides over large maps without padding; the small maps have a pixel for each position.
#[derive(Clone, Copy, Debug)]
struct Windows {
    large: Shape,
    small: Shape,
    kernel: [usize; 2],
    stride: [usize; 2],
    scale: f64,
}

impl Windows {
    fn constants(&self, accumulate: bool) -> BTreeMap<&'static str, f64> {
        let Self { large, small, kernel, stride, scale } = self;
        constants! {
            ITEMS: large.items(), COLUMNS: large.stride() / 4,
            LARGE_HEIGHT: large.space[0], LARGE_WIDTH: large.space[1],
            SMALL_HEIGHT: small.space[0], SMALL_WIDTH: small.space[1],
            KERNEL_HEIGHT: kernel[0], KERNEL_WIDTH: kernel[1], STRIDE_Y: stride[0], STRIDE_X: stride[1],
            SCALE: *scale, ACCUMULATE: accumulate,
        }
    }

    fn flops(&self) -> usize {
        self.small.rows * self.small.columns * self.kernel[0] * self.kernel[1]
    }

    fn lower_sum(&self, node: &Node, lowering: &mut Lowering<'_>, accumulate: bool) -> Result<()> {
        lowering.dispatch(
            node,
            "window_sum",
            self.constants(accumulate),
            &[("large", node.inputs[0]), ("small_output", node.outputs[0])],
            Grid::Elements(self.small.length() / 4),
            self.flops(),
        )
    }

    fn lower_spread(&self, node: &Node, lowering: &mut Lowering<'_>, accumulate: bool) -> Result<()> {
        lowering.dispatch(
            node,
            "window_spread",
            self.constants(accumulate),
            &[("small", node.inputs[0]), ("large_output", node.outputs[0])],
            Grid::Elements(self.large.length() / 4),
            self.flops(),
        )
    }
}

/// Input: large maps. Output: a multiple of the sum over each position of the window.
#[derive(Debug)]
struct WindowSum(Windows);

impl Operation for WindowSum {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, WindowSumGradient(self.0, target.1), &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        self.0.lower_sum(node, lowering, false)
    }
}

/// Input: the gradient of small maps. Output: that of large ones.
#[derive(Debug)]
struct WindowSumGradient(Windows, bool);

impl Operation for WindowSumGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        self.0.lower_spread(node, lowering, self.1)
    }
}

/// Input: small maps. Output: large maps in which each pixel fills its window.
#[derive(Debug)]
struct WindowSpread(Windows);

impl Operation for WindowSpread {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, WindowSpreadGradient(self.0, target.1), &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        self.0.lower_spread(node, lowering, false)
    }
}

/// Input: the gradient of large maps. Output: that of small ones.
#[derive(Debug)]
struct WindowSpreadGradient(Windows, bool);

impl Operation for WindowSpreadGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        self.0.lower_sum(node, lowering, self.1)
    }
}

/// Pixels and channels of the large maps, of which `factor` by `factor` become one pixel of the small maps.
#[derive(Clone, Copy, Debug)]
struct Deep {
    large: Shape,
    factor: usize,
    /// From large to small maps.
    deeper: bool,
    accumulate: bool,
}

/// Input: maps. Output: the same numbers with the pixels of a square as channels of one pixel, or the reverse.
#[derive(Debug)]
struct SpaceToDepth(Deep);

impl Operation for SpaceToDepth {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        let back = Deep { deeper: !self.0.deeper, accumulate: target.1, ..self.0 };
        gradients.push_into(label, SpaceToDepth(back), &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Deep { large, factor, deeper, accumulate } = self.0;
        let length = lowering.shape(node.outputs[0]).length();
        lowering.dispatch(
            node,
            if deeper { "space_to_depth" } else { "depth_to_space" },
            constants! {
                ITEMS: large.items(), SMALL_HEIGHT: large.space[0] / factor, SMALL_WIDTH: large.space[1] / factor,
                FACTOR: factor, CHANNELS: large.columns, ACCUMULATE: accumulate,
            },
            &[("input", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(length),
            0,
        )
    }
}

impl Graph {
    /// The mean over each position of a window that slides over the maps `x` without padding: PyTorch's `AvgPool2d`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, a size is zero, or the window is larger than the maps.
    pub fn average_pool(
        &mut self,
        name: &str,
        x: ValueId,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> Result<ValueId> {
        let large = self.shape(x);
        let fits =
            (0..2).all(|axis| kernel[axis] > 0 && stride[axis] > 0 && kernel[axis] <= large.space[axis]);
        if large.sections != 1 || !fits {
            let problem = format!("no pooling of {large} with a window of {kernel:?} and stride {stride:?}");
            return Err(Error::shape(name, problem));
        }
        let space = [0, 1].map(|axis| (large.space[axis] - kernel[axis]) / stride[axis] + 1);
        let small = Shape::maps(large.items(), space, large.columns);
        let scale = 1.0 / (kernel[0] * kernel[1]) as f64;
        Ok(self.apply(name, WindowSum(Windows { large, small, kernel, stride, scale }), &[x], small))
    }

    /// The mean of each channel over all pixels of an item of the maps `x`: `[items, channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections.
    pub fn global_mean(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        /// The most pixels that one invocation adds.
        const MOST: usize = 1024;
        let [height, width] = self.shape(x).space;
        if height * width <= MOST {
            return self.average_pool(name, x, [height, width], [1, 1]);
        }
        let lines = self.average_pool(&format!("{name}.lines"), x, [1, width], [1, 1])?;
        self.average_pool(name, lines, [height, 1], [1, 1])
    }

    /// The maps `x` with each pixel repeated `factors` times down and across: PyTorch's `Upsample` with mode `nearest`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections or a factor is zero.
    pub fn upsample(&mut self, name: &str, x: ValueId, factors: [usize; 2]) -> Result<ValueId> {
        let small = self.shape(x);
        if small.sections != 1 || factors.contains(&0) {
            return Err(Error::shape(name, format!("{small} cannot be repeated {factors:?} times")));
        }
        let space = [0, 1].map(|axis| small.space[axis] * factors[axis]);
        let large = Shape::maps(small.items(), space, small.columns);
        let windows = Windows { large, small, kernel: factors, stride: factors, scale: 1.0 };
        Ok(self.apply(name, WindowSpread(windows), &[x], large))
    }

    /// The maps `x` with each square of `factor` by `factor` pixels as one pixel, whose channels are numbered by channel, row
    /// and column: PyTorch's `PixelUnshuffle`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections or `factor` does not divide its sides.
    pub fn space_to_depth(&mut self, name: &str, x: ValueId, factor: usize) -> Result<ValueId> {
        let large = self.shape(x);
        if large.sections != 1 || factor == 0 || large.space.iter().any(|side| side % factor != 0) {
            return Err(Error::shape(name, format!("{large} has no squares of {factor} pixels")));
        }
        let small = Shape::maps(
            large.items(),
            large.space.map(|side| side / factor),
            large.columns * factor * factor,
        );
        let operation = SpaceToDepth(Deep { large, factor, deeper: true, accumulate: false });
        Ok(self.apply(name, operation, &[x], small))
    }

    /// The reverse of [`Graph::space_to_depth`]: PyTorch's `PixelShuffle`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections or the square of `factor` does not divide its channels.
    pub fn depth_to_space(&mut self, name: &str, x: ValueId, factor: usize) -> Result<ValueId> {
        let small = self.shape(x);
        if small.sections != 1 || factor == 0 || !small.columns.is_multiple_of(factor * factor) {
            return Err(Error::shape(
                name,
                format!("{small} has no channels for squares of {factor} pixels"),
            ));
        }
        let large = Shape::maps(
            small.items(),
            small.space.map(|side| side * factor),
            small.columns / (factor * factor),
        );
        let operation = SpaceToDepth(Deep { large, factor, deeper: false, accumulate: false });
        Ok(self.apply(name, operation, &[x], large))
    }
}
