//! The cases of `shaders/activation.wgsl` and `shaders/affine.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::graph::Activation;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
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
