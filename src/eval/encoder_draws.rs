//! Latents drawn from the encoder's posteriors, and their importance weights. Where there are several groups of latents
//! the weights are those of the noise that they follow from, see [`crate::model::DensityModel`].

use super::density::Density;
use crate::Result;
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
        let first = self.encode()?;
        let (rows, widths) = (self.total(), self.widths().to_vec());
        let mut groups = vec![Draws::of(&first, rows, widths[0], &mut normal)];
        for (number, &width) in (2..).zip(&widths[1..]) {
            let below = &groups[groups.len() - 1].latents;
            let posteriors = self.gaussians_of(&format!("encode.layer{number}"), below)?;
            groups.push(Draws::of(&posteriors, rows, width, &mut normal));
        }
        let mut densities = vec![0.0; rows];
        for group in &groups {
            densities.iter_mut().zip(&group.log_densities).for_each(|(sum, density)| *sum += density);
        }
        // The noise that a group follows from is its distance to the prior, which the next group gives. Its density is that
        // of the latents times the deviations of the prior.
        let mut noise = Vec::new();
        for (number, pair) in (1..).zip(groups.windows(2)) {
            let width = widths[number - 1];
            let prior = self.gaussians_of(&format!("prior.layer{number}"), &pair[1].latents)?;
            let of_prior = prior.means.iter().zip(&prior.log_variances);
            let away = pair[0].latents.iter().zip(of_prior);
            noise.push(away.map(|(h, (mean, v))| (h - mean) * (-0.5 * v).exp()).collect::<Vec<f32>>());
            for (sum, row) in densities.iter_mut().zip(prior.log_variances.chunks(width)) {
                *sum += row.iter().map(|&v| 0.5 * f64::from(v)).sum::<f64>();
            }
        }
        noise.extend(groups.pop().map(|top| top.latents));
        let row = |row: usize| {
            let part = |(noise, &width): (&Vec<f32>, &usize)| noise[row * width..(row + 1) * width].to_vec();
            noise.iter().zip(&widths).flat_map(part).collect::<Vec<f32>>()
        };
        let latents: Vec<f32> = (0..rows).flat_map(row).collect();
        let values = self.log_likelihood(&latents)?;
        let standard = |z: f32| -0.5 * (std::f64::consts::TAU.ln() + f64::from(z).powi(2));
        let weights = latents.chunks(self.latent()).zip(values).zip(densities);
        Ok(weights.map(|((z, value), q)| value + z.iter().map(|&z| standard(z)).sum::<f64>() - q).collect())
    }
}
