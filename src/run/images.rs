//! The images that a command on a run works on.

use super::RunFolder;
use crate::config::{Config, DataConfig};
use crate::data::{self, Dataset, HeldOut, ImageShape, Part};
use crate::{Error, Result};
use std::path::PathBuf;

/// Where to look for images, instead of where the run found its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `--dataset`: another name or path.
    pub dataset: Option<String>,
    /// `--data-dir`: where datasets known by name are looked for first.
    pub data_dir: Option<PathBuf>,
}

/// The images that a command on a run needs.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// None: the parameters are enough, and no dataset is opened.
    Nothing,
    /// Some held-out images to look at: those of the dataset or, where it is gone, those that the run keeps.
    Some(&'a Place),
    /// All held-out images of the dataset.
    All(&'a Place),
    /// The pictures in these files, resized and coloured like those that the run was trained on.
    Files(&'a [PathBuf]),
}

impl Wanted<'_> {
    /// The images for the run in `folder`, of which `shape` is known.
    pub(super) fn read(self, folder: &RunFolder, config: &Config, shape: ImageShape) -> Result<Dataset> {
        let none = || Part::of_images(Vec::new(), shape);
        match self {
            Self::Nothing => {
                // A session is never without an image.
                let blank = Part::of_images(vec![0; shape.pixels()], shape);
                Ok(Dataset::new(config.data.name(), shape, none(), blank))
            }
            Self::Files(files) => Ok(Dataset::new(
                "pictures",
                shape,
                none(),
                data::read_pictures(files, shape, &config.data.look())?,
            )),
            Self::All(place) => place.read(folder, config, shape),
            Self::Some(place) => match place.read(folder, config, shape) {
                Err(error) if *place == Place::default() => {
                    let name = config.data.name();
                    let Some(kept) = folder.kept_pictures(&name, shape)? else { return Err(error) };
                    let problem = error.to_string();
                    let problem = problem.lines().next().unwrap_or_default();
                    log::info!(
                        "{problem}: the {} held-out pictures that the run keeps take the place of its dataset",
                        kept.test.count
                    );
                    Ok(kept)
                }
                other => other,
            },
        }
    }
}

impl Place {
    /// The dataset with its held-out images, read as the run of `config` did.
    fn read(&self, folder: &RunFolder, config: &Config, shape: ImageShape) -> Result<Dataset> {
        let mut config = config.clone();
        if let Some(dataset) = &self.dataset {
            config.data =
                DataConfig { dataset: dataset.clone(), images: None, data_dir: None, ..config.data }
                    .resolve()?;
            if config.data.is_digits() {
                // They are drawn in grey.
                config.data.color = None;
            }
        }
        if let Some(data_dir) = &self.data_dir {
            if config.data.is_path() {
                let problem = format!(
                    "it is where datasets known by name are looked for, and the dataset is a path, {}",
                    config.data.dataset
                );
                let hint = "leave it out, or name the place where the images are now with --dataset";
                return Err(Error::setting("--data-dir", problem, hint));
            }
            config.data.data_dir = Some(data_dir.clone());
        }
        if self.dataset.is_none() && config.data.is_path() {
            let path = config.data.path();
            if !path.exists() {
                let hint = format!(
                    "name the place where it is now, or other pictures, with --dataset; 'vae sample {0}' and 'vae \
                     manifold {0}' need no dataset",
                    folder.path().display()
                );
                return Err(Error::data(path, "the run's dataset is not there", hint));
            }
        }
        config.read_images(shape, HeldOut::Validation)
    }
}
