//! The images that a command on a run works on.

use super::RunFolder;
use super::known::{Change, KnownData};
use crate::config::{Config, DataConfig};
use crate::data::{self, Dataset, HeldOut, ImageShape, Part};
use crate::graph::Binarize;
use crate::text::thousands;
use crate::{Error, Result};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Where to look for images, and which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `--dataset`: another name or path than the run's.
    pub dataset: Option<String>,
    /// `--data-dir`: where datasets known by name are looked for first.
    pub data_dir: Option<PathBuf>,
    /// `--pictures-as-before`: of the run's own dataset, only the pictures that the run began with.
    pub as_before: bool,
}

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PartName {
    /// The part to train on.
    Train,
    /// The part held out in training.
    Val,
    /// The part for the last test; that held out in training where there is no other.
    Test,
}

/// The images that a command on a run needs.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// None: the parameters are enough, and no dataset is opened.
    Nothing,
    /// Some held-out images to look at: those of the dataset or, where it is gone or has changed, those that the run keeps.
    Some(&'a Place),
    /// All images that are not to be trained on: the part for the last test, or the one held out.
    All(&'a Place),
    /// A whole part; without its name the images that [`Wanted::All`] means.
    Part(&'a Place, Option<PartName>),
    /// The pictures in these files, resized and coloured like those that the run was trained on.
    Files(&'a [PathBuf]),
}

impl Wanted<'_> {
    /// The images of `dataset` as the model sees them. Of files and whole parts, pixels that are drawn black or white are
    /// drawn by the digest of their image, whichever other images there are.
    pub(super) fn seen(self, dataset: &Dataset, binarize: Binarize) -> Cow<'_, Dataset> {
        let by_digest = matches!(self, Self::Files(_) | Self::Part(..));
        if !by_digest || !matches!(binarize, Binarize::Static | Binarize::Dynamic) {
            return Cow::Borrowed(dataset);
        }
        let test = dataset.test.clone().in_black_and_white();
        Cow::Owned(Dataset { test, ..dataset.clone() })
    }

    /// The images for the run in `folder`, of which `shape` is known.
    pub(super) fn read(self, folder: &RunFolder, config: &Config, shape: ImageShape) -> Result<Dataset> {
        let none = || Part::of_images(Vec::new(), shape);
        match self {
            Self::Nothing => {
                // A session is never without an image.
                let blank = Part::of_images(vec![0; shape.pixels()], shape);
                Ok(Dataset::new(folder.dataset_name(config)?, shape, none(), blank))
            }
            Self::Files(files) => {
                let part = data::read_pictures(files, shape, &config.data.look())?;
                Ok(Dataset::new("pictures", shape, none(), part))
            }
            Self::All(place) => place.read(folder, config, shape, HeldOut::Test),
            Self::Part(place, Some(part)) => place.read_part(folder, config, shape, part),
            Self::Part(place, None) => place.read_as(folder, config, shape, HeldOut::Test, true),
            Self::Some(place) => match place.read(folder, config, shape, HeldOut::Validation) {
                Err(error) if *place == Place::default() => {
                    let name = folder.dataset_name(config)?;
                    let Some(kept) = folder.kept_pictures(&name, shape)? else { return Err(error) };
                    let problem = error.to_string();
                    let problem = problem.lines().next().unwrap_or_default().trim_end_matches(':');
                    let (count, one) = (kept.test.count, kept.test.count == 1);
                    let (pictures, are) = if one { ("picture", "is") } else { ("pictures", "are") };
                    log::info!("{problem}; the {count} held-out {pictures} that the run keeps {are} used");
                    Ok(kept)
                }
                other => other,
            },
        }
    }
}

impl Place {
    /// The settings by which the images are read, and whether they are those of another dataset than the run's.
    fn settings(&self, config: &Config) -> Result<(Config, bool)> {
        let mut config = config.clone();
        if let Some(dataset) = &self.dataset {
            if self.as_before {
                let hint = "leave it out, or leave out --dataset";
                let problem = "it is for the run's own dataset, and --dataset names another place";
                return Err(Error::setting("--pictures-as-before", problem, hint));
            }
            let data = DataConfig { dataset: dataset.clone(), data_dir: None, ..config.data };
            config.data = data.resolve()?;
            if config.data.is_drawn() {
                config.data = DataConfig { dataset: dataset.clone(), ..DataConfig::default() };
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
        Ok((config, self.dataset.is_some()))
    }

    /// The dataset with this part held out: the run's own, or images that the run was not trained on.
    fn read(
        &self,
        folder: &RunFolder,
        config: &Config,
        shape: ImageShape,
        held_out: HeldOut,
    ) -> Result<Dataset> {
        self.read_as(folder, config, shape, held_out, false)
    }

    /// The same; of another dataset also the images that the run was trained on, if `seen_too`.
    fn read_as(
        &self,
        folder: &RunFolder,
        config: &Config,
        shape: ImageShape,
        held_out: HeldOut,
        seen_too: bool,
    ) -> Result<Dataset> {
        let (config, other) = self.settings(config)?;
        if !other {
            return folder.open_dataset(&config, held_out, self.as_before);
        }
        let Some(known) = folder.read_known()? else { return config.read_images(shape, held_out) };
        // The run's own, from another place.
        if let Ok(Ok(dataset)) = own(&config, held_out, &known) {
            return Ok(dataset);
        }
        unseen(&config, (!seen_too).then_some(&known), shape, held_out)
    }

    /// A whole part, as the held-out one.
    fn read_part(
        &self,
        folder: &RunFolder,
        config: &Config,
        shape: ImageShape,
        part: PartName,
    ) -> Result<Dataset> {
        let held_out = if part == PartName::Test { HeldOut::Test } else { HeldOut::Validation };
        let (mut config, other) = self.settings(config)?;
        let dataset = if other {
            if !config.data.is_digits() {
                config.data.images = None;
            }
            config.read_images(shape, held_out)?
        } else {
            folder.open_dataset(&config, held_out, self.as_before)?
        };
        let none = Part::of_images(Vec::new(), dataset.shape);
        let test = if part == PartName::Train { dataset.train } else { dataset.test };
        Ok(Dataset { train: none, test, ..dataset })
    }
}

/// The dataset of `config`, if it is the one that is `known`.
fn own(config: &Config, held_out: HeldOut, known: &KnownData) -> Result<Result<Dataset, Change>> {
    let dataset = config.read_part(held_out, None)?;
    let Some(change) = known.compare(&dataset) else { return Ok(Ok(dataset)) };
    if held_out == HeldOut::Validation || !known.has_train(&dataset) {
        return Ok(Err(change));
    }
    // The part for the last test is not the one that training held out: that one shows whether all is as before.
    Ok(match known.compare(&config.read_part(HeldOut::Validation, None)?) {
        None => Ok(dataset),
        Some(change) => Err(change),
    })
}

/// The images of another dataset, without those that are `known`: its test part or, where it has none, all of it.
fn unseen(
    config: &Config,
    known: Option<&KnownData>,
    shape: ImageShape,
    held_out: HeldOut,
) -> Result<Dataset> {
    let mut config = config.clone();
    if !config.data.is_digits() {
        config.data.images = None;
    }
    let mut dataset = config.read_images(shape, held_out)?;
    let train = std::mem::replace(&mut dataset.train, Part::of_images(Vec::new(), shape));
    let split = !dataset.test.places.is_empty();
    if split {
        dataset.test = train.joined(&dataset.test);
    }
    let all = || (0..dataset.test.count).collect();
    let new: Vec<usize> = known.map_or_else(all, |known| known.unseen(&dataset.test));
    let (all, seen) = (thousands(dataset.test.count), dataset.test.count - new.len());
    if new.is_empty() {
        let problem = format!("the run was trained on all {all} of its pictures");
        let hint = "give other pictures; the run's own dataset is the one without --dataset";
        return Err(Error::data(Path::new(&config.data.dataset), problem, hint));
    }
    let what = if split { "has no test part: all its" } else { "has a test part: its" };
    let left_out = match seen {
        0 => String::new(),
        _ => format!(", of which {} are left out, because the run was trained on them", thousands(seen)),
    };
    log::info!("{} {what} {all} images are taken{left_out}", dataset.name);
    if seen > 0 {
        dataset.test = dataset.test.select(&new);
    }
    Ok(dataset)
}

impl RunFolder {
    /// The name of the run's dataset.
    fn dataset_name(&self, config: &Config) -> Result<String> {
        Ok(self.read_known()?.map_or_else(|| config.data.name(), |known| known.name))
    }

    /// The dataset of the run's settings with this part held out, if it is as it was when the run began; with `as_before`
    /// only the pictures that were there then, in the parts of training.
    ///
    /// # Errors
    /// If it is missing or broken; [`Error::Data`] if it has changed; [`Error::Setting`] if its images have no names.
    pub fn open_dataset(&self, config: &Config, held_out: HeldOut, as_before: bool) -> Result<Dataset> {
        if config.data.is_path() && !config.data.path().exists() {
            let hint = "name the place where it is now with --dataset";
            return Err(Error::data(config.data.path(), "the run's dataset is not there", hint));
        }
        let known = self.read_known()?;
        if as_before {
            return self.as_before(config, known);
        }
        let Some(known) = known else { return config.read_part(held_out, None) };
        own(config, held_out, &known)?.or_else(|change| {
            // What has changed is said of the parts of training.
            let change = match held_out {
                HeldOut::Validation => Some(change),
                HeldOut::Test => known.compare(&config.read_dataset()?),
            };
            Err(changed(config, &change.unwrap_or_default()))
        })
    }

    /// Refuse a dataset that differs from that of the run, as far as this is known.
    ///
    /// # Errors
    /// [`Error::Data`] saying what has changed.
    pub fn check_dataset(&self, config: &Config, dataset: &Dataset) -> Result<()> {
        let change = self.read_known()?.and_then(|known| known.compare(dataset));
        change.map_or(Ok(()), |change| Err(changed(config, &change)))
    }

    fn as_before(&self, config: &Config, known: Option<KnownData>) -> Result<Dataset> {
        let flag = "--pictures-as-before";
        let hint = "leave it out";
        let Some(known) = known else {
            let problem = format!("{} is older than this flag: it does not say which", self.path().display());
            return Err(Error::setting(flag, problem, hint));
        };
        let names = known.names();
        if names.is_empty() {
            return Err(Error::setting(
                flag,
                "the images of the run's dataset are no files with names",
                hint,
            ));
        }
        let mut all = config.clone();
        all.data.images = None;
        let dataset = known.in_old_parts(all.read_part(HeldOut::Validation, Some(names))?);
        match known.compare(&dataset) {
            None => Ok(dataset),
            Some(change) => Err(changed(config, &change)),
        }
    }
}

/// The error for a dataset that has changed.
fn changed(config: &Config, change: &Change) -> Error {
    let problem = format!("the run's dataset has changed since the run began: {change}");
    let hint = if change.only_added() {
        "other images would be held out; --pictures-as-before leaves the new files out"
    } else if config.data.images.is_some() {
        // With one new file, others are among the first ones.
        "put the files back as they were; --pictures-as-before reads only those that the run began with, if all are there"
    } else {
        "put the files back as they were; vae train begins a new run on them as they are"
    };
    Error::data(Path::new(&config.data.dataset), problem, hint)
}
