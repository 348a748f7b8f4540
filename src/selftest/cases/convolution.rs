//! The cases of `shaders/conv_nt.wgsl`, `conv_nn.wgsl`, `conv_nn_packed.wgsl`, `conv_tn.wgsl` and `conv_tiled_*.wgsl`.

use super::Case;
use super::Content::{self, Normal};
use crate::graph::Activation;
use crate::kernels;
use crate::plan::{Window, constants};
use std::collections::BTreeMap;

/// Items and windows. Each kernel runs on some of them, as every one is compiled for each of its windows.
fn windows() -> Vec<(usize, Window)> {
    let convolution = |large, channels, kernel, stride, padding| {
        Window::convolution(large, channels, kernel, stride, padding).ok()
    };
    let packed = |window: Option<Window>| window.map(|window| Window { large_packed: true, ..window });
    let small_packed = |window: Option<Window>| window.map(|window| Window { small_packed: true, ..window });
    [
        // An even kernel, padding that differs on all sides, items that no tile divides.
        (11, convolution([9, 7, 5], 13, [4, 4], [2, 2], [1, 0, 2, 3])),
        // One number.
        (1, convolution([1, 1, 1], 1, [1, 1], [1, 1], [0; 4])),
        // One channel of a large odd map.
        (2, packed(convolution([31, 17, 1], 7, [5, 5], [2, 2], [0; 4]))),
        // Three channels, kernel and stride that differ in both directions.
        (3, packed(convolution([8, 6, 3], 20, [3, 2], [1, 2], [1; 4]))),
        // A stride larger than the kernel: pixels that no window reaches.
        (5, convolution([8, 8, 4], 8, [2, 2], [3, 3], [0; 4])),
        // From one pixel, with pixels that no window reaches at the end.
        (9, Window::transposed([1, 1, 12], 8, [5, 5], [2, 2], [0; 4], [1, 1]).ok()),
        // Three channels on the other side.
        (3, small_packed(convolution([5, 4, 6], 3, [3, 3], [1, 1], [1; 4]))),
        // One channel on both.
        (2, packed(small_packed(convolution([6, 5, 1], 1, [3, 3], [1, 1], [1; 4])))),
    ]
    .into_iter()
    .filter_map(|(items, window)| Some((items, window?)))
    .collect()
}

pub(super) fn all() -> Vec<Case> {
    [untiled(), tiled(), long()].concat()
}

fn untiled() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, window)) in windows().into_iter().enumerate() {
        let maps =
            Maps { items, window, accumulate: i % 2 == 1, activation: Activation::ALL[i % 8].number() };
        if window.small_packed {
            cases.push(maps.case("conv_nt_packed"));
        } else {
            cases.extend(
                ["conv_nt", "conv_nt_gradient", "conv_nt_derivative"].map(|kernel| maps.case(kernel)),
            );
        }
        if window.large_packed {
            cases.extend(["conv_nn_packed", "conv_nn_bias_packed"].map(|kernel| maps.case(kernel)));
        } else {
            cases.extend(["conv_nn", "conv_nn_derivative", "conv_nn_bias"].map(|kernel| maps.case(kernel)));
        }
        cases.push(maps.case("conv_tn"));
        if i < 2 {
            // Parts that are shorter at the end, and one part.
            cases.push(maps.split("partial_conv_nt", 44, window.weight_stride().div_ceil(44)));
            cases.push(maps.split("partial_conv_nn", 8, window.small[2].div_ceil(4).div_ceil(2)));
        }
        if i % 2 == 0 {
            let pixels = items * window.small[0] * window.small[1];
            cases.push(maps.split("partial_conv_tn", 32, pixels.div_ceil(32)));
        }
    }
    cases
}

/// Convolutions by tiles of workgroup memory: one window for all, as software adapters take long to compile these, and
/// packed maps for the smallest.
fn tiled() -> Vec<Case> {
    let windows = windows();
    let maps = |i: usize, accumulate| {
        let (items, window) = windows[i];
        Maps { items, window, accumulate, activation: 1 }
    };
    let mut cases = Vec::new();
    for side in [32, 64] {
        let maps = maps(0, side == 64);
        let name = |kernel: &str| kernels::find(&format!("{kernel}_tiled_{side}")).map(|it| it.name.as_str());
        let whole = [
            "conv_nt",
            "conv_nt_gradient",
            "conv_nt_derivative",
            "conv_nn",
            "conv_nn_derivative",
            "conv_nn_bias",
            "conv_tn",
        ];
        cases.extend(whole.into_iter().filter_map(name).map(|kernel| maps.case(kernel)));
        let pixels = maps.items * maps.window.small[0] * maps.window.small[1];
        for (kernel, range) in [
            ("partial_conv_nt", maps.window.weight_stride()),
            ("partial_conv_nn", maps.window.small[2].next_multiple_of(4)),
            ("partial_conv_tn", pixels),
        ] {
            cases.extend(name(kernel).map(|kernel| maps.split(kernel, 32, range.div_ceil(32))));
        }
    }
    cases.push(maps(3, false).case("conv_nt_tiled_32"));
    cases.push(maps(5, true).case("conv_nn_tiled_32"));
    cases.push(maps(7, false).case("conv_tn_tiled_32"));
    cases
}

/// Sums over more pixels than a software adapter's loops take.
fn long() -> Vec<Case> {
    let window = Window::convolution([121, 121, 1], 1, [2, 2], [1, 1], [0; 4]).ok();
    let maps = window.map(|window| Maps { items: 5, window, accumulate: false, activation: 0 });
    let parts = usize::div_ceil(5 * 120 * 120, 2048);
    let kernels = ["partial_conv_tn", "partial_conv_tn_tiled_32"];
    maps.iter().flat_map(|maps| kernels.map(|kernel| maps.split(kernel, 2048, parts))).collect()
}

/// A window over the maps of some items, as the sizes of a case.
struct Maps {
    items: usize,
    window: Window,
    accumulate: bool,
    activation: u32,
}

impl Maps {
    fn case(&self, kernel: &'static str) -> Case {
        self.split(kernel, 0, 1)
    }

    /// The same for a sum in `parts` parts of `part` terms.
    fn split(&self, kernel: &'static str, part: usize, parts: usize) -> Case {
        let Self { items, window, .. } = *self;
        let [small_rows, large_rows] =
            [window.small, window.large].map(|[height, width, _]| items * height * width);
        let [small_columns, large_columns] =
            [window.small, window.large].map(|[_, _, channels]| channels.div_ceil(4));
        let weights = 4 * small_columns * window.weight_stride();
        let [small, large] = [items * window.small_item(), items * window.large_item()];
        let (rows, columns, inner, channels) = match () {
            () if kernel.contains("conv_nt") => {
                (small_rows, small_columns, window.weight_stride() / 4, window.small[2])
            }
            () if kernel.contains("conv_nn") => (large_rows, large_columns, small_columns, window.large[2]),
            () => (4 * small_columns, window.weight_stride() / 4, small_rows, 0),
        };
        let (a, b, output, terms) = match () {
            () if kernel.contains("conv_nt") => (large, weights, small, 4 * inner),
            () if kernel.contains("conv_nn") => {
                (small, weights, large, 4 * inner * window.kernel[0] * window.kernel[1])
            }
            () => (small, large, weights, inner),
        };
        let mut constants = constants! {
            ROWS: rows, COLUMNS: columns, INNER: inner, ACTIVATION: self.activation, SECTION: columns,
            WIDTH: channels, ACCUMULATE: self.accumulate, PART: part,
        };
        constants.extend(window.constants());
        let contents = [
            ("a", Normal(a)),
            ("a_elements", Normal(a)),
            ("b", Normal(b)),
            ("b_elements", Normal(b)),
            ("bias", Normal(4 * columns)),
            ("saved", Normal(output)),
            ("output", Normal(output)),
            ("output_elements", Normal(output)),
            ("parts", Normal(parts * (output + if kernel.contains("tn") { rows } else { 0 }))),
        ];
        of(kernel, constants, &contents).grid(window.grid(kernel, items, parts)).rows(items).reduces(terms)
    }
}

/// A case with those constants and buffers that the kernel declares.
fn of(
    kernel: &'static str,
    mut constants: BTreeMap<&'static str, f64>,
    contents: &[(&'static str, Content<'static>)],
) -> Case {
    let description = kernels::kernel(kernel);
    constants.retain(|name, _| description.overrides.iter().any(|declared| declared == name));
    let bound = |name: &str| description.storage().any(|(variable, _)| variable.name == name);
    // Where a kernel reads an operand both as vec4 and element by element, one buffer is bound to both.
    let twice = |name: &str| name.strip_suffix("_elements").is_some_and(bound);
    let contents: Vec<_> = contents.iter().copied().filter(|(name, _)| bound(name) && !twice(name)).collect();
    Case::new(kernel, constants).buffers(&contents)
}
