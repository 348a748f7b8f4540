//! Scores of single images: bounds on log p(x) that depend on the model and the image alone, not on what else is scored.
//!
//! Each image is evaluated by itself, and its noise follows from the digest of its pixels.

use super::density::Weights;
use super::importance::ImportanceSampler;
use crate::Result;
use crate::data::Part;
use crate::device::OpenDevice;
use crate::graph::Binarize;
use crate::model::{Objective, Task};
use crate::session::Session;

/// Latent samples of an image that one step takes.
const SAMPLES_A_STEP: usize = 64;

/// `task` for [`elbos`] by `samples` samples of each image.
#[must_use]
pub fn task(task: Task, samples: usize) -> Task {
    let share = (1..=SAMPLES_A_STEP.min(samples)).rev().find(|share| samples.is_multiple_of(*share));
    Task { batch: 1, objective: Objective { samples: share.unwrap_or(1), ..task.objective }, ..task }
}

/// The evidence lower bound of each image of `part`, by `samples` samples, nats. `session` has these images, held out, in the
/// task of [`task`]. `progress` receives the number of finished images.
///
/// # Errors
/// If the device fails.
pub fn elbos(
    session: &mut Session,
    part: &Part,
    samples: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<f64>> {
    session.task().density("vae score")?;
    session.evaluate_each(&seeds(part), samples, progress)
}

/// Of each image, the seed of its noise.
fn seeds(part: &Part) -> Vec<u64> {
    (0..part.count).map(|index| part.digest(index)).collect()
}

/// The importance-weighted bound L_K of each image of `part` (as it was read: the model may see black and white) by `samples` samples, nats, under the model of `session` on
/// `device`.
///
/// # Errors
/// As [`ImportanceSampler::open`] and [`ImportanceSampler::bounds_alone`].
pub fn bounds(
    device: &OpenDevice,
    session: &mut Session,
    part: &Part,
    samples: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<f64>> {
    let weights = Weights::of(session)?;
    let task = session.task().clone().for_evaluation();
    let mut sampler = ImportanceSampler::open_alone(device, &task, &weights, samples)?;
    let seeds = seeds(part);
    let seen = match task.binarize {
        Binarize::Static | Binarize::Dynamic => part.clone().in_black_and_white(),
        Binarize::None | Binarize::Threshold => part.clone(),
    };
    let bounds = sampler.bounds_alone(&seen, &seeds, progress)?;
    Ok(bounds.into_iter().map(|image| image.bound).collect())
}
