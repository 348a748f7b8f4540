//! Gaussian pixels with a fixed deviation: `shaders/likelihood/gaussian.wgsl`.

use super::{Distribution, Kernels, LogVariance, Pixel, Random, gaussian_negative_log, kernels};

pub(super) struct Gaussian;

impl Distribution for Gaussian {
    fn kernels(&self) -> Kernels {
        kernels!("gaussian")
    }

    fn log_variance(&self) -> LogVariance {
        LogVariance::Fixed
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        pixel.gaussian(pixel.log_variance, random)
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        gaussian_negative_log(x, mean, log_variance)
    }
}
