//! Twins of `shaders/hierarchy.wgsl`.

use super::Real;
use super::call::{Call, by_rows, by_rows_of_two, put};

/// Means and log-variances in a row.
fn halves<T>(values: &[T], row: usize, columns: usize) -> (&[T], &[T]) {
    values[2 * row * columns..2 * (row + 1) * columns].split_at(columns)
}

/// The divergence of each dimension of `row`.
fn divergences<'c, T: Real>(call: &Call<'c, T>) -> impl Fn(usize, usize) -> T + Sync + Send + use<'c, T> {
    let (batch, columns) = (call.count("BATCH"), 4 * call.count("COLUMNS"));
    let (posterior, prior) = (call.read("posterior"), call.read("prior"));
    let (z, noise) = (call.read("z"), call.read("noise"));
    move |row, i| {
        let log_variance = posterior[(2 * (row % batch) + 1) * columns + i];
        let (prior_mean, prior_log_variance) =
            (prior[2 * row * columns + i], prior[(2 * row + 1) * columns + i]);
        let (away, draw) = (z[row * columns + i] - prior_mean, noise[row * columns + i]);
        T::of(0.5)
            * (prior_log_variance - log_variance - draw * draw
                + away * away * (-prior_log_variance).exponential())
    }
}

pub(super) fn conditional_kl<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, rows) = (call.count("BATCH"), 4 * call.count("COLUMNS"), call.rows());
    let (total, divergence) = (call.count("SAMPLES") * batch, divergences(call));
    by_rows(&mut call.write("divergence")[..total], 1, |row, sum| {
        let mut own = T::zero();
        if row % batch < rows {
            for i in 0..columns {
                own += divergence(row, i);
            }
        }
        sum[0] = own;
    });
}

pub(super) fn conditional_kl_dimensions<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, rows) = (call.count("BATCH"), 4 * call.count("COLUMNS"), call.rows());
    let divergence = divergences(call);
    by_rows(call.write("dimensions"), columns, |row, dimensions| {
        for (i, own) in dimensions.iter_mut().enumerate() {
            *own = if row % batch < rows { divergence(row, i) } else { T::zero() };
        }
    });
}

pub(super) fn conditional_kl_gradient<T: Real>(call: &mut Call<'_, T>) {
    gradient(call, &vec![T::one(); 4 * call.count("COLUMNS")]);
}

pub(super) fn conditional_kl_gradient_gated<T: Real>(call: &mut Call<'_, T>) {
    gradient(call, call.read("gate"));
}

/// Each dimension times its `gate`.
fn gradient<T: Real>(call: &mut Call<'_, T>, gate: &[T]) {
    let (columns, width) = (4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (beta, accumulate) = (T::of(f64::from(call.step.beta)), call.flag("ACCUMULATE"));
    let (weights, prior, z) = (call.read("weights_read"), call.read("prior"), call.read("z"));
    let (z_gradient, prior_gradient) = (call.write("z_gradient"), call.write("prior_gradient"));
    by_rows_of_two((z_gradient, columns), (prior_gradient, 2 * columns), |row, of_z, of_prior| {
        let (mean, log_variance) = halves(prior, row, columns);
        let (of_mean, of_log_variance) = of_prior.split_at_mut(columns);
        for i in 0..columns {
            let weight = beta * weights[row] * gate[i];
            let away = z[row * columns + i] - mean[i];
            let slope = away * (-log_variance[i]).exponential();
            put(&mut of_z[i], weight * slope, accumulate);
            of_mean[i] = -weight * slope;
            let change = T::of(0.5) * weight * (T::one() - away * slope);
            of_log_variance[i] = if i < width { change } else { T::zero() };
        }
    });
}
