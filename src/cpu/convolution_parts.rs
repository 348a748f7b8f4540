//! Twins of the convolutions whose sums are split in parts: the kernels `partial_conv_*` and their variants.
//!
//! A part is a range of the terms of every sum. They are computed from blocks of the same matrix as the whole sums
//! ([`super::convolution`]), one part or block a thread.

use super::Real;
use super::call::Call;
use super::gemm::{Matrix, product_on_one_thread};
use super::scratch::with_scratch;
use super::window::Positions;
use rayon::prelude::*;

/// Elements of a block.
const BLOCK: usize = 1 << 16;

fn by_row<T>(data: &[T], stride: usize) -> Matrix<'_, T> {
    Matrix { data, row_stride: stride, column_stride: 1 }
}

fn by_column<T>(data: &[T], stride: usize) -> Matrix<'_, T> {
    Matrix { data, row_stride: 1, column_stride: stride }
}

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

/// Parts are ranges of the small pixels of all items.
pub(super) fn partial_conv_tn<T: Real>(call: &mut Call<'_, T>) {
    let positions = Positions::of(call);
    let (m, inner, part) = (call.count("ROWS"), call.count("INNER"), call.count("PART"));
    let (small, large) = (call.operand("a"), call.operand("b"));
    let (k, stride, pixel) = (positions.window(), positions.weight_stride(), positions.small.pixel);
    let block = (BLOCK / k).max(1);
    call.write("parts").par_chunks_mut(m * stride + m).enumerate().for_each(|(s, sums)| {
        sums.fill(T::zero());
        let end = inner.min((s + 1) * part);
        for first in (s * part..end).step_by(block) {
            let rows = first..end.min(first + block);
            with_scratch(rows.len() * k, |columns: &mut [T]| {
                positions.gather(large, rows.clone(), 0..positions.taps(), columns);
                // Of packed maps each item is a block of its own, as they have gaps between them.
                let mut from = rows.start;
                while from < rows.end {
                    let pixels = positions.small.pixels();
                    let to = if positions.small.uniform() {
                        rows.end
                    } else {
                        rows.end.min((from / pixels + 1) * pixels)
                    };
                    let pixels = by_column(&small[positions.small.start(from)..], pixel);
                    let window = by_row(&columns[(from - rows.start) * k..], k);
                    product_on_one_thread([pixel, k, to - from], (pixels, window), sums, stride, true);
                    from = to;
                }
            });
        }
    });
}
