//! Convolutions of real models, as products with a window.

use super::matmul::Layout;
use crate::kernels;
use crate::plan::{Window, constants};
use crate::probe::Case;

/// Items and windows: the net of disentanglement_lib in minibatches of 64, and V of World Models in minibatches of 100.
pub(super) fn windows(quick: bool) -> Vec<(usize, Window)> {
    let convolution = |large, channels, kernel: usize, padding| {
        Window::convolution(large, channels, [kernel; 2], [2; 2], [padding; 4]).ok()
    };
    let transposed = |small, channels, kernel: usize| {
        Window::transposed(small, channels, [kernel; 2], [2; 2], [0; 4], [0; 2]).ok()
    };
    let packed = |window: Option<Window>| window.map(|window| Window { large_packed: true, ..window });
    let disentanglement = [
        packed(convolution([64, 64, 1], 32, 4, 1)),
        convolution([32, 32, 32], 32, 4, 1),
        convolution([8, 8, 64], 64, 2, 0),
    ];
    let world_models = [
        packed(convolution([64, 64, 3], 32, 4, 0)),
        convolution([31, 31, 32], 64, 4, 0),
        convolution([14, 14, 64], 128, 4, 0),
        convolution([6, 6, 128], 256, 4, 0),
        transposed([1, 1, 1024], 128, 5),
        transposed([5, 5, 128], 64, 5),
        transposed([13, 13, 64], 32, 6),
        packed(transposed([30, 30, 32], 3, 6)),
    ];
    let all = disentanglement
        .map(|window| (64, window))
        .into_iter()
        .chain(world_models.map(|window| (100, window)));
    all.filter_map(|(items, window)| Some((items, window?)))
        .take(if quick { 3 } else { usize::MAX })
        .collect()
}

/// A convolution in the variant that plans are lowered to.
pub(super) fn case(layout: Layout, items: usize, window: &Window) -> Case {
    let name = match (layout, window.large_packed) {
        (Layout::Nt, _) => "conv_nt",
        (Layout::Nn, false) => "conv_nn",
        (Layout::Nn, true) => "conv_nn_packed",
        (Layout::Tn, _) => "conv_tn",
    };
    let kernel = kernels::kernel(name);
    let pixels = |[height, width, _]: [usize; 3]| items * height * width;
    let [small_columns, large_columns] =
        [window.small, window.large].map(|[_, _, channels]| channels.div_ceil(4));
    let row = window.weight_stride() / 4;
    let (small, large) = (items * window.small_item(), items * window.large_item());
    let weights = 16 * small_columns * row;
    let (rows, columns, inner, width) = match layout {
        Layout::Nt => (pixels(window.small), small_columns, row, window.small[2]),
        Layout::Nn => (pixels(window.large), large_columns, small_columns, window.large[2]),
        Layout::Tn => (4 * small_columns, row, pixels(window.small), 0),
    };
    let (a, b, output) = match layout {
        Layout::Nt => (large, weights, small),
        Layout::Nn => (small, weights, large),
        Layout::Tn => (small, large, weights),
    };
    let mut constants = constants! {
        ROWS: rows, COLUMNS: columns, INNER: inner, ACTIVATION: 0, SECTION: columns, WIDTH: width, ACCUMULATE: false,
    };
    constants.extend(window.constants());
    constants.retain(|name, _| kernel.overrides.iter().any(|declared| declared == name));
    let lengths = [
        ("a_elements", a),
        ("b_elements", b),
        ("bias", 4 * columns),
        ("output", output),
        ("output_elements", output),
    ];
    let flops = 2 * (items * window.multiply_adds()) as u64;
    Case::new(name, constants, &lengths, window.grid(name, items, 1), flops)
}
