//! Images in files of NumPy: an array in a `.npy`, or one of those in a `.npz`.
//!
//! Images are `[count, height, width]`, `[count, height, width, channels]` where the last size is 1, 3 or 4, else
//! `[count, channels, height, width]`. A fourth channel is opacity. Labels are whole numbers, `[count]` or `[count, 1]`: in
//! a `.npz` under a name of [`LABEL_NAMES`], beside `x.npy` in `x_labels.npy` or `x-labels.npy`.

use super::idx::Images;
use super::npy::{Header, MAGIC};
use super::{Dataset, ImageShape, LABELS, Options, Part, convert, split, zip};
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Arrays that are taken for the images where several could be, in this order.
const IMAGE_NAMES: [&str; 3] = ["images", "x", "arr_0"];
/// Names of labels.
const LABEL_NAMES: [&str; 5] = ["labels", "label", "y", "targets", "arr_1"];
/// Names of the images to train on and to hold out, with those of their labels.
const PARTS: [[[&str; 2]; 2]; 2] = [
    [["x_train", "y_train"], ["x_test", "y_test"]],
    [["train_images", "train_labels"], ["test_images", "test_labels"]],
];

/// Whether the file at `path` is a `.npy`, or an archive of such files and nothing else.
pub(super) fn is_file_of_numpy(path: &Path) -> bool {
    let mut begin = Vec::new();
    let Ok(mut file) = File::open(path) else { return false };
    if file.by_ref().take(6).read_to_end(&mut begin).is_err() {
        return false;
    }
    let named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
    let archive = begin.starts_with(zip::MAGIC) || begin.starts_with(zip::EMPTY);
    let arrays = || {
        let entries = zip::entries(&mut BufReader::new(file)).unwrap_or_default();
        !entries.is_empty() && entries.iter().all(|entry| entry.name.ends_with(".npy"))
    };
    begin == MAGIC || archive && (named || arrays())
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
    key: Option<String>,
    header: Header,
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

    fn is_called(&self, name: &str) -> bool {
        self.key.as_ref().is_some_and(|key| key.eq_ignore_ascii_case(name))
    }

    /// Hand its values to `read`.
    pub(super) fn values<T>(
        &self,
        path: &Path,
        read: impl FnOnce(&Header, &Path, &mut dyn Read) -> Result<T>,
    ) -> Result<T> {
        let mut file = BufReader::new(File::open(path).map_err(|error| Error::io(path, error))?);
        let Some(key) = &self.key else {
            return read(&Header::read(path, &mut file)?, path, &mut file);
        };
        let entries = zip::entries(&mut file).map_err(|error| damaged(path, &error))?;
        let name = format!("{key}.npy");
        let entry = entries.into_iter().find(|entry| entry.name == name);
        let entry =
            entry.ok_or_else(|| Error::data(path, format!("{name} is gone"), "open the file again"))?;
        let mut reader = entry.open(&mut file).map_err(|error| damaged(path, &error))?;
        read(&Header::read(path, &mut reader)?, path, &mut reader)
    }
}

fn damaged(path: &Path, error: &std::io::Error) -> Error {
    let hint = "save the arrays again, with numpy.savez or numpy.savez_compressed";
    Error::data(path, format!("the archive cannot be read: {error}"), hint)
}

/// The arrays of the file at `path`, without their values.
pub(super) fn list(path: &Path) -> Result<Vec<Array>> {
    let mut file = BufReader::new(File::open(path).map_err(|error| Error::io(path, error))?);
    let mut begin = Vec::new();
    file.by_ref().take(4).read_to_end(&mut begin).map_err(|error| Error::io(path, error))?;
    if begin != zip::MAGIC {
        let mut file = BufReader::new(File::open(path).map_err(|error| Error::io(path, error))?);
        return Ok(vec![Array { key: None, header: Header::read(path, &mut file)? }]);
    }
    let mut found = Vec::new();
    for entry in zip::entries(&mut file).map_err(|error| damaged(path, &error))? {
        let Some(key) = entry.name.strip_suffix(".npy").map(str::to_string) else { continue };
        let mut reader = entry.open(&mut file).map_err(|error| damaged(path, &error))?;
        // Arrays of records and of objects are no images: they have no header that is understood here.
        if let Ok(header) = Header::read(path, &mut reader) {
            found.push(Array { key: Some(key), header });
        }
    }
    Ok(found)
}

/// Read the dataset in the file at `path`: of the array `key`, or of the one that must be meant.
pub(super) fn read(path: &Path, key: Option<&str>, options: &Options) -> Result<Dataset> {
    let arrays = list(path)?;
    let parts = PARTS.iter().find(|parts| {
        key.is_none()
            && parts
                .iter()
                .all(|[images, _]| arrays.iter().any(|it| it.is_called(images) && it.holds_images()))
    });
    let mut found = Vec::new();
    match parts {
        Some(parts) => {
            for [images, labels] in parts {
                if let Some(array) = arrays.iter().find(|it| it.is_called(images)) {
                    found.push(part(path, array, &arrays, &[labels], options)?);
                }
            }
        }
        None => found.push(part(path, chosen(path, &arrays, key)?, &arrays, &LABEL_NAMES, options)?),
    }
    let mut found = found.into_iter();
    let (shape, train) = found.next().ok_or_else(|| Error::Internal("a dataset without a part".into()))?;
    let (train, test) = match found.next() {
        Some((other, test)) if other == shape => (train, test),
        Some((other, _)) => {
            let problem = format!("images to train on are {shape}, those held out {other}");
            return Err(Error::data(path, problem, "give one size for all with --image-size WIDTHxHEIGHT"));
        }
        None => split::split(train, options.test_fraction, options.seed, path)?,
    };
    let name = path.file_stem().map_or("dataset".into(), |stem| stem.to_string_lossy().into_owned());
    let mut dataset = Dataset::new(name, shape, train, test);
    dataset.drop_half_labels(path);
    let labels = [&dataset.train, &dataset.test].into_iter().filter_map(|part| part.labels());
    dataset.classes =
        labels.flatten().max().map_or(Vec::new(), |last| (0..=*last).map(|it| it.to_string()).collect());
    Ok(dataset)
}

/// The array of images.
fn chosen<'a>(path: &Path, arrays: &'a [Array], key: Option<&str>) -> Result<&'a Array> {
    let shown = |arrays: &[&Array]| -> String {
        let line = |array: &&Array| {
            format!("\n    {}: {}", array.key.as_deref().unwrap_or("the array"), array.header)
        };
        arrays.iter().map(line).collect()
    };
    let everything: Vec<&Array> = arrays.iter().collect();
    let images: Vec<&Array> = arrays.iter().filter(|array| array.holds_images()).collect();
    let hint = "images are uint8, or floats from 0 to 1: [count, height, width], [count, height, width, channels] or \
                [count, channels, height, width]";
    if let Some(key) = key {
        let named = arrays.iter().find(|array| array.key.as_deref() == Some(key));
        return match named {
            Some(array) if array.holds_images() => Ok(array),
            Some(array) => Err(Error::data(path, format!("'{key}' holds no images: {}", array.header), hint)),
            None => {
                let problem = format!("there is no array '{key}'; there are:{}", shown(&everything));
                Err(Error::data(path, problem, "name one of these, as FILE.npz:NAME"))
            }
        };
    }
    let known =
        || IMAGE_NAMES.iter().find_map(|name| images.iter().find(|array| array.is_called(name)).copied());
    match images[..] {
        [only] => Ok(only),
        [] => {
            let problem = format!("no array holds images; there are:{}", shown(&everything));
            Err(Error::data(path, problem, hint))
        }
        [first, ..] => known().ok_or_else(|| {
            let problem = format!("several arrays could be the images:{}", shown(&images));
            let key = first.key.as_deref().unwrap_or_default();
            Error::data(path, problem, format!("name the one to use: --dataset {}:{key}", path.display()))
        }),
    }
}

/// The images of `array` in the size and colour asked for, with the labels under one of these names.
fn part(
    path: &Path,
    array: &Array,
    arrays: &[Array],
    labels: &[&str],
    options: &Options,
) -> Result<(ImageShape, Part)> {
    let images = array.values(path, |header, path, reader| {
        as_images(path, &header.shape, options, || header.pixels(path, reader))
    })?;
    let images = convert::convert(images, options, path)?;
    let (count, shape) = (images.count(), images.shape);
    let part = Part::of_images(images.pixels, shape);
    let fits =
        |other: &Header| other.holds_integers() && matches!(other.shape[..], [n] | [n, 1] if n == count);
    let found = match &array.key {
        Some(_) => {
            let named = labels.iter().find_map(|name| arrays.iter().find(|other| other.is_called(name)));
            named.map(|array| (path.to_path_buf(), array.header.clone(), array.key.clone()))
        }
        None => beside(path)
            .map(|path| Ok((path.clone(), list(&path)?.swap_remove(0).header, None)))
            .transpose()?,
    };
    let Some((path, header, key)) = found else { return Ok((shape, part)) };
    if !fits(&header) {
        let name = key.as_deref().unwrap_or(LABELS);
        log::warn!("{}: {name} ({header}) are no labels of {count} images, and are not used", path.display());
        return Ok((shape, part));
    }
    let labels = Array { key, header }.values(&path, Header::labels)?;
    Ok((shape, part.with_labels(labels)))
}

/// The file of labels beside the array at `path`.
fn beside(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let names = [format!("{stem}_labels.npy"), format!("{stem}-labels.npy")];
    names.into_iter().map(|name| path.with_file_name(name)).find(|path| path.is_file())
}

/// Images from an array of this shape.
fn as_images(
    path: &Path,
    shape: &[usize],
    options: &Options,
    pixels: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Images> {
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
    convert::check_total(path, count, ImageShape { width, height, channels })?;
    let mut pixels = pixels()?;
    if first && channels > 1 {
        pixels = interleaved(&pixels, channels, height * width);
    }
    if channels == 4 {
        let (blended, chosen) = convert::opaque(&pixels, options.background);
        let note = chosen.map_or("images are laid over one colour", |(_, note)| note);
        log::info!("{}: the fourth channel is taken for opacity: {note}", path.display());
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
