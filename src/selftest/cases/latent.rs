//! The cases of `shaders/latent.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
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
        cases.push(Case::new("reparametrize", constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, STREAM: 4 * (i % 2) }).buffers(&[posterior, ("z", Normal(l)), ("noise", Normal(l))]).grid(Grid::Elements(samples * batch * columns)).rows(rows).reduces(4));
        cases.push(
            Case::new(
                "reparametrize_gradient",
                constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, ACCUMULATE: accumulate },
            )
            .buffers(&[posterior, ("z_gradient", Normal(l)), ("noise_used", Normal(l)), gradient])
            .grid(Grid::Elements(batch * columns))
            .rows(rows)
            .reduces(samples),
        );
        cases.push(Case::new("reparametrize_kl", constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, STREAM: 4 * (i % 2) }).buffers(&[posterior, ("z", Normal(l)), ("noise", Normal(l)), ("divergence", Normal(n))]).grid(Grid::Elements(samples * batch * columns)).rows(rows).reduces(4));
        cases.push(Case::new("reparametrize_kl_gradient", constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: columns, ACCUMULATE: accumulate, WEIGHT: 0.5, NUMBER: 0,
            }).buffers(&[posterior, ("z_gradient", Normal(l)), ("noise_used", Normal(l)), gradient]).grid(Grid::Elements(batch * columns)).rows(rows).reduces(samples));
        cases.push(
            Case::new("gaussian_kl", constants! { BATCH: batch, COLUMNS: columns })
                .buffers(&[posterior, ("divergence", Normal(n))])
                .grid(Grid::Elements(batch * columns))
                .rows(rows),
        );
        cases.push(Case::new("gaussian_kl_gradient", constants! {
                BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, WEIGHT: 0.7, NUMBER: WITHOUT_NUMBER,
            }).buffers(&[posterior, gradient]).grid(Grid::Elements(batch * columns)).rows(rows));
        cases.push(Case::new("gaussian_kl_gradient_free_bits", constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, FREE_BITS: 0.4, WEIGHT: 1.0, NUMBER: 0 }).buffers(&[posterior, ("average", Unit(4 * columns)), gradient]).grid(Grid::Elements(batch * columns)).rows(rows));
        cases.push(
            Case::new(
                "gaussian_kl_gradient_floor",
                constants! {
                    BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, FLOOR: 1.9 * columns as f64, WEIGHT: 1.0,
                    NUMBER: 0,
                },
            )
            .buffers(&[posterior, ("divergence_read", Unit(n)), gradient])
            .grid(Grid::Elements(batch * columns))
            .rows(rows),
        );
        cases.push(Case::new("gaussian_kl_gradient_capacity", constants! {
                BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, WEIGHT: 1.0, NUMBER: 0, CAPACITY: 1,
            }).buffers(&[posterior, ("average", Unit(4 * columns)), gradient]).grid(Grid::Elements(batch * columns)).rows(rows));
        cases.push(
            Case::new(
                "gaussian_kl_pull_back",
                constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate },
            )
            .buffers(&[posterior, ("divergence_gradient", Normal(n)), gradient])
            .grid(Grid::Elements(batch * columns))
            .rows(rows),
        );
        cases.push(
            Case::new("batch_mean", constants! { COLUMNS: columns })
                .buffers(&[("divergence_read", Normal(n)), ("batch_average", Normal(4 * columns))])
                .grid(Grid::Elements(columns))
                .rows(rows),
        );
    }
    cases
}
