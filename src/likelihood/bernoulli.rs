//! Bernoulli pixels: `shaders/likelihood/bernoulli.wgsl`.

use super::{Distribution, Kernels, Picture, Pixel, Random, kernels};
use crate::activation::Activation;

pub(super) struct Bernoulli;

impl Distribution for Bernoulli {
    fn kernels(&self) -> Kernels {
        kernels!("bernoulli")
    }

    fn takes_logits(&self) -> bool {
        true
    }

    fn output_for(&self, mean: f64, _: Activation) -> f64 {
        Activation::Sigmoid.inverse(mean)
    }

    fn picture(&self, _: Activation) -> Picture {
        Picture::Activation(Activation::Sigmoid)
    }

    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        f64::from(u8::from((random.uniform)() < pixel.expected))
    }

    fn negative_log(&self, x: f64, mean: f64, log_variance: f64) -> f64 {
        let _ = log_variance;
        -(x * mean.ln() + (1.0 - x) * (1.0 - mean).ln())
    }
}
