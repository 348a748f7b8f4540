//! The cases of `shaders/accumulate.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::graph::Shape;
use crate::plan::{Grid, WITHOUT_NUMBER, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (sections, width)) in [(1, 1), (7, 9), (13, 5), (1, 4099)].into_iter().enumerate() {
        let section = Shape::matrix(1, width).stride();
        let (length, accumulate) = (sections * section, i % 2);
        let contents = [("part", Normal(length)), ("total", Normal(length))];
        let grid = Grid::Elements(length);
        let constants = constants! { LENGTH: length, SECTION: section, WIDTH: width, ACCUMULATE: accumulate };
        cases.push(Case::new("accumulate", constants).buffers(&contents).grid(grid).rows(3));
        let number = [0, WITHOUT_NUMBER][i / 2];
        let constants = constants! {
            LENGTH: length, SECTION: section, WIDTH: width, SAMPLES: i + 1, WEIGHT: 0.3, NUMBER: number,
            ACCUMULATE: accumulate,
        };
        cases.push(Case::new("seed", constants).buffers(&contents[1..]).grid(grid).rows(3));
        let constants =
            constants! { LENGTH: length, SECTION: section, WIDTH: width, RATE: [1.0, 0.01][accumulate] };
        cases.push(Case::new("update_state", constants).buffers(&contents).grid(grid).rows(3));
    }
    cases
}
