//! A run's model, ready to be evaluated.

use super::{Checkpoint, RunFolder, TrainState, Wanted};
use crate::config::{Config, Difference};
use crate::data::Dataset;
use crate::device::{DeviceChoice, OpenDevice};
use crate::model::Task;
use crate::session::Session;
use crate::tuning::Matmul;
use crate::{Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Identifies a trained model at the head of a JSON record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunHeader {
    /// The run's folder.
    pub run: PathBuf,
    /// The checkpoint that its parameters are from.
    pub checkpoint: PathBuf,
    /// Training steps before the checkpoint.
    pub step: u64,
    /// Name of the dataset.
    pub dataset: String,
}

/// The parameters of a run on a device, with the images of its dataset.
#[derive(Debug)]
pub struct TrainedModel {
    /// The run's folder.
    pub run: RunFolder,
    /// The run's settings.
    pub config: Config,
    /// Its images.
    pub dataset: Dataset,
    /// Where it runs.
    pub device: OpenDevice,
    /// Its model.
    pub session: Session,
    /// Where training stood when the parameters were saved.
    pub state: TrainState,
    /// The checkpoint the parameters are from.
    pub checkpoint: PathBuf,
}

impl TrainedModel {
    /// The head of JSON records about this model.
    pub fn header(&self) -> RunHeader {
        RunHeader {
            run: self.run.path().to_path_buf(),
            checkpoint: self.checkpoint.clone(),
            step: self.state.step,
            dataset: self.dataset.name.clone(),
        }
    }

    /// Load the checkpoint called `file` of the run at `path`, on `device` or where it was trained, with the images that are
    /// `wanted`.
    ///
    /// # Errors
    /// If `path` is no run, its checkpoint is missing, broken or of another model, the images are gone or of another size, or
    /// the device cannot be used.
    pub fn open(path: &Path, file: &str, device: Option<&DeviceChoice>, wanted: Wanted<'_>) -> Result<Self> {
        Self::open_as(path, file, device, wanted, |task| task)
    }

    /// The same, with what `change` makes of the task.
    ///
    /// # Errors
    /// As [`TrainedModel::open`].
    pub fn open_as(
        path: &Path,
        file: &str,
        device: Option<&DeviceChoice>,
        wanted: Wanted<'_>,
        change: impl FnOnce(Task) -> Task,
    ) -> Result<Self> {
        let (run, config) = RunFolder::open(path)?;
        let file = run.file(file);
        let checkpoint = Checkpoint::load(&file)?;
        check_same_settings(&checkpoint, &file, &config)?;
        check_same_images(&checkpoint, &file, &config)?;
        let dataset = wanted.read(&run, &config.as_trained(checkpoint.shape), checkpoint.shape)?;
        check_same_shape(&checkpoint, &file, &dataset)?;
        let device = OpenDevice::open(device.unwrap_or(&config.run.device))?;
        let matmul = Matmul::from(config.run.matmul.clone());
        let task = change(config.task(dataset.shape).for_evaluation());
        let seen = wanted.seen(&dataset, config.binarization());
        let mut session = Session::open_tuned(device.clone(), &matmul, &task, None, &seen)?;
        checkpoint.restore(&mut session, &file)?;
        Ok(Self { run, config, dataset, session, device, state: checkpoint.state, checkpoint: file })
    }
}

/// Refuse a checkpoint (of file `path`) that was trained under settings by which other images are held out than under
/// `config`.
fn check_same_images(checkpoint: &Checkpoint, path: &Path, config: &Config) -> Result<()> {
    let decides = ["run.seed", "data.test-fraction"];
    match checkpoint.config.difference(config, |path| decides.contains(&path))? {
        None => Ok(()),
        Some(Difference { path: name, was, is }) => {
            let problem = format!(
                "it was trained with {name} = {was}, and with {is}, as the run's config.toml says, other images are held \
                 out"
            );
            let hint = "put back the run's own checkpoint and config.toml";
            Err(Error::checkpoint(path, problem, hint))
        }
    }
}

/// Refuse a checkpoint (of file `path`) whose parameters would mean something else in the model of `config`: one whose
/// table `[model]`, binarisation, or image size differs.
///
/// # Errors
/// [`Error::Checkpoint`] naming the first setting, or the image size, that differs.
pub fn check_same_model(
    checkpoint: &Checkpoint,
    path: &Path,
    config: &Config,
    dataset: &Dataset,
) -> Result<()> {
    check_same_settings(checkpoint, path, config)?;
    check_same_shape(checkpoint, path, dataset)
}

/// Refuse a checkpoint (of file `path`) of another model than that of `config`: see [`check_same_model`].
///
/// # Errors
/// [`Error::Checkpoint`] naming the first setting that differs.
pub fn check_same_settings(checkpoint: &Checkpoint, path: &Path, config: &Config) -> Result<()> {
    let decides = |path: &str| path.starts_with("model.") || path == "data.binarize";
    if let Some(Difference { path: name, was, is }) = checkpoint.config.difference(config, decides)? {
        let problem = format!("it was trained with {name} = {was}, but the run's config.toml says {is}");
        let hint = "it is a checkpoint of another model; put back the run's own checkpoint and config.toml";
        return Err(Error::checkpoint(path, problem, hint));
    }
    Ok(())
}

fn check_same_shape(checkpoint: &Checkpoint, path: &Path, dataset: &Dataset) -> Result<()> {
    if checkpoint.shape != dataset.shape {
        let problem = format!(
            "it was trained on images of {}, but those of '{}' are {}",
            checkpoint.shape, dataset.name, dataset.shape
        );
        return Err(Error::checkpoint(path, problem, "name the dataset it was trained on, with --dataset"));
    }
    Ok(())
}
