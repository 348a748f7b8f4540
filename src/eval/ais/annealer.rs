//! Chains that walk between prior and posterior.

use super::{AisSettings, Estimate, Evidence, Sandwich, TARGET_ACCEPTANCE};
use crate::eval::average::mean_and_error;
use crate::eval::density::{ChainState, Density, Transition};
use crate::random::{Philox, stream};
use crate::{Error, Result};
use rand::RngExt;

/// Each transition's step size is drawn within this share of the adapted one, so that no trajectory closes on itself.
const JITTER: f64 = 0.2;
/// Number of temperatures at which step sizes are adapted; they are interpolated between these.
const KNOTS: usize = 40;

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

    /// Draws from the prior, `[rows, latent]`.
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
        // With fewer chains the acceptance of one transition is less certain.
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

    /// log p(x) and the ELBO of each of `images` `[count, pixels]`, and the mean acceptance. `progress` receives the number
    /// of finished images.
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
            // Two sequences that share no counter with each other or with later passes.
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
