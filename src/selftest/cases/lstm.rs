//! The cases of `shaders/lstm.wgsl`.

use super::Case;
use super::Content::{Given, Normal, Unit};
use crate::plan::{Grid, constants};

/// Weights are small, so that steps do not amplify roundings.
fn weight(i: usize) -> f32 {
    ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * 0.2
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    // Sequences, their steps, first and last step of the window, units; whether there is a carry.
    for (batch, steps, begin, end, hidden, carry) in [
        (3, 5, 0, 5, 5, true),
        (5, 7, 2, 4, 3, false),
        (9, 1, 0, 1, 17, true),
        (1, 6, 3, 6, 1, true),
        (6, 3, 0, 2, 66, false),
        (2, 2, 0, 2, 259, true),
    ] {
        let stride = usize::next_multiple_of(hidden, 4);
        let (rows, elements) = (batch * steps * stride, stride * stride);
        let start = ("start", Normal(2 * batch * stride));
        let sizes = || {
            constants! {
                BATCH: batch, STEPS: steps, BEGIN: begin, END: end, HIDDEN: hidden, STRIDE: stride, CARRY: carry,
            }
        };
        let grid = Grid::Workgroups(batch.div_ceil(4));
        cases.extend([
            Case::new("lstm_pack", constants! { HIDDEN: hidden, STRIDE: stride })
                .buffers(&[("weight", Normal(4 * elements)), ("packing", Normal(4 * hidden * stride))])
                .grid(Grid::Elements(hidden * stride)),
            Case::new("lstm", sizes())
                .buffers(&[
                    ("packed", Given(4 * hidden * stride, weight)),
                    start,
                    ("gates", Normal(4 * rows)),
                    ("hidden", Normal(rows)),
                    ("cells", Normal(rows)),
                    ("before", Normal(rows)),
                    ("last", Normal(2 * batch * stride)),
                ])
                .grid(grid)
                .reduces(hidden),
            Case::new("lstm_gradient", sizes())
                .buffers(&[
                    ("weight_rows", Given(4 * elements, weight)),
                    start,
                    ("saved", Unit(4 * rows)),
                    ("saved_cells", Normal(rows)),
                    ("hidden_gradient", Normal(rows)),
                    ("carried", Normal(batch * stride)),
                    ("gates_gradient", Normal(4 * rows)),
                ])
                .grid(grid)
                .reduces(4 * hidden),
        ]);
    }
    cases
}
