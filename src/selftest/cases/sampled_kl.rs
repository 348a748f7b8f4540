//! The cases of `shaders/sampled_kl.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::plan::{Grid, constants};
use std::collections::BTreeMap;

/// Constants of a case: those of all kernels, and its own.
fn joined(
    common: &BTreeMap<&'static str, f64>,
    own: BTreeMap<&'static str, f64>,
) -> BTreeMap<&'static str, f64> {
    common.iter().map(|(&name, &value)| (name, value)).chain(own).collect()
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    // The last two have a posterior for every row, as all groups but the first do.
    for (i, (batch, samples, width, rows, own)) in
        [(1, 1, 1, 1, false), (5, 3, 2, 4, false), (33, 2, 7, 33, true), (65, 7, 20, 61, true)]
            .into_iter()
            .enumerate()
    {
        let (columns, l) = (usize::div_ceil(width, 4), samples * batch);
        let posterior_rows = if own { l } else { batch };
        let values = 4 * l * columns;
        let accumulate = i % 2;
        let sizes = constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns };
        let of_values = [
            ("posterior", Normal(8 * posterior_rows * columns)),
            ("prior", Normal(2 * values)),
            ("z", Normal(values)),
            ("noise", Normal(values)),
            ("before", Normal(l)),
            ("divergence", Normal(l)),
            ("dimensions", Normal(values)),
        ];
        for prior in [false, true] {
            let own = constants! { POSTERIOR_ROWS: posterior_rows, PRIOR: prior, BEFORE: prior != (i > 1) };
            let grid = Grid::Elements(l);
            cases.push(
                Case::new("sampled_kl", joined(&sizes, own))
                    .buffers(&of_values[..6])
                    .grid(grid)
                    .rows(rows)
                    .reduces(4 * width),
            );
            let own = constants! { POSTERIOR_ROWS: posterior_rows, PRIOR: prior };
            let contents = [&of_values[..4], &of_values[6..]].concat();
            let grid = Grid::Elements(l * columns);
            cases.push(
                Case::new("sampled_kl_dimensions", joined(&sizes, own))
                    .buffers(&contents)
                    .grid(grid)
                    .rows(rows)
                    .reduces(4),
            );
        }
        let upstream = ("upstream", Normal(l));
        for gated in [false, true] {
            let (gate, grid) = (("gate", Normal(4 * columns)), Grid::Elements(l * columns));
            let own = constants! { GATED: gated, ACCUMULATE: accumulate };
            let contents = [upstream, of_values[2], gate, ("z_gradient", Normal(values))];
            cases.push(
                Case::new("sampled_kl_gradient", joined(&sizes, own))
                    .buffers(&contents)
                    .grid(grid)
                    .rows(rows),
            );
            let own = constants! { GATED: gated, ACCUMULATE: accumulate, WIDTH: width };
            let contents = [&contents[..], &[of_values[1], ("prior_gradient", Normal(2 * values))]].concat();
            cases.push(
                Case::new("sampled_kl_prior_gradient", joined(&sizes, own))
                    .buffers(&contents)
                    .grid(grid)
                    .rows(rows),
            );
            let own = constants! {
                GATED: gated, ACCUMULATE: accumulate, WIDTH: width, POSTERIOR_ROWS: posterior_rows,
            };
            let contents = [upstream, gate, ("posterior_gradient", Normal(8 * posterior_rows * columns))];
            let grid = Grid::Elements(posterior_rows * columns);
            let kernel = "sampled_kl_posterior_gradient";
            cases.push(
                Case::new(kernel, joined(&sizes, own))
                    .buffers(&contents)
                    .grid(grid)
                    .rows(rows)
                    .reduces(samples),
            );
        }
    }
    cases
}
