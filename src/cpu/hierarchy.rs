//! Twins of `shaders/hierarchy.wgsl`.

use super::Real;
use super::call::{Call, by_rows, by_rows_of_two, put};

/// Means and log-variances in a row.
fn halves<T>(values: &[T], row: usize, columns: usize) -> (&[T], &[T]) {
    values[2 * row * columns..2 * (row + 1) * columns].split_at(columns)
}

pub(super) fn conditional_kl<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns) = (call.count("BATCH"), 4 * call.count("COLUMNS"));
    let (posterior, prior) = (call.read("posterior"), call.read("prior"));
    let (z, noise, rows) = (call.read("z"), call.read("noise"), call.rows());
    let total = call.count("SAMPLES") * batch;
    by_rows(&mut call.write("divergence")[..total], 1, |row, sum| {
        let mut own = T::zero();
        if row % batch < rows {
            let (_, log_variance) = halves(posterior, row % batch, columns);
            let (prior_mean, prior_log_variance) = halves(prior, row, columns);
            for i in 0..columns {
                let away = z[row * columns + i] - prior_mean[i];
                let draw = noise[row * columns + i];
                own += T::of(0.5)
                    * (prior_log_variance[i] - log_variance[i] - draw * draw
                        + away * away * (-prior_log_variance[i]).exponential());
            }
        }
        sum[0] = own;
    });
}

pub(super) fn conditional_kl_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width) = (4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (beta, accumulate) = (T::of(f64::from(call.step.beta)), call.flag("ACCUMULATE"));
    let (weights, prior, z) = (call.read("weights_read"), call.read("prior"), call.read("z"));
    let (z_gradient, prior_gradient) = (call.write("z_gradient"), call.write("prior_gradient"));
    by_rows_of_two((z_gradient, columns), (prior_gradient, 2 * columns), |row, of_z, of_prior| {
        let weight = beta * weights[row];
        let (mean, log_variance) = halves(prior, row, columns);
        let (of_mean, of_log_variance) = of_prior.split_at_mut(columns);
        for i in 0..columns {
            let away = z[row * columns + i] - mean[i];
            let slope = away * (-log_variance[i]).exponential();
            put(&mut of_z[i], weight * slope, accumulate);
            of_mean[i] = -weight * slope;
            let change = T::of(0.5) * weight * (T::one() - away * slope);
            of_log_variance[i] = if i < width { change } else { T::zero() };
        }
    });
}
