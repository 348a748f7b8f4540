//! Matrix products and convolutions in a plan.

use super::{Dispatch, Grid, Variant, Window};
use crate::kernels::{self, Kernel};
use std::fmt;

/// A matrix product in a plan: what it computes, and how large it is. A convolution is one, with the window over its maps as
/// the rows or columns of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Product {
    /// `matmul_nt`, `matmul_nn`, `matmul_tn`, `conv_nt`, `conv_nn` and so on; `partial_tn` and others for the first half of a
    /// sum that is split whatever the variant.
    pub kernel: &'static str,
    /// Rows of the output.
    pub m: usize,
    /// Columns of the output, padding included.
    pub n: usize,
    /// Length of the sums, padding included.
    pub k: usize,
    /// Parts of the sums that are computed each for itself.
    pub parts: usize,
    /// Of a convolution; channels are counted with their padding.
    pub window: Option<Window>,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}x{}", self.kernel, self.m, self.n, self.k)?;
        if self.parts > 1 {
            write!(f, " in {} parts", self.parts)?;
        }
        match self.window {
            Some(window) => write!(f, " ({window})"),
            None => Ok(()),
        }
    }
}

/// A kernel of a product that plans are lowered to, and the halves of its split sum: one computes the parts, the other adds
/// them. The first halves are products too, and have none.
struct Known {
    kernel: &'static str,
    halves: Option<(&'static str, &'static str)>,
}

const fn whole(kernel: &'static str, first: &'static str, second: &'static str) -> Known {
    Known { kernel, halves: Some((first, second)) }
}

const fn partial(kernel: &'static str) -> Known {
    Known { kernel, halves: None }
}

const PRODUCTS: [Known; 18] = [
    whole("matmul_nt", "partial_nt", "finish_nt"),
    whole("matmul_nn", "partial_nn", "finish_nn"),
    whole("matmul_nn_derivative", "partial_nn", "finish_nn_derivative"),
    whole("matmul_tn", "partial_tn", "finish_tn"),
    whole("matmul_tn_bias", "partial_tn", "finish_tn_bias"),
    whole("conv_nt", "partial_conv_nt", "finish_nt"),
    whole("conv_nt_gradient", "partial_conv_nt", "finish_nn"),
    whole("conv_nt_derivative", "partial_conv_nt", "finish_nn_derivative"),
    whole("conv_nn", "partial_conv_nn", "finish_nn"),
    whole("conv_nn_bias", "partial_conv_nn", "finish_nt"),
    whole("conv_nn_derivative", "partial_conv_nn", "finish_nn_derivative"),
    whole("conv_tn", "partial_conv_tn", "finish_tn"),
    partial("partial_nt"),
    partial("partial_nn"),
    partial("partial_tn"),
    partial("partial_conv_nt"),
    partial("partial_conv_nn"),
    partial("partial_conv_tn"),
];

impl Product {
    /// What `dispatch` computes, if that is a matrix product or a convolution in the variant that plans are lowered to.
    pub fn of(dispatch: &Dispatch) -> Option<Self> {
        let known = PRODUCTS.iter().find(|known| dispatch.kernel == known.kernel)?;
        let kernel = known.kernel;
        let find = |name: &str| dispatch.constants.get(name).map(|&value: &f64| value as usize);
        let count = |name: &str| find(name).unwrap_or(0);
        let (rows, columns) = (count("ROWS"), 4 * count("COLUMNS"));
        let range = if kernel.contains("tn") { count("INNER") } else { 4 * count("INNER") };
        let window = kernel.contains("conv").then(|| {
            let side = |maps: &str, columns: usize| {
                let pixel = find(&format!("{maps}_PIXEL")).unwrap_or(columns);
                [count(&format!("{maps}_HEIGHT")), count(&format!("{maps}_WIDTH")), pixel]
            };
            let (large, small) = (side("LARGE", columns), side("SMALL", columns));
            Window {
                large,
                small,
                kernel: [count("KERNEL_HEIGHT"), count("KERNEL_WIDTH")],
                stride: [count("STRIDE_Y"), count("STRIDE_X")],
                padding: [count("PADDING_TOP"), count("PADDING_LEFT")],
                large_packed: large[2] % 4 != 0,
                small_packed: small[2] % 4 != 0,
            }
        });
        let product = Self { kernel, m: rows, n: columns, k: range, parts: 1, window };
        let parts = find("PART").map_or(1, |part| range.div_ceil(part.max(1)));
        Some(Self { k: range * product.taps(), parts, ..product })
    }

    /// Taps of the window that a sum goes through beside the range of which its parts are parts. A large pixel takes part in
    /// one of several positions of the window in each direction.
    fn taps(&self) -> usize {
        match self.window {
            Some(Window { kernel, stride, .. }) if self.kernel.contains("conv_nn") => {
                kernel[0].div_ceil(stride[0]) * kernel[1].div_ceil(stride[1])
            }
            _ => 1,
        }
    }

    /// The range of which parts of a sum are parts: terms of the sum, or of each of its taps.
    pub(super) fn range(&self) -> usize {
        self.k / self.taps().max(1)
    }

    /// Terms of a sum in a part of it.
    pub(super) fn terms(&self, part: usize) -> usize {
        part * self.taps()
    }

    /// The kernels of the two halves of a split sum, unless this is a first half.
    pub(super) fn halves(&self) -> Option<(&'static str, &'static str)> {
        PRODUCTS.iter().find(|known| known.kernel == self.kernel)?.halves
    }

    /// Elements of one part of the output: with the sums of a's columns, where the weights' gradient is computed.
    pub(super) fn part_length(&self) -> usize {
        self.m * self.n + if self.kernel.contains("tn") { self.m } else { 0 }
    }

    /// The name of the kernel by tiles of `side` rows and columns.
    pub(super) fn tiled(&self, side: u32) -> String {
        format!("{}_tiled_{side}", self.kernel)
    }

    /// Whether there is such a kernel.
    pub fn has_tiles(&self, side: u32) -> bool {
        kernels::find(&self.tiled(side)).is_some()
    }

    /// Whether it can be computed in `variant`; a plan computes it in another if not.
    pub fn has_variant(&self, variant: Variant) -> bool {
        match variant {
            Variant::Registers => true,
            Variant::Tiled(side) => self.has_tiles(side),
            Variant::Split(_) => self.can_split(),
        }
    }

    /// Whether the sums can be split among workgroups.
    pub fn can_split(&self) -> bool {
        self.halves().is_some()
    }

    /// Invocations of `kernel`, which computes this or its parts.
    pub(super) fn grid(&self, kernel: &Kernel) -> Grid {
        let (rows, columns, parts) = (self.m, self.n / 4, self.parts);
        match self.window {
            Some(window) => {
                let pixels = |[height, width, _]: [usize; 3]| height * width;
                let items = match () {
                    () if kernel.name.contains("conv_nt") => rows / pixels(window.small),
                    () if kernel.name.contains("conv_nn") => rows / pixels(window.large),
                    () => 1,
                };
                window.grid(&kernel.name, items, parts)
            }
            None if kernel.find_constant("TILE_INNER").is_some() => {
                Grid::WorkgroupTiles { rows, columns, parts }
            }
            None if kernel.workgroup_size[1] > 1 => Grid::Tiles { rows, columns },
            None => Grid::FlatTiles { phases: 1, rows, columns, parts },
        }
    }
}
