//! What one asks of a model with two stochastic layers, h1 nearer to the data and h2 above it.

use super::{Posteriors, Session};
use crate::model::UpperVae;
use crate::random::{Philox, stream};
use crate::{Error, Result};

/// Draws of h1 that averages over q(h1|x) take.
const DRAWS: usize = 8;

/// One draw of both layers for each of some images.
#[derive(Clone, Debug)]
pub struct LayerDraw {
    /// h1, drawn from q(h1|x), `[images, latent]`.
    pub lower: Vec<f32>,
    /// q(h2|h1) of these.
    pub upper: Posteriors,
    /// p(h1|h2) of draws h2 from that.
    pub prior: Posteriors,
}

impl Posteriors {
    /// A sample of each, under this stream of draws.
    fn draw(&self, item: u64) -> Vec<f32> {
        let mut random = Philox::new(super::EVALUATION_SEED, stream::LAYERS, item);
        let values = self.means.iter().zip(&self.log_variances);
        values.map(|(mean, v)| mean + (0.5 * v).exp() * random.normal() as f32).collect()
    }
}

impl Session {
    fn upper(&self) -> Result<UpperVae> {
        self.model.upper.ok_or_else(|| Error::Internal("the model has no upper stochastic layer".into()))
    }

    /// Posteriors q(h2|h1) of rows `lower` of h1.
    fn encode_upper(&mut self, lower: &[f32]) -> Result<Posteriors> {
        let posterior = self.upper()?.posterior;
        let sections = self.through("encode-upper", self.model.latent, posterior, lower)?;
        Posteriors::of_sections(sections)
    }

    /// Priors p(h1|h2) of rows `upper` of h2.
    fn prior_of(&mut self, upper: &[f32]) -> Result<Posteriors> {
        let UpperVae { latent, prior, .. } = self.upper()?;
        Posteriors::of_sections(self.through("prior", latent, prior, upper)?)
    }

    /// Draw number `draw` of both layers, for images with posteriors `lower` (see [`Session::encode`]). The noise is
    /// fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// [`Error::Internal`] if the model has one layer; else if the device fails.
    pub fn draw_layers(&mut self, lower: &Posteriors, draw: usize) -> Result<LayerDraw> {
        let h1 = lower.draw(2 * draw as u64);
        let upper = self.encode_upper(&h1)?;
        let prior = self.prior_of(&upper.draw(2 * draw as u64 + 1))?;
        Ok(LayerDraw { lower: h1, upper, prior })
    }

    /// Posteriors, of the held-out images with these numbers, of the layer whose prior is N(0, I). With two layers they
    /// are the means and variances of q(h2|x), a mixture of Gaussians, over some draws of h1.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode_top(&mut self, numbers: &[u32]) -> Result<Posteriors> {
        let posteriors = self.encode(numbers)?;
        if self.spec.upper.is_none() {
            return Ok(posteriors);
        }
        let count = numbers.len() * self.spec.top_latent();
        // Sums of means, of their squares, and of variances.
        let mut sums = vec![[0.0_f64; 3]; count];
        for draw in 0..DRAWS {
            let h1 = posteriors.draw(2 * draw as u64);
            let upper = self.encode_upper(&h1)?;
            for ((sums, &mean), &v) in sums.iter_mut().zip(&upper.means).zip(&upper.log_variances) {
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

    /// Latents of the layer that is decoded to images ([`Session::decode`]), from rows `top` of the layer whose prior is
    /// N(0, I). With one layer they are the same. With two they are drawn from p(h1|h2) under `seed`, or are its means.
    ///
    /// # Errors
    /// If the device fails.
    pub fn descend(&mut self, top: &[f32], seed: Option<u64>) -> Result<Vec<f32>> {
        if self.spec.upper.is_none() {
            return Ok(top.to_vec());
        }
        let prior = self.prior_of(top)?;
        let Some(seed) = seed else { return Ok(prior.means) };
        let mut random = Philox::new(seed, stream::LAYERS, u64::MAX);
        let values = prior.means.iter().zip(&prior.log_variances);
        Ok(values.map(|(mean, v)| mean + (0.5 * v).exp() * random.normal() as f32).collect())
    }
}

impl Posteriors {
    fn of_sections(sections: Vec<Vec<f32>>) -> Result<Self> {
        let sections: Result<[Vec<f32>; 2], _> = sections.try_into();
        let [means, log_variances] =
            sections.map_err(|_| Error::Internal("a posterior without means and log-variances".into()))?;
        Ok(Self { means, log_variances })
    }
}
