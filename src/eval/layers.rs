//! Use of the latent dimensions of each stochastic layer.

use super::latents::LatentUse;
use crate::Result;
use crate::session::{Posteriors, Session};

/// Draws of all layers that averages over them take.
const DRAWS: usize = 8;

/// Use of the dimensions of each stochastic layer over the images with these `posteriors` (of the first layer, see
/// [`Session::encode`]), the layer nearest to the data first.
///
/// With several layers h1, .., hN a dimension's divergence is the average over their samples of
/// log q(hk|hk-1) - log p(hk|hk+1), and of KL(q(hN|hN-1) || p(hN)); the sum over all is that of the evidence lower bound.
/// The posterior mean of hk is that of q(hk|x), an average over draws of the layers below; the variance over images
/// is corrected for the noise of these averages.
///
/// # Errors
/// If the device fails.
pub fn layer_use(session: &mut Session, posteriors: &Posteriors) -> Result<Vec<LatentUse>> {
    let widths = session.latent_widths()?;
    let first = LatentUse::of(posteriors, widths[0]);
    if widths.len() == 1 {
        return Ok(vec![first]);
    }
    let images = (posteriors.means.len() / widths[0]).max(1);
    let mut all: Vec<LatentUse> = widths
        .iter()
        .map(|&width| LatentUse { divergences: vec![0.0; width], mean_variances: vec![0.0; width] })
        .collect();
    // Of each layer sums over draws of the posterior means and of their squares.
    let mut sums: Vec<Vec<[f64; 2]>> = widths.iter().map(|width| vec![[0.0; 2]; images * width]).collect();
    let share = 1.0 / (DRAWS * images) as f64;
    for draw in 0..DRAWS {
        let drawn = session.draw_layers(posteriors, draw)?;
        for (layer, (latents, prior)) in drawn.drawn.iter().zip(&drawn.priors).enumerate() {
            for (i, &z) in latents.iter().enumerate() {
                let density = |of: &Posteriors| {
                    let (mean, v) = (f64::from(of.means[i]), f64::from(of.log_variances[i]));
                    -0.5 * (v + (f64::from(z) - mean).powi(2) * (-v).exp())
                };
                let divergence = density(&drawn.posteriors[layer]) - density(prior);
                all[layer].divergences[i % widths[layer]] += share * divergence;
            }
        }
        let last = widths.len() - 1;
        for (d, divergence) in
            LatentUse::of(&drawn.posteriors[last], widths[last]).divergences.into_iter().enumerate()
        {
            all[last].divergences[d] += divergence / DRAWS as f64;
        }
        for (sums, posteriors) in sums.iter_mut().zip(&drawn.posteriors).skip(1) {
            for (sums, &mean) in sums.iter_mut().zip(&posteriors.means) {
                *sums = [sums[0] + f64::from(mean), sums[1] + f64::from(mean).powi(2)];
            }
        }
    }
    all[0].mean_variances = first.mean_variances;
    for ((layer, &width), sums) in all.iter_mut().zip(&widths).zip(&sums).skip(1) {
        for (d, variance) in layer.mean_variances.iter_mut().enumerate() {
            *variance = variance_of_means(sums.iter().skip(d).step_by(width), images);
        }
    }
    Ok(all)
}

/// The variance over images of a mean over draws, of which `sums` holds the sum and that of squares for each image.
fn variance_of_means<'a>(sums: impl Iterator<Item = &'a [f64; 2]>, images: usize) -> f64 {
    let (mut first, mut second, mut within) = (0.0, 0.0, 0.0);
    for [mean, square] in sums.map(|sums| sums.map(|sum| sum / DRAWS as f64)) {
        first += mean / images as f64;
        second += mean * mean / images as f64;
        // The variance of a mean over the draws.
        within += (square - mean * mean) / (DRAWS - 1) as f64 / images as f64;
    }
    (second - first * first - within).max(0.0)
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
