//! The cases of `shaders/batch_norm.wgsl`, `shaders/group_norm.wgsl`, `shaders/layer_norm.wgsl` and `shaders/blocks.wgsl`.

use super::Content::{Given, Normal, Unit};
use super::{Case, Content};
use crate::activation::Activation;
use crate::kernels::kernel;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    [blocks(), batch(), far_from_zero(), group(), layer()].concat()
}

fn blocks() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (rows, columns)) in [(1, 1), (64, 3), (65, 7), (1000, 2), (130, 33)].into_iter().enumerate() {
        let partials = usize::div_ceil(rows, kernel("block_sums").constant("BLOCK") as usize) * columns;
        let (values, factors) =
            (("values", Normal(4 * rows * columns)), ("factors", Normal(4 * rows * columns)));
        let sizes = constants! { ROWS: rows, COLUMNS: columns };
        for (name, contents) in [("block_sums", vec![values]), ("block_products", vec![values, factors])] {
            let contents = [contents, vec![("partial", Normal(4 * partials))]].concat();
            let case = Case::new(name, sizes.clone()).buffers(&contents).grid(Grid::Elements(partials));
            cases.push(case.reduces(64));
        }
        let sizes = constants! { ROWS: rows, COLUMNS: columns, ACCUMULATE: i % 2 };
        let case = Case::new("add_blocks", sizes).buffers(&[values, ("total", Normal(4 * columns))]);
        cases.push(case.grid(Grid::Elements(columns)).reduces(rows));
    }
    cases
}

/// What follows a normalisation.
const ACTIVATIONS: [Activation; 5] =
    [Activation::Identity, Activation::Silu, Activation::Relu, Activation::Softplus, Activation::Silu];

/// Items, those of them in a minibatch with room for `batch`, pixels and vec4 in a row.
const BATCHES: [(usize, usize, usize, usize, usize); 5] =
    [(1, 1, 1, 1, 1), (6, 3, 2, 7, 3), (12, 4, 4, 25, 1), (5, 5, 1, 30, 2), (300, 150, 149, 1, 5)];

fn batch() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, batch, live, space, columns)) in BATCHES.into_iter().enumerate() {
        let rows = items * space;
        let (all, row) = (4 * rows * columns, 4 * columns);
        let blocks = rows.div_ceil(kernel("batch_moments").constant("BLOCK") as usize);
        let sizes = constants! { ROWS: rows, COLUMNS: columns };
        let with = |more: std::collections::BTreeMap<&'static str, f64>| {
            sizes.clone().into_iter().chain(more).collect::<std::collections::BTreeMap<_, _>>()
        };
        let minibatch = with(constants! { BATCH: batch, SPACE: space });
        let minibatch_with = |more: std::collections::BTreeMap<&'static str, f64>| {
            minibatch.clone().into_iter().chain(more).collect()
        };
        let (x, dy, dx) = (("x", Normal(all)), ("y_gradient", Normal(all)), ("x_gradient", Normal(all)));
        let (mean, variance) = (("mean", Normal(row)), ("variance", Unit(row)));
        let (scale, sums) = (("scale", Normal(2 * row)), ("sums", Normal(2 * row)));
        let partial = ("partial", Normal(2 * row * blocks));
        let elements = Grid::Elements(rows * columns);
        let (train, width, kind) = (i % 2 == 0, 4 * columns - i % 4, ACTIVATIONS[i].number());
        cases.extend([
            Case::new("batch_moments", minibatch_with(constants! { TRAIN: true }))
                .buffers(&[x, partial])
                .grid(Grid::Elements(blocks * columns))
                .reduces(64),
            Case::new("batch_norm", with(constants! { WIDTH: width, EPSILON: 0.1, ACTIVATION: kind }))
                .buffers(&[x, mean, variance, scale, ("y", Normal(all))])
                .grid(elements)
                .reduces(4),
            Case::new(
                "batch_norm_sums",
                minibatch_with(constants! { EPSILON: 0.1, TRAIN: train, ACTIVATION: kind }),
            )
            .buffers(&[x, dy, mean, variance, scale, partial])
            .grid(Grid::Elements(blocks * columns))
            .reduces(64 * 4),
            Case::new(
                "batch_norm_gradient",
                minibatch_with(constants! { EPSILON: 0.1, ACCUMULATE: !train, ACTIVATION: kind }),
            )
            .buffers(&[x, dy, mean, variance, scale, sums, dx])
            .grid(elements)
            .reduces(16),
            Case::new("fixed_norm_gradient", with(constants! { EPSILON: 0.1, ACCUMULATE: train }))
                .buffers(&[dy, variance, scale, dx])
                .grid(elements)
                .reduces(4),
        ]);
        // As many blocks as 1, 2 and 67 rows of parts have.
        for (span, parts) in [(rows, 1), (rows.div_ceil(2), rows.div_ceil(rows.div_ceil(2))), (1, rows)] {
            let sizes = minibatch_with(constants! { PARTS: parts, SPAN: span });
            let merged = parts.div_ceil(kernel("merge_moments").constant("MERGED") as usize);
            let parts = ("parts", Unit(2 * row * parts));
            cases.push(
                Case::new("merge_moments", sizes.clone())
                    .buffers(&[parts, ("partial", Normal(2 * row * merged))])
                    .grid(Grid::Elements(merged * columns))
                    .reduces(256),
            );
            let outputs = ["batch_mean", "batch_variance", "unbiased"].map(|name| (name, Normal(row)));
            cases.push(
                Case::new("finish_moments", sizes)
                    .buffers(&[&[parts], &outputs[..]].concat())
                    .grid(Grid::Elements(columns))
                    .reduces(64),
            );
        }
        let from = cases.len() - 11;
        for case in &mut cases[from..] {
            case.step.rows = live as u32;
        }
    }
    cases
}

/// A mean of 1,000 standard deviations must not cost the digits of the variance.
fn far_from_zero() -> Vec<Case> {
    let values = |i: usize| 1000.0 + (i % 7) as f32 / 8.0;
    let sizes = constants! { ROWS: 200, COLUMNS: 1, BATCH: 4, SPACE: 50, TRAIN: true };
    vec![
        Case::new("batch_moments", sizes)
            .buffers(&[("x", Given(800, values)), ("partial", Normal(32))])
            .grid(Grid::Elements(4))
            .rows(3)
            .reduces(64),
        Case::new("group_moments", groups_of(1, 200, 3, 1, Some(0.01)))
            .buffers(&[("x", Given(800, values)), ("moments", Normal(4))])
            .grid(Grid::Workgroups(1))
            .reduces(64),
    ]
}

fn groups_of(
    items: usize,
    space: usize,
    channels: usize,
    groups: usize,
    epsilon: Option<f64>,
) -> std::collections::BTreeMap<&'static str, f64> {
    let stride = channels.next_multiple_of(4);
    let mut sizes =
        constants! { ITEMS: items, SPACE: space, CHANNELS: channels, STRIDE: stride, GROUPS: groups };
    sizes.extend(epsilon.map(|epsilon| ("EPSILON", epsilon)));
    sizes
}

fn group() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, space, channels, groups)) in
        [(1, 1, 1, 1), (3, 5, 6, 2), (2, 70, 15, 5), (7, 9, 8, 1), (5, 3, 12, 4)].into_iter().enumerate()
    {
        let stride = usize::next_multiple_of(channels, 4);
        let all = items * space * stride;
        let (count, values) = (items * groups, space * channels / groups);
        let blocks = usize::div_ceil(items * space, kernel("group_norm_scale").constant("BLOCK") as usize);
        let sizes = groups_of(items, space, channels, groups, None);
        let (x, dy): ((_, Content<'static>), _) = (("x", Normal(all)), ("y_gradient", Normal(all)));
        let (saved, scale) = (("saved", Unit(4 * count)), ("scale", Normal(2 * stride)));
        let mut sizes = sizes;
        sizes.insert("ACTIVATION", f64::from(ACTIVATIONS[i].number()));
        let mut gradient = sizes.clone();
        gradient.insert("ACCUMULATE", (i % 2) as f64);
        cases.extend([
            Case::new("group_moments", groups_of(items, space, channels, groups, Some(0.1)))
                .buffers(&[x, ("moments", Normal(4 * count))])
                .grid(Grid::Workgroups(count))
                .reduces(values),
            Case::new("group_norm", sizes.clone())
                .buffers(&[x, saved, scale, ("y", Normal(all))])
                .grid(Grid::Elements(all))
                .reduces(4),
            Case::new("group_norm_sums", sizes.clone())
                .buffers(&[x, dy, saved, scale, ("sums", Normal(4 * count))])
                .grid(Grid::Workgroups(count))
                .reduces(values),
            Case::new("group_norm_gradient", gradient)
                .buffers(&[x, dy, saved, scale, ("means", Normal(4 * count)), ("x_gradient", Normal(all))])
                .grid(Grid::Elements(all))
                .reduces(4),
            Case::new("group_norm_scale", sizes)
                .buffers(&[x, dy, saved, scale, ("partial", Normal(2 * stride * blocks))])
                .grid(Grid::Elements(blocks * stride))
                .reduces(64),
        ]);
    }
    cases
}

fn layer() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (rows, width)) in [(1, 1), (63, 7), (65, 12), (7, 49), (130, 6)].into_iter().enumerate() {
        let columns = usize::div_ceil(width, 4);
        let (all, row) = (4 * rows * columns, 4 * columns);
        let blocks = usize::div_ceil(rows, kernel("layer_norm_scale").constant("BLOCK") as usize);
        let sizes = constants! { ROWS: rows, COLUMNS: columns, WIDTH: width };
        let (x, dy): ((_, Content<'static>), _) = (("x", Normal(all)), ("y_gradient", Normal(all)));
        let (saved, scale) = (("saved", Unit(4 * rows)), ("scale", Normal(2 * row)));
        let (mut forward, mut back) = (sizes.clone(), sizes.clone());
        forward.insert("EPSILON", 0.1);
        back.insert("ACCUMULATE", (i % 2) as f64);
        cases.extend([
            Case::new("layer_norm", forward)
                .buffers(&[x, scale, ("y", Normal(all)), ("moments", Normal(4 * rows))])
                .grid(Grid::Elements(rows))
                .reduces(width),
            Case::new("layer_norm_gradient", back)
                .buffers(&[x, dy, saved, scale, ("x_gradient", Normal(all))])
                .grid(Grid::Elements(rows))
                .reduces(width),
            Case::new("layer_norm_scale", sizes)
                .buffers(&[x, dy, saved, ("partial", Normal(2 * row * blocks))])
                .grid(Grid::Elements(blocks * columns))
                .reduces(64),
        ]);
    }
    // A mean of 1,000 standard deviations must not cost the digits of the variance.
    let sizes = constants! { ROWS: 3, COLUMNS: 2, WIDTH: 7, EPSILON: 1e-5 };
    let far = Given(24, |i| 1000.0 + (i * 37 % 11) as f32);
    let contents = [("x", far), ("scale", Normal(16)), ("y", Normal(24)), ("moments", Normal(12))];
    cases.push(Case::new("layer_norm", sizes).buffers(&contents).grid(Grid::Elements(3)).reduces(7));
    cases
}
