//! The cases of `shaders/sum.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::kernels::kernel;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [1, 255, 257, 40_009] {
        let values = ("values", Normal(length));
        let metrics = ("metrics", Normal(16));
        let one = Grid::Workgroups(1);
        let partials = usize::div_ceil(length, kernel("square_sum").constant("SHARE") as usize);
        cases.push(
            Case::new("sum", constants! { LENGTH: length })
                .buffers(&[values, ("total", Normal(4))])
                .grid(one)
                .rows(3)
                .reduces(length),
        );
        cases.push(
            Case::new("sum_metric", constants! { LENGTH: length, SCALE: 0.5, TERM: 1, TERMS: 5 })
                .buffers(&[values, metrics])
                .grid(one)
                .rows(3)
                .reduces(length),
        );
        cases.push(Case::new("sum_two_metrics", constants! {
                LENGTH: length, SCALE: 0.5, TERM: 1, SECOND_LENGTH: 777, SECOND_SCALE: 2.0, SECOND_TERM: 0,
                TERMS: 4,
            }).buffers(&[values, metrics, ("second_values", Normal(777))]).grid(Grid::Workgroups(2)).rows(3).reduces(length + 777));
        cases.push(
            Case::new("square_sum", constants! { LENGTH: length })
                .buffers(&[values, ("shares", Normal(partials))])
                .grid(Grid::Workgroups(partials))
                .rows(3)
                .reduces(length),
        );
        cases.push(
            Case::new("square_root", constants! { LENGTH: length, TERM: 2, TERMS: 3 })
                .buffers(&[("values", Unit(length)), ("norm", Normal(4)), metrics])
                .grid(one)
                .rows(3)
                .reduces(length),
        );
    }
    cases
}
