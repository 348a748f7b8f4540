//! The picture of one image's posterior.

use super::{Entry, PosteriorStudy};
use crate::Result;
use crate::eval::gaussian::Gaussian;
use crate::eval::pixels::observed;
use crate::report::{self, Field, PosteriorPicture};
use crate::run::TrainedModel;
use crate::text::error_text;
use image::RgbImage;

/// Points along a side of the picture's close-up.
const SIDE: usize = 161;

/// log p(x, z) around the posterior of `entry`, which `study` looked at last, with the encoder's Gaussian, the best one, and
/// the draws of chains.
///
/// # Errors
/// If the device fails.
pub fn picture(study: &mut PosteriorStudy, model: &TrainedModel, entry: &Entry) -> Result<RgbImage> {
    let Entry { identity, hmc } = entry;
    let d = identity.encoder.mean.len();
    let diagonal = |it: &Gaussian| (0..d).map(|i| (it.mean[i], it.deviation(i))).collect::<Vec<_>>();
    let [encoder, best] = [&identity.encoder, &identity.best].map(diagonal);
    let (x, y, side) = frame(entry, &encoder, &best);
    let points: Vec<f32> = if d == 2 {
        Field::points(x, y, side).into_iter().flatten().map(|z| z as f32).collect()
    } else {
        let at = |i: usize| x.0 + (x.1 - x.0) * i as f64 / (side - 1) as f64;
        (0..side).map(|i| at(i) as f32).collect()
    };
    let likelihood = study.density().log_likelihood(&points)?;
    let prior = |z: &[f32]| z.iter().map(|z| -0.5 * f64::from(*z).powi(2)).sum::<f64>();
    let values = likelihood.iter().zip(points.chunks(d)).map(|(value, z)| value + prior(z)).collect();
    let picture = PosteriorPicture {
        title: format!("{}: posterior of held-out image {}", model.dataset.name, identity.image),
        pixels: &observed(&model.dataset, identity.image, model.config.binarization()),
        shape: model.dataset.shape,
        joint: Field { x, y, side, values },
        encoder,
        best,
        draws: hmc.as_ref().map_or(&[][..], |hmc| &hmc.draws),
        notes: notes(entry),
    };
    Ok(report::posterior(&picture))
}

/// The ranges of the picture's axes, and the number of points along a side.
fn frame(entry: &Entry, encoder: &[(f64, f64)], best: &[(f64, f64)]) -> ((f64, f64), (f64, f64), usize) {
    let (grid, d) = (&entry.identity.grid, encoder.len());
    let range = |i: usize| {
        let (mean, deviation) = (grid.mean[i], grid.covariance[i * d + i].sqrt());
        let mut ends = (mean - 3.6 * deviation, mean + 3.6 * deviation);
        for (m, s) in [encoder[i], best[i]] {
            ends = (ends.0.min(m - 3.3 * s), ends.1.max(m + 3.3 * s));
        }
        ends
    };
    let x = range(0);
    if d < 2 {
        return (x, (0.0, 0.0), 4 * SIDE);
    }
    let y = range(1);
    // One scale on both axes, so that circles are round.
    let half = ((x.1 - x.0).max(y.1 - y.0)) / 2.0;
    let square = |(low, high): (f64, f64)| ((low + high) / 2.0 - half, (low + high) / 2.0 + half);
    (square(x), square(y), SIDE)
}

/// The numbers beside the picture.
fn notes(Entry { identity, hmc }: &Entry) -> Vec<String> {
    let mut notes = vec![
        format!("log p(x)  {:.4}", identity.grid.log_evidence),
        format!("ELBO  {:.4}", identity.elbo),
        format!("KL(q || posterior)  {:.4}", identity.grid.kl),
        format!("  approximation  {:.4}", identity.approximation_gap),
        format!("  amortisation  {:.4}", identity.amortisation_gap),
        format!("residual  {:.1e}", identity.residual),
    ];
    if let Some(hmc) = hmc {
        let (it, error) = (hmc.annealed.log_evidence, hmc.annealed.standard_error);
        notes.push(format!("log p(x) by AIS  {it:.2} ± {}", error_text(error, 2)));
    }
    notes.into_iter().map(|note| note.replace('-', "−")).collect()
}
