//! The cases of `shaders/importance.wgsl`.

use super::{Case, Content};
use crate::plan::{Grid, constants};
use Content::{Normal, Unit};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    // The last two have a posterior for every row, as upper layers do.
    for (i, (batch, samples, width, rows, own)) in
        [(1, 1, 1, 1, false), (5, 3, 2, 4, false), (33, 2, 7, 33, true), (65, 7, 20, 61, true)]
            .into_iter()
            .enumerate()
    {
        let (columns, l) = (usize::div_ceil(width, 4), samples * batch);
        let posterior_rows = if own { l } else { batch };
        let values = 4 * l * columns;
        let accumulate = i % 2;
        let chunks = 3 * i + 1;
        let posterior = ("posterior", Normal(8 * posterior_rows * columns));
        let (z, noise) = (("z", Normal(values)), ("noise", Normal(values)));
        let weights = ("weights_read", Unit(l));
        let mut add = |kernel, constants, contents: &[(&'static str, Content)], elements, reduction| {
            cases.push(
                Case::new(kernel, constants)
                    .buffers(contents)
                    .grid(Grid::Elements(elements))
                    .rows(rows)
                    .reduces(reduction),
            );
        };
        let sizes = constants! { BATCH: batch, SAMPLES: samples };
        let with = |more: std::collections::BTreeMap<&'static str, f64>| {
            let mut all = sizes.clone();
            all.extend(more);
            all
        };
        add(
            "sampled_kl",
            with(constants! { COLUMNS: columns, POSTERIOR_ROWS: posterior_rows, ACCUMULATE: accumulate }),
            &[posterior, z, noise, ("divergence", Normal(l))],
            l,
            4 * width,
        );
        add(
            "sampled_kl_dimensions",
            with(constants! { COLUMNS: columns, POSTERIOR_ROWS: posterior_rows }),
            &[posterior, z, noise, ("dimensions", Normal(values))],
            l * columns,
            4,
        );
        add(
            "log_weights",
            with(constants! { CHUNKS: chunks }),
            &[
                ("likelihood_terms", Normal(l * chunks)),
                ("divergence_read", Normal(l)),
                ("log_weight", Normal(l)),
            ],
            l,
            chunks,
        );
        for uniform in [false, true] {
            add(
                "importance_weights",
                with(constants! { UNIFORM: uniform }),
                &[("log_weight_read", Normal(l)), ("weights", Normal(l)), ("bound", Normal(batch))],
                batch,
                samples,
            );
        }
        let row = 4 * i + 3;
        let weighed = [weights, ("values", Normal(l * row))];
        let lengths = constants! { ROW: row, LENGTH: l * row, FACTOR: samples };
        add("weigh_rows", lengths, &weighed, l * row, 1);
        let gate = ("gate", Normal(4 * columns));
        let of_z = [weights, z, ("z_gradient", Normal(values))];
        let sizes_of_z = with(constants! { COLUMNS: columns, ACCUMULATE: accumulate });
        add("sampled_kl_gradient", sizes_of_z.clone(), &of_z, l * columns, 1);
        let gated = [&of_z[..], &[gate]].concat();
        add("sampled_kl_gradient_gated", sizes_of_z, &gated, l * columns, 1);
        add(
            "doubly_reparametrize",
            with(constants! { COLUMNS: columns, POSTERIOR_ROWS: posterior_rows }),
            &[weights, noise, posterior, ("z_gradient", Normal(values))],
            l * columns,
            4,
        );
        let of_posterior = [weights, ("posterior_gradient", Normal(8 * posterior_rows * columns))];
        let sizes_of_posterior = with(constants! {
            COLUMNS: columns, POSTERIOR_ROWS: posterior_rows, WIDTH: width, ACCUMULATE: accumulate,
        });
        let elements = posterior_rows * columns;
        add("sampled_kl_posterior_gradient", sizes_of_posterior.clone(), &of_posterior, elements, samples);
        let gated = [&of_posterior[..], &[gate]].concat();
        add("sampled_kl_posterior_gradient_gated", sizes_of_posterior, &gated, elements, samples);
        add("begin_stream", constants! { BATCH: batch }, &[("running", Normal(4 * batch))], batch, 1);
        add(
            "stream_weights",
            sizes.clone(),
            &[("log_weight_read", Normal(l)), ("running", Normal(4 * batch))],
            batch,
            samples,
        );
    }
    cases
}
