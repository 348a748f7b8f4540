//! The cases of `shaders/gate.wgsl`.

use super::{Case, Content, case};
use crate::plan::{Grid, constants};
use Content::{Normal, Unit};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (samples, batch, width, rows) in [(1, 1, 1, 1), (3, 5, 2, 4), (2, 33, 7, 33), (7, 65, 20, 61)] {
        let (columns, l) = (usize::div_ceil(width, 4), samples * batch);
        let gate = ("gate", Normal(4 * columns));
        // A gate that is close to closing would be another with another rounding.
        for free_bits in [-0.5, 0.004, 3.0] {
            cases.push(case(
                "free_bits_gate",
                constants! { SAMPLES: samples, ROWS: l, COLUMNS: columns, FREE_BITS: free_bits },
                &[("dimensions", Normal(4 * l * columns)), gate],
                Grid::Workgroups(columns),
                rows,
                1,
            ));
        }
        // On one side of numbers from 0 to 1, and on the other.
        for capacity in [-0.5, 9.0] {
            let mut case = case(
                "capacity_gradient",
                constants! { SAMPLES: samples, ROWS: l, CAPACITY: 1 },
                &[("divergence_read", Unit(l)), ("upstream", Normal(l)), ("divergence_gradient", Normal(l))],
                Grid::Workgroups(1),
                rows,
                1,
            );
            case.step.numbers[1] = capacity;
            cases.push(case);
        }
    }
    cases
}
