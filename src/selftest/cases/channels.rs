//! The cases of `shaders/channel_sum.wgsl` and `shaders/mask.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (items, pixels, channels)) in [(1, 1, 1), (3, 700, 3), (2, 256, 6)].into_iter().enumerate() {
        let (parts, columns) = (usize::div_ceil(pixels, 256), usize::div_ceil(channels, 4));
        let item = (pixels * channels).next_multiple_of(4);
        let rows = items * parts;
        let constants = constants! {
            ROWS: rows, COLUMNS: columns, PARTS: parts, PIXELS: pixels, PIXEL: channels, ITEM: item,
        };
        cases.push(
            Case::new("channel_sum", constants)
                .buffers(&[("maps", Normal(items * item)), ("sums", Normal(4 * rows * columns))])
                .grid(Grid::Elements(rows * columns))
                .rows(items)
                .reduces(pixels.min(256)),
        );
        let length = 67 * pixels;
        cases.push(
            Case::new("apply_mask", constants! { LENGTH: length, ACCUMULATE: i % 2 })
                .buffers(&["input", "mask", "output"].map(|name| (name, Normal(4 * length))))
                .grid(Grid::Elements(length))
                .rows(1),
        );
    }
    cases
}
