//! What the latent dimensions of each stochastic layer carry.

use super::latents::LatentUse;
use crate::Result;
use crate::session::{Posteriors, Session};

/// Draws of both layers that averages over them take.
const DRAWS: usize = 8;

/// What the dimensions of each stochastic layer carry over the images with these `posteriors` (of the first layer, see
/// [`Session::encode`]), the layer nearest to the data first.
///
/// With two layers h1 and h2 a dimension's divergence is the average over their samples of log q(h1|x) - log p(h1|h2), and
/// of KL(q(h2|h1) || p(h2)); the sum over all is that of the evidence lower bound. The posterior mean of h2 is that of
/// q(h2|x), an average over draws of h1; what so few draws add to its variance over images is taken off again.
///
/// # Errors
/// If the device fails.
pub fn layer_use(session: &mut Session, posteriors: &Posteriors) -> Result<Vec<LatentUse>> {
    let mut lower = LatentUse::of(posteriors, session.spec().latent);
    if session.spec().upper.is_none() {
        return Ok(vec![lower]);
    }
    let (width, top) = (session.spec().latent, session.spec().top_latent());
    let images = (posteriors.means.len() / width).max(1);
    let mut divergences = vec![0.0; width];
    let mut upper = LatentUse { divergences: vec![0.0; top], mean_variances: vec![0.0; top] };
    // Sums over draws of the means of q(h2|h1) and of their squares.
    let mut sums = vec![[0.0_f64; 2]; images * top];
    let share = 1.0 / (DRAWS * images) as f64;
    for draw in 0..DRAWS {
        let drawn = session.draw_layers(posteriors, draw)?;
        for (i, &z) in drawn.lower.iter().enumerate() {
            let density = |of: &Posteriors| {
                let (mean, v) = (f64::from(of.means[i]), f64::from(of.log_variances[i]));
                -0.5 * (v + (f64::from(z) - mean).powi(2) * (-v).exp())
            };
            divergences[i % width] += share * (density(posteriors) - density(&drawn.prior));
        }
        for (d, divergence) in LatentUse::of(&drawn.upper, top).divergences.into_iter().enumerate() {
            upper.divergences[d] += divergence / DRAWS as f64;
        }
        for (sums, &mean) in sums.iter_mut().zip(&drawn.upper.means) {
            *sums = [sums[0] + f64::from(mean), sums[1] + f64::from(mean).powi(2)];
        }
    }
    lower.divergences = divergences;
    for (d, variance) in upper.mean_variances.iter_mut().enumerate() {
        let of_images = sums.iter().skip(d).step_by(top).map(|sums| sums.map(|sum| sum / DRAWS as f64));
        let (mut first, mut second, mut within) = (0.0, 0.0, 0.0);
        for [mean, square] in of_images {
            first += mean / images as f64;
            second += mean * mean / images as f64;
            // The variance of a mean of so many draws.
            within += (square - mean * mean) / (DRAWS - 1) as f64 / images as f64;
        }
        *variance = (second - first * first - within).max(0.0);
    }
    Ok(vec![lower, upper])
}

/// The dimensions of all layers in one list, the layer nearest to the data first.
pub fn joined(layers: Vec<LatentUse>) -> LatentUse {
    let mut all = LatentUse::default();
    for layer in layers {
        all.divergences.extend(layer.divergences);
        all.mean_variances.extend(layer.mean_variances);
    }
    all
}
