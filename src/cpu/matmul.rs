//! Twins of `shaders/matmul.wgsl`, and of the variants of its kernels.

use super::Real;
use super::activation::{Finish, PIECE};
use super::call::{Call, add_to};
use super::gemm::{by_column, by_row, product};
use super::real::vectorised;
use rayon::prelude::*;

pub(super) fn matmul_nt<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (section, width, kind) = (4 * call.count("SECTION"), call.count("WIDTH"), call.count("ACTIVATION"));
    let (a, b, bias) = (call.operand("a"), call.operand("b"), call.read("bias"));
    let output = call.write("output");
    product([m, n, k], (by_row(a, k), by_column(b, k)), output, false);
    finish_rows(output, n, [section, width, kind], bias);
}

/// Add the bias, apply the activation, and put zeros into the padding of each section.
fn finish_rows<T: Real>(output: &mut [T], n: usize, [section, width, kind]: [usize; 3], bias: &[T]) {
    let (finish, each) = (Finish::Bias { kind, bias, section, width }, PIECE.div_ceil(n) * n);
    output.par_chunks_mut(each).for_each(|rows| finish.apply(rows, n, 0));
}

pub(super) fn matmul_nn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (a, b) = (call.operand("a"), call.read("b"));
    let accumulate = call.flag("ACCUMULATE");
    product([m, n, k], (by_row(a, k), by_row(b, n)), call.write("output"), accumulate);
}

pub(super) fn matmul_nn_derivative<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (a, b, saved) = (call.operand("a"), call.operand("b"), call.read("saved"));
    let (kind, accumulate) = (call.count("ACTIVATION"), call.flag("ACCUMULATE"));
    let output = call.write("output");
    let before = accumulate.then(|| output.to_vec());
    product([m, n, k], (by_row(a, k), by_row(b, n)), output, false);
    multiply_derivative(output, kind, saved, before.as_deref());
}

/// `output * activation'(saved)`, plus what was `before`.
fn multiply_derivative<T: Real>(output: &mut [T], kind: usize, saved: &[T], before: Option<&[T]>) {
    output.par_chunks_mut(PIECE).enumerate().for_each(|(piece, values)| {
        let start = piece * PIECE;
        Finish::Derivative { kind, saved }.apply(values, 1, start);
        if let Some(before) = before {
            add_to(values, &before[start..]);
        }
    });
}

pub(super) fn matmul_tn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, b) = (call.read("a"), call.read("b"));
    let accumulate = call.flag("ACCUMULATE");
    product([m, n, k], (by_column(a, m), by_row(b, n)), call.write("output"), accumulate);
}

pub(super) fn matmul_tn_bias<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, b, accumulate) = (call.read("a"), call.read("b"), call.flag("ACCUMULATE"));
    let start = 4 * call.count("BIAS_START");
    let (weight, bias) = call.write("output").split_at_mut(start);
    product([m, n, k], (by_column(a, m), by_row(b, n)), weight, accumulate);
    add_columns(a, m, k, &mut bias[..m], accumulate);
}

pub(super) fn column_sum<T: Real>(call: &mut Call<'_, T>) {
    let (n, k) = (4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, accumulate) = (call.read("a"), call.flag("ACCUMULATE"));
    add_columns(a, n, k, call.write("output"), accumulate);
}

/// The sum of each of `n` columns of the `k` rows of `a`.
fn add_columns<T: Real>(a: &[T], n: usize, k: usize, output: &mut [T], accumulate: bool) {
    /// Rows that are added one by one. More of them, such as the pixels of feature maps, are added in blocks.
    const BLOCK: usize = 1024;
    /// Columns that a thread adds.
    const COLUMNS: usize = 128;
    if !accumulate {
        output.fill(T::zero());
    }
    let add_rows = |output: &mut [T], rows: &[T], start: usize| {
        vectorised(|| {
            for row in rows.chunks(n) {
                output.iter_mut().zip(&row[start..]).for_each(|(sum, &value)| *sum += value);
            }
        });
    };
    if k <= BLOCK {
        let each = if k * n < BLOCK * COLUMNS { n } else { COLUMNS };
        let parts = output.par_chunks_mut(each).enumerate();
        parts.for_each(|(part, output)| add_rows(output, &a[..k * n], part * each));
        return;
    }
    let block = |rows: &[T]| {
        let mut sums = vec![T::zero(); n];
        add_rows(&mut sums, rows, 0);
        sums
    };
    let sums: Vec<Vec<T>> = a[..k * n].par_chunks(BLOCK * n).map(block).collect();
    sums.iter().for_each(|sums| add_rows(output, sums, 0));
}

/// Compute the parts of a split sum: `work(part, from, to)` computes one part, the sum over k in `from..to`.
fn by_parts<T: Real>(call: &mut Call<'_, T>, k: usize, stride: usize, work: impl Fn(&mut [T], usize, usize)) {
    let part = call.count("PART");
    for (s, values) in call.write("parts").chunks_mut(stride).enumerate() {
        work(values, s * part, k.min((s + 1) * part));
    }
}

pub(super) fn partial_nt<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (a, b) = (call.operand("a"), call.operand("b"));
    by_parts(call, k, m * n, |output, first, end| {
        product([m, n, end - first], (by_row(&a[first..], k), by_column(&b[first..], k)), output, false);
    });
}

pub(super) fn partial_nn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (a, b) = (call.operand("a"), call.operand("b"));
    by_parts(call, k, m * n, |output, first, end| {
        product([m, n, end - first], (by_row(&a[first..], k), by_row(&b[first * n..], n)), output, false);
    });
}

pub(super) fn partial_tn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, b) = (call.operand("a"), call.operand("b"));
    by_parts(call, k, m * n + m, |output, first, end| {
        let (products, sums) = output.split_at_mut(m * n);
        let (a, b) = (&a[first * m..], &b[first * n..]);
        product([m, n, end - first], (by_column(a, m), by_row(b, n)), products, false);
        add_columns(a, m, end - first, sums, false);
    });
}

pub(super) fn partial_column_sum<T: Real>(call: &mut Call<'_, T>) {
    use rayon::prelude::*;
    let (n, k, part) = (4 * call.count("COLUMNS"), call.count("INNER"), call.count("PART"));
    let a = call.operand("a");
    call.write("parts").par_chunks_mut(n).enumerate().for_each(|(s, sums)| {
        let first = s * part;
        add_columns(&a[first * n..], n, part.min(k - first), sums, false);
    });
}

/// Sum all parts, each of `stride` elements, element by element into `output`; with `accumulate` added to its values.
fn add_parts<T: Real>(parts: &[T], stride: usize, output: &mut [T], accumulate: bool) {
    if !accumulate {
        output.fill(T::zero());
    }
    for part in parts.chunks(stride) {
        for (sum, &value) in output.iter_mut().zip(part) {
            *sum += value;
        }
    }
}

pub(super) fn finish_nt<T: Real>(call: &mut Call<'_, T>) {
    let (m, n) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let layout = [4 * call.count("SECTION"), call.count("WIDTH"), call.count("ACTIVATION")];
    let (parts, bias, output) = (call.read("parts"), call.read("bias"), call.write("output"));
    add_parts(parts, m * n, &mut output[..m * n], false);
    finish_rows(output, n, layout, bias);
}

pub(super) fn finish_nn<T: Real>(call: &mut Call<'_, T>) {
    let length = call.count("ROWS") * 4 * call.count("COLUMNS");
    let (parts, accumulate) = (call.read("parts"), call.flag("ACCUMULATE"));
    add_parts(parts, length, &mut call.write("output")[..length], accumulate);
}

pub(super) fn finish_nn_derivative<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, kind) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("ACTIVATION"));
    let (parts, saved, accumulate) = (call.read("parts"), call.read("saved"), call.flag("ACCUMULATE"));
    let output = call.write("output");
    let before = accumulate.then(|| output.to_vec());
    add_parts(parts, m * n, &mut output[..m * n], false);
    multiply_derivative(output, kind, saved, before.as_deref());
}

pub(super) fn finish_tn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let (parts, accumulate) = (call.read("parts"), call.flag("ACCUMULATE"));
    add_parts(parts, m * n + m, &mut call.write("output")[..m * n], accumulate);
}

pub(super) fn finish_tn_bias<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, start) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("BIAS_START"));
    let (parts, accumulate) = (call.read("parts"), call.flag("ACCUMULATE"));
    let (weight, bias) = call.write("output").split_at_mut(start);
    add_parts(parts, m * n + m, &mut weight[..m * n], accumulate);
    add_parts(&parts[m * n..], m * n + m, &mut bias[..m], accumulate);
}
