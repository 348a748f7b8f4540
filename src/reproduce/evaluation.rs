//! The likelihood of a recipe's model by importance weights, and the number of its active latent dimensions.

use crate::Result;
use crate::data::Dataset;
use crate::device::OpenDevice;
use crate::eval::importance::Importance;
use crate::eval::layers::layer_use;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How a recipe's models are evaluated, beyond the held-out ELBO that training reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Evaluation {
    /// Samples K per image of the bound L_K.
    pub importance_samples: usize,
    /// Number of held-out images to use when only a fraction of the epochs is run. All are used otherwise, and if this is
    /// not given.
    #[serde(default)]
    pub scaled_images: Option<usize>,
}

/// Active and all latent dimensions of a stochastic layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerUnits {
    /// Those whose posterior mean varies by more than [`crate::eval::latents::ACTIVE`] over all held-out images.
    pub active: usize,
    /// All.
    pub all: usize,
}

/// The likelihood of held-out images under a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likelihood {
    /// -L_K, averaged over images: an upper bound on -log p(x) in expectation, nats per image.
    pub negative_log_likelihood: f64,
    /// Standard error of that average, over images.
    pub standard_error: f64,
    /// K.
    pub samples: usize,
    /// Number of held-out images used, the first ones.
    pub images: usize,
    /// The stochastic layers, that nearest to the data first.
    pub layers: Vec<LayerUnits>,
    /// Seconds it took.
    pub seconds: f64,
}

impl Evaluation {
    /// Number of the `held_out` images to use when the fraction `scale` of the epochs is run.
    pub fn images(&self, held_out: usize, scale: f64) -> usize {
        let most = if scale < 1.0 { self.scaled_images } else { None };
        most.map_or(held_out, |most| most.min(held_out))
    }

    /// Evaluate the model that `session` has trained on `device`, by the first `images` held-out images of `dataset`.
    /// `progress` receives the number of finished images. The noise is fixed, the same as in `vae eval`.
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
        let images = images.min(all.len());
        let found = Importance::of(device, session, dataset, images, self.importance_samples, progress)?;
        Ok(Likelihood {
            negative_log_likelihood: found.negative_log_likelihood,
            standard_error: found.standard_error,
            samples: found.samples,
            images,
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
