//! Use of a model's latent dimensions: their KL divergences, active units, and the mutual information of images and latents.

use super::average::mean_and_error;
use crate::random::{Philox, stream};
use crate::session::Posteriors;
use rayon::prelude::*;

/// A dimension is active if the variance over images of its posterior mean is above this (Burda et al., arXiv
/// 1509.00519, section 5.2).
pub const ACTIVE: f64 = 0.01;

/// Of each latent dimension, over some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatentUse {
    /// KL(q(z_d|x) || p(z_d)), averaged over images, nats; empty for codes.
    pub divergences: Vec<f64>,
    /// Variance over images of the posterior mean.
    pub mean_variances: Vec<f64>,
}

impl LatentUse {
    /// Of the dimensions of `posteriors`, `width` to an image.
    pub fn of(posteriors: &Posteriors, width: usize) -> Self {
        let images = (posteriors.means.len() / width.max(1)).max(1) as f64;
        let column = |values: &[f32], d: usize, term: &dyn Fn(f64) -> f64| {
            values.iter().skip(d).step_by(width).map(|&value| term(f64::from(value))).sum::<f64>() / images
        };
        let (means, log_variances) = (&posteriors.means, &posteriors.log_variances);
        let dimensions = 0..width;
        let with_density = if log_variances.is_empty() { 0..0 } else { dimensions.clone() };
        Self {
            divergences: with_density
                .map(|d| {
                    0.5 * (column(means, d, &|m| m * m) + column(log_variances, d, &|v| v.exp() - 1.0 - v))
                })
                .collect(),
            mean_variances: dimensions
                .map(|d| {
                    let mean = column(means, d, &|m| m);
                    column(means, d, &|m| (m - mean).powi(2))
                })
                .collect(),
        }
    }

    /// How many dimensions are active.
    pub fn active(&self) -> usize {
        self.mean_variances.iter().filter(|&&variance| variance > ACTIVE).count()
    }
}

/// The divergence of posteriors from the prior in two parts, KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)), averaged
/// over images (Hoffman and Johnson, "ELBO surgery", 2016). q(z) is the mixture of the images' posteriors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surgery {
    /// I_q(x; z), nats: the information of a sample about its image. At most log of the number of images.
    pub mutual_information: f64,
    /// Standard error of it, over images.
    pub standard_error: f64,
    /// KL(q(z) || p(z)), nats: the average divergence less the mutual information.
    pub aggregate_divergence: f64,
}

impl Surgery {
    /// By one sample z of each image's posterior: I = mean of log q(z|x) - log q(z), where log q(z) is a log-sum-exp over
    /// all images' posteriors, the image's own among them. `divergence` is the average KL(q(z|x) || p(z)).
    pub fn of(posteriors: &Posteriors, width: usize, divergence: f64) -> Self {
        let images = posteriors.means.len() / width.max(1);
        let inverse: Vec<f32> = posteriors.log_variances.iter().map(|v| (-0.5 * v).exp()).collect();
        // Less the constant that all densities share.
        let heights: Vec<f32> =
            posteriors.log_variances.chunks(width).map(|v| -0.5 * v.iter().sum::<f32>()).collect();
        let information: Vec<f64> = (0..images)
            .into_par_iter()
            .map(|image| {
                let own = image * width..(image + 1) * width;
                let mut random = Philox::new(0, stream::AGGREGATE, image as u64);
                let z: Vec<f32> = posteriors.means[own.clone()]
                    .iter()
                    .zip(&inverse[own])
                    .map(|(mean, inverse)| mean + random.normal() as f32 / inverse)
                    .collect();
                let log_densities: Vec<f32> = posteriors
                    .means
                    .chunks(width)
                    .zip(inverse.chunks(width))
                    .zip(&heights)
                    .map(|((means, inverse), height)| height - 0.5 * square_distance(&z, means, inverse))
                    .collect();
                let largest = log_densities.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = log_densities.iter().map(|&log| f64::from((log - largest).exp())).sum();
                let mixture = f64::from(largest) + sum.ln() - (images as f64).ln();
                f64::from(log_densities[image]) - mixture
            })
            .collect();
        let (mutual_information, standard_error) = mean_and_error(information);
        Self { mutual_information, standard_error, aggregate_divergence: divergence - mutual_information }
    }
}

/// sum ((z - mean) / deviation)^2, in eight lanes that the compiler makes a vector of.
fn square_distance(z: &[f32], means: &[f32], inverse: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [0.0_f32; LANES];
    let whole = z.len() / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let [z, means, inverse] = [z, means, inverse].map(|values| &values[start..start + LANES]);
        for lane in 0..LANES {
            let d = (z[lane] - means[lane]) * inverse[lane];
            lanes[lane] += d * d;
        }
    }
    for i in whole..z.len() {
        lanes[0] += ((z[i] - means[i]) * inverse[i]).powi(2);
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_that_follows_the_images_is_active() {
        // Dimension 0 is the prior for every image, dimension 1 is 2 or -2 with deviation 1/e.
        let posteriors =
            Posteriors { means: vec![0.0, 2.0, 0.0, -2.0], log_variances: vec![0.0, -2.0, 0.0, -2.0] };
        let used = LatentUse::of(&posteriors, 2);
        assert_eq!(used.active(), 1);
        assert_eq!(used.mean_variances, [0.0, 4.0]);
        assert_eq!(used.divergences[0], 0.0);
        let expected = 0.5 * (4.0 + (-2.0_f64).exp() + 2.0 - 1.0);
        assert!((used.divergences[1] - expected).abs() < 1e-6, "{:?}", used.divergences);
    }

    /// Of N images, posteriors far apart have the information log N; equal posteriors have none.
    #[test]
    fn mutual_information_of_distinct_and_of_equal_posteriors() {
        let width = 11;
        for (distance, expected) in [(0.0, 0.0), (100.0, 64.0_f64.ln())] {
            let means: Vec<f32> = (0..64).flat_map(|i| vec![distance * i as f32; width]).collect();
            let posteriors = Posteriors { log_variances: vec![-1.0; means.len()], means };
            let surgery = Surgery::of(&posteriors, width, 30.0);
            assert!((surgery.mutual_information - expected).abs() < 1e-5, "{surgery:?}");
            assert!((surgery.mutual_information + surgery.aggregate_divergence - 30.0).abs() < 1e-12);
        }
    }

    /// Two posteriors N(+-a, 1) as often as each other: the information is that of a binary channel with Gaussian noise,
    /// log 2 - E[log(1 + exp(-2 a (a + e)))], here by quadrature.
    #[test]
    fn mutual_information_of_overlapping_posteriors() {
        let a = 0.7;
        let images = 4000;
        let means: Vec<f32> = (0..images).map(|i| if i % 2 == 0 { a } else { -a }).collect();
        let posteriors = Posteriors { log_variances: vec![0.0; means.len()], means };
        let surgery = Surgery::of(&posteriors, 1, 1.0);
        let (a, h) = (f64::from(a), 1e-3);
        let integral: f64 = (-8000..=8000)
            .map(|i| {
                let e = f64::from(i) * h;
                let density = (-0.5 * e * e).exp() / std::f64::consts::TAU.sqrt();
                density * (-2.0 * a * (a + e)).exp().ln_1p() * h
            })
            .sum();
        let expected = 2.0_f64.ln() - integral;
        let error = (surgery.mutual_information - expected).abs();
        assert!(
            surgery.standard_error < 0.01 && error < 4.0 * surgery.standard_error,
            "{surgery:?} {expected}"
        );
    }
}
