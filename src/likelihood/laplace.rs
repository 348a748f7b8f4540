//! Laplace pixels with a fixed scale: `shaders/likelihood/laplace.wgsl`.

use super::{Distribution, Kernels, LogVariance, Pixel, Random, kernels};

pub(super) struct Laplace;

impl Distribution for Laplace {
    fn kernels(&self) -> Kernels {
        kernels!("laplace")
    }

    fn log_variance(&self) -> LogVariance {
        LogVariance::Scale
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        pixel.expected + (0.5 * pixel.log_variance).exp() * quantile((random.uniform)())
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        let scale = (0.5 * log_variance).exp();
        (x - mean).abs() / scale + (2.0 * scale).ln()
    }
}

/// The quantile `u` of a Laplace distribution of mean 0 and scale 1.
fn quantile(u: f64) -> f64 {
    // A uniform number may be 0.
    let beyond = (1.0 - (2.0 * u - 1.0).abs()).max(f64::EPSILON);
    (0.5 - u).signum() * beyond.ln()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn draws_have_the_moments_of_the_distribution() {
        let draws: Vec<f64> = (0..100_000).map(|i| quantile((f64::from(i) + 0.5) / 1e5)).collect();
        let mean = |power: fn(f64) -> f64| draws.iter().map(|&x| power(x)).sum::<f64>() / 1e5;
        assert!(mean(|x| x).abs() < 1e-9);
        assert!((mean(f64::abs) - 1.0).abs() < 1e-3, "{}", mean(f64::abs));
        assert!((mean(|x| x * x) - 2.0).abs() < 1e-2, "{}", mean(|x| x * x));
        assert_eq!(quantile(0.5), 0.0);
        assert!(quantile(0.0) < -30.0 && quantile(0.9) > 0.0);
    }
}
