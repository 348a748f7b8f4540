//! The cases of `shaders/accumulate.wgsl`.

use super::Content::Normal;
use super::{Case, case};
use crate::plan::{Grid, WITHOUT_NUMBER, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, length) in [1, 63, 65, 4099].into_iter().enumerate() {
        let accumulate = i % 2;
        let contents = [("part", Normal(length)), ("total", Normal(length))];
        let grid = Grid::Elements(length);
        let constants = constants! { LENGTH: length, ACCUMULATE: accumulate };
        cases.push(case("accumulate", constants, &contents, grid, 3, 1));
        let number = [0, WITHOUT_NUMBER][i / 2];
        let constants = constants! {
            LENGTH: length, SAMPLES: i + 1, WEIGHT: 0.3, NUMBER: number, ACCUMULATE: accumulate,
        };
        cases.push(case("seed", constants, &contents[1..], grid, 3, 1));
        let constants = constants! { LENGTH: length, RATE: [1.0, 0.01][accumulate] };
        cases.push(case("update_state", constants, &contents, grid, 3, 1));
    }
    cases
}
