//! Twins of `shaders/latent.wgsl`.

use super::Real;
use super::call::{Call, by_rows, by_rows_of_two, put};
use super::random::{normals, words};

pub(super) fn reparametrize<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, width) = (call.count("BATCH"), 4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (posterior, step, stream) = (call.read("posterior"), call.step, call.count("STREAM") as u32);
    by_rows_of_two((call.write("z"), columns), (call.write("noise"), columns), |row, z, noise| {
        for (i, noise) in noise.chunks_exact_mut(4).enumerate() {
            let draws = normals::<T>(words(step, row * columns / 4 + i, stream));
            for (lane, (noise, draw)) in noise.iter_mut().zip(draws).enumerate() {
                *noise = if 4 * i + lane < width { draw } else { T::zero() };
            }
        }
        let (mean, log_variance) = posterior_row(posterior, row % batch, columns);
        for i in 0..columns {
            z[i] = mean[i] + (T::of(0.5) * log_variance[i]).exponential() * noise[i];
        }
    });
}

/// Means and log-variances of an image.
fn posterior_row<T>(posterior: &[T], row: usize, columns: usize) -> (&[T], &[T]) {
    posterior[2 * row * columns..2 * (row + 1) * columns].split_at(columns)
}

pub(super) fn reparametrize_kl<T: Real>(call: &mut Call<'_, T>) {
    reparametrize(call);
    gaussian_kl(call);
}

pub(super) fn reparametrize_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples, columns) = (call.count("BATCH"), call.count("SAMPLES"), 4 * call.count("COLUMNS"));
    let (posterior, accumulate) = (call.read("posterior"), call.flag("ACCUMULATE"));
    let (z_gradient, noise) = (call.read("z_gradient"), call.read("noise_used"));
    let target = call.write("posterior_gradient");
    samples_gradient([batch, samples, columns], posterior, z_gradient, noise, target, accumulate);
}

pub(super) fn reparametrize_kl_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples, columns) = (call.count("BATCH"), call.count("SAMPLES"), 4 * call.count("COLUMNS"));
    let (posterior, accumulate) = (call.read("posterior"), call.flag("ACCUMULATE"));
    let (z_gradient, noise) = (call.read("z_gradient"), call.read("noise_used"));
    let target = call.write("posterior_gradient");
    divergence_gradient(call, columns, Part::Whole, target, accumulate);
    samples_gradient([batch, samples, columns], posterior, z_gradient, noise, target, true);
}

/// The gradient that reaches the posterior through the samples.
fn samples_gradient<T: Real>(
    [batch, samples, columns]: [usize; 3],
    posterior: &[T],
    z_gradient: &[T],
    noise: &[T],
    target: &mut [T],
    accumulate: bool,
) {
    by_rows(target, 2 * columns, |row, gradient| {
        let (_, log_variance) = posterior_row(posterior, row, columns);
        let (mean_gradient, variance_gradient) = gradient.split_at_mut(columns);
        for i in 0..columns {
            let (mut mean, mut scale) = (T::zero(), T::zero());
            for l in 0..samples {
                let at = (l * batch + row) * columns + i;
                mean += z_gradient[at];
                scale += z_gradient[at] * noise[at];
            }
            put(&mut mean_gradient[i], mean, accumulate);
            let half = T::of(0.5);
            put(&mut variance_gradient[i], scale * half * (half * log_variance[i]).exponential(), accumulate);
        }
    });
}

pub(super) fn gaussian_kl<T: Real>(call: &mut Call<'_, T>) {
    let columns = 4 * call.count("COLUMNS");
    let (posterior, rows) = (call.read("posterior"), call.rows());
    by_rows(call.write("divergence"), columns, |row, divergence| {
        let (mean, log_variance) = posterior_row(posterior, row, columns);
        for i in 0..columns {
            let value =
                T::of(0.5) * (mean[i] * mean[i] + log_variance[i].exponential() - T::one() - log_variance[i]);
            divergence[i] = if row < rows { value } else { T::zero() };
        }
    });
}

pub(super) fn gaussian_kl_gradient<T: Real>(call: &mut Call<'_, T>) {
    kl_gradient(call, Part::Whole);
}

pub(super) fn gaussian_kl_gradient_free_bits<T: Real>(call: &mut Call<'_, T>) {
    kl_gradient(call, Part::Above(call.read("average"), call.number("FREE_BITS")));
}

pub(super) fn gaussian_kl_gradient_floor<T: Real>(call: &mut Call<'_, T>) {
    kl_gradient(call, Part::Reaching(call.read("divergence_read"), call.number("FLOOR")));
}

pub(super) fn gaussian_kl_gradient_capacity<T: Real>(call: &mut Call<'_, T>) {
    let total: T = call.read("average").iter().copied().sum();
    let over = total - call.step_number("CAPACITY");
    // 0 at the capacity itself, as WGSL's sign.
    kl_gradient(call, Part::Times(if over == T::zero() { over } else { over.signum() }));
}

/// The part of the divergence's gradient that is wanted.
#[derive(Clone, Copy)]
enum Part<'a, T> {
    Whole,
    /// Of dimensions whose average is above a number.
    Above(&'a [T], T),
    /// Of images whose divergence is at least a number.
    Reaching(&'a [T], T),
    /// This much of all.
    Times(T),
}

fn kl_gradient<T: Real>(call: &mut Call<'_, T>, part: Part<'_, T>) {
    let (columns, accumulate) = (4 * call.count("COLUMNS"), call.flag("ACCUMULATE"));
    let target = call.write("posterior_gradient");
    divergence_gradient(call, columns, part, target, accumulate);
}

/// The gradient that reaches the posterior through its divergence.
fn divergence_gradient<T: Real>(
    call: &Call<'_, T>,
    columns: usize,
    part: Part<'_, T>,
    target: &mut [T],
    accumulate: bool,
) {
    let (posterior, rows) = (call.read("posterior"), call.rows());
    let beta = call.number("WEIGHT") * call.step_number("NUMBER");
    by_rows(target, 2 * columns, |row, gradient| {
        let (mean, log_variance) = posterior_row(posterior, row, columns);
        let (mean_gradient, variance_gradient) = gradient.split_at_mut(columns);
        let open = match part {
            Part::Reaching(divergence, floor) => {
                divergence[row * columns..(row + 1) * columns].iter().copied().sum::<T>() >= floor
            }
            _ => true,
        };
        for i in 0..columns {
            let factor = match part {
                _ if !open => T::zero(),
                Part::Whole | Part::Reaching(..) => T::one(),
                Part::Above(average, floor) if average[i] > floor => T::one(),
                Part::Above(..) => T::zero(),
                Part::Times(factor) => factor,
            };
            let weight = if row < rows { factor * (beta / T::of(rows as f64)) } else { T::zero() };
            put(&mut mean_gradient[i], weight * mean[i], accumulate);
            let change = weight * T::of(0.5) * (log_variance[i].exponential() - T::one());
            put(&mut variance_gradient[i], change, accumulate);
        }
    });
}

pub(super) fn gaussian_kl_pull_back<T: Real>(call: &mut Call<'_, T>) {
    let (columns, accumulate) = (4 * call.count("COLUMNS"), call.flag("ACCUMULATE"));
    let (posterior, rows, upstream) = (call.read("posterior"), call.rows(), call.read("divergence_gradient"));
    by_rows(call.write("posterior_gradient"), 2 * columns, |row, gradient| {
        let (mean, log_variance) = posterior_row(posterior, row, columns);
        let (mean_gradient, variance_gradient) = gradient.split_at_mut(columns);
        for i in 0..columns {
            let weight = if row < rows { upstream[row * columns + i] } else { T::zero() };
            put(&mut mean_gradient[i], weight * mean[i], accumulate);
            let change = weight * T::of(0.5) * (log_variance[i].exponential() - T::one());
            put(&mut variance_gradient[i], change, accumulate);
        }
    });
}

pub(super) fn batch_mean<T: Real>(call: &mut Call<'_, T>) {
    let (columns, rows, divergence) = (4 * call.count("COLUMNS"), call.rows(), call.read("divergence_read"));
    for (i, average) in call.write("batch_average").iter_mut().enumerate() {
        let sum: T = (0..rows).map(|row| divergence[row * columns + i]).sum();
        *average = sum / T::of(rows as f64);
    }
}
