//! Twins of `shaders/covariance.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, put};

pub(super) fn column_means<T: Real>(call: &mut Call<'_, T>) {
    let (stride, rows, posterior) = (4 * call.count("COLUMNS"), call.rows(), call.read("posterior"));
    let width = call.count("WIDTH");
    for (d, mean) in call.write("means")[..width].iter_mut().enumerate() {
        let sum: T = (0..rows).map(|r| posterior[2 * r * stride + d]).sum();
        *mean = sum / T::of(rows as f64);
    }
}

pub(super) fn covariance<T: Real>(call: &mut Call<'_, T>) {
    let (stride, rows, posterior) = (4 * call.count("COLUMNS"), call.rows(), call.read("posterior"));
    let (width, variances, means) = (call.count("WIDTH"), call.flag("VARIANCES"), call.read("means_used"));
    by_costly_rows(&mut call.write("matrix")[..width * width], width, width * rows, |a, matrix| {
        for (b, value) in matrix.iter_mut().enumerate() {
            let mut sum = T::zero();
            for r in 0..rows {
                let (mean, log_variance) = posterior[2 * r * stride..2 * (r + 1) * stride].split_at(stride);
                sum += (mean[a] - means[a]) * (mean[b] - means[b]);
                if variances && a == b {
                    sum += log_variance[a].exponential();
                }
            }
            *value = sum / T::of(rows as f64);
        }
    });
}

pub(super) fn covariance_penalty<T: Real>(call: &mut Call<'_, T>) {
    let (batch, rows, width) = (call.count("BATCH"), call.rows(), call.count("WIDTH"));
    let (diagonal, matrix) = (call.number("DIAGONAL"), call.read("matrix_used"));
    let terms = matrix[..width * width].iter().enumerate().map(|(index, &value)| {
        let distance = value - T::one();
        if index / width == index % width { diagonal * distance * distance } else { value * value }
    });
    let penalty: T = terms.sum();
    for (row, own) in call.write("penalty")[..batch].iter_mut().enumerate() {
        *own = if row < rows { penalty } else { T::zero() };
    }
}

pub(super) fn covariance_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (stride, rows, posterior) = (4 * call.count("COLUMNS"), call.rows(), call.read("posterior"));
    let (width, variances, means) = (call.count("WIDTH"), call.flag("VARIANCES"), call.read("means_used"));
    let (diagonal, matrix) = (call.number("DIAGONAL"), call.read("matrix_used"));
    let (batch, accumulate) = (call.count("BATCH"), call.flag("ACCUMULATE"));
    let two = T::of(2.0);
    let slope = |a: usize, b: usize| {
        let value = matrix[a * width + b];
        if a == b { two * diagonal * (value - T::one()) } else { two * value }
    };
    let weight = call.read("upstream")[..rows].iter().copied().sum::<T>() / T::of(rows as f64);
    let gradient = &mut call.write("posterior_gradient")[..2 * batch * stride];
    by_costly_rows(gradient, 2 * stride, width * stride, |row, gradient| {
        let (mean, log_variance) = posterior[2 * row * stride..2 * (row + 1) * stride].split_at(stride);
        let (of_mean, of_log_variance) = gradient.split_at_mut(stride);
        for c in 0..stride {
            let (mut by_mean, mut by_log_variance) = (T::zero(), T::zero());
            if c < width && row < rows {
                for b in 0..width {
                    by_mean += slope(c, b) * (mean[b] - means[b]);
                }
                by_mean *= two * weight;
                if variances {
                    by_log_variance = weight * slope(c, c) * log_variance[c].exponential();
                }
            }
            put(&mut of_mean[c], by_mean, accumulate);
            put(&mut of_log_variance[c], by_log_variance, accumulate);
        }
    });
}
