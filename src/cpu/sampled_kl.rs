//! Twins of `shaders/sampled_kl.wgsl`.

use super::Real;
use super::call::{Call, by_rows, by_rows_of_two, put};

/// The divergence of dimension `i` of `row`.
fn divergences<'c, T: Real>(call: &Call<'c, T>) -> impl Fn(usize, usize) -> T + Sync + Send + use<'c, T> {
    let (posteriors, columns) = (call.count("POSTERIOR_ROWS"), 4 * call.count("COLUMNS"));
    let (posterior, prior, with_prior) = (call.read("posterior"), call.read("prior"), call.flag("PRIOR"));
    let (z, noise, half) = (call.read("z"), call.read("noise"), T::of(0.5));
    move |row, i| {
        let log_variance = posterior[(2 * (row % posteriors) + 1) * columns + i];
        let (drawn, draw) = (z[row * columns + i], noise[row * columns + i]);
        if !with_prior {
            return half * (drawn * drawn - log_variance - draw * draw);
        }
        let (mean, prior_log_variance) = (prior[2 * row * columns + i], prior[(2 * row + 1) * columns + i]);
        let away = drawn - mean;
        half * (prior_log_variance - log_variance - draw * draw
            + away * away * (-prior_log_variance).exponential())
    }
}

pub(super) fn sampled_kl<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, rows) = (call.count("BATCH"), 4 * call.count("COLUMNS"), call.rows());
    let (total, add, before) = (call.count("SAMPLES") * batch, call.flag("BEFORE"), call.read("before"));
    let divergence = divergences(call);
    by_rows(&mut call.write("divergence")[..total], 1, |row, sum| {
        let mut own = T::zero();
        if row % batch < rows {
            for i in 0..columns {
                own += divergence(row, i);
            }
        }
        sum[0] = if add { before[row] + own } else { own };
    });
}

pub(super) fn sampled_kl_dimensions<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, rows) = (call.count("BATCH"), 4 * call.count("COLUMNS"), call.rows());
    let divergence = divergences(call);
    by_rows(call.write("dimensions"), columns, |row, dimensions| {
        for (i, own) in dimensions.iter_mut().enumerate() {
            *own = if row % batch < rows { divergence(row, i) } else { T::zero() };
        }
    });
}

/// The gradient of the divergence of dimension `i` of `row`.
fn shares<'c, T: Real>(call: &Call<'c, T>) -> impl Fn(usize, usize) -> T + Sync + Send + use<'c, T> {
    let (batch, rows, gated) = (call.count("BATCH"), call.rows(), call.flag("GATED"));
    let (upstream, gate) = (call.read("upstream"), call.read("gate"));
    move |row, i| match gated {
        _ if row % batch >= rows => T::zero(),
        true => upstream[row] * gate[i],
        false => upstream[row],
    }
}

pub(super) fn sampled_kl_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (columns, accumulate) = (4 * call.count("COLUMNS"), call.flag("ACCUMULATE"));
    let (share, z) = (shares(call), call.read("z"));
    by_rows(call.write("z_gradient"), columns, |row, gradient| {
        for (i, gradient) in gradient.iter_mut().enumerate() {
            put(gradient, share(row, i) * z[row * columns + i], accumulate);
        }
    });
}

pub(super) fn sampled_kl_prior_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width) = (4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (share, accumulate) = (shares(call), call.flag("ACCUMULATE"));
    let (prior, z) = (call.read("prior"), call.read("z"));
    let (z_gradient, prior_gradient) = (call.write("z_gradient"), call.write("prior_gradient"));
    by_rows_of_two((z_gradient, columns), (prior_gradient, 2 * columns), |row, of_z, of_prior| {
        let (mean, log_variance) = prior[2 * row * columns..2 * (row + 1) * columns].split_at(columns);
        let (of_mean, of_log_variance) = of_prior.split_at_mut(columns);
        for i in 0..columns {
            let weight = share(row, i);
            let away = z[row * columns + i] - mean[i];
            let slope = away * (-log_variance[i]).exponential();
            put(&mut of_z[i], weight * slope, accumulate);
            of_mean[i] = -weight * slope;
            let change = T::of(0.5) * weight * (T::one() - away * slope);
            of_log_variance[i] = if i < width { change } else { T::zero() };
        }
    });
}

pub(super) fn sampled_kl_posterior_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width, posteriors) =
        (4 * call.count("COLUMNS"), call.count("WIDTH"), call.count("POSTERIOR_ROWS"));
    let (batch, images, accumulate) = (call.count("BATCH"), call.rows(), call.flag("ACCUMULATE"));
    let (upstream, gate, gated) = (call.read("upstream"), call.read("gate"), call.flag("GATED"));
    let total = call.count("SAMPLES") * batch;
    by_rows(call.write("posterior_gradient"), 2 * columns, |row, gradient| {
        let own = (row..total).step_by(posteriors).filter(|row| row % batch < images);
        let sum: T = own.map(|row| upstream[row]).sum();
        if !accumulate {
            gradient.fill(T::zero());
        }
        for (i, gradient) in gradient[columns..columns + width].iter_mut().enumerate() {
            let share = if gated { gate[i] } else { T::one() };
            *gradient -= T::of(0.5) * sum * share;
        }
    });
}
