//! The cases of `shaders/conv.wgsl`.

use super::Case;
use super::Content::{self, Normal};
use crate::graph::{Activation, Window};
use crate::kernels;
use crate::plan::{Grid, constants};

/// Windows that differ in everything: even sizes, strides beyond the window, borders, maps of one pixel, channels that are not
/// whole vec4.
fn windows() -> Vec<Window> {
    let window = |large, channels, kernel, stride, around| {
        Window::convolution(large, channels, kernel, stride, around).ok()
    };
    [
        window([9, 7, 5], 6, [4, 3], [2, 1], [1, 0, 2, 1]),
        window([5, 5, 8], 7, [5, 5], [2, 2], [0; 4]),
        window([31, 17, 3], 8, [4, 4], [2, 2], [0, 1, 1, 0]),
        window([8, 9, 1], 3, [2, 2], [3, 3], [0; 4]),
        window([6, 5, 4], 12, [1, 1], [1, 1], [0; 4]),
        window([13, 13, 16], 20, [3, 3], [1, 1], [1; 4]),
        Window::transposed([3, 4, 5], 3, [5, 6], [2, 2], [1, 0, 0, 1], [1, 0]).ok(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A case of `kernel`, with the constants and variables that it declares.
pub(super) fn case(kernel: &'static str, window: &Window, items: usize, number: usize) -> Case {
    let [channels, maps] = [window.large[2], window.small[2]];
    let (large, small) = (items * window.large_item(), items * window.small_item());
    let weights = maps.next_multiple_of(4) * window.weight_stride();
    let pixels = |size: [usize; 3]| items * size[0] * size[1];
    let row = window.weight_stride() / 4;
    let part = &kernel[5..7];
    let (rows, columns, inner, width, terms) = match part {
        "nt" => (pixels(window.small), maps.div_ceil(4), row, maps, 4 * row),
        "nn" => (pixels(window.large), channels.div_ceil(4), maps.div_ceil(4), channels, 4 * row * maps),
        _ => (maps.next_multiple_of(4), row, pixels(window.small), 0, pixels(window.small)),
    };
    let (a, b, output) = match part {
        "nt" => (large, weights, small),
        "nn" => (small, weights, large),
        _ => (small, large, weights),
    };
    let contents: [(&'static str, Content<'static>); 8] = [
        ("a", Normal(a)),
        ("a_elements", Normal(a)),
        ("b", Normal(b)),
        ("b_elements", Normal(b)),
        ("bias", Normal(4 * columns)),
        ("saved", Normal(output)),
        ("output", Normal(output)),
        ("output_elements", Normal(output)),
    ];
    let description = kernels::kernel(kernel);
    let declared = |name: &str| description.storage().any(|(variable, _)| variable.name == name);
    let contents: Vec<_> = contents.into_iter().filter(|(name, _)| declared(name)).collect();
    let mut constants = constants! {
        ROWS: rows, COLUMNS: columns, INNER: inner, ACTIVATION: Activation::ALL[number % 8].number(),
        SECTION: columns, WIDTH: width, ACCUMULATE: number % 2,
    };
    constants.extend(window.constants());
    constants.retain(|name, _| description.overrides.iter().any(|own| own == name));
    Case::new(kernel, constants)
        .buffers(&contents)
        .grid(Grid::Tiles { rows, columns })
        .rows(items)
        .reduces(terms)
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, window) in windows().into_iter().enumerate() {
        let items = 1 + 2 * (number % 3);
        for kernel in [
            "conv_nt",
            "conv_nt_gradient",
            "conv_nt_derivative",
            "conv_nn",
            "conv_nn_derivative",
            "conv_nn_bias",
        ] {
            cases.push(case(kernel, &window, items, number));
        }
        for kernel in ["conv_nn_packed", "conv_nn_bias_packed"] {
            cases.push(case(kernel, &Window { large_packed: true, ..window }, items, number));
        }
        cases.push(case("conv_nt_packed", &Window { small_packed: true, ..window }, items, number));
        for (large_packed, small_packed) in [(false, false), (true, false), (false, true)] {
            cases.push(case("conv_tn", &Window { large_packed, small_packed, ..window }, items, number));
        }
        // Reads of packed maps.
        cases.push(case("conv_nt", &Window { large_packed: true, ..window }, items, number + 3));
        cases.push(case("conv_nn", &Window { small_packed: true, ..window }, items, number + 1));
    }
    cases
}
