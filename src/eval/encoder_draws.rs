//! Latents drawn as the encoder says, and their importance weights: as the density of noise where there are two stochastic
//! layers, see [`crate::model::DensityModel`].

use super::density::Density;
use crate::Result;
use crate::model::UpperDensity;
use crate::session::Posteriors;

/// Draws from Gaussians, a row each.
struct Draws {
    latents: Vec<f32>,
    /// Of each row, under the Gaussian it was drawn from.
    log_densities: Vec<f64>,
}

impl Draws {
    /// `rows` draws of `width` numbers: number `i` from `gaussians` number `i` modulo how many there are.
    fn of(gaussians: &Posteriors, rows: usize, width: usize, normal: &mut impl FnMut() -> f64) -> Self {
        let mut draws = Self { latents: Vec::new(), log_densities: vec![0.0; rows] };
        for i in 0..rows * width {
            let at = i % gaussians.means.len();
            let (mean, v) = (f64::from(gaussians.means[at]), f64::from(gaussians.log_variances[at]));
            let noise = normal();
            draws.latents.push((mean + (0.5 * v).exp() * noise) as f32);
            draws.log_densities[i / width] -= 0.5 * (std::f64::consts::TAU.ln() + v + noise * noise);
        }
        draws
    }
}

impl Density {
    /// log p(x, z) / q(z|x) of a draw z from the encoder's q(z|x) for each row, `[rows * images]`: the mean of an image's
    /// rows is an estimate of its evidence lower bound. `normal` gives the draws.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encoder_log_weights(&mut self, mut normal: impl FnMut() -> f64) -> Result<Vec<f64>> {
        let q = self.encode()?;
        let (rows, width) = (self.total(), self.spec().latent);
        let lower = Draws::of(&q, rows, width, &mut normal);
        let (latents, densities) = match self.upper() {
            None => (lower.latents, lower.log_densities),
            Some(upper) => self.draw_upper(upper, &lower, &mut normal)?,
        };
        let values = self.log_likelihood(&latents)?;
        let standard = |z: f32| -0.5 * (std::f64::consts::TAU.ln() + f64::from(z).powi(2));
        let weights = latents.chunks(self.latent()).zip(values).zip(densities);
        Ok(weights.map(|((z, value), q)| value + z.iter().map(|&z| standard(z)).sum::<f64>() - q).collect())
    }

    /// h2 from q(h2|h1) of the draws `lower` of h1. Both as noise, and the logarithm of its density, which is that of the
    /// latents times the deviations of p(h1|h2).
    fn draw_upper(
        &mut self,
        upper: UpperDensity,
        lower: &Draws,
        normal: &mut impl FnMut() -> f64,
    ) -> Result<(Vec<f32>, Vec<f64>)> {
        let (rows, width, top) = (self.total(), self.spec().latent, self.spec().top_latent());
        self.write(upper.lower, &lower.latents)?;
        self.run("encode-upper")?;
        let above = Draws::of(&self.read_posteriors(upper.posterior)?, rows, top, normal);
        let joined = |lower: &[f32]| -> Vec<f32> {
            let rows = lower.chunks(width).zip(above.latents.chunks(top));
            rows.flat_map(|(lower, upper)| lower.iter().chain(upper).copied()).collect()
        };
        // p(h1|h2) is that of h2; the noise that gives h1 follows from it.
        self.set_latents(&joined(&lower.latents))?;
        self.run("prior")?;
        let prior = self.read_posteriors(upper.prior)?;
        let of_prior = prior.means.iter().zip(&prior.log_variances);
        let noise: Vec<f32> = lower
            .latents
            .iter()
            .zip(of_prior)
            .map(|(h1, (mean, v))| (h1 - mean) * (-0.5 * v).exp())
            .collect();
        let deviations = prior.log_variances.chunks(width);
        let deviations = deviations.map(|row| row.iter().map(|&v| 0.5 * f64::from(v)).sum::<f64>());
        let densities = lower.log_densities.iter().zip(&above.log_densities).zip(deviations);
        Ok((joined(&noise), densities.map(|((lower, upper), scale)| lower + upper + scale).collect()))
    }
}
