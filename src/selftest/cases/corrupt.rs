//! The cases of `shaders/corrupt.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (batch, width, rows) in [(1, 1, 1), (5, 6, 4), (33, 19, 33), (9, 784, 9)] {
        for corruption in 0..3 {
            let columns = usize::div_ceil(width, 4);
            let sizes = constants! {
                BATCH: batch, COLUMNS: columns, WIDTH: width, CORRUPTION: corruption, NUMBER: 0, STREAM: 72,
            };
            let n = 4 * batch * columns;
            cases.push(
                Case::new("corrupt", sizes)
                    .buffers(&[("images", Unit(n)), ("corrupted", Normal(n))])
                    .grid(Grid::Elements(n / 4))
                    .rows(rows)
                    .reduces(4),
            );
        }
    }
    cases
}
