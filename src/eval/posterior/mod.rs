//! log p(x) = ELBO + KL(q(z|x) || p(z|x)), each term computed independently, for the images of a trained model with one or
//! two latent dimensions.
//!
//! log p(x) and the divergence are integrals on adaptive grids ([`super::quadrature`]). The ELBO is the analytic divergence
//! to the prior and an expectation under q ([`super::gaussian`]) on other points: by Gauss-Hermite quadrature, or by the
//! trapezoidal rule for decoders with kinks. The gap is split into that of the best diagonal Gaussian and the rest, which the
//! encoder adds ([`super::gap`]). HMC estimates the posterior's moments and AIS log p(x), both without a grid.

mod picture;
mod report;

use super::ais::{AisSettings, Annealer, Estimate, Schedule};
use super::average::mean_and_error;
use super::density::{Density, Weights};
use super::gap::best_gaussian;
use super::gaussian::{Gaussian, Rule, expected_log_likelihood};
use super::pixels::observed;
use super::quadrature::{GridEstimate, integrate};
use crate::data::Dataset;
use crate::graph::Binarize;
use crate::random::{Philox, stream};
use crate::run::TrainedModel;
use crate::{Error, Result};
pub use picture::picture;
use rand::RngExt;
pub use report::{Entry, Report, Summary};
use serde::Serialize;
use std::collections::BTreeMap;

/// Points of a pass over the grid of one image.
const PASS: usize = 512;
/// Temperatures and leapfrog steps of the chains: posteriors in two dimensions ask for few.
const TEMPERATURES: usize = 100;
const LEAPFROG: usize = 5;
/// Transitions at temperature 1 before draws are kept.
const BURN_IN: usize = 10;

/// How to sample the posteriors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Chains of each image; 0 for none.
    pub chains: usize,
    /// Draws kept of each chain.
    pub draws: usize,
    /// Images at a time.
    pub images: usize,
    /// Seed.
    pub seed: u64,
}

/// The terms of the identity for one image, in nats.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// Number among the held-out images.
    pub image: usize,
    /// Its class, where there are labels.
    pub label: Option<String>,
    /// log p(x), KL(q || p(z|x)), the posterior's moments, and their errors.
    pub grid: GridEstimate,
    /// Evidence lower bound of the encoder's q.
    pub elbo: f64,
    /// Of its expectation, by the difference of two rules.
    pub elbo_error: f64,
    /// The rule of its expectation.
    pub elbo_rule: Rule,
    /// KL(q || p(z))
    pub divergence_to_prior: f64,
    /// log p(x) - ELBO - KL(q || p(z|x)): 0 up to the errors beside it.
    pub residual: f64,
    /// The encoder's q.
    pub encoder: Gaussian,
    /// The diagonal Gaussian with the highest ELBO.
    pub best: Gaussian,
    /// log p(x) less that ELBO: no diagonal Gaussian has a smaller gap.
    pub approximation_gap: f64,
    /// That ELBO less the encoder's: the encoder's loss.
    pub amortisation_gap: f64,
}

/// Moments of a posterior, estimated by chains.
#[derive(Clone, Debug, Serialize)]
pub struct Sampled {
    /// E z, with standard errors.
    pub mean: Vec<(f64, f64)>,
    /// Covariance row by row, with standard errors.
    pub covariance: Vec<(f64, f64)>,
    /// log p(x) by annealed importance sampling.
    pub annealed: Estimate,
    /// Mean acceptance at temperature 1.
    pub acceptance: f64,
    /// The draws, `[count, latent]`, chain by chain.
    #[serde(skip)]
    pub draws: Vec<f64>,
}

impl Sampled {
    /// Differences to the grid's means and covariances, in standard errors; each element of the covariance once. Empty for a
    /// single chain, which has no standard errors.
    pub fn deviations(&self, grid: &GridEstimate) -> Vec<f64> {
        let d = grid.mean.len();
        let means = self.mean.iter().zip(&grid.mean);
        let covariances = self.covariance.iter().zip(&grid.covariance);
        let upper = covariances.enumerate().filter(|(i, _)| i / d <= i % d).map(|(_, pair)| pair);
        means
            .chain(upper)
            .map(|((value, error), exact)| (value - exact) / error)
            .filter(|z| !z.is_nan())
            .collect()
    }
}

/// A trained model's posteriors.
#[derive(Debug)]
pub struct PosteriorStudy {
    density: Density,
    chains: Option<Annealer>,
    sampling: Sampling,
    binarize: Binarize,
    draws: Philox,
}

impl PosteriorStudy {
    /// Prepare the device for `model`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the latent space has more than two dimensions or two layers; else if the device fails.
    pub fn open(model: &mut TrainedModel, sampling: Sampling) -> Result<Self> {
        let task = model.session.task().clone();
        let latent = task.density("vae posterior")?;
        let hint = "use 'vae eval RUN --ais', which estimates log p(x) in a latent space of any size";
        let widths: Vec<usize> = latent.groups().iter().map(|group| group.width).collect();
        if widths.len() > 1 {
            let problem = format!(
                "a grid covers one layer of latents, and this model has {}, of {widths:?} dimensions",
                widths.len()
            );
            return Err(Error::setting("posterior", problem, hint));
        }
        if widths[0] > 2 {
            return Err(Error::setting(
                "posterior",
                format!(
                    "a grid covers a latent space of 1 or 2 dimensions, and this model's has {}",
                    widths[0]
                ),
                hint,
            ));
        }
        let weights = Weights::of(&mut model.session)?;
        let open = |images, rows| {
            Density::open(&model.device, &task, &weights, (images, rows), LEAPFROG, sampling.seed)
        };
        let density = open(1, Density::rows_for(latent, PASS))?;
        let chains = if sampling.chains == 0 {
            None
        } else {
            let settings = AisSettings {
                chains: sampling.chains,
                temperatures: TEMPERATURES,
                leapfrog: LEAPFROG,
                schedule: Schedule::Sigmoid,
                seed: sampling.seed,
            };
            Some(Annealer::new(open(sampling.images, sampling.chains)?, settings)?)
        };
        let draws = Philox::new(sampling.seed, stream::CHAINS, u64::MAX);
        Ok(Self { density, chains, sampling, binarize: model.config.binarization(), draws })
    }

    /// The density on the device, set to the image of the last call of [`PosteriorStudy::identity`].
    pub fn density(&mut self) -> &mut Density {
        &mut self.density
    }

    /// The terms of the identity for held-out image `number`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn identity(&mut self, dataset: &Dataset, number: usize) -> Result<Identity> {
        let density = &mut self.density;
        density.set_images(&observed(dataset, number, self.binarize))?;
        let q = density.encode()?.gaussians(density.latent()).swap_remove(0);
        let grid = integrate(&q, &mut |z| density.log_likelihood(z))?;
        let expected = expected_log_likelihood(&q, &mut |z| density.log_likelihood(z))?;
        let divergence = q.divergence_to_prior();
        let elbo = expected.value - divergence;
        // From two sides: the encoder's q, and the Gaussian with the posterior's moments.
        let order = if q.mean.len() == 1 { 64 } else { 22 };
        let d = q.mean.len();
        let moments = Gaussian {
            mean: grid.mean.clone(),
            log_variance: (0..d).map(|i| grid.covariance[i * d + i].ln()).collect(),
        };
        let mut best = (q.clone(), f64::NEG_INFINITY);
        for start in [&q, &moments] {
            let found = best_gaussian(start, order, &mut |z| density.log_likelihood_and_gradient(z))?;
            if found.1 > best.1 {
                best = found;
            }
        }
        let best = best.0;
        let reached = expected_log_likelihood(&best, &mut |z| density.log_likelihood(z))?.value
            - best.divergence_to_prior();
        let label = dataset.test.labels().map(|labels| {
            let label = labels[number] as usize;
            dataset.classes.get(label).cloned().unwrap_or_else(|| label.to_string())
        });
        Ok(Identity {
            image: number,
            label,
            elbo,
            elbo_error: expected.error,
            elbo_rule: expected.rule,
            divergence_to_prior: divergence,
            residual: grid.log_evidence - elbo - grid.kl,
            encoder: q,
            best,
            approximation_gap: grid.log_evidence - reached,
            amortisation_gap: reached - elbo,
            grid,
        })
    }

    /// Sample the posteriors of the held-out images with these numbers: annealed from the prior, resampled by their
    /// weights, and then moved on at temperature 1. `None` without chains.
    ///
    /// # Errors
    /// If the device fails.
    pub fn sample(&mut self, dataset: &Dataset, numbers: &[usize]) -> Result<Option<Vec<Sampled>>> {
        let Some(chains) = &mut self.chains else { return Ok(None) };
        let (images, rows, width) = (chains.density.images(), chains.density.rows(), chains.density.latent());
        let mut all = Vec::with_capacity(numbers.len());
        for group in numbers.chunks(images) {
            let pixels: Vec<f32> =
                group.iter().flat_map(|&number| observed(dataset, number, self.binarize)).collect();
            chains.density.set_images(&pixels)?;
            chains.adapt()?;
            let (annealed, _) = chains.forward()?;
            let states = chains.density.chains()?;
            let positions = chains.density.positions()?;
            let mut start = positions.clone();
            let mut ancestors = Vec::with_capacity(images);
            for image in 0..images {
                let weights: Vec<f64> =
                    states.iter().skip(image).step_by(images).map(|state| state.log_weight).collect();
                let chosen = resample(&weights, self.draws.random::<f64>());
                ancestors.push(chosen.clone());
                for (row, from) in chosen.into_iter().enumerate() {
                    let [to, from] = [row, from].map(|row| (row * images + image) * width);
                    start[to..to + width].copy_from_slice(&positions[from..from + width]);
                }
            }
            chains.density.begin(&start)?;
            let steps = chains.sampling(BURN_IN)?;
            chains.density.transitions(&steps)?;
            let mut kept: Vec<Vec<f32>> = Vec::with_capacity(self.sampling.draws);
            for _ in 0..self.sampling.draws {
                let steps = chains.sampling(1)?;
                chains.density.transitions(&steps)?;
                kept.push(chains.density.positions()?);
            }
            let states = chains.density.chains()?;
            for (image, annealed) in annealed.into_iter().enumerate().take(group.len()) {
                let chain = |row: usize| {
                    let at = (row * images + image) * width;
                    kept.iter().flat_map(move |rows| rows[at..at + width].iter().map(|&z| f64::from(z)))
                };
                let draws: Vec<Vec<f64>> = (0..rows).map(|row| chain(row).collect()).collect();
                let accepted = states.iter().skip(image).step_by(images).map(|state| state.acceptance);
                let acceptance = accepted.sum::<f64>() / rows as f64;
                all.push(summary(&draws, &ancestors[image], (annealed, acceptance), width));
            }
        }
        Ok(Some(all))
    }
}

/// Moments of draws `[draws, latent]` of each chain. Their errors come from the spread between chains and between groups of
/// chains with a common ancestor.
fn summary(
    draws: &[Vec<f64>],
    ancestors: &[usize],
    (annealed, acceptance): (Estimate, f64),
    width: usize,
) -> Sampled {
    let of_chains = |f: &dyn Fn(&[f64]) -> f64| {
        let one = |chain: &Vec<f64>| chain.chunks(width).map(f).sum::<f64>() / (chain.len() / width) as f64;
        let values: Vec<f64> = draws.iter().map(one).collect();
        clustered(&values, ancestors)
    };
    let mean: Vec<(f64, f64)> = (0..width).map(|i| of_chains(&|z| z[i])).collect();
    let covariance = (0..width * width)
        .map(|i| of_chains(&|z| (z[i / width] - mean[i / width].0) * (z[i % width] - mean[i % width].0)))
        .collect();
    Sampled { mean, covariance, annealed, acceptance, draws: draws.concat() }
}

/// The mean of `values` and its standard error: the larger of two, that of independent values, and that of `clusters` whose
/// values depend on each other (Liang and Zeger 1986), as copies of one chain do for as long as they stay in its mode. With few
/// or unequal clusters the second is too small.
fn clustered(values: &[f64], clusters: &[usize]) -> (f64, f64) {
    let (mean, independent) = mean_and_error(values.iter().copied());
    let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
    for (value, cluster) in values.iter().zip(clusters) {
        *sums.entry(*cluster).or_default() += value - mean;
    }
    let groups = sums.len() as f64;
    let squares = sums.values().map(|sum| sum * sum).sum::<f64>();
    // Of one cluster not a number, which the larger of the two is not.
    let dependent = (squares * groups / (groups - 1.0)).sqrt() / values.len() as f64;
    (mean, independent.max(dependent))
}

/// Which chain each chain goes on from: systematic resampling by weights, from one uniform number.
fn resample(log_weights: &[f64], uniform: f64) -> Vec<usize> {
    let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_weights.iter().map(|weight| (weight - top).exp()).collect();
    let share = weights.iter().sum::<f64>() / weights.len() as f64;
    let (mut chosen, mut sum, mut from) = (Vec::with_capacity(weights.len()), weights[0], 0);
    for i in 0..weights.len() {
        while sum < (i as f64 + uniform) * share && from + 1 < weights.len() {
            from += 1;
            sum += weights[from];
        }
        chosen.push(from);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_follows_the_weights() {
        assert_eq!(resample(&[0.0; 4], 0.5), [0, 1, 2, 3]);
        assert_eq!(resample(&[-900.0, 3.0, -900.0], 0.5), [1, 1, 1]);
        let half = resample(&[3.0_f64.ln(), 0.0, 0.0, 3.0_f64.ln()], 0.5);
        assert_eq!(half.iter().filter(|&&i| i == 0 || i == 3).count(), 3, "{half:?}");
    }

    /// Copies of a value add no information.
    #[test]
    fn errors_are_those_of_independent_groups() {
        let (mean, error) = clustered(&[1.0, 2.0, 4.0, 9.0], &[3, 5, 0, 1]);
        let (_, expected) = mean_and_error([1.0, 2.0, 4.0, 9.0]);
        assert!(mean == 4.0 && (error - expected).abs() < 1e-12, "{error} {expected}");
        let (_, twice) = clustered(&[1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 9.0, 9.0], &[0, 0, 1, 1, 2, 2, 3, 3]);
        assert!((twice - expected).abs() < 1e-12, "{twice} {expected}");
        // Chains of one ancestor that have moved on from it.
        assert_eq!(clustered(&[1.0, 3.0], &[0, 0]), (2.0, 1.0));
        assert!(clustered(&[1.0], &[0]).1.is_nan());
    }

    #[test]
    fn moments_of_draws() {
        let annealed = Estimate::of(&[0.0, 0.0]);
        let draws = vec![vec![0.0, 1.0, 2.0, 1.0], vec![1.0, 1.0, 3.0, 3.0]];
        let found = summary(&draws, &[0, 1], (annealed, 1.0), 2);
        assert_eq!(found.mean, [(1.5, 0.5), (1.5, 0.5)]);
        assert_eq!(found.covariance[0].0, (2.25 + 0.25 + 0.25 + 2.25) / 4.0);
    }
}
