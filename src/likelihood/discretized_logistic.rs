//! Grey levels of a logistic distribution: `shaders/likelihood/discretized_logistic.wgsl`.

use super::{Distribution, Kernels, Pixel, Random, above, kernels};
use crate::kernels::kernel;
use std::sync::LazyLock;

pub(super) struct DiscretizedLogistic;

static SCALE_FLOOR: LazyLock<f64> = LazyLock::new(|| kernel("discretized_logistic").real("SCALE_FLOOR"));

impl Distribution for DiscretizedLogistic {
    fn kernels(&self) -> Kernels {
        kernels!("discretized_logistic")
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["decoder.output", "decoder.log_scale"]
    }

    fn drawn_section(&self) -> Option<usize> {
        Some(1)
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        quantile(pixel.expected, above(pixel.raw, *SCALE_FLOOR), (random.uniform)())
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        // A logistic distribution of scale s has the variance (pi s)^2 / 3.
        let scale = (0.5 * log_variance).exp() * 3.0_f64.sqrt() / std::f64::consts::PI;
        let below = |edge: f64| 1.0 / (1.0 + (-(edge - mean) / scale).exp());
        let low = if x <= 0.0 { 0.0 } else { below(x - 0.5 / 255.0) };
        let high = if x >= 1.0 { 1.0 } else { below(x + 0.5 / 255.0) };
        // Far in a tail the difference is rounded away: there the density times the width of a level is left.
        let far = ((x - mean) / scale).abs();
        if high - low > 1e-12 { -(high - low).ln() } else { far + (255.0 * scale).ln() }
    }
}

/// The grey level, in [0, 1], of a logistic distribution cut into 256 (Salimans et al. 2017), at quantile `u`.
fn quantile(mean: f64, log_scale: f64, u: f64) -> f64 {
    let value = mean + log_scale.exp() * (u / (1.0 - u)).ln();
    (255.0 * value).round().clamp(0.0, 255.0) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far from the ends, and wide against a level, rounding and cutting change nothing.
    #[test]
    fn draws_have_the_mean_of_the_distribution() {
        let sum: f64 = (0..100_000).map(|i| quantile(0.4, -4.0, (f64::from(i) + 0.5) / 1e5)).sum();
        assert!((sum / 1e5 - 0.4).abs() < 1e-4);
        assert_eq!(quantile(0.4, -4.0, 0.0), 0.0);
    }
}
