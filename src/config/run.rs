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
    /// Images in a minibatch; where not given 64, or all training images where they are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Passes over the training images; where neither they nor steps are given 16, or as many as take 2,500 steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Steps to train, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Epochs from one evaluation, with its row of `metrics.csv` and its checkpoint, to the next.
    #[serde(skip_serializing_if = "is_one")]
    pub evaluate_every: u64,
    /// Epochs from one measurement of MIG and the score of FactorVAE to the next, on data with factors; 0 for none.
    #[serde(skip_serializing_if = "is_five")]
    pub disentangle_every: u64,
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

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_five(count: &u64) -> bool {
    *count == 5
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            batch_size: None,
            epochs: None,
            steps: None,
            evaluate_every: 1,
            disentangle_every: 5,
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
    /// Images in a minibatch where nothing else is asked for.
    pub const BATCH_SIZE: usize = 64;
    /// Epochs where nothing else is asked for.
    pub const EPOCHS: u64 = 16;

    /// Images in a minibatch.
    pub fn batch_size(&self) -> usize {
        self.batch_size.unwrap_or(Self::BATCH_SIZE)
    }

    /// Passes over the training images.
    pub fn epochs(&self) -> u64 {
        self.epochs.unwrap_or(Self::EPOCHS)
    }

    /// Refuse settings that make no sense, and make the path absolute.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path; [`Error::Io`] if there is no current folder.
    pub fn resolve(mut self) -> Result<Self> {
        counted("run.batch-size", self.batch_size() as u64)?;
        counted("run.epochs", self.epochs())?;
        counted("run.evaluate-every", self.evaluate_every)?;
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
