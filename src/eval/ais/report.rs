//! Averages over images of what annealing finds, as `vae eval --json` writes them.

use super::{AisSettings, Annealer, Estimate, Evidence, Sandwich};
use crate::Result;
use crate::device::OpenDevice;
use crate::eval::average::mean_and_error;
use crate::eval::density::{Density, Weights};
use crate::eval::pixels::{observed, pixel_rule};
use crate::run::TrainedModel;
use serde::Serialize;

/// Rows of a pass on the processor and on a GPU: enough to keep the device busy.
const ROWS: [usize; 2] = [1024, 8192];

/// Estimates of log p(x) by annealing, where they were computed; nats per image.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Annealed {
    /// Of held-out images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ais: Option<AisReport>,
    /// Of simulated images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bdmc: Option<BdmcReport>,
}

/// log p(x) of held-out images by annealed importance sampling; nats per image.
#[derive(Clone, Debug, Serialize)]
pub struct AisReport {
    /// Settings of the chains.
    pub settings: AisSettings,
    /// How pixels enter the likelihood.
    pub pixels: &'static str,
    /// Mean over images of log p(x).
    pub log_evidence: f64,
    /// Standard error of the mean, from the spread of the chains.
    pub standard_error: f64,
    /// Standard error of the mean, from the spread of the images. Null for a single image.
    pub standard_error_over_images: f64,
    /// ELBO of the same images.
    pub elbo: f64,
    /// Standard error of the ELBO, from the spread of its samples.
    pub elbo_standard_error: f64,
    /// Number of images whose estimate lies clearly below their ELBO: annealing has missed their posterior.
    pub images_missed: usize,
    /// Mean acceptance of the transitions.
    pub acceptance: f64,
    /// Every image.
    pub images: Vec<Evidence>,
}

/// Bounds of log p(x) of simulated images from both sides; nats per image.
#[derive(Clone, Debug, Serialize)]
pub struct BdmcReport {
    /// Settings of the chains.
    pub settings: AisSettings,
    /// Mean lower bound.
    pub lower: f64,
    /// Standard error of the mean, from the spread of the chains.
    pub lower_standard_error: f64,
    /// Mean upper bound.
    pub upper: f64,
    /// Standard error of the mean, from the spread of chains that begin at one exact draw of each image's posterior. It
    /// ignores the randomness of that draw.
    pub upper_standard_error: f64,
    /// Mean difference of the bounds.
    pub gap: f64,
    /// Standard error of the mean gap, from the spread of the images.
    pub gap_standard_error: f64,
    /// Mean acceptance of the transitions.
    pub acceptance: f64,
    /// Every image.
    pub images: Vec<Sandwich>,
}

/// Mean of estimates, and its standard error if the images are taken as given.
fn combined(estimates: impl Iterator<Item = Estimate> + Clone) -> (f64, f64) {
    let count = estimates.clone().count() as f64;
    let error = estimates.clone().map(|it| it.standard_error.powi(2)).sum::<f64>().sqrt() / count;
    (estimates.map(|it| it.log_evidence).sum::<f64>() / count, error)
}

/// Chains of `model` for `images` images, as many at a time as fill a pass.
fn annealer(model: &mut TrainedModel, settings: AisSettings, images: usize) -> Result<Annealer> {
    let task = model.session.task().clone();
    let weights = Weights::of(&mut model.session)?;
    let rows = ROWS[usize::from(!matches!(model.device, OpenDevice::Cpu))];
    let together = (Density::rows_for(task.density("--ais")?, rows) / settings.chains).clamp(1, images);
    let size = (together, settings.chains);
    let density = Density::open(&model.device, &task, &weights, size, settings.leapfrog, settings.seed)?;
    Annealer::new(density, settings)
}

impl AisReport {
    /// Anneal to the posteriors of the first `images` held-out images. `progress` receives the number of finished images.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for settings without temperatures or a model without latents; else if the device fails.
    pub fn of(
        model: &mut TrainedModel,
        settings: AisSettings,
        images: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let images = images.min(model.dataset.test.count);
        let mut annealer = annealer(model, settings, images)?;
        let binarize = model.config.binarization();
        let pixels: Vec<f32> =
            (0..images).flat_map(|number| observed(&model.dataset, number, binarize)).collect();
        let (found, acceptance) = annealer.evidence(&pixels, progress)?;
        let (log_evidence, standard_error) = combined(found.iter().map(|it| it.estimate));
        let (_, standard_error_over_images) = mean_and_error(found.iter().map(|it| it.estimate.log_evidence));
        let count = found.len() as f64;
        let variance = found.iter().map(|it| it.elbo_standard_error.powi(2)).sum::<f64>();
        Ok(Self {
            settings,
            pixels: pixel_rule(model.config.model.likelihood().kind, binarize),
            log_evidence,
            standard_error,
            standard_error_over_images,
            elbo: found.iter().map(|it| it.elbo).sum::<f64>() / count,
            elbo_standard_error: variance.sqrt() / count,
            images_missed: found.iter().filter(|it| it.missed()).count(),
            acceptance,
            images: found,
        })
    }
}

impl BdmcReport {
    /// Simulate `images` images from the model, and bound log p(x) of each from both sides. `progress` receives the number
    /// of finished images.
    ///
    /// # Errors
    /// As [`AisReport::of`].
    pub fn of(
        model: &mut TrainedModel,
        settings: AisSettings,
        images: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let (sandwiches, acceptance) = annealer(model, settings, images)?.sandwich(images, progress)?;
        let (lower, lower_standard_error) = combined(sandwiches.iter().map(|it| it.lower));
        let (upper, upper_standard_error) = combined(sandwiches.iter().map(|it| it.upper));
        let gaps = sandwiches.iter().map(|it| it.upper.log_evidence - it.lower.log_evidence);
        let (gap, gap_standard_error) = mean_and_error(gaps);
        Ok(Self {
            settings,
            lower,
            lower_standard_error,
            upper,
            upper_standard_error,
            gap,
            gap_standard_error,
            acceptance,
            images: sandwiches,
        })
    }
}
