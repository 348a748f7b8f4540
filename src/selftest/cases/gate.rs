//! The cases of `shaders/gate.wgsl`.

use super::{Case, Content};
use crate::plan::{Grid, constants};
use Content::{Normal, Unit};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (samples, batch, width, rows) in [(1, 1, 1, 1), (3, 5, 2, 4), (2, 33, 7, 33), (7, 65, 20, 61)] {
        let (columns, l) = (usize::div_ceil(width, 4), samples * batch);
        let gate = ("gate", Normal(4 * columns));
        // A gate that is close to closing would be another with another rounding.
        for free_bits in [-0.5, 0.004, 3.0] {
            cases.push(
                Case::new(
                    "free_bits_gate",
                    constants! { SAMPLES: samples, ROWS: l, COLUMNS: columns, FREE_BITS: free_bits },
                )
                .buffers(&[("dimensions", Normal(4 * l * columns)), gate])
                .grid(Grid::Workgroups(columns))
                .rows(rows),
            );
        }
        for floor in [-0.5, 0.45, 9.0] {
            cases.push(
                Case::new("floor_gradient", constants! { SAMPLES: samples, BATCH: batch, FLOOR: floor })
                    .buffers(&[
                        ("divergence_read", Unit(l)),
                        ("upstream", Normal(l)),
                        ("divergence_gradient", Normal(l)),
                    ])
                    .grid(Grid::Elements(l))
                    .rows(rows),
            );
        }
        // On one side of numbers from 0 to 1, and on the other.
        for capacity in [-0.5, 9.0] {
            let mut case =
                Case::new("capacity_gradient", constants! { SAMPLES: samples, ROWS: l, CAPACITY: 1 })
                    .buffers(&[
                        ("divergence_read", Unit(l)),
                        ("upstream", Normal(l)),
                        ("divergence_gradient", Normal(l)),
                    ])
                    .grid(Grid::Workgroups(1))
                    .rows(rows);
            case.step.numbers[1] = capacity;
            cases.push(case);
        }
    }
    cases
}
