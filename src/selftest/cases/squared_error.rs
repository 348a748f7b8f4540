//! The cases of `shaders/squared_error.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let sizes = [(1, 1, 1, 1, 1), (3, 2, 15, 2, 2), (9, 1, 66, 9, 1), (17, 3, 785, 16, 2)];
    let case = |(batch, samples, width, rows, sections): (usize, usize, usize, usize, usize)| {
        let columns = width.div_ceil(4);
        let (row, total) = (sections * columns, samples * batch * columns.div_ceil(4));
        Case::new(
            "squared_error",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, ROW: row },
        )
        .buffers(&[
            ("expected", Unit(4 * samples * batch * row)),
            ("images", Unit(4 * batch * columns)),
            ("terms", Normal(total)),
        ])
        .grid(Grid::Elements(total))
        .rows(rows)
        .reduces(16)
    };
    sizes.into_iter().map(case).collect()
}
