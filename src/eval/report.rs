//! Measurements of a trained model, as `vae eval --json` writes them.

use super::ais::Annealed;
use super::importance::Importance;
use super::latents::Surgery;
use super::layers::{joined, layer_use};
use crate::Result;
use crate::graph::{Binarize, LikelihoodKind};
use crate::run::{RunHeader, TrainedModel};
use crate::session::Session;
use serde::Serialize;
use std::collections::BTreeMap;

/// Measurements on held-out images. Nats per image; `elbo` is `-(reconstruction + kl)`. A deterministic autoencoder has
/// neither of the two.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model.
    #[serde(flatten)]
    pub header: RunHeader,
    /// Evidence lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elbo: Option<f64>,
    /// Negative log-likelihood given the latents.
    pub reconstruction: f64,
    /// KL divergence from posterior to prior.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Squared error of the expected image of a posterior sample, summed over pixels and channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub squared_error: Option<f64>,
    /// Further terms of the objective, such as `penalty`.
    #[serde(flatten)]
    pub others: BTreeMap<String, f64>,
    /// Number of images.
    pub images: usize,
    /// Latent samples per image.
    pub samples: usize,
    /// Distribution of the pixels.
    pub likelihood: LikelihoodKind,
    /// How pixels are made black or white.
    pub binarize: Binarize,
    /// Name of the device.
    pub device: String,
    /// Use of the latent dimensions.
    pub latents: Latents,
    /// The importance-weighted bound, if it was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// Estimates by annealing, if they were computed.
    #[serde(flatten)]
    pub annealed: Annealed,
}

/// Use of the latent dimensions; nats per image.
#[derive(Clone, Debug, Serialize)]
pub struct Latents {
    /// Number of dimensions whose posterior mean varies by more than 0.01 over images.
    pub active_units: usize,
    /// KL divergence of each dimension; empty for a deterministic autoencoder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kl_per_dimension: Vec<f64>,
    /// Variance over images of each dimension's posterior mean, or code.
    pub mean_variance_per_dimension: Vec<f64>,
    /// What the samples say of the images; `None` for a deterministic autoencoder, whose codes have no density.
    #[serde(flatten)]
    pub information: Option<Information>,
    /// Each of several stochastic layers, the one nearest to the data first; empty for a single layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
}

/// The KL divergence of posteriors in two parts; nats per image.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Information {
    /// I(x; z). With KL(q(z) || p(z)) it adds up to the sum of the dimensions' divergences. With one stochastic layer that
    /// sum is `kl`; with several, both are averages over samples, and the samples differ.
    pub mutual_information: f64,
    /// Null for a single image.
    pub mutual_information_standard_error: f64,
    /// KL(q(z) || p(z)).
    pub aggregate_kl: f64,
}

/// Use of the dimensions of one of several stochastic layers; nats per image.
#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    /// Number of dimensions whose posterior mean varies by more than 0.01 over images.
    pub active_units: usize,
    /// Their KL divergence.
    pub kl: f64,
    /// KL divergence of each dimension.
    pub kl_per_dimension: Vec<f64>,
    /// Variance over images of each dimension's posterior mean.
    pub mean_variance_per_dimension: Vec<f64>,
}

impl Report {
    /// Measure the ELBO, averaged over `samples` samples per image, and the use of the latent dimensions, on the first
    /// `images` held-out images.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model has no latents; else if the device fails.
    pub fn of(model: &mut TrainedModel, images: usize, samples: usize) -> Result<Self> {
        let images = images.min(model.dataset.test.count);
        let evaluation = model.session.evaluate(images, samples)?;
        let has_density = !model.session.task().objective.kind.is_deterministic();
        Ok(Self {
            header: model.header(),
            elbo: has_density.then(|| evaluation.elbo()),
            reconstruction: evaluation.reconstruction,
            kl: has_density.then_some(evaluation.kl),
            squared_error: evaluation.squared_error,
            others: evaluation.others,
            images: evaluation.images,
            samples: evaluation.samples,
            likelihood: model.config.model.likelihood().kind,
            binarize: model.config.binarization(),
            device: model.session.device_name(),
            latents: Latents::of(&mut model.session, images)?,
            importance: None,
            annealed: Annealed::default(),
        })
    }
}

impl Latents {
    /// Measure the first `images` held-out images.
    ///
    /// # Errors
    /// As [`Report::of`].
    pub fn of(session: &mut Session, images: usize) -> Result<Self> {
        let width = session.latent_widths()?[0];
        let numbers: Vec<u32> = (0..images as u32).collect();
        let posteriors = session.encode(&numbers)?;
        let layers = layer_use(session, &posteriors)?;
        let each = match &layers[..] {
            [_] => Vec::new(),
            layers => layers
                .iter()
                .map(|layer| Layer {
                    active_units: layer.active(),
                    kl: layer.divergences.iter().sum(),
                    kl_per_dimension: layer.divergences.clone(),
                    mean_variance_per_dimension: layer.mean_variances.clone(),
                })
                .collect(),
        };
        let used = joined(layers);
        // Given the first layer, the later ones are independent of the image: they add no information about it.
        let information = (!posteriors.log_variances.is_empty()).then(|| {
            let surgery = Surgery::of(&posteriors, width, used.divergences.iter().sum());
            Information {
                mutual_information: surgery.mutual_information,
                mutual_information_standard_error: surgery.standard_error,
                aggregate_kl: surgery.aggregate_divergence,
            }
        });
        Ok(Self {
            active_units: used.active(),
            kl_per_dimension: used.divergences,
            mean_variance_per_dimension: used.mean_variances,
            information,
            layers: each,
        })
    }
}
