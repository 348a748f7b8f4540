//! Gaussian pixels with a deviation each: `shaders/likelihood/gaussian_learned.wgsl`.

use super::{Distribution, Kernels, Pixel, Random, above, gaussian_negative_log, kernels};
use crate::kernels::kernel;
use std::sync::LazyLock;

pub(super) struct GaussianLearned;

static FLOOR: LazyLock<f64> = LazyLock::new(|| kernel("gaussian_learned").real("FLOOR"));

impl Distribution for GaussianLearned {
    fn kernels(&self) -> Kernels {
        kernels!("gaussian_learned")
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["decoder.output", "decoder.log_variance"]
    }

    fn drawn_section(&self) -> Option<usize> {
        Some(1)
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        pixel.gaussian(above(pixel.raw, *FLOOR), random)
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        gaussian_negative_log(x, mean, log_variance)
    }
}
