//! Twin of `shaders/likelihood/discretized_logistic.wgsl`.

use super::{Call, NEAR, OneByOne, Pixels, Real, chunk_sums_and_gradient, series};
use crate::cpu::activation::{activated, derivative, sigmoid, softplus};
use crate::kernels::kernel;

const HALF_LEVEL: f64 = 1.0 / 510.0;
/// Means from here on: a scale in f32 can be 0 before a product with it is.
const FAR: f64 = 1e10;

pub(super) fn discretized_logistic<T: Real>(call: &mut Call<'_, T>) {
    let floor = T::of(kernel("discretized_logistic").real("SCALE_FLOOR"));
    let activation = call.count("MEAN_ACTIVATION");
    chunk_sums_and_gradient(call, &OneByOne(DiscretizedLogistic { activation, floor }));
}

struct DiscretizedLogistic<T> {
    activation: usize,
    floor: T,
}

impl<T: Real> Pixels<T, 2> for DiscretizedLogistic<T> {
    #[inline(always)]
    fn terms(&self, [output, raw]: [T; 2], x: T) -> (T, [T; 2]) {
        let (zero, half) = (T::zero(), T::of(HALF_LEVEL));
        let mean = activated(self.activation, output);
        let raw = raw - self.floor;
        let log_scale = self.floor + softplus(raw);
        let inverse = (-log_scale).exp();
        let (upper, lower) = (x - mean + half, x - mean - half);
        let (mut a, mut b) = (upper * inverse, lower * inverse);
        let far = mean.abs() > T::of(FAR);
        if far {
            (a, b) = (times_exp(upper, -log_scale), times_exp(lower, -log_scale));
        }
        let d = T::of(2.0) * half * inverse;
        // The lowest level has all below it, the highest all above it.
        let (above, below) = (x < T::one() - half, x > half);
        let p = if above { sigmoid(-a) } else { zero };
        let q = if below { sigmoid(b) } else { zero };
        let mut value = if above { softplus(-a) } else { zero } + if below { softplus(b) } else { zero };
        let mut slope = zero;
        if above && below {
            value -= log_one_minus_exp(d, T::of((2.0 * HALF_LEVEL).ln()) - log_scale);
            slope = over_exp_minus_one(d);
        }
        let by_raw = if far {
            // a and b may be infinite and the sigmoid 0, and the product neither.
            let exponent = -log_scale - softplus(-raw);
            let edges = share(p, times_exp(upper, exponent)) - share(q, times_exp(lower, exponent));
            edges + slope * sigmoid(raw)
        } else {
            (share(p, a) - share(q, b) + slope) * sigmoid(raw)
        };
        (value, [(p - q) * inverse * derivative(self.activation, mean), by_raw])
    }
}

/// x exp(exponent) for a large x, also where exp(exponent) is 0 in f32.
fn times_exp<T: Real>(x: T, exponent: T) -> T {
    let magnitude = (x.abs().ln() + exponent).exp();
    if x < T::zero() { -magnitude } else { magnitude }
}

/// p x for a share p that falls to 0 as x grows to +-infinity.
#[inline(always)]
fn share<T: Real>(p: T, x: T) -> T {
    if p == T::zero() { p } else { p * x }
}

/// log(1 - exp(-d)) for d > 0, given log d.
fn log_one_minus_exp<T: Real>(d: T, log_d: T) -> T {
    if d < T::of(NEAR) {
        let square = d * d;
        let rest = series(square, &[1.0 / 24.0, -1.0 / 2880.0, 1.0 / 181_440.0, -1.0 / 9_676_800.0]);
        log_d - T::of(0.5) * d + square * rest
    } else {
        (-(-d).exp()).ln_1p()
    }
}

/// d / (exp(d) - 1) for d > 0.
fn over_exp_minus_one<T: Real>(d: T) -> T {
    if d < T::of(1e-5) { T::one() - T::of(0.5) * d } else { d / d.exp_m1() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_meets_the_formula() {
        for d in [0.05_f64, 0.2, 0.4999] {
            let exact = (-(-d).exp_m1()).ln();
            assert!((log_one_minus_exp(d, d.ln()) - exact).abs() < 1e-11, "{d}");
        }
    }
}
