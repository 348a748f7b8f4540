//! A folder of pictures (png, jpeg) as a dataset.
//!
//! The pictures lie in the folder itself, or in one subfolder a class. Folders named `train` and `test`, each
//! laid out in one of these two ways, are the parts. Deeper folders are not searched.

use super::file::File;
use super::pictures::Pictures;
use super::{Dataset, Options, Part, folder_name, pictures, split};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The pictures of one part: each with its class, or all without.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listing {
    pictures: Vec<PathBuf>,
    classes: Option<Vec<String>>,
}

impl Listing {
    /// Keep the pictures that were `used`.
    fn keep(&mut self, used: &[bool]) {
        let mut marks = used.iter();
        self.pictures.retain(|_| marks.next().is_some_and(|used| *used));
        let mut marks = used.iter();
        if let Some(classes) = &mut self.classes {
            classes.retain(|_| marks.next().is_some_and(|used| *used));
        }
    }
}

/// The pictures of a folder, and the number of files and folders that were skipped.
#[derive(Debug, PartialEq, Eq)]
struct Scan {
    train: Listing,
    test: Option<Listing>,
    skipped: usize,
}

/// Reads the pictures of `folder`; nothing when it has none.
pub(super) fn read(folder: &Path, options: &Options) -> Result<Option<Dataset>> {
    let Some(Scan { train, test, skipped }) = scan(folder)? else {
        return Ok(None);
    };
    if skipped > 0 {
        log::warn!("{}: skipped {skipped} entries that are not png or jpeg pictures", folder.display());
    }
    let listings =
        [&train, test.as_ref().unwrap_or(&Listing::default())].map(|listing| listing.pictures.clone());
    let files: Vec<File> = listings.iter().flatten().map(|path| file(folder, path)).collect();
    let Pictures { images, used, found } = pictures::read(folder, &files, options)?;
    let (mut train, mut test) = (train, test);
    let (used_train, used_test) = used.split_at(train.pictures.len());
    train.keep(used_train);
    if let Some(test) = &mut test {
        test.keep(used_test);
        let empty =
            [(&train, "train"), (test, "test")].into_iter().find(|(part, _)| part.pictures.is_empty());
        if let Some((_, name)) = empty {
            let problem = format!("no picture of the part '{name}' can be read");
            return Err(Error::data(folder, problem, "put whole pictures into it"));
        }
    }

    let names: BTreeSet<&String> = [Some(&train), test.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|part| part.classes.iter().flatten())
        .collect();
    let classes: Vec<String> = names.into_iter().cloned().collect();
    let part = |listing: &Listing, pixels| {
        let names = listing.pictures.iter().map(|path| file(folder, path).name).collect();
        let part = Part::of_images(pixels, images.shape).with_names(names);
        let Some(names) = &listing.classes else { return part };
        let labels = names.iter().filter_map(|name| classes.binary_search(name).ok());
        part.with_labels(labels.map(|label| label as u32).collect())
    };
    let mut pixels = images.pixels;
    let (train, test) = match &test {
        Some(test) => {
            let test_pixels = pixels.split_off(train.pictures.len() * images.shape.pixels());
            (part(&train, pixels), part(test, test_pixels))
        }
        None => split::split(part(&train, pixels), options.test_fraction, options.seed, folder)?,
    };
    let mut dataset = Dataset::new(folder_name(folder), images.shape, train, test).with_classes(classes);
    dataset.found = found;
    dataset.drop_half_labels(folder);
    Ok(Some(dataset))
}

/// The file at `path`, called by its place in `folder`.
fn file(folder: &Path, path: &Path) -> File {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    File::at(path.to_path_buf(), parts.join("/"))
}

fn scan(folder: &Path) -> Result<Option<Scan>> {
    let mut skipped = 0;
    let top = entries(folder)?;
    let part = |name: &str| {
        top.folders.iter().find(|path| path.file_name().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    };
    let (train, test) = match (part("train"), part("test")) {
        (Some(train), Some(test)) => {
            skipped += top.skipped + top.pictures.len() + top.folders.len() - 2;
            let parts = [listing(train, &mut skipped)?, listing(test, &mut skipped)?];
            if parts.iter().all(|part| part.pictures.is_empty()) {
                return Ok(None);
            }
            for (path, part) in [train, test].into_iter().zip(&parts) {
                if part.pictures.is_empty() {
                    let hint =
                        "put png or jpeg pictures into it, or remove it to hold out a part of the others";
                    return Err(Error::data(path, "there are no pictures in this folder", hint));
                }
            }
            let [train, test] = parts;
            (train, Some(test))
        }
        (Some(train), None) if top.folders.len() == 1 && top.pictures.is_empty() => {
            skipped += top.skipped;
            (listing(train, &mut skipped)?, None)
        }
        _ => (listing(folder, &mut skipped)?, None),
    };
    Ok((!train.pictures.is_empty()).then_some(Scan { train, test, skipped }))
}

/// The pictures of one part, in the order of their names within the order of their classes' names.
fn listing(folder: &Path, skipped: &mut usize) -> Result<Listing> {
    let top = entries(folder)?;
    *skipped += top.skipped;
    let (mut pictures, mut classes) = (Vec::new(), Vec::new());
    for class in &top.folders {
        let inside = entries(class)?;
        *skipped += inside.skipped + inside.folders.len();
        let name = class.file_name().unwrap_or_default().to_string_lossy();
        classes.extend(inside.pictures.iter().map(|_| name.to_string()));
        pictures.extend(inside.pictures);
    }
    match (top.pictures.first(), pictures.first()) {
        (Some(flat), Some(nested)) => Err(Error::data(
            folder,
            format!(
                "some pictures lie in the folder itself ({}), some in subfolders ({})",
                flat.display(),
                nested.display()
            ),
            "put all of them into the folder itself, or each into the subfolder of its class",
        )),
        (Some(_), None) => Ok(Listing { pictures: top.pictures, classes: None }),
        (None, _) => Ok(Listing { pictures, classes: Some(classes) }),
    }
}

/// The files and folders directly in a folder, sorted by name.
#[derive(Default)]
struct Entries {
    pictures: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    skipped: usize,
}

fn entries(folder: &Path) -> Result<Entries> {
    let io = |error| Error::io(folder, error);
    let mut names: Vec<OsString> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name());
    }
    names.sort();
    let mut found = Entries::default();
    for name in names {
        let path = folder.join(&name);
        if name.as_encoded_bytes().starts_with(b".") {
            found.skipped += 1;
        } else if path.is_dir() {
            found.folders.push(path);
        } else if is_picture(&path) {
            found.pictures.push(path);
        } else {
            found.skipped += 1;
        }
    }
    Ok(found)
}

/// Whether a file's name ends like a picture in a format that this program reads.
pub(super) fn is_picture(path: &Path) -> bool {
    let known = |extension: &std::ffi::OsStr| {
        ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif"]
            .iter()
            .any(|k| extension.eq_ignore_ascii_case(k))
    };
    path.extension().is_some_and(known)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
