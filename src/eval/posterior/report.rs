//! The records that `vae posterior --json` writes.

use super::{Identity, PosteriorStudy, Sampled};
use crate::Result;
use crate::eval::pixels::pixel_rule;
use crate::run::{RunHeader, TrainedModel};
use serde::Serialize;

/// Deviation of the chains' moments from the grid's, in standard errors, above which the chains have missed the posterior.
const ASTRAY: f64 = 8.0;

/// The identity log p(x) = ELBO + KL for some images, in nats.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model.
    #[serde(flatten)]
    pub header: RunHeader,
    /// Distribution of the pixels.
    pub likelihood: String,
    /// How pixels are made black or white.
    pub binarize: String,
    /// How pixels enter the likelihood.
    pub pixels: &'static str,
    /// Name of the device.
    pub device: String,
    /// Every image.
    pub images: Vec<Entry>,
    /// Their averages.
    pub summary: Summary,
}

/// One image.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The terms of the identity.
    #[serde(flatten)]
    pub identity: Identity,
    /// The posterior by chains, if there are any.
    pub hmc: Option<Sampled>,
}

/// Means over images, and the largest absolute values of the errors.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// log p(x).
    pub log_evidence: f64,
    /// Evidence lower bound.
    pub elbo: f64,
    /// KL(q || p(z|x)).
    pub kl: f64,
    /// The part of it that the best diagonal Gaussian has too.
    pub approximation_gap: f64,
    /// The part that the encoder adds.
    pub amortisation_gap: f64,
    /// Largest residual of log p(x) = ELBO + KL.
    pub largest_residual: f64,
    /// Largest error of an integral on a grid.
    pub largest_grid_error: f64,
    /// Largest error of an ELBO.
    pub largest_elbo_error: f64,
    /// Root mean square difference of HMC's moments to the grid's, in HMC's standard errors: about 1.
    pub hmc_deviation: Option<f64>,
    /// Number of images whose chains have missed the posterior that the grid shows.
    pub hmc_astray: usize,
}

impl Report {
    /// Study the held-out images of `model` with these numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn of(study: &mut PosteriorStudy, model: &TrainedModel, numbers: &[usize]) -> Result<Self> {
        let identities = numbers.iter().map(|&number| study.identity(&model.dataset, number));
        let identities = identities.collect::<Result<Vec<_>>>()?;
        let hmc = match study.sample(&model.dataset, numbers)? {
            Some(all) => all.into_iter().map(Some).collect(),
            None => vec![None; numbers.len()],
        };
        let entries = identities.into_iter().zip(hmc);
        let images: Vec<Entry> = entries.map(|(identity, hmc)| Entry { identity, hmc }).collect();
        let (likelihood, binarize) = (model.config.model.likelihood().kind, model.config.binarization());
        Ok(Self {
            header: model.header(),
            likelihood: likelihood.to_string(),
            binarize: binarize.to_string(),
            pixels: pixel_rule(likelihood, binarize),
            device: model.session.device_name(),
            summary: Summary::of(&images),
            images,
        })
    }
}

impl Entry {
    /// The largest difference of HMC's moments to the grid's, in standard errors; `None` for fewer than two chains.
    pub fn worst(&self) -> Option<f64> {
        let deviations = self.hmc.as_ref()?.deviations(&self.identity.grid);
        deviations.into_iter().map(f64::abs).reduce(f64::max)
    }

    /// Whether the chains have missed the posterior that the grid shows.
    pub fn astray(&self) -> bool {
        self.worst().is_some_and(|worst| worst > ASTRAY)
    }
}

impl Summary {
    /// Over `images`.
    pub fn of(images: &[Entry]) -> Self {
        let count = images.len() as f64;
        let mean =
            |f: &dyn Fn(&Identity) -> f64| images.iter().map(|it| f(&it.identity)).sum::<f64>() / count;
        let largest =
            |f: &dyn Fn(&Identity) -> f64| images.iter().map(|it| f(&it.identity).abs()).fold(0.0, f64::max);
        let deviations: Vec<f64> = images
            .iter()
            .filter_map(|it| Some(it.hmc.as_ref()?.deviations(&it.identity.grid)))
            .flatten()
            .collect();
        let square = deviations.iter().map(|z| z * z).sum::<f64>() / deviations.len() as f64;
        Self {
            log_evidence: mean(&|it| it.grid.log_evidence),
            elbo: mean(&|it| it.elbo),
            kl: mean(&|it| it.grid.kl),
            approximation_gap: mean(&|it| it.approximation_gap),
            amortisation_gap: mean(&|it| it.amortisation_gap),
            largest_residual: largest(&|it| it.residual),
            largest_grid_error: largest(&|it| it.grid.error()),
            largest_elbo_error: largest(&|it| it.elbo_error),
            hmc_deviation: (!deviations.is_empty()).then(|| square.sqrt()),
            hmc_astray: images.iter().filter(|it| it.astray()).count(),
        }
    }
}
