//! Twins of `shaders/importance.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

const LOWEST: f64 = -3.4e38;

fn rows_of_z<T: Real>(call: &Call<'_, T>) -> usize {
    call.count("SAMPLES") * call.count("BATCH")
}

fn beta<T: Real>(call: &Call<'_, T>) -> T {
    T::of(f64::from(call.step.beta))
}

pub(super) fn sampled_kl<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, posteriors) =
        (call.count("BATCH"), 4 * call.count("COLUMNS"), call.count("POSTERIOR_ROWS"));
    let (posterior, z, noise) = (call.read("posterior"), call.read("z"), call.read("noise"));
    let (total, rows, accumulate) = (rows_of_z(call), call.rows(), call.flag("ACCUMULATE"));
    by_rows(&mut call.write("divergence")[..total], 1, |row, sum| {
        let mut own = T::zero();
        if row % batch < rows {
            let variances = &posterior[(2 * (row % posteriors) + 1) * columns..][..columns];
            let row = row * columns..(row + 1) * columns;
            for ((&z, &draw), &v) in z[row.clone()].iter().zip(&noise[row]).zip(variances) {
                own += T::of(0.5) * (z * z - v - draw * draw);
            }
        }
        put(&mut sum[0], own, accumulate);
    });
}

pub(super) fn sampled_kl_dimensions<T: Real>(call: &mut Call<'_, T>) {
    let (batch, columns, posteriors) =
        (call.count("BATCH"), 4 * call.count("COLUMNS"), call.count("POSTERIOR_ROWS"));
    let (posterior, z, noise) = (call.read("posterior"), call.read("z"), call.read("noise"));
    let rows = call.rows();
    by_rows(call.write("dimensions"), columns, |row, dimensions| {
        let variances = &posterior[(2 * (row % posteriors) + 1) * columns..][..columns];
        for (i, own) in dimensions.iter_mut().enumerate() {
            let (z, draw) = (z[row * columns + i], noise[row * columns + i]);
            let value = T::of(0.5) * (z * z - variances[i] - draw * draw);
            *own = if row % batch < rows { value } else { T::zero() };
        }
    });
}

pub(super) fn log_weights<T: Real>(call: &mut Call<'_, T>) {
    let (total, chunks, beta) = (rows_of_z(call), call.count("CHUNKS"), beta(call));
    let (terms, divergence) = (call.read("likelihood_terms"), call.read("divergence_read"));
    for (row, log_weight) in call.write("log_weight")[..total].iter_mut().enumerate() {
        let sum: T = terms[row * chunks..(row + 1) * chunks].iter().copied().sum();
        *log_weight = -sum - beta * divergence[row];
    }
}

pub(super) fn importance_weights<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples, uniform) = (call.count("BATCH"), call.count("SAMPLES"), call.flag("UNIFORM"));
    let (log_weight, rows) = (call.read("log_weight_read"), call.rows());
    let (weights, bound) = (call.write("weights"), call.write("bound"));
    for image in 0..batch {
        if image >= rows {
            (0..samples).for_each(|l| weights[l * batch + image] = T::zero());
            bound[image] = T::zero();
            continue;
        }
        let all = || (0..samples).map(|l| log_weight[l * batch + image]);
        let largest = all().fold(T::of(LOWEST), T::max);
        let sum: T = all().map(|w| (w - largest).exp()).sum();
        let (count, share) = (T::of(samples as f64), T::one() / T::of(rows as f64));
        for l in 0..samples {
            let weight = (log_weight[l * batch + image] - largest).exp() / sum;
            weights[l * batch + image] = share * if uniform { T::one() / count } else { weight };
        }
        bound[image] = if uniform { -all().sum::<T>() / count } else { count.ln() - largest - sum.ln() };
    }
}

pub(super) fn weigh_rows<T: Real>(call: &mut Call<'_, T>) {
    let factor = call.number("FACTOR") * T::of(call.rows() as f64);
    let (row, length, weights) = (call.count("ROW"), call.count("LENGTH"), call.read("weights_read"));
    by_rows(&mut call.write("values")[..length], row, |i, values| {
        values.iter_mut().for_each(|value| *value *= weights[i] * factor);
    });
}

/// A gate that is open for all dimensions.
fn open<T: Real>(call: &Call<'_, T>) -> Vec<T> {
    vec![T::one(); 4 * call.count("COLUMNS")]
}

pub(super) fn sampled_kl_gradient<T: Real>(call: &mut Call<'_, T>) {
    change_z(call, &open(call));
}

pub(super) fn sampled_kl_gradient_gated<T: Real>(call: &mut Call<'_, T>) {
    change_z(call, call.read("gate"));
}

fn change_z<T: Real>(call: &mut Call<'_, T>, gate: &[T]) {
    let (columns, beta, accumulate) = (4 * call.count("COLUMNS"), beta(call), call.flag("ACCUMULATE"));
    let (weights, z) = (call.read("weights_read"), call.read("z"));
    by_rows(call.write("z_gradient"), columns, |row, gradient| {
        for ((gradient, &z), &gate) in gradient.iter_mut().zip(&z[row * columns..]).zip(gate) {
            put(gradient, beta * weights[row] * gate * z, accumulate);
        }
    });
}

pub(super) fn doubly_reparametrize<T: Real>(call: &mut Call<'_, T>) {
    let (columns, beta, images) = (4 * call.count("COLUMNS"), beta(call), T::of(call.rows() as f64));
    let (weights, noise) = (call.read("weights_read"), call.read("noise"));
    let (posterior, posteriors) = (call.read("posterior"), call.count("POSTERIOR_ROWS"));
    by_rows(call.write("z_gradient"), columns, |row, gradient| {
        let weight = beta * weights[row];
        let factor = T::one() - beta + weight * images;
        let variances = &posterior[(2 * (row % posteriors) + 1) * columns..][..columns];
        for (i, gradient) in gradient.iter_mut().enumerate() {
            let density = noise[row * columns + i] * (T::of(-0.5) * variances[i]).exponential();
            *gradient = (*gradient - weight * density) * factor;
        }
    });
}

pub(super) fn sampled_kl_posterior_gradient<T: Real>(call: &mut Call<'_, T>) {
    change_posterior(call, &open(call));
}

pub(super) fn sampled_kl_posterior_gradient_gated<T: Real>(call: &mut Call<'_, T>) {
    change_posterior(call, call.read("gate"));
}

fn change_posterior<T: Real>(call: &mut Call<'_, T>, gate: &[T]) {
    let (columns, width, posteriors) =
        (4 * call.count("COLUMNS"), call.count("WIDTH"), call.count("POSTERIOR_ROWS"));
    let (beta, accumulate, weights) = (beta(call), call.flag("ACCUMULATE"), call.read("weights_read"));
    let total = rows_of_z(call);
    by_rows(call.write("posterior_gradient"), 2 * columns, |row, gradient| {
        let sum: T = (row..total).step_by(posteriors).map(|row| weights[row]).sum();
        if !accumulate {
            gradient.fill(T::zero());
        }
        for (gradient, &gate) in gradient[columns..columns + width].iter_mut().zip(gate) {
            *gradient -= T::of(0.5) * beta * sum * gate;
        }
    });
}

pub(super) fn begin_stream<T: Real>(call: &mut Call<'_, T>) {
    let batch = call.count("BATCH");
    for running in call.write("running").chunks_mut(4).take(batch) {
        running.copy_from_slice(&[T::of(LOWEST), T::zero(), T::zero(), T::zero()]);
    }
}

pub(super) fn stream_weights<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples) = (call.count("BATCH"), call.count("SAMPLES"));
    let log_weight = call.read("log_weight_read");
    for (image, running) in call.write("running").chunks_mut(4).take(batch).enumerate() {
        let all = || (0..samples).map(|l| log_weight[l * batch + image]);
        let largest = all().fold(running[0], T::max);
        let shrink = (running[0] - largest).exp();
        let (mut sum, mut squares, mut total) =
            (running[1] * shrink, running[2] * shrink * shrink, T::zero());
        for log_w in all() {
            let w = (log_w - largest).exp();
            sum += w;
            squares += w * w;
            total += log_w;
        }
        running.copy_from_slice(&[largest, sum, squares, running[3] + total]);
    }
}
