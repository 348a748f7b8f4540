//! Twins of `shaders/codes.wgsl`.

use super::Real;
use super::call::{Call, add_up, by_rows, put};

/// `value` of each number of the minibatch's rows into `variable`; past them 0.
fn each<T: Real>(
    call: &mut Call<'_, T>,
    variable: &str,
    accumulate: bool,
    value: impl Fn(usize, usize) -> T + Sync + Send,
) {
    let (length, columns, rows) = (4 * call.count("LENGTH"), 4 * call.count("COLUMNS"), call.rows());
    by_rows(&mut call.write(variable)[..length], columns, |row, output| {
        for (column, output) in output.iter_mut().enumerate() {
            let value = if row < rows { value(row * columns + column, column) } else { T::zero() };
            put(output, value, accumulate);
        }
    });
}

pub(super) fn squares<T: Real>(call: &mut Call<'_, T>) {
    let (code, scale) = (call.read("code"), call.number("SCALE"));
    each(call, "penalty", false, |i, _| scale * code[i] * code[i]);
}

pub(super) fn squares_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (code, upstream) = (call.read("code"), call.read("upstream"));
    let (scale, accumulate) = (T::of(2.0) * call.number("SCALE"), call.flag("ACCUMULATE"));
    each(call, "code_gradient", accumulate, |i, _| scale * code[i] * upstream[i]);
}

pub(super) fn add_square_sum<T: Real>(call: &mut Call<'_, T>) {
    let (weight, length) = (call.read("weight"), 4 * call.count("LENGTH"));
    let before = if call.flag("FIRST") { T::zero() } else { call.read("before")[0] };
    let scale = call.number("SCALE") * T::of(call.rows() as f64);
    let total = call.write("total");
    total[..4].fill(T::zero());
    total[0] = before + scale * add_up([&weight[..length]], |[weight]| weight * weight);
}

pub(super) fn add_square_sum_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (weight, length) = (call.read("weight"), 4 * call.count("LENGTH"));
    let factor = T::of(2.0 * call.rows() as f64) * call.number("SCALE") * call.read("upstream")[0];
    let accumulate = call.flag("ACCUMULATE");
    by_rows(&mut call.write("weight_gradient")[..length], 64, |row, gradient| {
        for (gradient, &weight) in gradient.iter_mut().zip(&weight[64 * row..]) {
            put(gradient, factor * weight, accumulate);
        }
    });
}

pub(super) fn row_squares<T: Real>(call: &mut Call<'_, T>) {
    let (weight, rows, columns) = (call.read("weight"), call.count("ROWS"), 4 * call.count("COLUMNS"));
    let weights = weight.chunks(columns);
    for (norm, weight) in call.write("norms")[..rows].iter_mut().zip(weights) {
        *norm = add_up([weight], |[weight]| weight * weight);
    }
}

pub(super) fn row_squares_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (weight, rows, columns) = (call.read("weight"), call.count("ROWS"), 4 * call.count("COLUMNS"));
    let (upstream, accumulate) = (call.read("norms_upstream"), call.flag("ACCUMULATE"));
    by_rows(&mut call.write("weight_gradient")[..rows * columns], columns, |row, gradient| {
        let factor = T::of(2.0) * upstream[row];
        for (gradient, &weight) in gradient.iter_mut().zip(&weight[row * columns..]) {
            put(gradient, factor * weight, accumulate);
        }
    });
}

pub(super) fn slope_squares<T: Real>(call: &mut Call<'_, T>) {
    let (code, scale) = (call.read("code"), call.number("SCALE"));
    each(call, "penalty", false, |i, _| scale * (code[i] * (T::one() - code[i])).powi(2));
}

pub(super) fn slope_squares_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (code, upstream) = (call.read("code"), call.read("upstream"));
    let (scale, accumulate) = (T::of(2.0) * call.number("SCALE"), call.flag("ACCUMULATE"));
    each(call, "code_gradient", accumulate, |i, _| {
        let h = code[i];
        scale * h * (T::one() - h) * (T::one() - T::of(2.0) * h) * upstream[i]
    });
}

/// Mean codes stay this far from 0 and from 1.
const LEAST: f64 = 1e-6;

fn mean_code<T: Real>(average: T) -> T {
    average.max(T::of(LEAST)).min(T::of(1.0 - LEAST))
}

pub(super) fn sparsity<T: Real>(call: &mut Call<'_, T>) {
    let (average, width, target) = (call.read("average"), call.count("WIDTH"), call.number("TARGET"));
    let (length, rest) = (4 * call.count("COLUMNS"), T::one() - target);
    let scale = call.number("SCALE") * T::of(call.rows() as f64);
    for (i, penalty) in call.write("penalty")[..length].iter_mut().enumerate() {
        let mean = mean_code(average[i]);
        let value = target * (target / mean).ln() + rest * (rest / (T::one() - mean)).ln();
        *penalty = if i < width { scale * value } else { T::zero() };
    }
}

pub(super) fn sparsity_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (average, width, target) = (call.read("average"), call.count("WIDTH"), call.number("TARGET"));
    let (upstream, accumulate, scale) =
        (call.read("upstream"), call.flag("ACCUMULATE"), call.number("SCALE"));
    each(call, "code_gradient", accumulate, |_, column| {
        if column >= width {
            return T::zero();
        }
        let mean = mean_code(average[column]);
        scale * ((T::one() - target) / (T::one() - mean) - target / mean) * upstream[column]
    });
}
