//! Gaussian pixels with the one deviation that is best for the data: `shaders/likelihood/gaussian_optimal.wgsl`.

use super::{Distribution, Kernels, LogVariance, Pixel, Random, gaussian_negative_log, kernels};
use crate::kernels::kernel;
use std::sync::LazyLock;

pub(super) struct GaussianOptimal;

static FLOOR: LazyLock<f64> = LazyLock::new(|| kernel("optimal_variance").real("VARIANCE_FLOOR"));

/// The state that holds the training residuals: their mean square over the epoch so far and its images, then over the last
/// whole epoch and its images.
pub(crate) const RESIDUALS: &str = "decoder.residuals";

/// The log-variance of everything but training: that of the last whole epoch's residuals, in the first epoch of those so
/// far, and 0 before any.
pub(crate) fn kept_log_variance(residuals: &[f32]) -> f64 {
    match residuals.iter().map(|&value| f64::from(value)).collect::<Vec<_>>()[..] {
        [_, _, mean, images] if images > 0.0 => optimal_log_variance(mean),
        [mean, images, _, _] if images > 0.0 => optimal_log_variance(mean),
        _ => 0.0,
    }
}

/// The log-variance under which residuals of this mean square are most likely; a deviation stays above one grey level.
pub(crate) fn optimal_log_variance(mean_square: f64) -> f64 {
    mean_square.max(*FLOOR).ln()
}

impl Distribution for GaussianOptimal {
    fn kernels(&self) -> Kernels {
        kernels!("gaussian_optimal")
    }

    fn log_variance(&self) -> LogVariance {
        LogVariance::Optimal
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        pixel.gaussian(pixel.log_variance, random)
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        gaussian_negative_log(x, mean, log_variance)
    }
}
