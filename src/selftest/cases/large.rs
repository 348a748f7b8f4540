//! Large cases: more workgroups than one dimension takes, and products of many tiles.

use super::Content::{Given, Normal};
use super::{Case, case};
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
    case(
        "take_columns",
        constants! { ROWS: rows, WIDTH: 3, FROM: 1, PART: 4, WHOLE: 4 },
        &[("whole", Given(4 * rows, |i| (i % 8191) as f32)), ("part", Given(4 * rows, |_| -1.0))],
        Grid::Elements(4 * rows),
        rows,
        1,
    )
}

/// A layer's output, and the gradients of its input and of its weights.
fn products(batch: usize, units: usize, inputs: usize) -> [Case; 3] {
    let (a, b) = (Normal(batch * inputs), Normal(units * inputs));
    let (vec4_units, vec4_inputs) = (units / 4, inputs / 4);
    let output = Normal(batch * units);
    [
        case(
            "matmul_nt",
            constants! {
                ROWS: batch, COLUMNS: vec4_units, INNER: vec4_inputs, ACTIVATION: 1, SECTION: vec4_units, WIDTH: units,
            },
            &[("a_elements", a), ("b_elements", b), ("bias", Normal(units)), ("output", output)],
            Grid::Tiles { rows: batch, columns: vec4_units },
            batch,
            inputs,
        ),
        case(
            "matmul_nn",
            constants! { ROWS: batch, COLUMNS: vec4_inputs, INNER: vec4_units, ACCUMULATE: false },
            &[("a_elements", output), ("b", b), ("output", a)],
            Grid::Tiles { rows: batch, columns: vec4_inputs },
            batch,
            units,
        ),
        case(
            "matmul_tn",
            constants! { ROWS: units, COLUMNS: vec4_inputs, INNER: batch, ACCUMULATE: false },
            &[("a", output), ("b", a), ("output", b)],
            Grid::Tiles { rows: units, columns: vec4_inputs },
            batch,
            batch,
        ),
    ]
}

/// The layer's output by tiles of workgroup memory.
fn tiled(side: usize, batch: usize, units: usize, inputs: usize) -> Case {
    let vec4_units = units / 4;
    case(
        kernels::kernel(&format!("matmul_nt_tiled_{side}")).name.as_str(),
        constants! {
            ROWS: batch, COLUMNS: vec4_units, INNER: inputs / 4, ACTIVATION: 1, SECTION: vec4_units, WIDTH: units,
        },
        &[
            ("a", Normal(batch * inputs)),
            ("b", Normal(units * inputs)),
            ("bias", Normal(units)),
            ("output", Normal(batch * units)),
        ],
        Grid::WorkgroupTiles { rows: batch, columns: vec4_units, parts: 1 },
        batch,
        inputs,
    )
}
