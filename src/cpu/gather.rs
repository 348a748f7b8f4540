//! Twin of `shaders/gather.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use super::random::words;
use crate::plan::Step;
use crate::random::stream;

/// 1 with probability byte / 255, decided in integers.
fn bernoulli<T: Real>(word: u32, byte: u32) -> T {
    if (word >> 8) * 255 < byte << 24 { T::one() } else { T::zero() }
}

pub(super) fn gather<T: Real>(call: &mut Call<'_, T>) {
    let columns = call.count("COLUMNS");
    let (binarize, streamed) = (call.count("BINARIZE"), call.flag("STREAMED"));
    let (images, indices, step) = (call.words("images"), call.words("indices"), call.step);
    by_rows(call.write("batch"), 4 * columns, |row, batch| {
        if row >= step.rows as usize {
            batch.fill(T::zero());
            return;
        }
        let entry = step.first_index as usize + row;
        let number = indices[entry];
        let position = if streamed { entry } else { number as usize };
        let image = &images[position * columns..(position + 1) * columns];
        for (column, (&word, pixels)) in image.iter().zip(batch.chunks_exact_mut(4)).enumerate() {
            let bytes = word.to_le_bytes().map(u32::from);
            let draws = match binarize {
                2 => {
                    let fixed = Step { counter_low: number, counter_high: 0, ..*step };
                    words(&fixed, column, stream::BINARIZE)
                }
                3 => words(step, row * columns + column, stream::BINARIZE),
                _ => [0; 4],
            };
            for ((pixel, byte), draw) in pixels.iter_mut().zip(bytes).zip(draws) {
                *pixel = match binarize {
                    0 => T::of(f64::from(byte)) * T::of(1.0 / 255.0),
                    1 => T::of(f64::from(u8::from(byte >= 128))),
                    _ => bernoulli(draw, byte),
                };
            }
        }
    });
}
