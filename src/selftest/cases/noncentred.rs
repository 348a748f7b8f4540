//! The cases of `shaders/noncentred.wgsl`.

use super::{Case, Content};
use crate::plan::{Grid, constants};
use Content::Normal;

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (rows, width, from, behind)) in
        [(1, 1, 0, 0), (5, 3, 2, 1), (33, 8, 5, 7), (65, 21, 13, 0)].into_iter().enumerate()
    {
        let padded = |columns: usize| columns.next_multiple_of(4);
        let (part, whole) = (padded(width), padded(from + width + behind));
        let sizes = constants! { ROWS: rows, WIDTH: width, FROM: from, PART: part, WHOLE: whole };
        cases.push(
            Case::new("take_columns", sizes.clone())
                .buffers(&[("whole", Normal(rows * whole)), ("part", Normal(rows * part))])
                .grid(Grid::Elements(rows * part))
                .rows(rows),
        );
        let mut accumulated = sizes;
        accumulated.insert("ACCUMULATE", (i % 2) as f64);
        cases.push(
            Case::new("take_columns_gradient", accumulated)
                .buffers(&[("part_gradient", Normal(rows * part)), ("whole_gradient", Normal(rows * whole))])
                .grid(Grid::Elements(rows * whole))
                .rows(rows),
        );
        let values = rows * part;
        let sizes = constants! { ROWS: rows, COLUMNS: part / 4 };
        let (prior, noise) = (("prior", Normal(2 * values)), ("noise", Normal(values)));
        cases.push(
            Case::new("conditional_sample", sizes.clone())
                .buffers(&[prior, noise, ("z", Normal(values))])
                .grid(Grid::Elements(values / 4))
                .rows(rows),
        );
        cases.push(
            Case::new("conditional_sample_gradient", sizes)
                .buffers(&[
                    prior,
                    noise,
                    ("z_gradient", Normal(values)),
                    ("noise_gradient", Normal(values)),
                    ("prior_gradient", Normal(2 * values)),
                ])
                .grid(Grid::Elements(values / 4))
                .rows(rows),
        );
    }
    cases
}
