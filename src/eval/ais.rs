//! Annealed importance sampling (AIS) with HMC transitions, and the bidirectional sandwich (BDMC).
//!
//! Forward AIS (Neal 2001) walks from the prior to the posterior; the mean of its weights is an unbiased estimate of
//! p(x), so its logarithm is, on average, a lower bound of log p(x). Reverse AIS walks back from an exact draw of the
//! posterior, which is known where the image was simulated from the model; it gives, on average, an upper bound
//! (Grosse, Ghahramani and Adams, "Sandwiching the marginal likelihood using bidirectional Monte Carlo",
//! arXiv 1511.02543). Settings follow Wu et al., "On the quantitative analysis of decoder-based generative models"
//! (arXiv 1611.04273).
//!
//! The size of the leapfrog steps is adapted to an acceptance of 0.65 in a walk of its own and then kept, but for a random
//! factor of each transition, since weights are unbiased only where transitions do not depend on the past.

use super::average::mean_and_error;
use super::density::{ChainState, Density, Transition};
use crate::random::{Philox, stream};
use crate::{Error, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Acceptance that step sizes are adapted to (Neal 2011, section 5.4.4: the optimum in high dimensions).
pub const TARGET_ACCEPTANCE: f64 = 0.65;
/// Each transition's step size is drawn within this share of the adapted one, so that no trajectory closes on itself.
const JITTER: f64 = 0.2;
/// Step sizes are adapted at so many temperatures, and interpolated between.
const KNOTS: usize = 40;

/// How inverse temperatures rise from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// In equal steps.
    Linear,
    /// In small steps at both ends: a logistic curve from -4 to 4 (Wu et al. 2017).
    Sigmoid,
}

impl Schedule {
    /// `count` + 1 inverse temperatures, from 0 to 1.
    pub fn betas(self, count: usize) -> Vec<f64> {
        let logistic = |t: f64| 1.0 / (1.0 + (-4.0 * (2.0 * t - 1.0)).exp());
        let (low, high) = (logistic(0.0), logistic(1.0));
        let beta = |t: f64| match self {
            Self::Linear => t,
            Self::Sigmoid => (logistic(t) - low) / (high - low),
        };
        (0..=count).map(|i| beta(i as f64 / count as f64)).collect()
    }
}

/// How to anneal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AisSettings {
    /// Chains of each image.
    pub chains: usize,
    /// Inverse temperatures after 0.
    pub temperatures: usize,
    /// Leapfrog steps of a transition.
    pub leapfrog: usize,
    /// How temperatures are spaced.
    pub schedule: Schedule,
    /// Seed of all draws.
    pub seed: u64,
}

/// An estimate of log p(x) of one image, nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Logarithm of the mean weight.
    pub log_evidence: f64,
    /// Its standard error over chains, by the delta method; not a number for a single chain. It tells how far the chains'
    /// weights are apart, and nothing of what no chain has found.
    pub standard_error: f64,
    /// Chains that the weights are worth, (sum w)^2 / sum w^2: 1 where one of them is all of the mean.
    pub effective_chains: f64,
}

/// What annealing finds of one image, and the bound that it should lie above; nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// log p(x)
    #[serde(flatten)]
    pub estimate: Estimate,
    /// The ELBO, averaged over as many draws as there are chains, and its standard error.
    pub elbo: f64,
    /// Not a number for a single draw.
    pub elbo_standard_error: f64,
}

impl Evidence {
    /// Whether the estimate lies below the ELBO, by more than a nat and more than chance: the chains have missed what the
    /// encoder has found.
    pub fn missed(&self) -> bool {
        // Unknown errors are left out.
        let error = self.estimate.standard_error.max(0.0).hypot(self.elbo_standard_error.max(0.0));
        self.elbo - self.estimate.log_evidence > (4.0 * error).max(1.0)
    }
}

impl Estimate {
    /// Of the logarithms of some weights.
    pub fn of(log_weights: &[f64]) -> Self {
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let count = log_weights.len() as f64;
        let weights = || log_weights.iter().map(|w| (w - top).exp());
        let mean = weights().sum::<f64>() / count;
        Self {
            log_evidence: top + mean.ln(),
            standard_error: mean_and_error(weights()).1 / mean,
            effective_chains: (count * mean).powi(2) / weights().map(|w| w * w).sum::<f64>(),
        }
    }
}

/// Bounds of log p(x) of one simulated image, nats: each holds on average over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sandwich {
    /// From prior to posterior.
    pub lower: Estimate,
    /// From posterior to prior. Its standard error is that of chains from the one exact draw, which is itself a chance: that
    /// of the gap is to be had from many images only.
    pub upper: Estimate,
}

/// Chains on a density, and the temperatures and step sizes they walk with.
#[derive(Debug)]
pub struct Annealer {
    /// The density of a few images at once.
    pub density: Density,
    settings: AisSettings,
    betas: Vec<f64>,
    /// For each of `betas`, a step size for each image; empty until adapted.
    step_sizes: Vec<Vec<f64>>,
    draws: Philox,
}

impl Annealer {
    /// Anneal on `density`, which has [`AisSettings::chains`] rows for each image.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no temperatures.
    pub fn new(density: Density, settings: AisSettings) -> Result<Self> {
        if settings.temperatures == 0 {
            return Err(Error::setting("--temperatures", "0 is too few", "give 1 or more, such as 1000"));
        }
        Ok(Self {
            density,
            settings,
            betas: settings.schedule.betas(settings.temperatures),
            step_sizes: Vec::new(),
            draws: Philox::new(settings.seed, stream::CHAINS, 0),
        })
    }

    /// So many draws from the prior, `[rows, latent]`.
    pub fn prior(&mut self, rows: usize) -> Vec<f32> {
        (0..rows * self.density.latent()).map(|_| self.draws.normal() as f32).collect()
    }

    fn prior_of_all(&mut self) -> Vec<f32> {
        self.prior(self.density.images() * self.density.rows())
    }

    /// The transition to temperature number `to`.
    fn transition(&mut self, to: usize, change: f64) -> Transition {
        let jitter = 1.0 + JITTER * (2.0 * self.draws.random::<f64>() - 1.0);
        let step_sizes = self.step_sizes[to].iter().map(|size| (size * jitter) as f32).collect();
        Transition { beta: self.betas[to], change, step_sizes }
    }

    /// `count` transitions at temperature 1, with the step sizes adapted to the images.
    ///
    /// # Errors
    /// If the device fails.
    pub fn sampling(&mut self, count: usize) -> Result<Vec<Transition>> {
        self.adapt_if_never()?;
        Ok((0..count).map(|_| self.transition(self.betas.len() - 1, 0.0)).collect())
    }

    /// Walk from prior to posterior of the density's images once, adapt the step size of each image's chains on the way
    /// (Robbins and Monro 1951, on its logarithm), and keep these sizes until the next call: [`Annealer::forward`] and
    /// [`Annealer::reverse`] then walk with them. To be called whenever the images have changed.
    ///
    /// # Errors
    /// If the device fails.
    pub fn adapt(&mut self) -> Result<()> {
        let count = self.settings.temperatures;
        let (images, rows) = (self.density.images(), self.density.rows());
        let knots = (count / 5).clamp(1, KNOTS);
        let start = self.prior_of_all();
        self.density.begin(&start)?;
        // The fewer chains an image has, the less one transition tells of its acceptance.
        let certainty = (rows as f64 / 8.0).min(1.0);
        let mut log_sizes = vec![0.5_f64.ln(); images];
        let mut adapted: Vec<(usize, Vec<f64>)> = Vec::with_capacity(knots + 1);
        for knot in 0..=knots {
            let at = knot * count / knots;
            // At the first temperature the size may be far off; later it follows that of the one before.
            let (repeats, gain) = if knot == 0 { (12, 0.8) } else { (4, 0.5) };
            let mut sums = vec![0.0; images];
            for _ in 0..repeats {
                let step_sizes = log_sizes.iter().map(|size| size.exp() as f32).collect();
                let transition = Transition { beta: self.betas[at], change: 0.0, step_sizes };
                self.density.transitions(&[transition])?;
                let chains = self.density.chains()?;
                for (image, size) in log_sizes.iter_mut().enumerate() {
                    let accepted = chains.iter().skip(image).step_by(images).map(|it| it.last_acceptance);
                    *size += certainty * gain * (accepted.sum::<f64>() / rows as f64 - TARGET_ACCEPTANCE);
                    sums[image] += *size;
                }
            }
            let kept = sums.iter().zip(&log_sizes);
            let sizes = kept.map(|(sum, last)| if knot == 0 { *last } else { sum / f64::from(repeats) });
            adapted.push((at, sizes.collect()));
        }
        self.step_sizes = (0..=count)
            .map(|t| {
                let next = adapted.iter().position(|(at, _)| *at >= t).unwrap_or(knots);
                let ((a, from), (b, to)) = (&adapted[next.saturating_sub(1)], &adapted[next]);
                let share = if b > a { (t - a) as f64 / (b - a) as f64 } else { 0.0 };
                from.iter().zip(to).map(|(from, to)| (from + share * (to - from)).exp()).collect()
            })
            .collect();
        Ok(())
    }

    /// Weights of chains, image by image.
    fn estimates(&self, chains: &[ChainState], sign: f64) -> Vec<Estimate> {
        let images = self.density.images();
        (0..images)
            .map(|image| {
                let weights: Vec<f64> =
                    chains.iter().skip(image).step_by(images).map(|chain| chain.log_weight).collect();
                let estimate = Estimate::of(&weights);
                Estimate { log_evidence: sign * estimate.log_evidence, ..estimate }
            })
            .collect()
    }

    /// From prior to posterior: estimates of log p(x) of the density's images, which on average lie below it, and the
    /// mean acceptance. The chains end as draws of the posteriors, weighted by their weights.
    ///
    /// # Errors
    /// If the device fails.
    pub fn forward(&mut self) -> Result<(Vec<Estimate>, f64)> {
        self.adapt_if_never()?;
        let start = self.prior_of_all();
        self.density.begin(&start)?;
        let up: Vec<Transition> =
            (1..self.betas.len()).map(|t| self.transition(t, self.betas[t] - self.betas[t - 1])).collect();
        self.density.transitions(&up)?;
        let chains = self.density.chains()?;
        Ok((self.estimates(&chains, 1.0), acceptance(&chains)))
    }

    /// From `exact`, a draw of each image's posterior `[images, latent]`, to the prior: estimates that on average lie
    /// above log p(x). An image's chains begin at the same draw, of which there is only one.
    ///
    /// # Errors
    /// If the device fails.
    pub fn reverse(&mut self, exact: &[f32]) -> Result<(Vec<Estimate>, f64)> {
        self.adapt_if_never()?;
        self.density.begin(&exact.repeat(self.density.rows()))?;
        let down: Vec<Transition> = (1..self.betas.len())
            .rev()
            .map(|t| self.transition(t - 1, self.betas[t - 1] - self.betas[t]))
            .collect();
        self.density.transitions(&down)?;
        let chains = self.density.chains()?;
        Ok((self.estimates(&chains, -1.0), acceptance(&chains)))
    }

    /// The ELBO of each of the density's images, with its standard error: analytic KL divergence, and log p(x|z) averaged
    /// over as many draws of q as there are chains; with several stochastic layers, whose divergence is not known, an average
    /// of log weights.
    ///
    /// # Errors
    /// If the device fails.
    pub fn elbo(&mut self) -> Result<Vec<(f64, f64)>> {
        let (images, rows, width) = (self.density.images(), self.density.rows(), self.density.latent());
        let average =
            |values: &[f64], image: usize| mean_and_error(values.iter().skip(image).step_by(images).copied());
        if self.density.widths().len() > 1 {
            let draws = &mut self.draws;
            let weights = self.density.encoder_log_weights(|| draws.normal())?;
            return Ok((0..images).map(|image| average(&weights, image)).collect());
        }
        let q = self.density.encode()?.gaussians(width);
        let mut latents = Vec::with_capacity(images * rows * width);
        for _ in 0..rows {
            for q in &q {
                latents.extend((0..width).map(|i| (q.mean[i] + q.deviation(i) * self.draws.normal()) as f32));
            }
        }
        let values = self.density.log_likelihood(&latents)?;
        let bounds = q.iter().enumerate().map(|(image, q)| {
            let (likelihood, error) = average(&values, image);
            (likelihood - q.divergence_to_prior(), error)
        });
        Ok(bounds.collect())
    }

    fn adapt_if_never(&mut self) -> Result<()> {
        if self.step_sizes.is_empty() { self.adapt() } else { Ok(()) }
    }

    /// log p(x) and the ELBO of each of `images` `[count, pixels]`, and the mean acceptance. `progress` is told how
    /// many are done.
    ///
    /// # Errors
    /// If the device fails.
    pub fn evidence(
        &mut self,
        images: &[f32],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Evidence>, f64)> {
        let pixels = self.density.pixels();
        let (mut all, mut accepted) = (Vec::new(), 0.0);
        for group in images.chunks(self.density.images() * pixels) {
            self.density.set_images(group)?;
            self.adapt()?;
            let (estimates, acceptance) = self.forward()?;
            let count = group.len() / pixels;
            let found = estimates.into_iter().zip(self.elbo()?).take(count);
            all.extend(found.map(|(estimate, (elbo, elbo_standard_error))| Evidence {
                estimate,
                elbo,
                elbo_standard_error,
            }));
            accepted += acceptance * count as f64;
            progress(all.len());
        }
        let count = all.len().max(1) as f64;
        Ok((all, accepted / count))
    }

    /// Simulate `count` images from the model and bound log p(x) of each from both sides; the mean acceptance of both
    /// walks.
    ///
    /// # Errors
    /// If the device fails.
    pub fn sandwich(
        &mut self,
        count: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Sandwich>, f64)> {
        let images = self.density.images();
        let (mut all, mut accepted, mut passes) = (Vec::new(), 0.0, 0.0_f64);
        while all.len() < count {
            let exact = self.prior(images);
            let (mut uniforms, mut normals) = (self.draws.clone(), self.draws.clone());
            // Two sequences that share no counter with each other or with what follows.
            for (draws, item) in [(&mut uniforms, 1), (&mut normals, 2)] {
                *draws = Philox::new(self.settings.seed, stream::CHAINS, 3 * (1 + all.len() as u64) + item);
            }
            let pixels = self.density.simulate(&exact, || uniforms.random::<f64>(), || normals.normal())?;
            self.density.set_images(&pixels)?;
            self.adapt()?;
            let (lower, up) = self.forward()?;
            let (upper, down) = self.reverse(&exact)?;
            accepted += (up + down) / 2.0;
            passes += 1.0;
            all.extend(lower.into_iter().zip(upper).map(|(lower, upper)| Sandwich { lower, upper }));
            progress(all.len().min(count));
        }
        all.truncate(count);
        Ok((all, accepted / passes.max(1.0)))
    }
}

/// Acceptance averaged over chains.
pub fn acceptance(chains: &[ChainState]) -> f64 {
    chains.iter().map(|chain| chain.acceptance).sum::<f64>() / chains.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_rise_from_zero_to_one() {
        for schedule in [Schedule::Linear, Schedule::Sigmoid] {
            for count in [1, 2, 7, 1000] {
                let betas = schedule.betas(count);
                assert_eq!((betas.len(), betas[0], betas[count]), (count + 1, 0.0, 1.0), "{schedule:?}");
                assert!(betas.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
        let sigmoid = Schedule::Sigmoid.betas(10);
        assert!((sigmoid[5] - 0.5).abs() < 1e-12 && sigmoid[1] < 0.03, "{sigmoid:?}");
    }

    #[test]
    fn the_mean_of_weights_and_its_error() {
        let estimate = Estimate::of(&[1000.0 + 1.0_f64.ln(), 1000.0 + 3.0_f64.ln()]);
        assert!((estimate.log_evidence - (1000.0 + 2.0_f64.ln())).abs() < 1e-12);
        // Weights 1 and 3: mean 2, standard error of the mean 1.
        assert!((estimate.standard_error - 0.5).abs() < 1e-12);
        // 4^2 / (1 + 9)
        assert!((estimate.effective_chains - 1.6).abs() < 1e-12);
        let single = Estimate::of(&[-7.0]);
        assert!(single.standard_error.is_nan() && single.log_evidence == -7.0, "{single:?}");
    }

    #[test]
    fn below_the_elbo_by_more_than_chance() {
        let found = |log_evidence, standard_error, elbo_standard_error| {
            let estimate = Estimate { log_evidence, standard_error, effective_chains: 1.0 };
            Evidence { estimate, elbo: -10.0, elbo_standard_error }.missed()
        };
        assert!(!found(-9.0, 0.1, 0.1) && !found(-10.9, 0.1, 0.1) && !found(-13.0, 1.0, 0.1));
        assert!(found(-11.1, 0.1, 0.1) && found(-15.0, 1.0, 0.1) && !found(-15.0, 0.1, 1.3));
        assert!(found(-12.0, f64::NAN, 0.1) && found(-12.0, f64::NAN, f64::NAN));
    }
}
