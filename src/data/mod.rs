//! Datasets: named columns of bytes, reals or words. Every source (IDX files, arrays of NumPy, pictures, procedural digits
//! and sprites)
//! yields one [`Dataset`] of images.

pub mod digits;
pub mod sprites;

mod archive;
mod array_labels;
mod arrays;
mod bit_arrays;
mod bits;
mod cifar;
mod column;
mod convert;
mod decode;
mod digest;
mod factors;
mod file;
mod flat;
mod folder;
mod foreign;
mod found;
pub mod idx;
mod idx_folder;
mod jpeg;
mod layout;
mod locate;
mod look;
mod memory;
mod npy;
mod npz;
mod pictures;
mod render;
mod size;
mod source;
mod split;
mod survey;
mod table;
mod tree;
mod validate;
mod zip;

pub use arrays::array_of;
pub use bits::Bits;
pub(crate) use bits::SENT;
pub use column::{Column, IMAGES, LABELS, Part, Values};
pub use factors::{FACTORS, Factor};
pub use found::{Found, PassedOver};
pub use locate::KNOWN_NAMES;
pub use look::{Background, Fit, Look};
pub use npy::{Element, write_npy};
pub use npz::{ArrayValues, Arrays, write_arrays};
pub use pictures::read_pictures;
pub use split::split;
pub use survey::{Channel, Survey};

use crate::Result;
use locate::Roots;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The size of every image of a dataset. Pixels are stored row by row, channels interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl ImageShape {
    /// Bytes, and so values, of one image.
    pub fn pixels(&self) -> usize {
        self.width * self.height * self.channels
    }
}

impl std::fmt::Display for ImageShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colour =
            if self.channels == 1 { "grey".to_string() } else { format!("{} channels", self.channels) };
        write!(f, "{}x{} {colour}", self.width, self.height)
    }
}

/// Items to train on and items held out, with the same columns.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name in pictures and logs.
    pub name: String,
    /// The size of every image.
    pub shape: ImageShape,
    /// Items to train on.
    pub train: Part,
    /// Items held out: the dataset's own test part, or a seeded fraction of the whole. Never empty.
    pub test: Part,
    /// Class names by label; empty when nothing is labelled.
    pub classes: Vec<String>,
    /// What varies between the images, beside their labels; empty where that is not known.
    pub factors: Vec<Factor>,
    /// What reading it showed.
    pub found: Found,
}

impl Dataset {
    /// A dataset without classes and factors, and with nothing to say of its reading.
    pub fn new(name: impl Into<String>, shape: ImageShape, train: Part, test: Part) -> Self {
        Self {
            name: name.into(),
            shape,
            train,
            test,
            classes: Vec::new(),
            factors: Vec::new(),
            found: Found::default(),
        }
    }

    /// The same dataset with these class names.
    #[must_use]
    pub fn with_classes(self, classes: Vec<String>) -> Self {
        Self { classes, ..self }
    }

    /// All images in the order of the dataset's files, as their parts and their numbers there: the order before a part of
    /// them was held out; or the training images, and then those of the dataset's own part.
    pub fn in_order(&self) -> Vec<(&Part, usize)> {
        let mut all: Vec<(u32, (&Part, usize))> = Vec::new();
        for part in [&self.train, &self.test] {
            let first = all.len();
            let place = |index| part.places.get(index).copied().unwrap_or((first + index) as u32);
            all.extend((0..part.count).map(|index| (place(index), (part, index))));
        }
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, item)| item).collect()
    }

    /// Drops the labels of one part when the other has none.
    fn drop_half_labels(&mut self, path: &Path) {
        if self.train.labels().is_some() != self.test.labels().is_some() {
            let note =
                format!("Only one of the parts of {} is labelled: its labels are not used.", path.display());
            self.found.notes.push(note);
            self.train.remove(LABELS);
            self.test.remove(LABELS);
            self.classes.clear();
        }
    }
}

/// The channels to train on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// One channel.
    #[value(alias = "gray")]
    #[serde(alias = "gray")]
    Grey,
    /// Red, green and blue.
    Rgb,
}

impl Colour {
    /// How many values a pixel has.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// Options for reading a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `--data-dir`: where datasets known by name are looked for first.
    pub data_dir: Option<PathBuf>,
    /// `--image-size`: width and height of every image; without it, images keep their size, but pictures of several
    /// or large sizes become squares.
    pub image_size: Option<(usize, usize)>,
    /// `--color`: the channels; without it, those that the images have (pictures: grey if every pixel is grey).
    pub colour: Option<Colour>,
    /// `--fit`: how images of another shape are brought to the size.
    pub fit: Fit,
    /// `--background`: what lies under transparent parts and beside padded images; without it, white under dark ink
    /// and black under light ink.
    pub background: Option<Background>,
    /// `--stretch`: spread the values found over 0 to 255, by one factor for all images.
    pub stretch: bool,
    /// The values, of 0 to 65535, that become 0 and 255, where they are known from another reading.
    pub range: Option<[u16; 2]>,
    /// `--skip-unreadable`: go on without pictures that cannot be read.
    pub skip_unreadable: bool,
    /// `--test-fraction`: the share to hold out of a dataset without a test part.
    pub test_fraction: f64,
    /// Seed of the choice of held-out images.
    pub seed: u64,
    /// The part to hold out of a dataset that has one for validation and one for the last test.
    pub held_out: HeldOut,
    /// Of pictures: the names of those to read, where not all are wanted.
    pub only: Option<BTreeSet<String>>,
}

/// The part that is held out, where there are two to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeldOut {
    /// The part for validation: training looks at it all the time.
    #[default]
    Validation,
    /// The part for the last test.
    Test,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            image_size: None,
            colour: None,
            fit: Fit::default(),
            background: None,
            stretch: false,
            range: None,
            skip_unreadable: false,
            test_fraction: 0.1,
            seed: 0,
            held_out: HeldOut::default(),
            only: None,
        }
    }
}

/// Opens what `--dataset` names: one of [`KNOWN_NAMES`]; the path of a folder or an archive (zip, tar, tar.gz) of pictures or
/// of IDX files, batches of CIFAR-10, or one array or table; or the path of an IDX file, or of a `.npy`, `.npz` or `.csv`
/// file. `file.npz:name` names one of its arrays.
///
/// A known name comes before a path: `./mnist` is the folder. Names are looked for in `--data-dir`, in the
/// variable `VAE_DATA` (in both: the folder itself, or its subfolder of that name), in the subfolder of that
/// name of `vae` in the user's data folder, and in `/usr/share/datasets`. The procedural `digits` and `dsprites` need no
/// files and are made by the caller.
///
/// # Errors
///
/// [`crate::Error::Setting`] for an unknown name, missing files or impossible options; [`crate::Error::Data`] for files that
/// cannot be used; [`crate::Error::Io`] for those that cannot be read.
pub fn open(dataset: &str, options: &Options) -> Result<Dataset> {
    open_from(dataset, options, &Roots::of_process(options.data_dir.clone()))
}

fn open_from(dataset: &str, options: &Options, roots: &Roots) -> Result<Dataset> {
    convert::check_size(options.image_size)?;
    split::check_fraction(options.test_fraction)?;
    let path = Path::new(dataset);
    let named = array_of(dataset).filter(|(file, _)| !path.exists() && file.is_file());
    let mut opened = if let Some((file, key)) = named {
        arrays::read(&file::File::single(file), Some(key), options)?
    } else if dataset == cifar::NAME {
        cifar::read(&roots.candidates(dataset), options)?
    } else if KNOWN_NAMES.contains(&dataset) {
        let (set, folder) = locate::named(dataset, roots)?;
        set.load(dataset.to_string(), &folder, options)?
    } else if !path.exists() {
        return Err(locate::unknown(dataset));
    } else {
        source::open(path, options)?
    };
    convert::stretch(&mut opened, options);
    opened.validate()?;
    Ok(opened)
}

/// The last part of a folder's path, also for `.` and `..`.
fn folder_name(path: &Path) -> String {
    let absolute = path.canonicalize();
    let name = absolute.as_deref().unwrap_or(path).file_name().or(path.file_name());
    name.map_or_else(|| "dataset".to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod mutations_tests;
#[cfg(test)]
mod tests;
