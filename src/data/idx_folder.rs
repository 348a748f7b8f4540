//! Which IDX files of a folder belong together, and the dataset they make.
//!
//! Files are known by their names, whatever comes before and after:
//!
//! * images have `images` in the name, labels `labels`;
//! * `train` marks the images to train on, `t10k` or `test` those held out;
//! * names that are equal but for these words form one set, such as `train-images-idx3-ubyte` and
//!   `t10k-labels.idx1-ubyte.gz`. A file without such a mark is a whole dataset that is split by a seeded fraction.
//!
//! Each may be gzipped or zipped, and may lie in a folder named like the file.
//!
//! EMNIST (`emnist-SPLIT-train-images-idx3-ubyte`) stores its images transposed: those of files whose name
//! starts with `emnist` are transposed back.

use super::archive;
use super::file::File;
use super::idx::{self, Images};
use super::tree;
use super::zip;
use super::{Dataset, ImageShape, Options, Part, convert, folder_name, split};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Which part of a dataset a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Train,
    Test,
    /// The name does not say: everything.
    Whole,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Images,
    Labels,
}

/// Files of one dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    files: BTreeMap<(Role, Kind), File>,
}

/// The sets of a folder, by what their names have in common (see [`parse`]).
pub(super) type Sets = BTreeMap<String, Set>;

/// The [`Sets`] key of MNIST and all that copy its file names.
pub(super) const MNIST_KEY: &str = "*-images-idx3-ubyte";

/// The sets of IDX files in `folder` itself.
pub(super) fn list(folder: &Path) -> Result<Sets> {
    let mut files = Vec::new();
    shallow(folder, "", &mut files)?;
    Ok(sets(&files).remove("").unwrap_or_default())
}

/// The files in `folder`, and in folders in it that are named like IDX files.
fn shallow(folder: &Path, name: &str, files: &mut Vec<File>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let (path, own) = (entry.path(), tree::text(entry.file_name().as_encoded_bytes()));
        let inner = if name.is_empty() { own.clone() } else { format!("{name}/{own}") };
        if path.is_file() {
            files.push(File::at(path, inner));
        } else if name.is_empty() && parse(&own).is_some() && path.is_dir() {
            shallow(&path, &own, files)?;
        }
    }
    Ok(())
}

/// The sets among `files` with images in them, by the names of their folders. Where a file is there plain and packed, the
/// plain one is taken.
pub(super) fn sets(files: &[File]) -> BTreeMap<String, Sets> {
    let mut files: Vec<&File> = files.iter().collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found: BTreeMap<String, Sets> = BTreeMap::new();
    for file in files {
        let Some((key, role, kind)) = parse(file.last_name()) else { continue };
        let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
        let place = if parse(last).is_some() { above } else { folder };
        let set = found.entry(place.to_string()).or_default().entry(key).or_default();
        set.files.entry((role, kind)).or_insert_with(|| file.clone());
    }
    found.retain(|_, sets| sets.values().any(|set| set.images().next().is_some()));
    found
}

/// Parses the name of an IDX file into the key of its set, its part and its kind; `None` for other names.
fn parse(name: &str) -> Option<(String, Role, Kind)> {
    let name = name.to_lowercase();
    let name = [".gz", ".zip"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let usual = ["", "bin", "dat"].contains(&extension)
        || ["idx", "ubyte", "images", "labels"].iter().any(|part| extension.contains(part));
    if name.starts_with('.') || !usual {
        return None;
    }
    let kind = if name.contains("images") {
        Kind::Images
    } else if name.contains("labels") {
        Kind::Labels
    } else {
        return None;
    };
    let (role, word) = [(Role::Test, "t10k"), (Role::Train, "train"), (Role::Test, "test")]
        .into_iter()
        .find(|(_, word)| name.contains(word))
        .unwrap_or((Role::Whole, "*"));
    let key = name
        .replacen(word, "*", 1)
        .replace("labels", "images")
        .replace("idx1", "idx3")
        .replace("idx4", "idx3")
        .replace(['.', '_'], "-");
    Some((key, role, kind))
}

/// The one set of a folder; none when it has no images. Several are an error that lists them.
pub(super) fn choose(sets: &Sets, folder: &Path) -> Result<Option<Set>> {
    let with_images: Vec<&Set> = sets.values().filter(|set| set.images().next().is_some()).collect();
    if with_images.is_empty() {
        return Ok(None);
    }
    // Files whose names differ in other words too still form one set, if each part is there once.
    let mut union = Set::default();
    let mut files = 0;
    for set in sets.values() {
        files += set.files.len();
        union.files.extend(set.files.clone());
    }
    let whole = union.has(Role::Whole) && (union.has(Role::Train) || union.has(Role::Test));
    if union.files.len() == files && !whole {
        return Ok(Some(union));
    }
    if let [only] = with_images[..] {
        return Ok(Some(only.clone()));
    }
    let examples: Vec<&File> = with_images.iter().filter_map(|set| set.images().next()).collect();
    let names: Vec<String> = examples.iter().map(|file| file_name(file.path())).collect();
    let hint = match examples[..] {
        [first, ..] if first.is_own() => {
            format!("name the file of the set to use: --dataset {}", first.path().display())
        }
        _ => "unpack the archive, and name the file of the set to use".into(),
    };
    let problem = format!("it holds {} sets of images:\n    {}", names.len(), names.join("\n    "));
    Err(Error::data(folder, problem, hint))
}

/// The set that `file` belongs to, and what to call it. Naming one part finds the others beside it.
pub(super) fn containing(path: &Path) -> Result<(Set, String)> {
    let file = File::single(path);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some((key, role, Kind::Images)) = parse(&file.name) {
        let mut set = list(parent)?.remove(&key).unwrap_or_default();
        set.files.insert((role, Kind::Images), file);
        let prefix = key.split("images").next().unwrap_or_default().trim_matches(['*', '-']);
        let name = if prefix.is_empty() { folder_name(parent) } else { prefix.to_string() };
        return Ok((set, name));
    }
    let set = Set { files: BTreeMap::from([((Role::Whole, Kind::Images), file)]) };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok((set, stem.unwrap_or_else(|| folder_name(parent))))
}

impl Set {
    fn images(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|((_, kind), _)| *kind == Kind::Images).map(|(_, file)| file)
    }

    /// Whether `file` is one of its files.
    pub(super) fn uses(&self, file: &File) -> bool {
        self.files.values().any(|own| own == file)
    }

    /// Whether there are images of this part.
    pub(super) fn has(&self, role: Role) -> bool {
        self.files.contains_key(&(role, Kind::Images))
    }

    /// Reads the set. `path` is what errors about the whole name.
    pub(super) fn load(&self, name: String, path: &Path, options: &Options) -> Result<Dataset> {
        let mut parts = Vec::new();
        for role in [Role::Train, Role::Test, Role::Whole] {
            if let Some(images) = self.files.get(&(role, Kind::Images)) {
                let labels = self.files.get(&(role, Kind::Labels));
                parts.push((images, load_part(images, labels, options)?));
            }
        }
        let mut parts = parts.into_iter();
        let (first, (shape, mut train)) =
            parts.next().ok_or_else(|| Error::data(path, "there are no images", "name a file of images"))?;
        let test = match parts.next() {
            Some((test, (test_shape, _))) if test_shape != shape => {
                return Err(Error::data(
                    test.path(),
                    format!(
                        "its images are {test_shape}, but those of {} are {shape}",
                        file_name(first.path())
                    ),
                    "give one size for all with --image-size WIDTHxHEIGHT, one colour with --color grey|rgb",
                ));
            }
            Some((_, (_, test))) => test,
            None => {
                let (kept, test) = split::split(train, options.test_fraction, options.seed, path)?;
                train = kept;
                test
            }
        };
        let mut dataset = Dataset::new(name, shape, train, test);
        dataset.found.files = self.files.len();
        dataset.drop_half_labels(path);
        let labels = [&dataset.train, &dataset.test].into_iter().filter_map(|part| part.labels());
        if let Some(last) = labels.flatten().max() {
            dataset.classes = (0..=*last).map(|label| label.to_string()).collect();
        }
        Ok(dataset)
    }
}

/// One file of images with its labels, in the size and colour asked for.
fn load_part(file: &File, labels: Option<&File>, options: &Options) -> Result<(ImageShape, Part)> {
    let path = file.path();
    let mut images = idx::images_of(&unzipped(file)?)?;
    if file_name(path).to_lowercase().starts_with("emnist") {
        images = transpose(&images);
    }
    let images = convert::convert(images, options, path)?;
    let count = images.count();
    let labels = labels.map(|file| -> Result<Vec<u32>> {
        let labels = idx::labels_of(&unzipped(file)?)?;
        if labels.len() == count {
            return Ok(labels);
        }
        Err(Error::data(
            file.path(),
            format!("it holds {} labels, but {} holds {count} images", labels.len(), file_name(path)),
            "use the label file that was made for these images, or take it out of the folder",
        ))
    });
    let part = Part::of_images(images.pixels, images.shape);
    Ok((
        images.shape,
        match labels.transpose()? {
            Some(labels) => part.with_labels(labels),
            None => part,
        },
    ))
}

/// The file, or the only one that it holds if it is a zip archive.
fn unzipped(file: &File) -> Result<File> {
    if file.begin(4)? == zip::MAGIC { archive::only_file(file) } else { Ok(file.clone()) }
}

/// Rows as columns.
fn transpose(images: &Images) -> Images {
    let ImageShape { width, height, channels } = images.shape;
    let shape = ImageShape { width: height, height: width, channels };
    let mut pixels = Vec::with_capacity(images.pixels.len());
    for image in images.pixels.chunks_exact(shape.pixels()) {
        for x in 0..width {
            for y in 0..height {
                pixels.extend_from_slice(&image[(y * width + x) * channels..][..channels]);
            }
        }
    }
    Images { shape, pixels }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
#[path = "idx_folder_tests.rs"]
mod tests;
