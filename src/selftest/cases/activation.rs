//! The cases of `shaders/activation.wgsl`, `shaders/affine.wgsl`, `shaders/clamp.wgsl` and `shaders/dropout.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::graph::Activation;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    [functions(), clamped(), dropped()].concat()
}

fn clamped() -> Vec<Case> {
    let mut cases = Vec::new();
    // Rows, sections, columns of a section, and the ends, of which one pair leaves 0 outside.
    for (i, (rows, sections, width, low, high)) in
        [(1, 1, 1, -0.5, 0.25), (5, 2, 13, 0.1, 0.9), (33, 1, 8, -30.0, 20.0), (7, 3, 5, -1.0, 0.0)]
            .into_iter()
            .enumerate()
    {
        let section = usize::div_ceil(width, 4);
        let vec4 = rows * sections * section;
        let (input, output) = (("input", Normal(4 * vec4)), ("output", Normal(4 * vec4)));
        let sizes = constants! { LENGTH: vec4, SECTION: section, WIDTH: width, LOW: low, HIGH: high };
        let case = Case::new("clamp_values", sizes).buffers(&[input, output]);
        cases.push(case.grid(Grid::Elements(vec4)));
        let sizes = constants! { LENGTH: vec4, LOW: low, HIGH: high, ACCUMULATE: i % 2 };
        let case = Case::new("clamp_gradient", sizes).buffers(&[input, ("saved", Normal(4 * vec4)), output]);
        cases.push(case.grid(Grid::Elements(vec4)));
    }
    cases
}

fn functions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, kind) in Activation::ALL.into_iter().enumerate() {
        let (m, n) = [(1, 1), (5, 13), (37, 7), (64, 16)][i % 4];
        let values = 4 * m * n;
        let sizes = constants! {
            ROWS: m, COLUMNS: n, SECTION: n, WIDTH: 4 * n - i % 3, ACTIVATION: kind.number(),
        };
        cases.push(
            Case::new("activate", sizes)
                .buffers(&[("input", Normal(values)), ("output", Normal(values))])
                .grid(Grid::Elements(m * n))
                .rows(m),
        );
        let sizes = constants! {
            ROWS: m, COLUMNS: 2 * n, SECTION: n, WIDTH: 4 * n - i % 4, SCALE: 2, SHIFT: 0.3 * i as f64 - 1.0,
        };
        cases.push(
            Case::new("affine", sizes)
                .buffers(&[("x", Normal(2 * values)), ("y", Normal(2 * values))])
                .grid(Grid::Elements(2 * m * n))
                .rows(m),
        );
        let sizes = constants! { ROWS: m, COLUMNS: n, ACTIVATION: kind.number(), ACCUMULATE: i % 2 };
        cases.push(
            Case::new("activate_gradient", sizes)
                .buffers(&[("input", Normal(values)), ("saved", Normal(values)), ("output", Normal(values))])
                .grid(Grid::Elements(m * n))
                .rows(m),
        );
    }
    cases
}

fn dropped() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (vec4, rate)) in [(1, 0.5), (63, 0.1), (65, 0.9), (1030, 0.25)].into_iter().enumerate() {
        let sizes = constants! {
            LENGTH: vec4, THRESHOLD: (rate * 2.0_f64.powi(32)).round(), SCALE: 1.0 / (1.0 - rate),
            STREAM: 1 << (8 * i), ACCUMULATE: i % 2,
        };
        let contents = [("input", Normal(4 * vec4)), ("output", Normal(4 * vec4))];
        cases.push(Case::new("drop_values", sizes).buffers(&contents).grid(Grid::Elements(vec4)));
    }
    cases
}
