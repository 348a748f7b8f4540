//! Twins of `shaders/total_correlation.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, put};

const LOG_TWO_PI: f64 = 1.837_877_066_409_345_3;

/// What all kernels of the file read.
struct Pairs<'c, T> {
    posterior: &'c [T],
    z: &'c [T],
    /// Numbers in a row of `z`.
    stride: usize,
    width: usize,
    batch: usize,
    rows: usize,
}

impl<'c, T: Real> Pairs<'c, T> {
    fn of(call: &Call<'c, T>) -> Self {
        Self {
            posterior: call.read("posterior"),
            z: call.read("z"),
            stride: 4 * call.count("COLUMNS"),
            width: call.count("WIDTH"),
            batch: call.count("BATCH"),
            rows: call.rows(),
        }
    }

    fn away(&self, j: usize, i: usize, d: usize) -> T {
        self.z[j * self.stride + d] - self.posterior[2 * i * self.stride + d]
    }

    fn log_variance(&self, i: usize, d: usize) -> T {
        self.posterior[(2 * i + 1) * self.stride + d]
    }

    /// log N(z_jd; m_id, exp(v_id)).
    fn log_density(&self, j: usize, i: usize, d: usize) -> T {
        let (away, v) = (self.away(j, i, d), self.log_variance(i, d));
        T::of(-0.5) * (T::of(LOG_TWO_PI) + v + away * away * (-v).exponential())
    }
}

/// log w_ji of a pair.
fn log_weights<T: Real>(call: &Call<'_, T>) -> impl Fn(usize, usize) -> T + Sync + Send + use<T> {
    let rows = call.rows();
    let count = T::of(rows as f64);
    let images = call.step_number("IMAGES").max(count);
    let others = (count - T::one()).max(T::one());
    let weights = match () {
        () if rows == 1 => [T::one(); 3],
        () if !call.flag("STRATIFIED") => [T::one() / (images * count); 3],
        () => [T::one() / images, (images - others) / (images * others), T::one() / others],
    };
    let [own, next, other] = weights.map(T::ln);
    move |j, i| match i {
        _ if i == j => own,
        _ if i == (j + 1) % rows => next,
        _ => other,
    }
}

pub(super) fn pair_log_densities<T: Real>(call: &mut Call<'_, T>) {
    let (pairs, log_weight) = (Pairs::of(call), log_weights(call));
    let (batch, width) = (pairs.batch, pairs.width);
    by_costly_rows(&mut call.write("joint")[..batch * batch], batch, 8 * batch * width, |j, joint| {
        for (i, joint) in joint.iter_mut().enumerate() {
            *joint = T::zero();
            if j.max(i) < pairs.rows {
                for d in 0..width {
                    *joint += pairs.log_density(j, i, d);
                }
                *joint += log_weight(j, i);
            }
        }
    });
}

/// log sum exp of `term(i)` for i below `count`.
fn log_sum<T: Real>(count: usize, term: impl Fn(usize) -> T) -> T {
    let largest = (0..count).map(&term).fold(T::of(-3e38), T::max);
    let sum: T = (0..count).map(|i| (term(i) - largest).exponential()).sum();
    largest + sum.ln()
}

pub(super) fn pair_log_sums<T: Real>(call: &mut Call<'_, T>) {
    let (pairs, log_weight) = (Pairs::of(call), log_weights(call));
    let (batch, width, rows) = (pairs.batch, pairs.width, pairs.rows);
    let joint = call.read("joint_used");
    let sums = &mut call.write("sums")[..batch * (width + 1)];
    by_costly_rows(sums, width + 1, 16 * batch * width, |j, sums| {
        for (d, sum) in sums.iter_mut().enumerate() {
            *sum = match () {
                () if j >= rows => T::zero(),
                () if d == width => log_sum(rows, |i| joint[j * batch + i]),
                () => log_sum(rows, |i| pairs.log_density(j, i, d) + log_weight(j, i)),
            };
        }
    });
}

pub(super) fn total_correlation<T: Real>(call: &mut Call<'_, T>) {
    let pairs = Pairs::of(call);
    let (width, sums) = (pairs.width, call.read("sums_used"));
    let outputs = ["information", "correlation", "dimensions"].map(|name| call.write(name));
    let [information, correlation, dimensions] = outputs;
    for j in 0..pairs.batch {
        let (mut own, mut single, mut prior, mut all) = (T::zero(), T::zero(), T::zero(), T::zero());
        if j < pairs.rows {
            let row = &sums[j * (width + 1)..];
            for (d, &sum) in row[..width].iter().enumerate() {
                let drawn = pairs.z[j * pairs.stride + d];
                own += pairs.log_density(j, j, d);
                single += sum;
                prior -= T::of(0.5) * (T::of(LOG_TWO_PI) + drawn * drawn);
            }
            all = row[width];
        }
        information[j] = own - all;
        correlation[j] = all - single;
        dimensions[j] = single - prior;
    }
}

/// u_j (a - b) of a pair and a dimension.
fn shares<'c, T: Real>(
    call: &Call<'c, T>,
) -> impl Fn(&Pairs<'c, T>, usize, usize, usize) -> T + Sync + use<'c, T> {
    let (joint, sums, upstream) = (call.read("joint_used"), call.read("sums_used"), call.read("upstream"));
    let log_weight = log_weights(call);
    move |pairs, j, i, d| {
        let row = &sums[j * (pairs.width + 1)..];
        let a = (joint[j * pairs.batch + i] - row[pairs.width]).exponential();
        let b = (pairs.log_density(j, i, d) + log_weight(j, i) - row[d]).exponential();
        upstream[j] * (a - b)
    }
}

pub(super) fn total_correlation_z_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (pairs, share, accumulate) = (Pairs::of(call), shares(call), call.flag("ACCUMULATE"));
    let (stride, length) = (pairs.stride, pairs.batch * pairs.stride);
    let gradient = &mut call.write("z_gradient")[..length];
    by_costly_rows(gradient, stride, 16 * pairs.batch * stride, |j, gradient| {
        for (d, gradient) in gradient.iter_mut().enumerate() {
            let mut sum = T::zero();
            if d < pairs.width && j < pairs.rows {
                for i in 0..pairs.rows {
                    let inverse = (-pairs.log_variance(i, d)).exponential();
                    sum -= share(&pairs, j, i, d) * pairs.away(j, i, d) * inverse;
                }
            }
            put(gradient, sum, accumulate);
        }
    });
}

pub(super) fn total_correlation_posterior_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (pairs, share, accumulate) = (Pairs::of(call), shares(call), call.flag("ACCUMULATE"));
    let (stride, length) = (pairs.stride, 2 * pairs.batch * pairs.stride);
    let gradient = &mut call.write("posterior_gradient")[..length];
    by_costly_rows(gradient, 2 * stride, 16 * pairs.batch * stride, |i, gradient| {
        let (of_mean, of_log_variance) = gradient.split_at_mut(stride);
        for d in 0..stride {
            let (mut mean, mut log_variance) = (T::zero(), T::zero());
            if d < pairs.width && i < pairs.rows {
                let inverse = (-pairs.log_variance(i, d)).exponential();
                for j in 0..pairs.rows {
                    let (away, weight) = (pairs.away(j, i, d), share(&pairs, j, i, d));
                    mean += weight * away * inverse;
                    log_variance += T::of(0.5) * weight * (away * away * inverse - T::one());
                }
            }
            put(&mut of_mean[d], mean, accumulate);
            put(&mut of_log_variance[d], log_variance, accumulate);
        }
    });
}
