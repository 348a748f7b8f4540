//! The cases of `shaders/sum.wgsl`.

use super::Content::{Normal, Unit};
use super::{Case, case};
use crate::kernels::kernel;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [1, 255, 257, 40_009] {
        let values = ("values", Normal(length));
        let metrics = ("metrics", Normal(16));
        let one = Grid::Workgroups(1);
        let partials = usize::div_ceil(length, kernel("square_sum").constant("SHARE") as usize);
        cases.push(case(
            "sum",
            constants! { LENGTH: length },
            &[values, ("total", Normal(4))],
            one,
            3,
            length,
        ));
        cases.push(case(
            "sum_metric",
            constants! { LENGTH: length, SCALE: 0.5, TERM: 1, TERMS: 5 },
            &[values, metrics],
            one,
            3,
            length,
        ));
        cases.push(case(
            "sum_two_metrics",
            constants! {
                LENGTH: length, SCALE: 0.5, TERM: 1, SECOND_LENGTH: 777, SECOND_SCALE: 2.0, SECOND_TERM: 0,
                TERMS: 4,
            },
            &[values, metrics, ("second_values", Normal(777))],
            Grid::Workgroups(2),
            3,
            length + 777,
        ));
        cases.push(case(
            "square_sum",
            constants! { LENGTH: length },
            &[values, ("shares", Normal(partials))],
            Grid::Workgroups(partials),
            3,
            length,
        ));
        cases.push(case(
            "square_root",
            constants! { LENGTH: length, TERM: 2, TERMS: 3 },
            &[("values", Unit(length)), ("norm", Normal(4)), metrics],
            one,
            3,
            length,
        ));
    }
    cases
}
