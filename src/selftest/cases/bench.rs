//! The cases of `shaders/bench.wgsl`.

use super::Content::{Normal, Unit};
use super::{Case, case};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (length, iterations) in [(1, 1), (70, 5), (257, 100)] {
        let output = ("output", Normal(4 * length));
        let grid = Grid::Elements(length);
        let constants = constants! { LENGTH: length, ITERATIONS: iterations };
        cases.push(case("multiply_add", constants, &[("input", Unit(4)), output], grid, 3, 8));
        let constants = constants! { LENGTH: length };
        cases.push(case("copy", constants, &[("input", Normal(4 * length)), output], grid, 3, 1));
    }
    cases
}
