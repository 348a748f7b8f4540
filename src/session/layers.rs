//! Questions to a model with several groups of latents h1, h2, .., hN, numbered from the image.

use super::{EVALUATION_SEED, Posteriors, Session};
use crate::random::{Philox, stream};
use crate::{Error, Result};

/// Draws of the groups below that averages over a posterior take.
const DRAWS: usize = 8;

/// One draw of all groups for each of some images.
#[derive(Clone, Debug)]
pub struct LayerDraw {
    /// Draws of each group but the last from its posterior, `[images, latent]`, the one nearest to the image first.
    pub drawn: Vec<Vec<f32>>,
    /// The posterior of each group, given the draws of the one before.
    pub posteriors: Vec<Posteriors>,
    /// The prior of each group but the last, given a draw of the next.
    pub priors: Vec<Posteriors>,
}

impl Posteriors {
    /// A sample of each, under stream number `item` of draws.
    fn draw(&self, item: u64) -> Vec<f32> {
        self.draw_with(&mut Philox::new(EVALUATION_SEED, stream::LAYERS, item))
    }

    fn draw_with(&self, random: &mut Philox) -> Vec<f32> {
        if self.log_variances.is_empty() {
            return self.means.clone();
        }
        let values = self.means.iter().zip(&self.log_variances);
        values.map(|(mean, v)| mean + (0.5 * v).exp() * random.normal() as f32).collect()
    }
}

impl Session {
    /// Latent dimensions of each group, the one nearest to the image first.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model has no latents.
    pub fn latent_widths(&self) -> Result<Vec<usize>> {
        Ok(self.task.latent("the command")?.groups().into_iter().map(|group| group.width).collect())
    }

    /// Latent dimensions of the group whose prior is N(0, I).
    ///
    /// # Errors
    /// [`Error::Setting`] if the model has no latents.
    pub fn top_width(&self) -> Result<usize> {
        let widths = self.latent_widths()?;
        widths.last().copied().ok_or_else(|| Error::Internal("a model without groups of latents".into()))
    }

    /// Posteriors of group `number + 1`, given rows of group `number`, counted from 1.
    fn encode_next(&mut self, number: usize, rows: &[f32]) -> Result<Posteriors> {
        Posteriors::of_sections(self.through(&format!("encode.layer{}", number + 1), rows)?)
    }

    /// Priors of group `number`, counted from 1, given rows of the next.
    fn prior_of(&mut self, number: usize, rows: &[f32]) -> Result<Posteriors> {
        Posteriors::of_sections(self.through(&format!("prior.layer{number}"), rows)?)
    }

    /// Draw number `draw` of all groups, for images with posteriors `first` (see [`Session::encode`]). The noise is
    /// fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn draw_layers(&mut self, first: &Posteriors, draw: usize) -> Result<LayerDraw> {
        let groups = self.latent_widths()?.len();
        let item = |group: usize| (groups * draw + group) as u64;
        let mut all = LayerDraw { drawn: Vec::new(), posteriors: vec![first.clone()], priors: Vec::new() };
        for group in 0..groups {
            let drawn = all.posteriors[group].draw(item(group));
            if group > 0 {
                all.priors.push(self.prior_of(group, &drawn)?);
            }
            if group + 1 < groups {
                let next = self.encode_next(group + 1, &drawn)?;
                all.posteriors.push(next);
                all.drawn.push(drawn);
            }
        }
        Ok(all)
    }

    /// Posteriors, of the held-out images with these numbers, of the group whose prior is N(0, I). With several groups
    /// they are the means and variances of q(hN|x), a mixture of Gaussians, over some draws of the groups below.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode_top(&mut self, numbers: &[u32]) -> Result<Posteriors> {
        let posteriors = self.encode(numbers)?;
        let widths = self.latent_widths()?;
        if widths.len() == 1 {
            return Ok(posteriors);
        }
        let count = numbers.len() * self.top_width()?;
        // Sums of means, of their squares, and of variances.
        let mut sums = vec![[0.0_f64; 3]; count];
        for draw in 0..DRAWS {
            let mut top = posteriors.clone();
            for group in 1..widths.len() {
                let drawn = top.draw((widths.len() * draw + group - 1) as u64);
                top = self.encode_next(group, &drawn)?;
            }
            for ((sums, &mean), &v) in sums.iter_mut().zip(&top.means).zip(&top.log_variances) {
                let (mean, variance) = (f64::from(mean), f64::from(v).exp());
                *sums = [sums[0] + mean, sums[1] + mean * mean, sums[2] + variance];
            }
        }
        let mut top = Posteriors::default();
        for sums in sums {
            let [mean, square, variance] = sums.map(|sum| sum / DRAWS as f64);
            top.means.push(mean as f32);
            top.log_variances.push((variance + (square - mean * mean).max(0.0)).ln() as f32);
        }
        Ok(top)
    }

    /// A draw, for each of the held-out images with these numbers, of the group whose prior is N(0, I), `[images, latent]`;
    /// of a deterministic autoencoder its code. The noise is fixed.
    ///
    /// # Errors
    /// If the device fails.
    pub fn draw_top(&mut self, numbers: &[u32]) -> Result<Vec<f32>> {
        let mut top = self.encode(numbers)?;
        for group in 1..self.latent_widths()?.len() {
            let drawn = top.draw(group as u64 - 1);
            top = self.encode_next(group, &drawn)?;
        }
        Ok(top.draw(self.latent_widths()?.len() as u64 - 1))
    }

    /// Latents of the first group, which [`Session::decode`] takes, from rows `top` of the group whose prior is N(0, I).
    /// Those of the groups in between are drawn from their priors under `seed`, or are the means of these.
    ///
    /// # Errors
    /// If the device fails.
    pub fn descend(&mut self, top: &[f32], seed: Option<u64>) -> Result<Vec<f32>> {
        let mut latents = top.to_vec();
        let mut random = seed.map(|seed| Philox::new(seed, stream::LAYERS, u64::MAX));
        for number in (1..self.latent_widths()?.len()).rev() {
            let prior = self.prior_of(number, &latents)?;
            latents = match &mut random {
                Some(random) => prior.draw_with(random),
                None => prior.means,
            };
        }
        Ok(latents)
    }
}
