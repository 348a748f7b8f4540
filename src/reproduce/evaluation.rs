//! The likelihood of a recipe's model by importance weights, and how many of its latent dimensions are in use.

use crate::Result;
use crate::data::Dataset;
use crate::device::OpenDevice;
use crate::eval::average::mean_and_error;
use crate::eval::density::Weights;
use crate::eval::importance::ImportanceSampler;
use crate::eval::layers::layer_use;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How a recipe's models are evaluated, beyond the bound that training tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Evaluation {
    /// Samples K per image of the bound L_K.
    pub importance_samples: usize,
    /// The first so many held-out images are weighed where a fraction of the passes is run; else, and where nothing is
    /// given, all.
    #[serde(default)]
    pub scaled_images: Option<usize>,
}

/// Latent dimensions of a stochastic layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerUnits {
    /// Those whose posterior mean varies by more than [`crate::eval::latents::ACTIVE`] over all held-out images.
    pub active: usize,
    /// All.
    pub all: usize,
}

/// What the held-out images are worth under a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likelihood {
    /// -L_K, averaged over images: an upper bound on -log p(x) in expectation, nats per image.
    pub negative_log_likelihood: f64,
    /// Of that average, over images.
    pub standard_error: f64,
    /// K.
    pub samples: usize,
    /// The first so many held-out images were weighed.
    pub images: usize,
    /// The stochastic layers, that nearest to the data first.
    pub layers: Vec<LayerUnits>,
    /// Seconds it took.
    pub seconds: f64,
}

impl Evaluation {
    /// How many of `held_out` images are weighed where this fraction of the passes is run.
    pub fn images(&self, held_out: usize, scale: f64) -> usize {
        let most = if scale < 1.0 { self.scaled_images } else { None };
        most.map_or(held_out, |most| most.min(held_out))
    }

    /// Evaluate the model that `session` has trained on `device`, by the first `images` held-out images of `dataset`.
    /// `progress` is told how many are done. The noise is fixed, and that of `vae eval`.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if a weight is not a number; else if the device fails.
    pub fn run(
        &self,
        device: &OpenDevice,
        session: &mut Session,
        dataset: &Dataset,
        images: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Likelihood> {
        let start = Instant::now();
        let all: Vec<u32> = (0..dataset.test.count as u32).collect();
        let posteriors = session.encode(&all)?;
        let layers = layer_use(session, &posteriors)?
            .iter()
            .map(|layer| LayerUnits { active: layer.active(), all: layer.mean_variances.len() })
            .collect();
        let weights = Weights::of(session)?;
        let task = session.task().clone().for_evaluation();
        let samples = self.importance_samples;
        let mut sampler = ImportanceSampler::open(device, &task, &weights, samples)?;
        let bounds = sampler.bounds(&dataset.test, &all[..images.min(all.len())], progress)?;
        let (negative_log_likelihood, standard_error) =
            mean_and_error(bounds.iter().map(|image| -image.bound));
        Ok(Likelihood {
            negative_log_likelihood,
            standard_error,
            samples,
            images: bounds.len(),
            layers,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_images_only_of_fewer_passes() {
        let evaluation = Evaluation { importance_samples: 5, scaled_images: Some(100) };
        assert_eq!((evaluation.images(1000, 1.0), evaluation.images(1000, 0.99)), (1000, 100));
        assert_eq!(evaluation.images(30, 0.5), 30);
        assert_eq!(Evaluation { scaled_images: None, ..evaluation }.images(1000, 0.5), 1000);
    }
}
