//! Large cases: more workgroups than one dimension takes, and products of many tiles.

use super::Case;
use super::Content::{Given, Normal};
use crate::kernels;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![workgroups()];
    // Images in a minibatch, units of a layer, and its inputs.
    for (side, batch, units, inputs) in [(32, 257, 1152, 384), (64, 512, 512, 512), (128, 600, 500, 784)] {
        cases.extend(products(batch, units, inputs));
        cases.push(tiled(side, batch, units, inputs));
    }
    cases
}

/// A little more than 65,535 workgroups of 64 invocations.
fn workgroups() -> Case {
    let rows = 16 * 65_535 + 13;
    Case::new("take_columns", constants! { ROWS: rows, WIDTH: 3, FROM: 1, PART: 4, WHOLE: 4 })
        .buffers(&[("whole", Given(4 * rows, |i| (i % 8191) as f32)), ("part", Given(4 * rows, |_| -1.0))])
        .grid(Grid::Elements(4 * rows))
        .rows(rows)
}

/// A layer's output, and the gradients of its input and of its weights.
fn products(batch: usize, units: usize, inputs: usize) -> [Case; 3] {
    let (a, b) = (Normal(batch * inputs), Normal(units * inputs));
    let (vec4_units, vec4_inputs) = (units / 4, inputs / 4);
    let output = Normal(batch * units);
    let forward = constants! {
        ROWS: batch, COLUMNS: vec4_units, INNER: vec4_inputs, ACTIVATION: 1, SECTION: vec4_units, WIDTH: units,
    };
    let back = constants! { ROWS: batch, COLUMNS: vec4_inputs, INNER: vec4_units, ACCUMULATE: false };
    let weights = constants! { ROWS: units, COLUMNS: vec4_inputs, INNER: batch, ACCUMULATE: false };
    let bias = ("bias", Normal(units));
    [
        Case::new("matmul_nt", forward)
            .buffers(&[("a_elements", a), ("b_elements", b), bias, ("output", output)])
            .grid(Grid::Tiles { rows: batch, columns: vec4_units })
            .rows(batch)
            .reduces(inputs),
        Case::new("matmul_nn", back)
            .buffers(&[("a_elements", output), ("b", b), ("output", a)])
            .grid(Grid::Tiles { rows: batch, columns: vec4_inputs })
            .rows(batch)
            .reduces(units),
        Case::new("matmul_tn", weights)
            .buffers(&[("a", output), ("b", a), ("output", b)])
            .grid(Grid::Tiles { rows: units, columns: vec4_inputs })
            .rows(batch)
            .reduces(batch),
    ]
}

/// The layer's output by tiles of workgroup memory.
fn tiled(side: usize, batch: usize, units: usize, inputs: usize) -> Case {
    let columns = units / 4;
    let sizes = constants! {
        ROWS: batch, COLUMNS: columns, INNER: inputs / 4, ACTIVATION: 1, SECTION: columns, WIDTH: units,
    };
    Case::new(kernels::kernel(&format!("matmul_nt_tiled_{side}")).name.as_str(), sizes)
        .buffers(&[
            ("a", Normal(batch * inputs)),
            ("b", Normal(units * inputs)),
            ("bias", Normal(units)),
            ("output", Normal(batch * units)),
        ])
        .grid(Grid::WorkgroupTiles { rows: batch, columns, parts: 1 })
        .rows(batch)
        .reduces(inputs)
}
