//! Continuous Bernoulli pixels: `shaders/likelihood/continuous_bernoulli.wgsl`.

use super::{Distribution, Kernels, Picture, Pixel, Random, kernels};
use crate::activation::{Activation, bisect};

pub(super) struct ContinuousBernoulli;

impl Distribution for ContinuousBernoulli {
    fn kernels(&self) -> Kernels {
        kernels!("continuous_bernoulli")
    }

    fn takes_logits(&self) -> bool {
        true
    }

    fn output_for(&self, mean: f64, _: Activation) -> f64 {
        logit(mean)
    }

    fn picture(&self, _: Activation) -> Picture {
        Picture::Kernel("continuous_bernoulli_mean")
    }

    fn drawn_section(&self) -> Option<usize> {
        Some(0)
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        quantile(pixel.raw, (random.uniform)())
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        let _ = log_variance;
        let s = logit(mean);
        // log((exp(s) - 1) / s), the logarithm of the normaliser.
        let normaliser = match s {
            s if s.abs() < 1e-4 => 0.5 * s,
            s if s > 0.0 => s + (-(-s).exp_m1() / s).ln(),
            s => (s.exp_m1() / s).ln(),
        };
        normaliser - s * x
    }
}

/// The logit of a continuous Bernoulli distribution with this mean.
///
/// The mean of exp(s x) on [0, 1] has no inverse in closed form (Loaiza-Ganem and Cunningham 2019). By symmetry it is found
/// on the half of positive s, where nothing cancels but close to 0.
fn logit(mean: f64) -> f64 {
    if mean < 0.5 {
        return -logit(1.0 - mean);
    }
    let expectation = |s: f64| if s < 1e-4 { 0.5 + s / 12.0 } else { -1.0 / (-s).exp_m1() - 1.0 / s };
    bisect(mean, 0.0, 1.0 / (1.0 - mean) + 1.0, expectation)
}

/// The quantile `u` of a continuous Bernoulli distribution with this logit (Loaiza-Ganem and Cunningham 2019).
fn quantile(logit: f64, u: f64) -> f64 {
    match logit {
        s if s.abs() < 1e-6 => u,
        // Both are the same function; each is exact where the other overflows.
        s if s > 0.0 => 1.0 + (u + (1.0 - u) * (-s).exp()).ln() / s,
        s => (u * s.exp_m1()).ln_1p() / s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_mean_of_the_distribution() {
        for s in [-30.0_f64, -2.0, -1e-9, 0.3, 8.0] {
            let exact = if s.abs() < 1e-3 { 0.5 } else { 1.0 / (1.0 - (-s).exp()) - 1.0 / s };
            let sum: f64 = (0..100_000).map(|i| quantile(s, (f64::from(i) + 0.5) / 1e5)).sum();
            assert!((sum / 1e5 - exact).abs() < 1e-4, "{s}");
        }
    }
}
