//! Twins of the convolutions in `shaders/conv_nt.wgsl`, `conv_nn.wgsl` and `conv_tn.wgsl`.
//!
//! All three kinds work on blocks of the matrix with one row for each position of the window and one column for each of its
//! elements (im2col): a block is gathered into the thread's scratch memory, or computed there and added to the large maps.
//! The blocks depend on sizes only, never on the number of threads, and so does the order of every sum.

use super::Real;
use super::activation::Finish;
use super::call::{Call, add_to};
use super::gemm::{by_column, by_row, product, product_on_one_thread};
use super::scratch::with_scratch;
use super::window::{Maps, Positions};
use rayon::prelude::*;
use std::ops::Range;

/// Elements of a block: 512 KiB in f32, about the share of a cache that a thread has for itself.
const BLOCK: usize = 1 << 17;
/// Parts of a task that is too small for whole blocks.
const PARTS: usize = 8;
/// Weight columns in one part of a weight gradient.
const FEATURES: usize = 256;

/// Rows of a block of `rows` rows of `columns` elements.
fn block_rows(rows: usize, columns: usize) -> usize {
    (BLOCK / columns).min(rows.div_ceil(PARTS)).max(1)
}

/// Bias and activation.
fn with_bias<'a, T: Real>(call: &Call<'a, T>) -> Finish<'a, T> {
    let bias = call.read("bias");
    Finish::Bias { kind: call.count("ACTIVATION"), bias, section: bias.len(), width: call.count("WIDTH") }
}

fn with_derivative<'a, T: Real>(call: &Call<'a, T>) -> Finish<'a, T> {
    Finish::Derivative { kind: call.count("ACTIVATION"), saved: call.read("saved") }
}

pub(super) fn conv_nt<T: Real>(call: &mut Call<'_, T>) {
    let finish = with_bias(call);
    correlate(call, finish, false);
}

pub(super) fn conv_nt_gradient<T: Real>(call: &mut Call<'_, T>) {
    let accumulate = call.flag("ACCUMULATE");
    correlate(call, Finish::Nothing, accumulate);
}

pub(super) fn conv_nt_derivative<T: Real>(call: &mut Call<'_, T>) {
    let (finish, accumulate) = (with_derivative(call), call.flag("ACCUMULATE"));
    correlate(call, finish, accumulate);
}

/// From large to small maps. The matrix of window elements is multiplied with the transposed weights.
fn correlate<T: Real>(call: &mut Call<'_, T>, finish: Finish<'_, T>, accumulate: bool) {
    let positions = Positions::of(call);
    let (rows, n) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let (large, weights) = (call.operand("a"), call.operand("b"));
    let (k, stride) = (positions.window(), positions.weight_stride());
    let output = call.write("output");
    if let Some(row) = positions.plain_rows() {
        let direct = matches!(finish, Finish::Nothing);
        let mut before = (accumulate && !direct).then(|| output.to_vec());
        product([rows, n, k], (by_row(large, row), by_column(weights, stride)), output, accumulate && direct);
        let each = block_rows(rows, n) * n;
        output.par_chunks_mut(each).enumerate().for_each(|(c, chunk)| finish.apply(chunk, n, c * each));
        if let Some(before) = &mut before {
            add_to(output, before);
        }
        return;
    }
    let weights = transposed(weights, n, k, stride);
    let block = block_rows(rows, k);
    output.par_chunks_mut(block * n).enumerate().for_each(|(b, chunk)| {
        let (first, own) = (b * block, chunk.len() / n);
        with_scratch(own * k, |columns: &mut [T]| {
            positions.gather(large, first..first + own, 0..positions.taps(), columns);
            let operands = (by_row(columns, k), by_row(&weights, n));
            match finish {
                Finish::Derivative { .. } if accumulate => with_scratch(own * n, |sums: &mut [T]| {
                    product_on_one_thread([own, n, k], operands, sums, n, false);
                    finish.apply(sums, n, first * n);
                    add_to(chunk, sums);
                }),
                _ => {
                    product_on_one_thread([own, n, k], operands, chunk, n, accumulate);
                    finish.apply(chunk, n, first * n);
                }
            }
        });
    });
}

/// The transpose of the first `k` columns of `n` rows of weights.
fn transposed<T: Real>(weights: &[T], n: usize, k: usize, stride: usize) -> Vec<T> {
    /// Columns that are read together, and then written as rows.
    const TOGETHER: usize = 16;
    let mut result = vec![T::zero(); n * k];
    result.par_chunks_mut(TOGETHER * n).enumerate().for_each(|(c, rows)| {
        for (o, weights) in weights.chunks(stride).take(n).enumerate() {
            for (row, &weight) in rows.chunks_mut(n).zip(&weights[c * TOGETHER..]) {
                row[o] = weight;
            }
        }
    });
    result
}

pub(super) fn conv_nt_packed<T: Real>(call: &mut Call<'_, T>) {
    let positions = Positions::of(call);
    let (n, k) = (4 * call.count("COLUMNS"), positions.window());
    let finish = with_bias(call);
    let (large, weights) = (call.operand("a"), call.operand("b"));
    let weights = transposed(weights, n, k, positions.weight_stride());
    let Maps { pixel, item, .. } = positions.small;
    let pixels = positions.small.pixels();
    let block = block_rows(pixels * PARTS, k);
    call.write("output_elements").par_chunks_mut(item).enumerate().for_each(|(i, output)| {
        output[pixels * pixel..].fill(T::zero());
        for first in (0..pixels).step_by(block) {
            let own = block.min(pixels - first);
            with_scratch(own * (k + n), |scratch: &mut [T]| {
                let (columns, sums) = scratch.split_at_mut(own * k);
                let rows = i * pixels + first..i * pixels + first + own;
                positions.gather(large, rows, 0..positions.taps(), columns);
                product_on_one_thread([own, n, k], (by_row(columns, k), by_row(&weights, n)), sums, n, false);
                finish.apply(sums, n, 0);
                let output = output[first * pixel..].chunks_mut(pixel);
                for (to, from) in output.zip(sums.chunks(n)) {
                    to.copy_from_slice(&from[..to.len()]);
                }
            });
        }
    });
}

pub(super) fn conv_nn<T: Real>(call: &mut Call<'_, T>) {
    let accumulate = call.flag("ACCUMULATE");
    scatter(call, "output", Finish::Nothing, accumulate);
}

pub(super) fn conv_nn_packed<T: Real>(call: &mut Call<'_, T>) {
    let accumulate = call.flag("ACCUMULATE");
    scatter(call, "output_elements", Finish::Nothing, accumulate);
}

pub(super) fn conv_nn_derivative<T: Real>(call: &mut Call<'_, T>) {
    let (finish, accumulate) = (with_derivative(call), call.flag("ACCUMULATE"));
    scatter(call, "output", finish, accumulate);
}

pub(super) fn conv_nn_bias<T: Real>(call: &mut Call<'_, T>) {
    let finish = with_bias(call);
    scatter(call, "output", finish, false);
}

pub(super) fn conv_nn_bias_packed<T: Real>(call: &mut Call<'_, T>) {
    let finish = with_bias(call);
    scatter(call, "output_elements", finish, false);
}

/// From small to large maps. The small maps times the weights are a matrix of window elements, which are added to the
/// images that a thread has for itself.
fn scatter<T: Real>(call: &mut Call<'_, T>, output: &str, finish: Finish<'_, T>, accumulate: bool) {
    let positions = Positions::of(call);
    let (small, weights, output) = (call.operand("a"), call.operand("b"), call.write(output));
    let (Maps { pixel, item, .. }, k) = (positions.large, positions.window());
    let (items, used) = (output.len() / item, positions.large.pixels() * pixel);
    let direct = matches!(finish, Finish::Nothing);
    let group = items.div_ceil(2 * PARTS).max(1);
    if let (Some(row), true) = (positions.plain_rows(), direct || !accumulate) {
        let (m, inner) = (output.len() / row, positions.small.pixel);
        // The padding of the output comes out as that of the weights, which is zero.
        let weights = by_row(weights, positions.weight_stride());
        product([m, row, inner], (by_row(small, inner), weights), output, accumulate);
        output.par_chunks_mut(group * item).enumerate().for_each(|(g, own)| {
            own.chunks_mut(item).for_each(|own| own[used..].fill(T::zero()));
            finish_items(finish, own, [item, used, pixel], g * group * item);
        });
        return;
    }
    output.par_chunks_mut(group * item).enumerate().for_each(|(g, own)| {
        let images = g * group..g * group + own.len() / item;
        let sum = |own: &mut [T]| {
            for rows in positions.small.runs(images.clone(), BLOCK / k) {
                with_scratch(rows.len() * k, |columns: &mut [T]| {
                    let inner = positions.small.pixel;
                    let from = by_row(&small[positions.small.start(rows.start)..], inner);
                    let operands = (from, by_row(weights, positions.weight_stride()));
                    product_on_one_thread([rows.len(), k, inner], operands, columns, k, false);
                    positions.scatter(columns, rows, images.start, own);
                });
            }
        };
        if accumulate && !direct {
            with_scratch(own.len(), |sums: &mut [T]| {
                sums.fill(T::zero());
                sum(sums);
                finish_items(finish, sums, [item, used, pixel], images.start * item);
                add_to(own, sums);
            });
        } else {
            if !accumulate {
                own.fill(T::zero());
            }
            sum(own);
            finish_items(finish, own, [item, used, pixel], images.start * item);
        }
    });
}

/// Finish the pixels of each item, and leave the padding behind the last one.
fn finish_items<T: Real>(
    finish: Finish<'_, T>,
    values: &mut [T],
    [item, used, pixel]: [usize; 3],
    start: usize,
) {
    if !matches!(finish, Finish::Nothing) {
        for (i, values) in values.chunks_mut(item).enumerate() {
            finish.apply(&mut values[..used], pixel, start + i * item);
        }
    }
}

/// The gradient of the weights. Deep layers are split by columns of the weights, for each of which one thread sums over all
/// pixels; layers with few weights by images, and the parts are added in order.
pub(super) fn conv_tn<T: Real>(call: &mut Call<'_, T>) {
    let positions = Positions::of(call);
    let (small, large, accumulate) = (call.operand("a"), call.operand("b"), call.flag("ACCUMULATE"));
    let (k, stride, m) = (positions.window(), positions.weight_stride(), positions.small.pixel);
    let pixels = positions.small.pixels();
    let items = call.count("INNER") / pixels;
    let output = call.write("output");
    if let (Some(row), true) = (positions.plain_rows(), positions.small.uniform()) {
        let (small, large) = (by_column(small, m), by_row(large, row));
        if k == stride {
            product([m, k, items * pixels], (small, large), &mut output[..m * k], accumulate);
            clear(&mut output[m * k..], accumulate);
            return;
        }
    }
    // Sums over some images and some taps: [m, columns].
    let part = |images: Range<usize>, taps: Range<usize>| {
        let n = taps.len() * positions.large.pixel;
        let mut sums = vec![T::zero(); m * n];
        for rows in positions.small.runs(images, BLOCK / n) {
            with_scratch(rows.len() * n, |columns: &mut [T]| {
                positions.gather(large, rows.clone(), taps.clone(), columns);
                let small = by_column(&small[positions.small.start(rows.start)..], m);
                product_on_one_thread([m, n, rows.len()], (small, by_row(columns, n)), &mut sums, n, true);
            });
        }
        sums
    };
    clear(output, accumulate);
    let mut store = |sums: &[T], taps: &Range<usize>| {
        let (from, n) = (taps.start * positions.large.pixel, taps.len() * positions.large.pixel);
        for (output, sums) in output.chunks_mut(stride).zip(sums.chunks(n)) {
            add_to(&mut output[from..from + n], sums);
        }
    };
    let ranges = |count: usize, each: usize| -> Vec<Range<usize>> {
        (0..count).step_by(each).map(|start| start..count.min(start + each)).collect()
    };
    if k >= 2 * FEATURES {
        let taps = ranges(positions.taps(), (FEATURES / positions.large.pixel).max(1));
        let parts: Vec<Vec<T>> = taps.par_iter().map(|taps| part(0..items, taps.clone())).collect();
        parts.iter().zip(&taps).for_each(|(sums, taps)| store(sums, taps));
    } else {
        let (images, taps) = (ranges(items, items.div_ceil(PARTS)), 0..positions.taps());
        let parts: Vec<Vec<T>> = images.par_iter().map(|images| part(images.clone(), taps.clone())).collect();
        parts.iter().for_each(|sums| store(sums, &taps));
    }
}

/// Fill what is not added to with zeros.
fn clear<T: Real>(values: &mut [T], accumulate: bool) {
    if !accumulate {
        values.fill(T::zero());
    }
}
