//! The cases of `shaders/codes.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, width, rows)) in [(1, 1, 1), (5, 6, 4), (33, 19, 33), (9, 130, 9)].into_iter().enumerate()
    {
        let columns = usize::div_ceil(width, 4);
        let (n, accumulate) = (4 * batch * columns, i % 2);
        let of_codes = || Grid::Elements(n / 4);
        let code = ("code", Unit(n));
        let (penalty, upstream) = (("penalty", Normal(n)), ("upstream", Normal(n)));
        let gradient = ("code_gradient", Normal(n));
        for (forward, backward) in
            [("squares", "squares_gradient"), ("slope_squares", "slope_squares_gradient")]
        {
            let sizes = constants! { LENGTH: n / 4, COLUMNS: columns, SCALE: 0.7 };
            cases.push(
                Case::new(forward, sizes.clone()).buffers(&[code, penalty]).grid(of_codes()).rows(rows),
            );
            let mut sizes = sizes;
            sizes.extend(constants! { ACCUMULATE: accumulate });
            let case = Case::new(backward, sizes).buffers(&[code, upstream, gradient]);
            cases.push(case.grid(of_codes()).rows(rows));
        }
        let weight = ("weight", Normal(n));
        let weight_gradient = ("weight_gradient", Normal(n));
        cases.push(
            Case::new("add_square_sum", constants! { LENGTH: n / 4, SCALE: 0.3, FIRST: accumulate })
                .buffers(&[weight, ("before", Unit(4)), ("total", Normal(4))])
                .grid(Grid::Workgroups(1))
                .rows(rows)
                .reduces(n * rows),
        );
        let sizes = constants! { LENGTH: n / 4, SCALE: 0.3, ACCUMULATE: accumulate };
        let case = Case::new("add_square_sum_gradient", sizes);
        let case = case.buffers(&[weight, ("upstream", Normal(4)), weight_gradient]);
        cases.push(case.grid(of_codes()).rows(rows));
        cases.push(
            Case::new("row_squares", constants! { ROWS: batch, COLUMNS: columns })
                .buffers(&[weight, ("norms", Normal(batch))])
                .grid(Grid::Elements(batch))
                .rows(rows)
                .reduces(4 * columns),
        );
        let sizes = constants! { ROWS: batch, COLUMNS: columns, ACCUMULATE: accumulate };
        let case = Case::new("row_squares_gradient", sizes);
        let case = case.buffers(&[weight, ("norms_upstream", Normal(batch)), weight_gradient]);
        cases.push(case.grid(of_codes()).rows(rows));
        let average = ("average", Unit(4 * columns));
        let sizes = constants! { COLUMNS: columns, WIDTH: width, SCALE: 0.6, TARGET: 0.05 };
        cases.push(
            Case::new("sparsity", sizes.clone())
                .buffers(&[average, ("penalty", Normal(4 * columns))])
                .grid(Grid::Elements(columns))
                .rows(rows)
                .reduces(rows),
        );
        let mut sizes = sizes;
        sizes.extend(constants! { LENGTH: n / 4, ACCUMULATE: accumulate });
        let case = Case::new("sparsity_gradient", sizes);
        let case = case.buffers(&[average, ("upstream", Normal(4 * columns)), gradient]);
        cases.push(case.grid(of_codes()).rows(rows).reduces(16));
    }
    cases
}
