//! Images in files of NumPy: an array in a `.npy`, or one of those in a `.npz`.
//!
//! Images are `[count, height, width]`, `[count, height, width, channels]` where the last size is 1, 3 or 4, else
//! `[count, channels, height, width]`. A fourth channel is opacity. Where there are no such arrays, `[count, values]` with
//! the values of an image, see [`flat::shape`]. Labels are whole numbers, `[count]`, `[count, 1]` or one-hot
//! `[count, classes]`: in a `.npz` under a name of [`array_labels::NAMES`], beside `x.npy` in `x_labels.npy` or `x-labels.npy`.
//! A `.npz` may hold factors too, see [`factors::read`].

use super::file::File;
use super::idx::Images;
use super::npy::{Header, MAGIC};
use super::{
    Background, Dataset, ImageShape, Look, Options, Part, SENT, array_labels, bit_arrays, convert, factors,
    flat, memory, split, zip,
};
use crate::{Error, Result};
use std::io::{BufReader, Read};
use std::path::Path;

/// Arrays that are taken for the images where several could be, in this order.
const IMAGE_NAMES: [&str; 4] = ["images", "imgs", "x", "arr_0"];
/// Names of the images to train on and to hold out, with those of their labels.
const PARTS: [[[&str; 2]; 2]; 2] = [
    [["x_train", "y_train"], ["x_test", "y_test"]],
    [["train_images", "train_labels"], ["test_images", "test_labels"]],
];

/// Whether `file` is a `.npy`, or an archive of such files and nothing else.
pub(super) fn is_file_of_numpy(file: &File) -> bool {
    let begin = file.begin(6).unwrap_or_default();
    let archive = begin.starts_with(zip::MAGIC) || begin.starts_with(zip::EMPTY);
    let arrays = || {
        let entries = file.open_to_move().map(|mut it| zip::entries(&mut it).unwrap_or_default());
        let entries = entries.unwrap_or_default();
        !entries.is_empty() && entries.iter().all(|entry| entry.name.ends_with(".npy"))
    };
    begin == MAGIC || archive && (file.name.to_lowercase().ends_with(".npz") || arrays())
}

/// Whether a file's name ends like that of one or several arrays.
pub(super) fn is_array(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".npy") || name.ends_with(".npz")
}

/// Whether `name` is that of labels beside another array.
pub(super) fn is_of_labels(name: &str) -> bool {
    let name = name.to_lowercase();
    ["_labels.npy", "-labels.npy"].iter().any(|ending| name.ends_with(ending))
}

/// The file and the array that `dataset` names as `file.npz:array`.
pub fn array_of(dataset: &str) -> Option<(&Path, &str)> {
    let (file, key) = dataset.rsplit_once(':')?;
    let path = Path::new(file);
    let archive = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
    (archive && !key.is_empty()).then_some((path, key))
}

/// An array, and where it is.
#[derive(Debug)]
pub(super) struct Array {
    /// Its name in a `.npz`; none in a `.npy`.
    pub(super) key: Option<String>,
    pub(super) header: Header,
}

impl Array {
    /// Its name in a `.npz`.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Sizes of its dimensions.
    pub(super) fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// Whether it has the type and the dimensions of images.
    fn holds_images(&self) -> bool {
        self.header.holds_pixels() && matches!(self.header.shape.len(), 3 | 4)
    }

    /// Whether it may have an image in each row.
    fn holds_rows(&self, options: &Options) -> bool {
        let fits = |shape: &[usize]| matches!(*shape, [_, values] if values > 3 && flat::shape(values, options.image_size).is_some());
        self.header.holds_pixels()
            && fits(&self.header.shape)
            && !array_labels::NAMES.iter().any(|name| self.is_called(name))
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.key.as_ref().is_some_and(|key| key.eq_ignore_ascii_case(name))
    }

    /// Hand its values to `read`.
    pub(super) fn values<T>(
        &self,
        file: &File,
        read: impl FnOnce(&Header, &Path, &mut dyn Read) -> Result<T>,
    ) -> Result<T> {
        let path = file.path();
        let Some(key) = &self.key else {
            let mut reader = BufReader::new(file.open()?);
            return read(&Header::read(path, &mut reader)?, path, &mut reader);
        };
        let mut reader = file.open_to_move()?;
        let entries = zip::entries(&mut reader).map_err(|error| damaged(path, &error))?;
        let name = format!("{key}.npy");
        let entry = entries.into_iter().find(|entry| entry.name == name);
        let entry =
            entry.ok_or_else(|| Error::data(path, format!("{name} is gone"), "open the file again"))?;
        let mut reader = entry.open(reader).map_err(|error| damaged(path, &error))?;
        read(&Header::read(path, &mut reader)?, path, &mut reader)
    }
}

fn damaged(path: &Path, error: &std::io::Error) -> Error {
    let hint = "save the arrays again, with numpy.savez or numpy.savez_compressed";
    Error::data(path, format!("the archive cannot be read: {error}"), hint)
}

/// The arrays of a file, without their values.
pub(super) struct Arrays {
    pub(super) found: Vec<Array>,
    /// Names of those that hold no numbers: records or objects.
    others: Vec<String>,
}

/// The arrays of `file`.
pub(super) fn list(file: &File) -> Result<Arrays> {
    let path = file.path();
    if !file.begin(4)?.starts_with(b"PK") {
        let header = Header::read(path, &mut BufReader::new(file.open()?))?;
        return Ok(Arrays { found: vec![Array { key: None, header }], others: Vec::new() });
    }
    let mut all = Arrays { found: Vec::new(), others: Vec::new() };
    let mut reader = file.open_to_move()?;
    for entry in zip::entries(&mut reader).map_err(|error| damaged(path, &error))? {
        let Some(key) = entry.name.strip_suffix(".npy").map(str::to_string) else { continue };
        let mut reader = entry.open(&mut reader).map_err(|error| damaged(path, &error))?;
        // Arrays of records and of objects are no images: they have no header that is understood here.
        match Header::read(path, &mut reader) {
            Ok(header) => all.found.push(Array { key: Some(key), header }),
            Err(_) => all.others.push(key),
        }
    }
    Ok(all)
}

/// What reading showed.
struct Said {
    notes: Vec<String>,
    /// What lies under transparent parts, once it is known.
    background: Option<Background>,
    /// Whether rows hold plane after plane, once it is known.
    planes: Option<bool>,
}

/// Read the dataset in `file`: of the array `key`, or of the one that must be meant.
pub(super) fn read(file: &File, key: Option<&str>, options: &Options) -> Result<Dataset> {
    let path = file.path();
    let arrays = list(file)?;
    let holds = |array: &Array| array.holds_images() || array.holds_rows(options);
    let parts = PARTS.iter().find(|parts| {
        key.is_none()
            && parts.iter().all(|[images, _]| arrays.found.iter().any(|it| it.is_called(images) && holds(it)))
    });
    let mut found = Vec::new();
    let mut factors = None;
    let (mut said, mut integers) =
        (Said { notes: Vec::new(), background: options.background, planes: None }, true);
    match parts {
        Some(parts) => {
            for [images, labels] in parts {
                if let Some(array) = arrays.found.iter().find(|it| it.is_called(images)) {
                    integers &= array.header.holds_integers();
                    found.push(part(file, array, &arrays.found, &[labels], options, &mut said)?);
                }
            }
        }
        None => {
            let array = chosen(path, &arrays, key, options)?;
            if let Some(dataset) = bit_arrays::read(file, array, &arrays.found, options, SENT)? {
                return Ok(dataset);
            }
            integers &= array.header.holds_integers();
            found.push(part(file, array, &arrays.found, &array_labels::NAMES, options, &mut said)?);
            let count = found.first().map_or(0, |(images, _)| images.count());
            factors = factors::read(file, &arrays.found, count, &mut said.notes)?;
        }
    }
    let mut pixels: Vec<&mut [u8]> = found.iter_mut().map(|(images, _)| &mut images.pixels[..]).collect();
    if integers && flat::spread(&mut pixels) {
        said.notes.push(flat::SPREAD.into());
    }
    let mut labels: Vec<&mut Vec<u32>> = found.iter_mut().filter_map(|(_, labels)| labels.as_mut()).collect();
    let mut classes = flat::classes(&mut labels);
    let mut found = found.into_iter().map(|(images, labels)| -> Result<(ImageShape, Part)> {
        let images = convert::convert(images, options, path)?;
        let part = Part::of_images(images.pixels, images.shape);
        Ok((images.shape, if let Some(labels) = labels { part.with_labels(labels) } else { part }))
    });
    let first = found.next().ok_or_else(|| Error::Internal("a dataset without a part".into()))?;
    let (shape, train) = first?;
    let (train, factors) = factors::give(train, &mut classes, factors);
    let (train, test) = match found.next().transpose()? {
        Some((other, test)) if other == shape => (train, test),
        Some((other, _)) => {
            let problem = format!("images to train on are {shape}, those held out {other}");
            return Err(Error::data(path, problem, "give one size for all with --image-size WIDTHxHEIGHT"));
        }
        None => split::split(train, options.test_fraction, options.seed, path)?,
    };
    let mut dataset =
        Dataset::new(name_of(path), shape, train, test).with_classes(classes).with_factors(factors);
    dataset.found.files = 1;
    dataset.found.notes = said.notes;
    if said.background.is_some() {
        dataset.found.look = Some(Look { fit: options.fit, background: said.background, range: None });
    }
    dataset.drop_half_labels(path);
    Ok(dataset)
}

/// The name of the dataset in the file at `path`.
pub(super) fn name_of(path: &Path) -> String {
    path.file_stem().map_or("dataset".into(), |stem| stem.to_string_lossy().into_owned())
}

/// The array of images.
fn chosen<'a>(path: &Path, all: &'a Arrays, key: Option<&str>, options: &Options) -> Result<&'a Array> {
    let arrays = &all.found;
    let shown = |arrays: &[&Array]| -> String {
        let line = |array: &&Array| {
            format!("\n    {}: {}", array.key.as_deref().unwrap_or("the array"), array.header)
        };
        arrays.iter().map(line).collect()
    };
    let everything: Vec<&Array> = arrays.iter().collect();
    let mut images: Vec<&Array> = arrays.iter().filter(|array| array.holds_images()).collect();
    if images.is_empty() {
        images = arrays.iter().filter(|array| array.holds_rows(options)).collect();
    }
    let others = |shown: String| {
        let more = all.others.iter().map(|key| format!("\n    {key}: no array of numbers"));
        shown + &more.collect::<String>()
    };
    let hint = "images are integers from 0 to 255, or floats from 0 to 1: [count, height, width], [count, height, width, \
                channels], [count, channels, height, width], or [count, values] with the --image-size of the values";
    if let Some(key) = key {
        let named = arrays.iter().find(|array| array.key.as_deref() == Some(key));
        return match named {
            Some(array) if array.holds_images() || array.holds_rows(options) => Ok(array),
            Some(array) => Err(Error::data(path, format!("'{key}' holds no images: {}", array.header), hint)),
            None => {
                let problem = format!("there is no array '{key}'; there are:{}", others(shown(&everything)));
                Err(Error::data(path, problem, "name one of these, as FILE.npz:NAME"))
            }
        };
    }
    let known =
        || IMAGE_NAMES.iter().find_map(|name| images.iter().find(|array| array.is_called(name)).copied());
    match images[..] {
        [only] => Ok(only),
        [] => {
            let problem = format!("no array holds images; there are:{}", others(shown(&everything)));
            Err(Error::data(path, problem, hint))
        }
        [first, ..] => known().ok_or_else(|| {
            let problem = format!("several arrays could be the images:{}", shown(&images));
            let key = first.key.as_deref().unwrap_or_default();
            Error::data(path, problem, format!("name the one to use: --dataset {}:{key}", path.display()))
        }),
    }
}

/// The images of `array`, with the labels under one of these names.
fn part(
    file: &File,
    array: &Array,
    arrays: &[Array],
    labels: &[&str],
    options: &Options,
    said: &mut Said,
) -> Result<(Images, Option<Vec<u32>>)> {
    let images = array.values(file, |header, path, reader| {
        as_images(path, &header.shape, options, said, || header.pixels(path, reader))
    })?;
    let labels = array_labels::read(file, array, arrays, labels, images.count(), &mut said.notes)?;
    Ok((images, labels))
}

/// Images from an array of this shape.
fn as_images(
    path: &Path,
    shape: &[usize],
    options: &Options,
    said: &mut Said,
    pixels: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Images> {
    let rows = match *shape {
        [count, values] => {
            flat::shape(values, options.image_size).map(|it| [count, it.height, it.width, it.channels])
        }
        _ => None,
    };
    let shape = rows.as_ref().map_or(shape, |rows| &rows[..]);
    let (count, height, width, channels, first) = match *shape {
        [count, height, width] => (count, height, width, 1, false),
        [count, height, width, channels @ (1 | 3 | 4)] => (count, height, width, channels, false),
        [count, channels @ (1 | 3 | 4), height, width] => (count, height, width, channels, true),
        _ => {
            let problem = format!("an array {shape:?} holds no images of 1, 3 or 4 channels");
            let hint = "images are [count, height, width], [count, height, width, channels] or [count, channels, \
                        height, width]";
            return Err(Error::data(path, problem, hint));
        }
    };
    if [count, height, width].contains(&0) {
        return Err(Error::data(path, format!("an array {shape:?} holds no pixels"), "save images in it"));
    }
    let total = convert::check_total(path, count, ImageShape { width, height, channels })? as u64;
    if total >= memory::SMALL {
        memory::check(path, &format!("{count} images of {width}x{height}"), total, memory::available())?;
    }
    let mut pixels = pixels()?;
    let mut planes = first;
    if rows.is_some() && channels == 3 {
        // One order for all parts.
        let found = || flat::in_planes(&pixels, ImageShape { width, height, channels });
        planes = said.planes.unwrap_or_else(found);
        if said.planes.replace(planes).is_none() {
            said.notes.push(flat::order(planes));
        }
    }
    if planes && channels > 1 {
        pixels = interleaved(&pixels, channels, height * width);
    }
    if channels == 4 {
        let (blended, chosen) = convert::opaque(&pixels, said.background);
        said.notes.extend(chosen.map(|(_, note)| format!("the fourth channel is opacity: {note}")));
        // One for all parts.
        said.background = said.background.or(chosen.map(|(background, _)| background));
        pixels = blended;
    }
    Ok(Images { shape: ImageShape { width, height, channels: channels.min(3) }, pixels })
}

/// `planes`, images whose channels follow one another, pixel after pixel.
pub(super) fn interleaved(planes: &[u8], channels: usize, pixels: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(planes.len());
    for image in planes.chunks_exact(channels * pixels) {
        all.extend(
            (0..pixels).flat_map(|pixel| (0..channels).map(move |channel| image[channel * pixels + pixel])),
        );
    }
    all
}

#[cfg(test)]
#[path = "arrays_tests.rs"]
mod tests;
