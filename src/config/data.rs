//! `[data]`: the images.

use crate::checks::counted;
use crate::data::{self, Background, Colour, Fit, ImageShape, Look};
use crate::graph::Binarize;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Which images to train on, and how they are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DataConfig {
    /// `digits`, the name of a known dataset, or a path.
    pub dataset: String,
    /// Where known datasets are looked for first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Number of training images to use (or, for `digits`, to draw); all where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Resize pictures to `[width, height]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<[usize; 2]>,
    /// Read pictures as grey or as RGB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Colour>,
    /// How pictures of another shape are brought to the size.
    pub fit: Fit,
    /// The colour under transparent parts and beside padded pictures; white under dark ink and black under light ink where
    /// not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// Spread the values found in pictures, or the values `[low, high]` of 0 to 65535, over black to white.
    #[serde(skip_serializing_if = "Stretch::is_off")]
    pub stretch: Stretch,
    /// Go on without pictures that cannot be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_unreadable: bool,
    /// Fraction held out where a dataset has no test part.
    pub test_fraction: f64,
    /// How grey pixels become black or white; `dynamic` for Bernoulli and `none` for other likelihoods where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binarize: Option<Binarize>,
    /// Mirror training images left to right at random.
    pub flip: bool,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            dataset: "digits".into(),
            data_dir: None,
            images: None,
            image_size: None,
            color: None,
            fit: Fit::default(),
            background: None,
            stretch: Stretch::default(),
            skip_unreadable: false,
            test_fraction: 0.1,
            binarize: None,
            flip: false,
        }
    }
}

/// Which values become black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stretch {
    /// The smallest and the largest that are found; if false, 0 and the largest that a file of its kind can hold.
    Found(bool),
    /// These two, of 0 to 65535.
    Range([u16; 2]),
}

impl Default for Stretch {
    fn default() -> Self {
        Self::Found(false)
    }
}

impl Stretch {
    fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// The values, where they are given.
    pub fn range(self) -> Option<[u16; 2]> {
        match self {
            Self::Found(_) => None,
            Self::Range(range) => Some(range),
        }
    }
}

impl DataConfig {
    /// How new pictures are read: as those of the data set.
    pub fn look(&self) -> Look {
        Look { fit: self.fit, background: self.background, range: self.stretch.range() }
    }

    /// Keep how the pictures of a data set became images of `shape`.
    pub(super) fn keep(&mut self, look: &Look, shape: ImageShape) {
        self.image_size = Some([shape.width, shape.height]);
        self.color = Some(if shape.channels == 1 { Colour::Grey } else { Colour::Rgb });
        self.background = look.background.or(self.background);
        self.stretch = look.range.map_or(self.stretch, Stretch::Range);
    }

    pub(crate) fn is_digits(&self) -> bool {
        self.dataset == "digits"
    }

    /// Whether the pictures of dSprites are drawn.
    pub(crate) fn is_dsprites(&self) -> bool {
        self.dataset == data::sprites::NAME
    }

    /// Whether the images are drawn, and not read.
    pub fn is_drawn(&self) -> bool {
        self.is_digits() || self.is_dsprites()
    }

    /// Whether the dataset is a path, and no name.
    pub fn is_path(&self) -> bool {
        !self.is_drawn() && !data::KNOWN_NAMES.contains(&self.dataset.as_str())
    }

    /// The file or folder of the dataset, where it is a path, and what is named in it.
    fn file_and_key(&self) -> (&Path, Option<&str>) {
        let path = Path::new(&self.dataset);
        match data::array_of(&self.dataset) {
            Some((file, key)) if !path.exists() => (file, Some(key)),
            _ => (path, None),
        }
    }

    /// The file or folder of the dataset, where it is a path.
    pub fn path(&self) -> &Path {
        self.file_and_key().0
    }

    /// What the dataset is called, as far as that can be said without opening it.
    pub fn name(&self) -> String {
        let path = self.path();
        let name = if path.extension().is_some_and(|it| it == "npy" || it == "npz") {
            path.file_stem()
        } else {
            path.file_name()
        };
        name.filter(|_| self.is_path())
            .map_or_else(|| self.dataset.clone(), |it| it.to_string_lossy().into_owned())
    }

    /// Refuse settings that make no sense, and make paths absolute, so that a run's configuration can be used from any
    /// folder.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path; [`Error::Data`] if a path is not valid UTF-8.
    pub fn resolve(mut self) -> Result<Self> {
        if let Some(images) = self.images {
            counted("data.images", images as u64)?;
        }
        if self.image_size.is_some_and(|sides| sides.contains(&0)) {
            return Err(Error::setting("data.image-size", "a side is 0", "give WIDTHxHEIGHT, such as 28x28"));
        }
        if self.stretch.range().is_some_and(|[low, high]| low >= high) {
            let hint = "give two values of 0 to 65535, the lower first, or true for those found";
            return Err(Error::setting("data.stretch", "the range is empty", hint));
        }
        if !(self.test_fraction > 0.0 && self.test_fraction < 1.0) {
            let problem = format!("{} is not between 0 and 1", self.test_fraction);
            return Err(Error::setting("data.test-fraction", problem, "give a fraction such as 0.1"));
        }
        let absolute = |path: &Path| std::path::absolute(path).map_err(|source| Error::io(path, source));
        if let Some(folder) = &mut self.data_dir {
            *folder = absolute(folder)?;
        }
        // What does not exist stays as it was typed, for the error that names it.
        let (file, key) = self.file_and_key();
        let key = key.map(|key| format!(":{key}")).unwrap_or_default();
        if self.is_path() && file.exists() {
            let path = absolute(file)?;
            let text = path.to_str().ok_or_else(|| {
                Error::data(&path, "the path is not valid UTF-8", "rename the folder, or link to it")
            })?;
            self.dataset = format!("{text}{key}");
        }
        Ok(self)
    }
}
