//! Arguments and actions that the commands on a trained model share.

use super::output;
use clap::Args;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::device::DeviceChoice;
use vae::report;
use vae::run::{Place, TrainedModel, Wanted};
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
}

/// Where the images are, for the commands that need some.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArguments {
    /// Take the images from here: the place that the run's dataset has moved to, or another dataset, a name or a path; read
    /// in the size and colour of the run's images
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// Folder with the files of a named dataset, if it has moved
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Read only the pictures that were there when the run began, and no files that were added since
    #[arg(long)]
    pictures_as_before: bool,
}

impl DataArguments {
    pub(crate) fn place(&self) -> Place {
        Place {
            dataset: self.dataset.clone(),
            data_dir: self.data_dir.clone(),
            as_before: self.pictures_as_before,
        }
    }
}

/// Flags that commands without images refuse with a reason.
#[derive(Debug, Args)]
pub(crate) struct NoData {
    #[arg(long, hide = true)]
    dataset: Option<String>,
    #[arg(long, hide = true)]
    data_dir: Option<PathBuf>,
}

impl NoData {
    /// # Errors
    /// [`Error::Setting`] if one of them is given.
    pub(crate) fn check(&self) -> Result<()> {
        let given = [("--dataset", self.dataset.is_some()), ("--data-dir", self.data_dir.is_some())];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                let problem = "the command reads no images: the run's checkpoint is enough";
                Err(Error::setting(*flag, problem, "leave it out"))
            }
            None => Ok(()),
        }
    }
}

impl RunArguments {
    /// Load the model, with the images that are `wanted`.
    ///
    /// # Errors
    /// See [`TrainedModel::open`].
    pub(crate) fn open(&self, wanted: Wanted<'_>) -> Result<TrainedModel> {
        let file = if self.best { "best.safetensors" } else { "checkpoint.safetensors" };
        TrainedModel::open(&self.run, file, self.device.as_ref(), wanted)
    }

    /// Load the model, draw a picture of it, save that as `out` or as `name` in the run's folder, and say where.
    ///
    /// # Errors
    /// If any of it fails.
    pub(crate) fn draw(
        &self,
        wanted: Wanted<'_>,
        out: Option<&PathBuf>,
        name: &str,
        draw: impl FnOnce(&mut TrainedModel) -> Result<RgbImage>,
    ) -> Result<ExitCode> {
        // Refused before the model is loaded.
        if let Some(path) = out {
            check_png(path)?;
        }
        let mut model = self.open(wanted)?;
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
