//! The cases of `shaders/activation.wgsl`.

use super::Content::Normal;
use super::{Case, case};
use crate::graph::Activation;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, kind) in Activation::ALL.into_iter().enumerate() {
        let (m, n) = [(1, 1), (5, 13), (37, 7), (64, 16)][i % 4];
        let values = 4 * m * n;
        cases.push(case(
            "activate",
            constants! { ROWS: m, COLUMNS: n, SECTION: n, WIDTH: 4 * n - i % 3, ACTIVATION: kind.number() },
            &[("input", Normal(values)), ("output", Normal(values))],
            Grid::Elements(m * n),
            m,
            1,
        ));
        cases.push(case(
            "activate_gradient",
            constants! { ROWS: m, COLUMNS: n, ACTIVATION: kind.number(), ACCUMULATE: i % 2 },
            &[("input", Normal(values)), ("saved", Normal(values)), ("output", Normal(values))],
            Grid::Elements(m * n),
            m,
            1,
        ));
    }
    cases
}
