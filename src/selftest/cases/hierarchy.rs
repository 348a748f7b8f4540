//! The cases of `shaders/hierarchy.wgsl`.

use super::{Case, Content};
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
        let posterior = ("posterior", Normal(8 * batch * columns));
        let noise = ("noise", Normal(values));
        let sizes = constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns };
        cases.push(
            Case::new("conditional_kl", sizes.clone())
                .buffers(&[posterior, prior, z, noise, ("divergence", Normal(l))])
                .grid(Grid::Elements(l))
                .rows(rows)
                .reduces(4 * width),
        );
        cases.push(
            Case::new("conditional_kl_dimensions", sizes)
                .buffers(&[posterior, prior, z, noise, ("dimensions", Normal(values))])
                .grid(Grid::Elements(l * columns))
                .rows(rows)
                .reduces(4),
        );
        let gradient = [
            ("weights_read", Unit(l)),
            prior,
            z,
            ("z_gradient", Normal(values)),
            ("prior_gradient", Normal(2 * values)),
        ];
        let gated = [&gradient[..], &[("gate", Normal(4 * columns))]].concat();
        for (kernel, contents) in
            [("conditional_kl_gradient", &gradient[..]), ("conditional_kl_gradient_gated", &gated)]
        {
            cases.push(
                Case::new(
                    kernel,
                    constants! {
                        BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, ACCUMULATE: i % 2,
                    },
                )
                .buffers(contents)
                .grid(Grid::Elements(l * columns))
                .rows(rows),
            );
        }
    }
    cases
}
