//! The cases of `shaders/optimal_variance.wgsl`, and those of the likelihood that takes its result.

use super::Content::{Normal, Unit};
use super::{Case, extremes, likelihood};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = [likelihood::optimal(), extremes::optimal()].concat();
    // Number 3 of a case's step is 0, and where there is no number it is 1: within an epoch, and at its end.
    for (length, samples, ends) in [(1, 1, 3), (257, 2, 16), (40_009, 1, 3)] {
        let (rows, width) = (3, length);
        cases.push(
            Case::new(
                "optimal_variance",
                constants! { LENGTH: length, SAMPLES: samples, WIDTH: width, ENDS: ends },
            )
            .buffers(&[("terms", Unit(length)), ("residuals", Unit(4)), ("log_variance", Normal(4))])
            .grid(Grid::Workgroups(1))
            .rows(rows),
        );
    }
    for kept in [Unit(4), Normal(4)] {
        cases.push(
            Case::new("kept_variance", constants! {})
                .buffers(&[("kept", kept), ("log_variance", Normal(4))])
                .grid(Grid::Workgroups(1)),
        );
    }
    cases
}
