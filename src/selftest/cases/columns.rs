//! The cases of `shaders/keep_largest.wgsl`, `shaders/unit_columns.wgsl` and `shaders/idle.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rows, width, keep) in [(1, 1, 1), (5, 6, 2), (33, 19, 19), (9, 130, 40), (3, 1001, 7)] {
        let columns = usize::div_ceil(width, 4);
        let n = 4 * rows * columns;
        cases.push(
            Case::new("keep_largest", constants! { ROWS: rows, COLUMNS: columns, WIDTH: width, KEEP: keep })
                .buffers(&[("code", Normal(n)), ("kept", Normal(n))])
                .grid(Grid::Workgroups(rows)),
        );
        // Of one row, some units are above 0.
        cases.push(
            Case::new("count_idle", constants! { COLUMNS: columns })
                .buffers(&[("code", Normal(n)), ("idle", Unit(4 * columns))])
                .grid(Grid::Elements(columns))
                .rows(rows.min(2)),
        );
        let sizes = constants! { LENGTH: n / 4, COLUMNS: columns, AFTER: 0.5, ACCUMULATE: rows % 2 };
        cases.push(
            Case::new("idle_only", sizes)
                .buffers(&[("input", Normal(n)), ("idle_read", Unit(4 * columns)), ("output", Normal(n))])
                .grid(Grid::Elements(n / 4)),
        );
        let sizes = constants! { ROWS: rows, COLUMNS: columns };
        for (kernel, contents) in [
            ("unit_columns", vec![("weight", Normal(n))]),
            ("project_columns", vec![("gradient", Normal(n)), ("saved", Normal(n))]),
        ] {
            let case = Case::new(kernel, sizes.clone()).buffers(&contents);
            cases.push(case.grid(Grid::Elements(columns)).reduces(8 * rows));
        }
    }
    cases
}
