//! Twins of `shaders/layer_norm.wgsl`.

use super::Real;
use super::call::{Call, add_up, by_costly_rows, by_rows_of_two, put};
use crate::kernels::kernel;

pub(super) fn layer_norm<T: Real>(call: &mut Call<'_, T>) {
    let (rows, stride, width) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (epsilon, x) = (call.number("EPSILON"), call.read("x"));
    let (weight, bias) = call.read("scale").split_at(stride);
    let (y, moments) = (call.write("y"), call.write("moments"));
    by_rows_of_two((&mut y[..rows * stride], stride), (&mut moments[..4 * rows], 4), |row, y, moments| {
        let x = &x[row * stride..][..width];
        let (y, padding) = y.split_at_mut(width);
        let count = T::of(width as f64);
        let mean = x[0] + add_up([x], |[value]| value - x[0]) / count;
        let variance = add_up([x], |[x]| (x - mean) * (x - mean)) / count;
        let factor = T::one() / (variance + epsilon).sqrt();
        for (c, y) in y.iter_mut().enumerate() {
            *y = (x[c] - mean) * factor * weight[c] + bias[c];
        }
        padding.fill(T::zero());
        moments.copy_from_slice(&[mean, factor, T::zero(), T::zero()]);
    });
}

pub(super) fn layer_norm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (rows, stride, width) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (x, dy, saved) = (call.read("x"), call.read("y_gradient"), call.read("saved"));
    let (weight, add) = (call.read("scale"), call.flag("ACCUMULATE"));
    by_costly_rows(&mut call.write("x_gradient")[..rows * stride], stride, 4 * stride, |row, dx| {
        let (x, dy) = (&x[row * stride..][..width], &dy[row * stride..][..width]);
        let (mean, factor, count) = (saved[4 * row], saved[4 * row + 1], T::of(width as f64));
        let weight = &weight[..width];
        let sum = add_up([dy, weight], |[dy, weight]| dy * weight) / count;
        let products = add_up([x, dy, weight], |[x, dy, weight]| dy * weight * (x - mean)) * factor / count;
        let (dx, padding) = dx.split_at_mut(width);
        for (c, dx) in dx.iter_mut().enumerate() {
            let normalised = (x[c] - mean) * factor;
            put(dx, (dy[c] * weight[c] - sum - normalised * products) * factor, add);
        }
        if !add {
            padding.fill(T::zero());
        }
    });
}

pub(super) fn layer_norm_scale<T: Real>(call: &mut Call<'_, T>) {
    let (rows, stride, width) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (x, dy, saved) = (call.read("x"), call.read("y_gradient"), call.read("saved"));
    let block = kernel("layer_norm_scale").constant("BLOCK") as usize;
    let partial = &mut call.write("partial")[..rows.div_ceil(block) * 2 * stride];
    by_costly_rows(partial, 2 * stride, 2 * block * stride, |number, partial| {
        partial.fill(T::zero());
        let (products, sums) = partial.split_at_mut(stride);
        for row in number * block..rows.min((number + 1) * block) {
            let (x, dy) = (&x[row * stride..][..width], &dy[row * stride..][..width]);
            let (mean, factor) = (saved[4 * row], saved[4 * row + 1]);
            for c in 0..width {
                products[c] += dy[c] * (x[c] - mean) * factor;
                sums[c] += dy[c];
            }
        }
    });
}
