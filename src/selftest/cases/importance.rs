//! The cases of `shaders/importance.wgsl`.

use super::{Case, Content};
use crate::plan::{Grid, WITHOUT_NUMBER, constants};
use Content::{Normal, Unit};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows, own)) in
        [(1, 1, 1, 1, false), (5, 3, 2, 4, false), (33, 2, 7, 33, true), (65, 7, 20, 61, true)]
            .into_iter()
            .enumerate()
    {
        let (columns, l) = (usize::div_ceil(width, 4), samples * batch);
        let posterior_rows = if own { l } else { batch };
        let values = 4 * l * columns;
        let chunks = 3 * i + 1;
        let posterior = ("posterior", Normal(8 * posterior_rows * columns));
        let noise = ("noise", Normal(values));
        let weights = ("weights_read", Unit(l));
        let mut add =
            |kernel, constants, contents: &[(&'static str, Content<'static>)], elements, reduction| {
                cases.push(
                    Case::new(kernel, constants)
                        .buffers(contents)
                        .grid(Grid::Elements(elements))
                        .rows(rows)
                        .reduces(reduction),
                );
            };
        add(
            "log_weights",
            constants! { BATCH: batch, SAMPLES: samples, CHUNKS: chunks, BETA: 0 },
            &[
                ("likelihood_terms", Normal(l * chunks)),
                ("divergence_read", Normal(l)),
                ("log_weight", Normal(l)),
            ],
            l,
            chunks,
        );
        add(
            "log_weights_gradient",
            constants! { ROWS: l, CHUNKS: chunks, BETA: 0 },
            &[
                ("upstream", Normal(l)),
                ("terms_gradient", Normal(l * chunks)),
                ("divergence_gradient", Normal(l)),
            ],
            l,
            1,
        );
        for uniform in [false, true] {
            add(
                "importance_weights",
                constants! { BATCH: batch, SAMPLES: samples, UNIFORM: uniform },
                &[("log_weight_read", Normal(l)), ("weights", Normal(l)), ("bound", Normal(batch))],
                batch,
                samples,
            );
            let number = if uniform { 0 } else { WITHOUT_NUMBER };
            add(
                "importance_gradient",
                constants! {
                    BATCH: batch, SAMPLES: samples, GIVEN: uniform, WEIGHT: 0.7, NUMBER: number,
                },
                &[weights, ("upstream", Normal(batch)), ("log_weight_gradient", Normal(l))],
                l,
                1,
            );
        }
        // Rows of two sections of ragged chunks.
        let (chunk, section) = (4 * (i % 2) + 1, 5 * i + 3);
        let terms = usize::div_ceil(section, chunk);
        add(
            "weigh_chunks",
            constants! {
                ROW: 2 * section, SECTION: section, CHUNK: chunk, CHUNKS: terms, LENGTH: 2 * section * l,
                FACTOR: samples,
            },
            &[("upstream", Unit(l * terms)), ("values", Normal(2 * section * l))],
            2 * section * l,
            1,
        );
        add(
            "doubly_reparametrize",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: columns, POSTERIOR_ROWS: posterior_rows, BETA: 0,
            },
            &[weights, noise, posterior, ("z_gradient", Normal(values))],
            l * columns,
            4,
        );
        add("begin_log_sum", constants! { BATCH: batch }, &[("running", Normal(4 * batch))], batch, 1);
        add(
            "add_to_log_sum",
            constants! { BATCH: batch, SAMPLES: samples },
            &[("log_weight_read", Normal(l)), ("running", Normal(4 * batch))],
            batch,
            samples,
        );
    }
    cases
}
