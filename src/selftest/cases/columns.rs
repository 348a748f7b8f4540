//! The cases of `shaders/keep_largest.wgsl` and `shaders/unit_columns.wgsl`.

use super::Case;
use super::Content::Normal;
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
