//! Arguments and actions that the commands on a trained model share.

use super::output;
use clap::Args;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::data::Part;
use vae::device::DeviceChoice;
use vae::model::Task;
use vae::report;
use vae::run::{PartName, Place, TrainedModel, Wanted};
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

/// The pictures that a command is for: files, or a part of a dataset.
#[derive(Debug, Args)]
pub(crate) struct Pictures {
    /// The pictures, in the order of the results: files, and folders and archives of them
    #[arg(value_name = "FILES", conflicts_with_all = ["part", "dataset", "data_dir", "pictures_as_before"])]
    files: Vec<PathBuf>,
    /// Instead of FILES, a whole part of the dataset that --dataset names, or of the run's own: the part to train on, the
    /// one held out in training, or the one for the last test, which may be the same [default: test; of a dataset without parts that is not the run's own, all of it]
    #[arg(long, value_name = "PART")]
    part: Option<PartName>,
    #[command(flatten)]
    data: DataArguments,
}

impl Pictures {
    pub(crate) fn place(&self) -> Place {
        self.data.place()
    }

    /// Refuse to write `out` in the place of one of them.
    ///
    /// # Errors
    /// See [`keep_inputs`].
    pub(crate) fn keep(&self, flag: &str, out: &Path) -> Result<()> {
        keep_inputs(flag, out, &self.files)
    }

    /// What they ask for; `place` is that of [`Pictures::place`].
    ///
    /// # Errors
    /// [`Error::Setting`] if they name nothing.
    pub(crate) fn wanted<'a>(&'a self, place: &'a Place) -> Result<Wanted<'a>> {
        if !self.files.is_empty() {
            return Ok(Wanted::Files(&self.files));
        }
        if self.part.is_none() && *place == Place::default() {
            let hint = "name files, folders or archives; or a dataset with --dataset; or a part of the run's with --part";
            return Err(Error::setting("FILES", "there are no pictures", hint));
        }
        Ok(Wanted::Part(place, self.part))
    }
}

/// Refuse to write `out` in the place of a file that is read: one of `inputs`, or inside a folder of them.
///
/// # Errors
/// [`Error::Setting`] for `flag`.
pub(crate) fn keep_inputs(flag: &str, out: &Path, inputs: &[PathBuf]) -> Result<()> {
    let Ok(real) = out.canonicalize() else { return Ok(()) };
    let read = inputs.iter().filter_map(|input| input.canonicalize().ok()).any(|it| real.starts_with(it));
    if !real.is_file() || !read {
        return Ok(());
    }
    let problem = format!("{} is a file that is read, and would be replaced", out.display());
    Err(Error::setting(flag, problem, "name another file"))
}

/// What each image of `part` is called: by its number where it has no name.
pub(crate) fn names(part: &Part) -> Vec<String> {
    match part.names.len() {
        0 => (0..part.count).map(|number| number.to_string()).collect(),
        _ => part.names.clone(),
    }
}

/// Refuse a file in a folder that does not exist.
///
/// # Errors
/// [`Error::Setting`]
pub(crate) fn check_folder(path: &Path, flag: &str) -> Result<()> {
    if path.parent().is_some_and(|folder| folder != Path::new("") && !folder.is_dir()) {
        let problem = format!("there is no folder for {}", path.display());
        return Err(Error::setting(flag, problem, "make the folder first, or name another file"));
    }
    Ok(())
}

/// Whether a file is called an array of NumPy.
pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
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

/// Tables and arrays of a run that no result may replace.
const OWN: [&str; 4] = ["pictures.npz", "metrics.csv", "latents.csv", "steps.csv"];

impl RunArguments {
    /// Refuse to write `out` in the place of a file of the run.
    ///
    /// # Errors
    /// See [`keep_inputs`].
    pub(crate) fn keep(&self, out: &Path) -> Result<()> {
        keep_inputs("--out", out, &OWN.map(|name| self.run.join(name)))
    }

    /// The run's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.run
    }

    /// Load the model, with the images that are `wanted`.
    ///
    /// # Errors
    /// See [`TrainedModel::open`].
    pub(crate) fn open(&self, wanted: Wanted<'_>) -> Result<TrainedModel> {
        TrainedModel::open(&self.run, self.file(), self.device.as_ref(), wanted)
    }

    /// The same, with what `change` makes of the task.
    ///
    /// # Errors
    /// See [`TrainedModel::open_as`].
    pub(crate) fn open_as(
        &self,
        wanted: Wanted<'_>,
        change: impl FnOnce(Task) -> Task,
    ) -> Result<TrainedModel> {
        TrainedModel::open_as(&self.run, self.file(), self.device.as_ref(), wanted, change)
    }

    /// The checkpoint that is asked for.
    fn file(&self) -> &'static str {
        if self.best { "best.safetensors" } else { "checkpoint.safetensors" }
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
