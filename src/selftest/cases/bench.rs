//! The cases of `shaders/bench.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [1, 70, 257] {
        let buffers = [("input", Normal(64 * length)), ("output", Normal(4 * length))];
        let case = Case::new("add_up", constants! { LENGTH: length }).buffers(&buffers);
        cases.push(case.grid(Grid::Elements(length)).rows(3).reduces(16));
    }
    for (length, iterations) in [(1, 1), (70, 5), (257, 100)] {
        let output = ("output", Normal(4 * length));
        let grid = Grid::Elements(length);
        let constants = constants! { LENGTH: length, ITERATIONS: iterations };
        cases.push(
            Case::new("multiply_add", constants)
                .buffers(&[("input", Unit(4)), output])
                .grid(grid)
                .rows(3)
                .reduces(8),
        );
        let constants = constants! { LENGTH: length };
        cases.push(
            Case::new("copy", constants).buffers(&[("input", Normal(4 * length)), output]).grid(grid).rows(3),
        );
    }
    cases
}
