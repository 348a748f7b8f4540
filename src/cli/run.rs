//! Arguments and actions that the commands on a trained model share.

use super::output;
use clap::Args;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::device::DeviceChoice;
use vae::report;
use vae::run::TrainedModel;
use vae::{Error, Result};

/// Which model, and where to run it.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The run's folder, as made by 'vae train'
    run: PathBuf,
    /// Use the parameters with the best held-out bound, of the kind that was trained, not the latest
    #[arg(long)]
    best: bool,
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices') [default: the run's]
    #[arg(long, value_name = "DEVICE", value_parser = super::settings::device)]
    device: Option<DeviceChoice>,
    /// Where to look for the run's dataset, if it has moved
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl RunArguments {
    /// Load the model.
    ///
    /// # Errors
    /// See [`TrainedModel::open`].
    pub(crate) fn open(&self) -> Result<TrainedModel> {
        let file = if self.best { "best.safetensors" } else { "checkpoint.safetensors" };
        TrainedModel::open(&self.run, file, self.device.as_ref(), self.data_dir.as_deref())
    }

    /// Load the model with these pictures in the place of the images it was trained on.
    ///
    /// # Errors
    /// See [`TrainedModel::open_on`].
    pub(crate) fn open_on(&self, pictures: &[PathBuf]) -> Result<TrainedModel> {
        let file = if self.best { "best.safetensors" } else { "checkpoint.safetensors" };
        TrainedModel::open_on(&self.run, file, self.device.as_ref(), pictures)
    }

    /// Load the model, draw a picture of it, save that as `out` or as `name` in the run's folder, and say where.
    ///
    /// # Errors
    /// If any of it fails.
    pub(crate) fn draw(
        &self,
        out: Option<&PathBuf>,
        name: &str,
        draw: impl FnOnce(&mut TrainedModel) -> Result<RgbImage>,
    ) -> Result<ExitCode> {
        // Refused before the model is loaded.
        if let Some(path) = out {
            check_png(path)?;
        }
        let mut model = self.open()?;
        let picture = draw(&mut model)?;
        let path = out.cloned().unwrap_or_else(|| model.run.file(name));
        report::save_png(&picture, &path)?;
        output::print(&format!("{}\n", path.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuse a picture under another ending.
///
/// # Errors
/// [`Error::Setting`]
pub(crate) fn check_png(path: &Path) -> Result<()> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return Ok(());
    }
    let problem = format!("{} is not a PNG file's name", path.display());
    Err(Error::setting("--out", problem, "name a file that ends in .png"))
}
