//! The cases of `shaders/hierarchy.wgsl`.

use super::{Case, Content, case};
use crate::plan::{Grid, constants};
use Content::{Normal, Unit};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows)) in
        [(1, 1, 1, 1), (5, 3, 2, 4), (33, 2, 7, 33), (65, 7, 20, 61)].into_iter().enumerate()
    {
        let (columns, l) = (usize::div_ceil(width, 4), samples * batch);
        let values = 4 * l * columns;
        let (prior, z) = (("prior", Normal(2 * values)), ("z", Normal(values)));
        cases.push(case(
            "conditional_kl",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns },
            &[
                ("posterior", Normal(8 * batch * columns)),
                prior,
                z,
                ("noise", Normal(values)),
                ("divergence", Normal(l)),
            ],
            Grid::Elements(l),
            rows,
            4 * width,
        ));
        cases.push(case(
            "conditional_kl_gradient",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, ACCUMULATE: i % 2,
            },
            &[
                ("weights_read", Unit(l)),
                prior,
                z,
                ("z_gradient", Normal(values)),
                ("prior_gradient", Normal(2 * values)),
            ],
            Grid::Elements(l * columns),
            rows,
            1,
        ));
    }
    cases
}
