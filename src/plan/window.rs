//! The geometry of convolutions.

use super::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// Round up to whole vec4.
const fn padded(channels: usize) -> usize {
    channels.div_ceil(4) * 4
}

/// How a window slides over feature maps (NHWC). The *large* maps are those that the window slides over, the *small* maps
/// have one pixel for each position of the window. A convolution goes from large to small maps, a transposed convolution
/// from small to large ones; the gradient of either with respect to its input is the other.
///
/// Weights are `[small channels, kernel height, kernel width, large channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Height, width and channels of the large maps.
    pub large: [usize; 3],
    /// Height, width and channels of the small maps.
    pub small: [usize; 3],
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Pixels of the large maps from one position to the next, down and across.
    pub stride: [usize; 2],
    /// Zeros above and left of the large maps. Those below and to the right follow from the sizes.
    pub padding: [usize; 2],
    /// Whether the pixels of the large maps follow each other without padding of their channels, each item one row:
    /// `[items, height * width * channels]`, as images are.
    pub large_packed: bool,
    /// The same for the small maps.
    pub small_packed: bool,
}

impl Window {
    /// The convolution of maps of height, width and channels `large` to `channels` channels, with padding at the top, left,
    /// bottom and right.
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero or the window is larger than the padded maps.
    pub fn convolution(
        large: [usize; 3],
        channels: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        [top, left, bottom, right]: [usize; 4],
    ) -> Result<Self> {
        let around = [top + bottom, left + right];
        let mut small = [0, 0, channels];
        for axis in 0..2 {
            let whole = large[axis] + around[axis];
            if kernel[axis] == 0 || stride[axis] == 0 || whole < kernel[axis] {
                let problem = format!(
                    "a window of {}x{} with stride {}x{} does not fit maps of {}x{} with padding {top}, {left}, {bottom}, {right}",
                    kernel[0], kernel[1], stride[0], stride[1], large[0], large[1]
                );
                return Err(Error::shape("convolution", problem));
            }
            small[axis] = (whole - kernel[axis]) / stride[axis] + 1;
        }
        let padding = [top, left];
        Self { large, small, kernel, stride, padding, large_packed: false, small_packed: false }.checked()
    }

    /// The transposed convolution of maps of height, width and channels `small` to `channels` channels: `crop` pixels are cut
    /// off at the top, left, bottom and right of the result, and `extra` are added at the bottom and right (PyTorch calls
    /// them `padding` and `output_padding`).
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero or nothing is left.
    pub fn transposed(
        small: [usize; 3],
        channels: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        [top, left, bottom, right]: [usize; 4],
        extra: [usize; 2],
    ) -> Result<Self> {
        let cut = [top + bottom, left + right];
        let mut large = [0, 0, channels];
        for axis in 0..2 {
            let whole = (small[axis].max(1) - 1) * stride[axis] + kernel[axis] + extra[axis];
            if kernel[axis] == 0 || stride[axis] == 0 || whole <= cut[axis] {
                let problem = format!(
                    "nothing is left of {}x{} pixels after a crop of {top}, {left}, {bottom}, {right}",
                    (small[0].max(1) - 1) * stride[0] + kernel[0],
                    (small[1].max(1) - 1) * stride[1] + kernel[1]
                );
                return Err(Error::shape("transposed convolution", problem));
            }
            large[axis] = whole - cut[axis];
        }
        let padding = [top, left];
        Self { large, small, kernel, stride, padding, large_packed: false, small_packed: false }.checked()
    }

    fn checked(self) -> Result<Self> {
        if self.large.contains(&0) || self.small.contains(&0) {
            let problem = format!("no convolution between maps of {:?} and {:?}", self.large, self.small);
            return Err(Error::shape("convolution", problem));
        }
        Ok(self)
    }

    /// Elements from one pixel of the large maps to the next.
    pub fn large_stride(&self) -> usize {
        if self.large_packed { self.large[2] } else { padded(self.large[2]) }
    }

    /// Elements from one pixel of the small maps to the next.
    pub fn small_stride(&self) -> usize {
        if self.small_packed { self.small[2] } else { padded(self.small[2]) }
    }

    /// Elements from one item of the large maps to the next.
    pub fn large_item(&self) -> usize {
        padded(self.large[0] * self.large[1] * self.large_stride())
    }

    /// Elements from one item of the small maps to the next.
    pub fn small_item(&self) -> usize {
        padded(self.small[0] * self.small[1] * self.small_stride())
    }

    /// Elements of a row of weights without the padding at its end: the window over the large maps as they lie in memory.
    pub fn weight_columns(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.large_stride()
    }

    /// Elements from one row of weights to the next. There is one row for each channel of the small maps, and rows of zeros up
    /// to a multiple of four.
    pub fn weight_stride(&self) -> usize {
        padded(self.weight_columns())
    }

    /// Values of the kernels' constants that describe the window, beside their matrix sizes.
    pub(crate) fn constants(&self) -> BTreeMap<&'static str, f64> {
        constants! {
            LARGE_HEIGHT: self.large[0], LARGE_WIDTH: self.large[1], LARGE_PIXEL: self.large_stride(),
            LARGE_ITEM: self.large_item(),
            SMALL_HEIGHT: self.small[0], SMALL_WIDTH: self.small[1], SMALL_PIXEL: self.small_stride(),
            SMALL_ITEM: self.small_item(),
            KERNEL_HEIGHT: self.kernel[0], KERNEL_WIDTH: self.kernel[1],
            STRIDE_Y: self.stride[0], STRIDE_X: self.stride[1],
            PADDING_TOP: self.padding[0], PADDING_LEFT: self.padding[1],
        }
    }

    /// Invocations of a kernel of the family `conv_nt`, `conv_nn` or `conv_tn` for `items` items, the sums in `parts` parts.
    pub(crate) fn grid(&self, kernel: &str, items: usize, parts: usize) -> Grid {
        let small = self.small[0] * self.small[1];
        let (phases, rows, columns) = match () {
            () if kernel.contains("conv_nt") => (1, items * small, self.small[2]),
            () if kernel.contains("conv_tn") => (1, padded(self.small[2]), self.weight_stride()),
            // Blocks of pixels that are sums over the same small pixels.
            () if kernel.contains("packed") => {
                let blocks = |axis: usize| {
                    let (stride, padding) = (self.stride[axis], self.padding[axis]);
                    (self.large[axis] - 1 + padding) / stride - padding / stride + 1
                };
                let elements = self.stride[0] * self.stride[1] * self.large_stride();
                (1, items * blocks(0) * blocks(1), elements)
            }
            // Those rows together that the same taps of the window reach.
            () => {
                let phase = self.large[0].div_ceil(self.stride[0]) * self.large[1].div_ceil(self.stride[1]);
                (self.stride[0] * self.stride[1], items * phase, self.large[2])
            }
        };
        Grid::FlatTiles { phases, rows, columns: columns.div_ceil(4), parts }
    }

    /// Multiply-adds of the convolution of one item, those with padding included.
    pub fn multiply_adds(&self) -> usize {
        self.small.iter().product::<usize>() * self.kernel[0] * self.kernel[1] * self.large[2]
    }
}

/// `31x31x32 <- 64x64x3 4x4 /2 +0`: small maps, large maps, window, stride, padding.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let maps = |[height, width, channels]: [usize; 3], packed| {
            format!("{height}x{width}x{channels}{}", if packed { "p" } else { "" })
        };
        write!(
            f,
            "{} of {} {}x{} /{}x{} +{}x{}",
            maps(self.small, self.small_packed),
            maps(self.large, self.large_packed),
            self.kernel[0],
            self.kernel[1],
            self.stride[0],
            self.stride[1],
            self.padding[0],
            self.padding[1]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_pytorch() {
        let conv = |size, kernel, stride, padding: [usize; 4]| {
            let window = Window::convolution([size, size, 3], 8, [kernel; 2], [stride; 2], padding).unwrap();
            window.small[0]
        };
        assert_eq!([conv(64, 4, 2, [0; 4]), conv(31, 4, 2, [0; 4]), conv(28, 3, 2, [1; 4])], [31, 14, 14]);
        assert_eq!(conv(28, 3, 2, [0, 0, 1, 1]), 14);
        let back = |size, kernel, stride, crop: [usize; 4], extra| {
            let window =
                Window::transposed([size, size, 8], 3, [kernel; 2], [stride; 2], crop, [extra; 2]).unwrap();
            window.large[0]
        };
        assert_eq!(
            [back(1, 5, 2, [0; 4], 0), back(13, 6, 2, [0; 4], 0), back(7, 3, 2, [1; 4], 1)],
            [5, 30, 14]
        );
        assert!(Window::convolution([3, 3, 1], 8, [4; 2], [1; 2], [0; 4]).is_err());
        assert!(Window::transposed([1, 1, 1], 8, [2; 2], [1; 2], [1; 4], [0; 2]).is_err());
    }
}
