//! Convolutions of real models, as products with a window.

use super::matmul::Layout;
use super::presets::PRESETS;
use crate::kernels;
use crate::plan::{Product, Window, constants};
use crate::probe::Case;

/// The windows of all presets, each under the first preset that has it, the encoder's first. In a
/// hurry: those of the first preset.
pub(super) fn windows(quick: bool) -> Vec<(&'static str, Window)> {
    let mut windows: Vec<(&'static str, Window)> = Vec::new();
    for preset in &PRESETS[..if quick { 1 } else { PRESETS.len() }] {
        // A test plans them all.
        let Ok(plan) = preset.plan(1) else { continue };
        let products = plan.dispatches.iter().rev().filter_map(Product::of);
        let weights = products.filter(|product| product.kernel.ends_with("conv_tn"));
        for window in weights.filter_map(|product| product.window) {
            if !windows.iter().any(|(_, other)| *other == window) {
                windows.push((preset.name, window));
            }
        }
    }
    windows
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_the_presets() {
        let all = windows(false);
        let of = |name: &str| all.iter().filter(|(own, _)| *own == name).count();
        assert_eq!(of("world-models"), 8);
        // Two of its levels are like those of the decoder.
        assert_eq!(of("disentanglement"), 6);
        assert!(of("mnist-conv") > 0 && of("residual") > 0, "{all:?}");
        assert_eq!(windows(true).len(), 8);
        let large = |[h, w, c]: [usize; 3], kernel| {
            all.iter().any(|(_, window)| window.large == [h, w, c] && window.kernel == [kernel; 2])
        };
        assert!(large([64, 64, 3], 4) && large([64, 64, 3], 6) && large([64, 64, 1], 4), "{all:?}");
    }
}
