//! Twins of `shaders/importance.wgsl`.

use super::Real;
use super::call::{Call, by_rows};

const LOWEST: f64 = -3.4e38;

pub(super) fn log_weights<T: Real>(call: &mut Call<'_, T>) {
    let (total, chunks) = (call.count("SAMPLES") * call.count("BATCH"), call.count("CHUNKS"));
    let (terms, divergence) = (call.read("likelihood_terms"), call.read("divergence_read"));
    let beta = call.step_number("BETA");
    for (row, log_weight) in call.write("log_weight")[..total].iter_mut().enumerate() {
        let sum: T = terms[row * chunks..(row + 1) * chunks].iter().copied().sum();
        *log_weight = -sum - beta * divergence[row];
    }
}

pub(super) fn log_weights_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (rows, chunks, beta) = (call.count("ROWS"), call.count("CHUNKS"), call.step_number("BETA"));
    let upstream = call.read("upstream");
    let (terms, divergence) = (call.write("terms_gradient"), call.write("divergence_gradient"));
    for (row, &u) in upstream.iter().take(rows).enumerate() {
        terms[row * chunks..(row + 1) * chunks].fill(-u);
        divergence[row] = -beta * u;
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

pub(super) fn importance_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples, given) = (call.count("BATCH"), call.count("SAMPLES"), call.flag("GIVEN"));
    let loss = call.number("WEIGHT") * call.step_number("NUMBER");
    let (images, weights, upstream) =
        (T::of(call.rows() as f64), call.read("weights_read"), call.read("upstream"));
    for (row, gradient) in call.write("log_weight_gradient")[..samples * batch].iter_mut().enumerate() {
        let share = if given { upstream[row % batch] * images } else { loss };
        *gradient = -share * weights[row];
    }
}

pub(super) fn weigh_chunks<T: Real>(call: &mut Call<'_, T>) {
    let factor = call.number("FACTOR") * T::of(call.rows() as f64);
    let (row, section, chunk) = (call.count("ROW"), call.count("SECTION"), call.count("CHUNK"));
    let (chunks, length, upstream) = (call.count("CHUNKS"), call.count("LENGTH"), call.read("upstream"));
    by_rows(&mut call.write("values")[..length], row, |i, values| {
        for values in values.chunks_mut(section) {
            for (values, &u) in values.chunks_mut(chunk).zip(&upstream[i * chunks..]) {
                values.iter_mut().for_each(|value| *value *= u * factor);
            }
        }
    });
}

pub(super) fn doubly_reparametrize<T: Real>(call: &mut Call<'_, T>) {
    let (columns, beta, images) =
        (4 * call.count("COLUMNS"), call.step_number("BETA"), T::of(call.rows() as f64));
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

pub(super) fn begin_log_sum<T: Real>(call: &mut Call<'_, T>) {
    let batch = call.count("BATCH");
    for running in call.write("running").chunks_mut(4).take(batch) {
        running.copy_from_slice(&[T::of(LOWEST), T::zero(), T::zero(), T::zero()]);
    }
}

pub(super) fn add_to_log_sum<T: Real>(call: &mut Call<'_, T>) {
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
