//! Twin of `shaders/gather.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use super::random::{TOGETHER, words, words_of_many};
use crate::plan::Step;
use crate::random::stream;

/// 1 with probability byte / 255, decided in integers.
fn bernoulli<T: Real>(word: u32, byte: u32) -> T {
    if (word >> 8) * 255 < byte << 24 { T::one() } else { T::zero() }
}

pub(super) fn gather<T: Real>(call: &mut Call<'_, T>) {
    gather_each(call, |_, _| {});
}

pub(super) fn gather_mirrored<T: Real>(call: &mut Call<'_, T>) {
    let (width, channels) = (call.count("MIRROR_WIDTH"), call.count("MIRROR_CHANNELS"));
    let (length, step) = (call.count("MIRROR_LENGTH"), call.step);
    gather_each(call, |row, image| {
        if words(step, row, stream::MIRROR)[0] & 1 == 1 {
            for line in image[..length].chunks_exact_mut(width * channels) {
                for x in 0..width / 2 {
                    let (left, right) = (x * channels, (width - 1 - x) * channels);
                    (0..channels).for_each(|channel| line.swap(left + channel, right + channel));
                }
            }
        }
    });
}

/// Gather each image, then do `change` to it.
fn gather_each<T: Real>(call: &mut Call<'_, T>, change: impl Fn(usize, &mut [T]) + Sync + Send) {
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
        match binarize {
            0 => each_byte(image, batch, |byte| T::of(f64::from(byte)) * T::of(1.0 / 255.0)),
            1 => each_byte(image, batch, |byte| T::of(f64::from(u8::from(byte >= 128)))),
            // Drawn once: the draws belong to the image, and not to the step.
            2 => draw(image, batch, &Step { counter_low: number, counter_high: 0, ..*step }, 0),
            _ => draw(image, batch, step, row * columns),
        }
        change(row, batch);
    });
}

pub(super) fn gather_reals<T: Real>(call: &mut Call<'_, T>) {
    let reals = call.read("reals");
    rows(call, reals, |value| value);
}

pub(super) fn gather_words<T: Real>(call: &mut Call<'_, T>) {
    let words = call.words("words");
    rows(call, words, |word| T::of(f64::from(word)));
}

/// Each row of the minibatch: an item of `column`, or zeros.
fn rows<T: Real, U: Copy + Sync>(
    call: &mut Call<'_, T>,
    column: &[U],
    number: impl Fn(U) -> T + Sync + Send,
) {
    let (width, streamed) = (4 * call.count("COLUMNS"), call.flag("STREAMED"));
    let (indices, step) = (call.words("indices"), call.step);
    by_rows(call.write("batch"), width, |row, batch| {
        if row >= step.rows as usize {
            batch.fill(T::zero());
            return;
        }
        let entry = step.first_index as usize + row;
        let position = if streamed { entry } else { indices[entry] as usize };
        let item = &column[position * width..(position + 1) * width];
        batch.iter_mut().zip(item).for_each(|(to, from)| *to = number(*from));
    });
}

fn each_byte<T>(image: &[u32], batch: &mut [T], pixel: impl Fn(u8) -> T) {
    for (&word, pixels) in image.iter().zip(batch.chunks_exact_mut(4)) {
        for (target, byte) in pixels.iter_mut().zip(word.to_le_bytes()) {
            *target = pixel(byte);
        }
    }
}

/// Binarise an image whose first four pixels take the draws of element `first`.
#[inline(always)]
fn draw<T: Real>(image: &[u32], batch: &mut [T], step: &Step, first: usize) {
    for (block, (image, pixels)) in image.chunks(TOGETHER).zip(batch.chunks_mut(4 * TOGETHER)).enumerate() {
        let draws = words_of_many(step, first + block * TOGETHER, stream::BINARIZE);
        for (column, (&word, pixels)) in image.iter().zip(pixels.chunks_exact_mut(4)).enumerate() {
            for ((pixel, byte), draws) in pixels.iter_mut().zip(word.to_le_bytes()).zip(&draws) {
                *pixel = bernoulli(draws[column], byte.into());
            }
        }
    }
}
