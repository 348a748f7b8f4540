//! The dataset that the settings name.

use super::{Config, Stretch};
use crate::data::{self, Background, Colour, Dataset, Fit, HeldOut, ImageShape, sprites};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Training images of the procedural digits where `data.images` does not say.
const DIGITS: usize = 10_000;
/// Held-out digits; fewer where there are fewer training images.
const TEST_DIGITS: usize = 2_000;

impl Config {
    /// Procedural digits to train on and to hold out.
    fn digit_counts(&self) -> (usize, usize) {
        let train = self.data.images.unwrap_or(DIGITS);
        (train, TEST_DIGITS.min(train))
    }

    /// The settings as for the dataset that they name, the images' size, and the numbers of training and held-out images.
    /// The procedural digits and dSprites are not drawn for it; other datasets are read.
    ///
    /// # Errors
    /// See [`Config::open_dataset`] and [`Config::for_dataset`].
    pub fn for_plan(&self) -> Result<(Self, ImageShape, [usize; 2])> {
        if self.data.is_digits() {
            let [width, height] = self.data.image_size.unwrap_or([28, 28]);
            let (train, test) = self.digit_counts();
            self.check_batch(train)?;
            let shape = ImageShape { width, height, channels: 1 };
            return Ok((self.for_sizes(shape, train)?, shape, [train, test]));
        }
        if self.data.is_dsprites() {
            self.refuse_what_is_not_drawn()?;
            let [train, test] = sprites::counts(self.data.images, self.data.test_fraction);
            self.check_batch(train)?;
            return Ok((self.for_sizes(sprites::SHAPE, train)?, sprites::SHAPE, [train, test]));
        }
        let dataset = self.open_dataset()?;
        let (config, _) = self.for_dataset(&dataset)?;
        Ok((config, dataset.shape, [dataset.train.count, dataset.test.count]))
    }

    /// Whether `images` of the dataset, of `shape`, are sent to a device by minibatch, because they are many and
    /// kept as bits.
    pub fn sends_minibatches(&self, shape: ImageShape, images: usize) -> bool {
        self.data.is_dsprites() && (images * shape.pixels()) as u64 > data::SENT
    }

    /// Refuse a minibatch or a cycle that does not fit this number of training images.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path.
    pub fn check_batch(&self, images: usize) -> Result<()> {
        match self.run.batch_size {
            Some(batch) if batch > images => {
                let problem = format!("{batch} is more than the {images} training images");
                Err(Error::setting("run.batch-size", problem, format!("use at most {images}")))
            }
            _ => self.objective.check_cycle(self.steps_per_epoch(images)),
        }
    }

    /// The settings of a run that was trained on images of `shape`. A run from before pictures of large sizes became
    /// small squares, and grey ones one channel, does not say its size.
    #[must_use]
    pub fn as_trained(&self, shape: ImageShape) -> Self {
        let mut config = self.clone();
        let data = &mut config.data;
        let older = data.fit == Fit::Stretch && data.background == Some(Background::BLACK);
        if older && data.is_path() {
            data.image_size.get_or_insert([shape.width, shape.height]);
            data.color.get_or_insert(if shape.channels == 1 { Colour::Grey } else { Colour::Rgb });
        }
        config
    }

    /// Open the dataset the settings name.
    ///
    /// # Errors
    /// If it is missing or broken, or has fewer images than a minibatch that was asked for.
    pub fn open_dataset(&self) -> Result<Dataset> {
        let dataset = self.read_dataset()?;
        self.check_batch(dataset.train.count)?;
        Ok(dataset)
    }

    /// Open the dataset the settings name for a model of images of `shape`: in that size and colour, and however few there
    /// are.
    ///
    /// # Errors
    /// If it is missing or broken.
    pub fn read_images(&self, shape: ImageShape, held_out: HeldOut) -> Result<Dataset> {
        let mut config = self.clone();
        config.data.image_size = Some([shape.width, shape.height]);
        if !config.data.is_drawn() {
            config.data.color = Some(if shape.channels == 1 { Colour::Grey } else { Colour::Rgb });
        }
        config.read_part(held_out, None)
    }

    /// Open the dataset the settings name, to look at it: it may have fewer images than a minibatch.
    ///
    /// # Errors
    /// If it is missing or broken.
    pub fn read_dataset(&self) -> Result<Dataset> {
        self.read_part(HeldOut::Validation, None)
    }

    /// The same with this part held out, and, of pictures, only those with some names.
    ///
    /// # Errors
    /// As [`Config::read_dataset`].
    pub fn read_part(&self, held_out: HeldOut, only: Option<BTreeSet<String>>) -> Result<Dataset> {
        let mut dataset = if self.data.is_digits() {
            let (train, test) = self.digit_counts();
            let [width, height] = self.data.image_size.unwrap_or([28, 28]);
            self.refuse_what_is_not_drawn()?;
            let bytes = (train as u128 + test as u128) * width as u128 * height as u128;
            if bytes > u128::from(data::idx::BYTE_LIMIT) {
                let problem = format!("{} digits of {width}x{height} are {bytes} bytes", train + test);
                let hint = format!(
                    "a dataset has at most {} bytes; ask for fewer or smaller",
                    data::idx::BYTE_LIMIT
                );
                return Err(Error::setting("data.images, data.image-size", problem, hint));
            }
            data::digits::digits_sized(train, test, self.run.seed, width, height)?
        } else if self.data.is_dsprites() {
            self.refuse_what_is_not_drawn()?;
            sprites::sprites(self.data.images, self.data.test_fraction, self.run.seed)?
        } else {
            let options = data::Options {
                data_dir: self.data.data_dir.clone(),
                image_size: self.data.image_size.map(|[width, height]| (width, height)),
                colour: self.data.color,
                fit: self.data.fit,
                background: self.data.background,
                stretch: self.data.stretch == Stretch::Found(true),
                range: self.data.stretch.range(),
                skip_unreadable: self.data.skip_unreadable,
                test_fraction: self.data.test_fraction,
                seed: self.run.seed,
                held_out,
                only,
            };
            data::open(&self.data.dataset, &options)?
        };
        if let Some(images) = self.data.images {
            dataset.train.truncate(images);
        }
        Ok(dataset)
    }

    /// Digits and sprites are drawn: a folder or a colour given for them was meant for another dataset.
    fn refuse_what_is_not_drawn(&self) -> Result<()> {
        let ImageShape { width, height, .. } = sprites::SHAPE;
        let given = [
            ("data.data-dir", self.data.data_dir.is_some()),
            ("data.color", self.data.color.is_some()),
            ("data.background", self.data.background.is_some()),
            ("data.stretch", self.data.stretch != Stretch::default()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                let hint = "leave it out, or name the dataset it is for, such as data.dataset = mnist";
                let problem =
                    format!("the dataset is '{}', which is drawn in grey, not read", self.data.dataset);
                Err(Error::setting(*flag, problem, hint))
            }
            None if self.data.is_dsprites()
                && self.data.image_size.is_some_and(|size| size != [width, height]) =>
            {
                let problem =
                    format!("the dataset is '{}', which is drawn in {width}x{height}", self.data.dataset);
                Err(Error::setting("data.image-size", problem, "leave it out"))
            }
            None => Ok(()),
        }
    }
}
