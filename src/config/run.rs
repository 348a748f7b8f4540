//! `[run]`: how long to train, where, and from which seed.

use crate::checks::counted;
use crate::device::DeviceChoice;
use crate::tuning::Tuning;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The course of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RunConfig {
    /// Images in a minibatch.
    pub batch_size: usize,
    /// Passes over the training images.
    pub epochs: u64,
    /// Steps to train, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Seed of everything random.
    pub seed: u64,
    /// Algorithm by which an epoch's images are put in order: [`RunConfig::ORDER`], or 1, that of runs whose file does not
    /// say.
    pub order: u32,
    /// Where to run.
    pub device: DeviceChoice,
    /// Whether the metrics of every step are written to `steps.csv`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub log_steps: bool,
    /// Number of held-out pictures that the run keeps in its folder, to look at where the dataset is not.
    pub keep_pictures: usize,
    /// A safetensors file, or the folder of another run, whose weights the run begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// How the variants of matrix products are chosen on an adapter.
    pub matmul: Tuning,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            batch_size: 64,
            epochs: 16,
            steps: None,
            seed: 1,
            order: Self::ORDER,
            device: DeviceChoice::Auto,
            log_steps: false,
            keep_pictures: 64,
            from: None,
            matmul: Tuning::Measured,
        }
    }
}

impl RunConfig {
    /// The epoch order of new runs.
    pub const ORDER: u32 = 2;

    /// Refuse settings that make no sense, and make the path absolute.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path; [`Error::Io`] if there is no current folder.
    pub fn resolve(mut self) -> Result<Self> {
        counted("run.batch-size", self.batch_size as u64)?;
        counted("run.epochs", self.epochs)?;
        counted("run.steps", self.steps.unwrap_or(1))?;
        if !(1..=Self::ORDER).contains(&self.order) {
            let problem = format!("there is no order {}", self.order);
            return Err(Error::setting(
                "run.order",
                problem,
                "leave it out, or give 1 for that of older runs",
            ));
        }
        if let Some(from) = &mut self.from {
            *from = std::path::absolute(&from).map_err(|source| Error::io(&from, source))?;
        }
        Ok(self)
    }
}
