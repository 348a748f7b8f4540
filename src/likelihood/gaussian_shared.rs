//! Gaussian pixels with one learned deviation: `shaders/likelihood/gaussian_shared.wgsl`.

use super::{Distribution, Kernels, LogVariance, Pixel, Random, gaussian_negative_log, kernels};

pub(super) struct GaussianShared;

impl Distribution for GaussianShared {
    fn kernels(&self) -> Kernels {
        kernels!("gaussian_shared")
    }

    fn log_variance(&self) -> LogVariance {
        LogVariance::Shared
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        pixel.gaussian(pixel.log_variance, random)
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        gaussian_negative_log(x, mean, log_variance)
    }
}
