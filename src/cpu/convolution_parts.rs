//! Twins of the convolutions whose sums are split in parts: the kernels `partial_conv_*` and their variants.
//!
//! A part is a range of the terms of every sum. They are computed from blocks of the same matrix as the whole sums
//! ([`super::convolution`]), one part or block a thread.

use super::Real;
use super::call::Call;
use super::gemm::{by_column, by_row, product_on_one_thread};
use super::scratch::with_scratch;
use super::window::Positions;
use rayon::prelude::*;

/// Elements of a block: 512 KiB in f32, about the share of a cache that a thread has for itself.
const BLOCK: usize = 1 << 17;
/// Columns of a block of windows whose products go to the weights' gradient.
const FEATURES: usize = 256;

/// Parts are ranges of elements of a row of weights.
pub(super) fn partial_conv_nt<T: Real>(call: &mut Call<'_, T>) {
    let positions = Positions::of(call);
    let (rows, n, part) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("PART"));
    let (large, weights) = (call.operand("a"), call.operand("b"));
    let (k, stride) = (positions.window(), positions.weight_stride());
    let block = (BLOCK / k).clamp(1, rows);
    for (s, output) in call.write("parts").chunks_mut(rows * n).enumerate() {
        let (first, end) = ((s * part).min(k), ((s + 1) * part).min(k));
        output.par_chunks_mut(block * n).enumerate().for_each(|(b, sums)| {
            let own = sums.len() / n;
            sums.fill(T::zero());
            if first < end {
                with_scratch(own * k, |columns: &mut [T]| {
                    let rows = b * block..b * block + own;
                    positions.gather(large, rows, 0..positions.taps(), columns);
                    let operands = (by_row(&columns[first..], k), by_column(&weights[first..], stride));
                    product_on_one_thread([own, n, end - first], operands, sums, n, false);
                });
            }
        });
    }
}

/// Parts are ranges of the channels of small pixels.
pub(super) fn partial_conv_nn<T: Real>(call: &mut Call<'_, T>) {
    let positions = Positions::of(call);
    let (length, part) = (call.count("ROWS") * 4 * call.count("COLUMNS"), call.count("PART"));
    let (small, weights) = (call.operand("a"), call.operand("b"));
    let (k, inner, stride) = (positions.window(), positions.small.pixel, positions.weight_stride());
    let item = positions.large.item;
    for (s, output) in call.write("parts").chunks_mut(length).enumerate() {
        let (first, end) = ((s * part).min(inner), ((s + 1) * part).min(inner));
        output.par_chunks_mut(item).enumerate().for_each(|(i, sums)| {
            sums.fill(T::zero());
            for rows in positions.small.runs(i..i + 1, BLOCK / k) {
                if first < end {
                    with_scratch(rows.len() * k, |columns: &mut [T]| {
                        let pixels = &small[positions.small.start(rows.start) + first..];
                        let operands = (by_row(pixels, inner), by_row(&weights[first * stride..], stride));
                        product_on_one_thread([rows.len(), k, end - first], operands, columns, k, false);
                        positions.scatter(columns, rows, i, sums);
                    });
                }
            }
        });
    }
}

/// Parts are ranges of the small pixels of all items. Each goes through a few taps of the window at a time.
pub(super) fn partial_conv_tn<T: Real>(call: &mut Call<'_, T>) {
    let positions = Positions::of(call);
    let (m, inner, part) = (call.count("ROWS"), call.count("INNER"), call.count("PART"));
    let (small, large) = (call.operand("a"), call.operand("b"));
    let (large_pixel, stride, pixel) =
        (positions.large.pixel, positions.weight_stride(), positions.small.pixel);
    let together = (FEATURES / large_pixel).max(1);
    call.write("parts").par_chunks_mut(m * stride + m).enumerate().for_each(|(s, sums)| {
        sums.fill(T::zero());
        let end = inner.min((s + 1) * part);
        for tap in (0..positions.taps()).step_by(together) {
            let taps = tap..positions.taps().min(tap + together);
            let n = taps.len() * large_pixel;
            let sums = &mut sums[tap * large_pixel..];
            let mut first = s * part;
            while first < end {
                // Packed maps have gaps between items, so each item is one block.
                let whole = positions.small.pixels();
                let gap = if positions.small.uniform() { end } else { (first / whole + 1) * whole };
                let rows = first..end.min(gap).min(first + (BLOCK / n).max(1));
                with_scratch(rows.len() * n, |columns: &mut [T]| {
                    positions.gather(large, rows.clone(), taps.clone(), columns);
                    let pixels = by_column(&small[positions.small.start(rows.start)..], pixel);
                    let sizes = [pixel, n, rows.len()];
                    product_on_one_thread(sizes, (pixels, by_row(columns, n)), sums, stride, true);
                });
                first = rows.end;
            }
        }
    });
}
