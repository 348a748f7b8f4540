//! The cases of `shaders/gather.wgsl`.

use super::Case;
use super::Content::{AnyWords, Below, Normal};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (binarize, (batch, columns, rows)) in
        [(3, 1, 3), (5, 7, 4), (13, 49, 13), (65, 11, 61)].into_iter().enumerate()
    {
        for streamed in [false, true] {
            // With `first_index` 1 the list is one longer than the batch.
            let images = batch + 1;
            cases.push(
                Case::new(
                    "gather",
                    constants! { BATCH: batch, COLUMNS: columns, BINARIZE: binarize, STREAMED: streamed },
                )
                .buffers(&[
                    ("images", AnyWords(images * columns)),
                    ("indices", Below(images, images as u32)),
                    ("batch", Normal(4 * batch * columns)),
                ])
                .grid(Grid::Elements(batch * columns))
                .rows(rows),
            );
            // Rows of four pixels and a rest, of one value or three.
            let channels = if columns % 2 == 0 { 1 } else { [1, 3][binarize % 2] };
            let width = [1, 2, 4, 7][binarize];
            let length = 4 * columns / (width * channels) * (width * channels);
            cases.push(
                Case::new(
                    "gather_mirrored",
                    constants! {
                        BATCH: batch, COLUMNS: columns, BINARIZE: binarize, STREAMED: streamed, MIRROR_WIDTH: width,
                        MIRROR_CHANNELS: channels, MIRROR_LENGTH: length,
                    },
                )
                .buffers(&[
                    ("images", AnyWords(images * columns)),
                    ("indices", Below(images, images as u32)),
                    ("batch", Normal(4 * batch * columns)),
                ])
                .grid(Grid::Elements(batch * columns))
                .rows(rows),
            );
            let (length, numbers) =
                (4 * images * columns, constants! { BATCH: batch, COLUMNS: columns, STREAMED: streamed });
            for (kernel, column) in [
                ("gather_reals", ("reals", Normal(length))),
                // Below 2^24, so that every word is exact in f32.
                ("gather_words", ("words", Below(length, 1 << 24))),
            ] {
                let indices = ("indices", Below(images, images as u32));
                let contents = [column, indices, ("batch", Normal(4 * batch * columns))];
                cases.push(
                    Case::new(kernel, numbers.clone())
                        .buffers(&contents)
                        .grid(Grid::Elements(batch * columns))
                        .rows(rows),
                );
            }
        }
    }
    cases
}
