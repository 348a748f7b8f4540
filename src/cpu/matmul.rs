//! Twins of `shaders/matmul.wgsl`.

use super::Real;
use super::activation::{activation, derivative};
use super::call::{Call, by_rows};
use super::gemm::{Matrix, product};

/// A matrix whose rows follow each other.
fn by_row<T>(data: &[T], stride: usize) -> Matrix<'_, T> {
    Matrix { data, row_stride: stride, column_stride: 1 }
}

/// The transpose of such a matrix.
fn by_column<T>(data: &[T], stride: usize) -> Matrix<'_, T> {
    Matrix { data, row_stride: 1, column_stride: stride }
}

pub(super) fn matmul_nt<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (section, width, kind) = (4 * call.count("SECTION"), call.count("WIDTH"), call.count("ACTIVATION"));
    let (a, b, bias) = (call.read("a_elements"), call.read("b_elements"), call.read("bias"));
    let output = call.write("output");
    product([m, n, k], by_row(a, k), by_column(b, k), output, false);
    by_rows(output, n, |_, row| {
        for (values, bias) in row.chunks_mut(section).zip(bias.chunks(section)) {
            for (value, &bias) in values.iter_mut().zip(bias).take(width) {
                *value += bias;
            }
            activation(kind, &mut values[..width]);
            values[width..].fill(T::zero());
        }
    });
}

pub(super) fn matmul_nn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (a, b) = (call.read("a_elements"), call.read("b"));
    let accumulate = call.flag("ACCUMULATE");
    product([m, n, k], by_row(a, k), by_row(b, n), call.write("output"), accumulate);
}

pub(super) fn matmul_nn_derivative<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), 4 * call.count("INNER"));
    let (a, b, saved) = (call.read("a_elements"), call.read("b"), call.read("saved"));
    let (kind, accumulate) = (call.count("ACTIVATION"), call.flag("ACCUMULATE"));
    let output = call.write("output");
    let before = accumulate.then(|| output.to_vec());
    product([m, n, k], by_row(a, k), by_row(b, n), output, false);
    by_rows(output, n, |row, values| {
        for (value, &saved) in values.iter_mut().zip(&saved[row * n..]) {
            *value *= derivative(kind, saved);
        }
        if let Some(before) = &before {
            for (value, &before) in values.iter_mut().zip(&before[row * n..]) {
                *value += before;
            }
        }
    });
}

pub(super) fn matmul_tn<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, b) = (call.read("a"), call.read("b"));
    let accumulate = call.flag("ACCUMULATE");
    product([m, n, k], by_column(a, m), by_row(b, n), call.write("output"), accumulate);
}

pub(super) fn matmul_tn_bias<T: Real>(call: &mut Call<'_, T>) {
    let (m, n, k) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, b, accumulate) = (call.read("a"), call.read("b"), call.flag("ACCUMULATE"));
    let start = 4 * call.count("BIAS_START");
    let (weight, bias) = call.write("output").split_at_mut(start);
    product([m, n, k], by_column(a, m), by_row(b, n), weight, accumulate);
    add_columns(a, m, k, &mut bias[..m], accumulate);
}

pub(super) fn column_sum<T: Real>(call: &mut Call<'_, T>) {
    let (n, k) = (4 * call.count("COLUMNS"), call.count("INNER"));
    let (a, accumulate) = (call.read("a"), call.flag("ACCUMULATE"));
    add_columns(a, n, k, call.write("output"), accumulate);
}

/// The sum of each of `n` columns of the `k` rows of `a`.
fn add_columns<T: Real>(a: &[T], n: usize, k: usize, output: &mut [T], accumulate: bool) {
    if !accumulate {
        output.fill(T::zero());
    }
    for row in a.chunks(n).take(k) {
        for (sum, &value) in output.iter_mut().zip(row) {
            *sum += value;
        }
    }
}
