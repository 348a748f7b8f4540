//! The cases of `shaders/depthwise.wgsl`, `shaders/pool.wgsl`, `shaders/reshape.wgsl` and `shaders/residual.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::kernels::kernel;
use crate::plan::{Grid, constants};
use std::collections::BTreeMap;

pub(super) fn all() -> Vec<Case> {
    [depthwise(), windows(), deep(), columns(), repacked(), residual()].concat()
}

type Constants = BTreeMap<&'static str, f64>;

fn with(sizes: &Constants, more: Constants) -> Constants {
    sizes.clone().into_iter().chain(more).collect()
}

fn depthwise() -> Vec<Case> {
    let mut cases = Vec::new();
    // Items, vec4 of channels, large maps, window, stride, padding at the top and left, and all around.
    for (i, (items, columns, large, window, stride, [top, left, down, across])) in [
        (1, 1, [1, 1], [1, 1], [1, 1], [0, 0, 0, 0]),
        (2, 3, [5, 7], [3, 3], [1, 1], [1, 1, 2, 2]),
        (3, 13, [6, 5], [5, 5], [1, 1], [2, 2, 4, 4]),
        (2, 5, [9, 8], [4, 2], [2, 3], [0, 1, 1, 1]),
        (5, 1, [17, 11], [2, 1], [3, 2], [1, 0, 1, 0]),
    ]
    .into_iter()
    .enumerate()
    {
        let around = [down, across];
        let small = [0, 1].map(|axis| (large[axis] + around[axis] - window[axis]) / stride[axis] + 1);
        let sizes = constants! {
            ITEMS: items, COLUMNS: columns, LARGE_HEIGHT: large[0], LARGE_WIDTH: large[1], SMALL_HEIGHT: small[0],
            SMALL_WIDTH: small[1], KERNEL_HEIGHT: window[0], KERNEL_WIDTH: window[1], STRIDE_Y: stride[0],
            STRIDE_X: stride[1], PADDING_TOP: top, PADDING_LEFT: left,
        };
        let count = |[height, width]: [usize; 2]| height * width * columns;
        let (of_large, of_small) = (items * count(large), items * count(small));
        let blocks =
            (items * small[0] * small[1]).div_ceil(kernel("depthwise_weight").constant("BLOCK") as usize);
        let partial = blocks * count(window);
        let (maps, weight) = (("large", Normal(4 * of_large)), ("weight", Normal(4 * count(window))));
        let gradient = ("small_gradient", Normal(4 * of_small));
        cases.extend([
            Case::new("depthwise", sizes.clone())
                .buffers(&[maps, weight, ("small", Normal(4 * of_small))])
                .grid(Grid::Elements(of_small))
                .reduces(25),
            Case::new("depthwise_input", with(&sizes, constants! { ACCUMULATE: i % 2 }))
                .buffers(&[gradient, weight, ("large_gradient", Normal(4 * of_large))])
                .grid(Grid::Elements(of_large))
                .reduces(25),
            Case::new("depthwise_weight", sizes)
                .buffers(&[gradient, maps, ("partial", Normal(4 * partial))])
                .grid(Grid::Elements(partial))
                .reduces(256),
        ]);
    }
    cases
}

fn windows() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, columns, large, window, stride)) in [
        (1, 1, [1, 1], [1, 1], [1, 1]),
        (3, 2, [6, 4], [2, 2], [2, 2]),
        (2, 5, [7, 9], [3, 2], [1, 3]),
        (5, 3, [5, 8], [2, 3], [3, 2]),
        (2, 17, [5, 7], [5, 7], [1, 1]),
    ]
    .into_iter()
    .enumerate()
    {
        let small = [0, 1].map(|axis| (large[axis] - window[axis]) / stride[axis] + 1);
        let sizes = constants! {
            ITEMS: items, COLUMNS: columns, LARGE_HEIGHT: large[0], LARGE_WIDTH: large[1], SMALL_HEIGHT: small[0],
            SMALL_WIDTH: small[1], KERNEL_HEIGHT: window[0], KERNEL_WIDTH: window[1], STRIDE_Y: stride[0],
            STRIDE_X: stride[1], SCALE: 0.25, ACCUMULATE: i % 2,
        };
        let [of_large, of_small] = [large, small].map(|[height, width]| items * height * width * columns);
        let case = |name, contents: &[_], count| {
            Case::new(name, sizes.clone()).buffers(contents).grid(Grid::Elements(count)).reduces(9)
        };
        cases.extend([
            case(
                "window_sum",
                &[("large", Normal(4 * of_large)), ("small_output", Normal(4 * of_small))],
                of_small,
            ),
            case(
                "window_spread",
                &[("small", Normal(4 * of_small)), ("large_output", Normal(4 * of_large))],
                of_large,
            ),
        ]);
    }
    cases
}

fn deep() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, [height, width], factor, channels)) in
        [(1, [1, 1], 1, 1), (2, [3, 2], 2, 3), (3, [1, 5], 3, 1), (2, [4, 3], 2, 8)].into_iter().enumerate()
    {
        let sizes = constants! {
            ITEMS: items, SMALL_HEIGHT: height, SMALL_WIDTH: width, FACTOR: factor, CHANNELS: channels,
            ACCUMULATE: i % 2,
        };
        let pixels = items * height * width;
        let small = pixels * usize::next_multiple_of(channels * factor * factor, 4);
        let large = pixels * factor * factor * usize::next_multiple_of(channels, 4);
        for (name, from, to) in [("space_to_depth", large, small), ("depth_to_space", small, large)] {
            let contents = [("input", Normal(from)), ("output", Normal(to))];
            cases.push(Case::new(name, sizes.clone()).buffers(&contents).grid(Grid::Elements(to)));
        }
    }
    cases
}

fn columns() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rows, width, from, cover, whole) in
        [(1, 1, 0, 1, 4), (5, 3, 2, 3, 8), (65, 6, 5, 7, 12), (33, 8, 8, 8, 16)]
    {
        let part = usize::next_multiple_of(width, 4);
        let sizes =
            constants! { ROWS: rows, WIDTH: width, PART: part, WHOLE: whole, FROM: from, COVER: cover };
        cases.push(
            Case::new("put_columns", sizes)
                .buffers(&[("part", Normal(rows * part)), ("whole", Normal(rows * whole))])
                .grid(Grid::Elements(rows * cover)),
        );
    }
    cases
}

fn repacked() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (rows, width, input_width)) in
        [(1, 1, 1), (2, 30, 5), (12, 5, 30), (70, 6, 4), (9, 21, 7)].into_iter().enumerate()
    {
        let (stride, input_stride) =
            (usize::next_multiple_of(width, 4), usize::next_multiple_of(input_width, 4));
        let sizes = constants! {
            ROWS: rows, WIDTH: width, STRIDE: stride, INPUT_WIDTH: input_width, INPUT_STRIDE: input_stride,
            ACCUMULATE: i % 2,
        };
        let input = rows * width / input_width * input_stride;
        cases.push(
            Case::new("repack", sizes)
                .buffers(&[("input", Normal(input)), ("output", Normal(rows * stride))])
                .grid(Grid::Elements(rows * stride)),
        );
    }
    cases
}

fn residual() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, space, columns)) in
        [(1, 1, 1), (3, 5, 2), (2, 130, 3), (7, 9, 11)].into_iter().enumerate()
    {
        let (length, factors) = (items * space * columns, items * columns);
        let sizes = |more: Constants| with(&constants! { LENGTH: length }, more);
        let (x, other, y) =
            (("x", Normal(4 * length)), ("other", Normal(4 * length)), ("y", Normal(4 * length)));
        let row = ("row", Normal(4 * columns));
        let of_items = constants! { COLUMNS: columns, SPACE: space, ACCUMULATE: i % 2 };
        let by_elements = [
            ("add_scaled", sizes(constants! { SCALE: 0.1 }), vec![x, other, y]),
            ("scaled", sizes(constants! { SCALE: 0.1, ACCUMULATE: i % 2 }), vec![other, y]),
            ("add_row", sizes(constants! { COLUMNS: columns }), vec![x, row, y]),
            ("multiply_row", sizes(constants! { COLUMNS: columns, ACCUMULATE: i % 2 }), vec![x, row, y]),
            ("multiply_items", sizes(of_items.clone()), vec![x, ("gate", Normal(4 * factors)), y]),
        ];
        for (name, sizes, contents) in by_elements {
            cases.push(Case::new(name, sizes).buffers(&contents).grid(Grid::Elements(length)).reduces(2));
        }
        cases.push(
            Case::new("item_products", sizes(of_items))
                .buffers(&[x, other, ("gate_gradient", Normal(4 * factors))])
                .grid(Grid::Workgroups(factors))
                .reduces(space),
        );
    }
    cases
}
