//! The cases of `shaders/latent.wgsl`.

use super::Content::{Normal, Unit};
use super::{Case, case};
use crate::plan::{Grid, WITHOUT_NUMBER, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows)) in
        [(1, 1, 1, 1), (5, 3, 2, 4), (33, 2, 7, 33), (129, 1, 20, 128)].into_iter().enumerate()
    {
        let columns = usize::div_ceil(width, 4);
        let (n, l) = (4 * batch * columns, 4 * samples * batch * columns);
        let accumulate = i % 2;
        let posterior = ("posterior", Normal(2 * n));
        let gradient = ("posterior_gradient", Normal(2 * n));
        cases.push(case(
            "reparametrize",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, STREAM: 4 * (i % 2) },
            &[posterior, ("z", Normal(l)), ("noise", Normal(l))],
            Grid::Elements(samples * batch * columns),
            rows,
            4,
        ));
        cases.push(case(
            "reparametrize_gradient",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, ACCUMULATE: accumulate },
            &[posterior, ("z_gradient", Normal(l)), ("noise_used", Normal(l)), gradient],
            Grid::Elements(batch * columns),
            rows,
            samples,
        ));
        cases.push(case(
            "reparametrize_kl",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, STREAM: 4 * (i % 2) },
            &[posterior, ("z", Normal(l)), ("noise", Normal(l)), ("divergence", Normal(n))],
            Grid::Elements(samples * batch * columns),
            rows,
            4,
        ));
        cases.push(case(
            "reparametrize_kl_gradient",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: columns, ACCUMULATE: accumulate, WEIGHT: 0.5, NUMBER: 0,
            },
            &[posterior, ("z_gradient", Normal(l)), ("noise_used", Normal(l)), gradient],
            Grid::Elements(batch * columns),
            rows,
            samples,
        ));
        cases.push(case(
            "gaussian_kl",
            constants! { BATCH: batch, COLUMNS: columns },
            &[posterior, ("divergence", Normal(n))],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_gradient",
            constants! {
                BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, WEIGHT: 0.7, NUMBER: WITHOUT_NUMBER,
            },
            &[posterior, gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_gradient_free_bits",
            constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, FREE_BITS: 0.4, WEIGHT: 1.0, NUMBER: 0 },
            &[posterior, ("average", Unit(4 * columns)), gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_gradient_capacity",
            constants! {
                BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, WEIGHT: 1.0, NUMBER: 0, CAPACITY: 1,
            },
            &[posterior, ("average", Unit(4 * columns)), gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_pull_back",
            constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate },
            &[posterior, ("divergence_gradient", Normal(n)), gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "batch_mean",
            constants! { COLUMNS: columns },
            &[("divergence_read", Normal(n)), ("batch_average", Normal(4 * columns))],
            Grid::Elements(columns),
            rows,
            1,
        ));
    }
    cases
}
