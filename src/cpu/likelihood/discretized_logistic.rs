//! Twin of `shaders/likelihood/discretized_logistic.wgsl`.

use super::{Call, NEAR, OneByOne, Pixels, Real, chunk_sums_and_gradient, series};
use crate::cpu::activation::{activated, derivative, sigmoid, softplus};
use crate::kernels::kernel;

const HALF_LEVEL: f64 = 1.0 / 510.0;

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
        let mean = activated(self.activation, output);
        let raw = raw - self.floor;
        let [value, by_mean, by_scale] = logistic(x, mean, self.floor + softplus(raw));
        (value, [by_mean * derivative(self.activation, mean), by_scale * sigmoid(raw)])
    }
}

/// The negative log-likelihood of a grey level, and its derivatives by mean and log-scale.
fn logistic<T: Real>(x: T, mean: T, log_scale: T) -> [T; 3] {
    let (inverse, half) = ((-log_scale).exp(), T::of(HALF_LEVEL));
    let a = (x - mean + half) * inverse;
    let b = (x - mean - half) * inverse;
    let d = T::of(2.0) * half * inverse;
    let is = |yes: bool| if yes { T::one() } else { T::zero() };
    let (above, below) = (is(x < T::one() - half), is(x > half));
    let (p, q, width) = (above * sigmoid(-a), below * sigmoid(b), above * below);
    let log_d = T::of((2.0 * HALF_LEVEL).ln()) - log_scale;
    [
        above * softplus(-a) + below * softplus(b) - width * log_one_minus_exp(d, log_d),
        (p - q) * inverse,
        p * a - q * b + width * over_exp_minus_one(d),
    ]
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
