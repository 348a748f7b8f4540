//! Pictures (see [`is_picture`]) in a folder or an archive as a dataset. Which part and class each belongs to, see
//! [`super::layout`].

use super::file::File;
use super::layout::{self, Item, Parts};
use super::pictures::Pictures;
use super::tree::Tree;
use super::{Dataset, Options, Part, pictures, split};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// How the names of files end that are read as pictures.
const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "jfif", "webp", "bmp", "tif", "tiff", "gif"];

/// Reads the pictures of `tree` as the dataset `name`; nothing when it has none.
pub(super) fn read(tree: &Tree, name: &str, options: &Options) -> Result<Option<Dataset>> {
    if !tree.files.iter().any(|file| is_picture(&file.name)) {
        return Ok(None);
    }
    let (parts, passed_over, notes) = layout::of(tree, is_picture).parts(tree, options.held_out)?;
    let mut dataset = read_parts(tree, name, parts, options)?;
    dataset.found.passed_over.splice(0..0, passed_over);
    dataset.found.notes.splice(0..0, notes);
    Ok(Some(dataset))
}

/// Reads these items.
fn read_parts(tree: &Tree, name: &str, mut parts: Parts, options: &Options) -> Result<Dataset> {
    let files: Vec<File> = parts.items().map(|item| item.file.clone()).collect();
    let Pictures { images, used, found } = pictures::read(&tree.root, &files, options)?;
    parts.keep(&used);
    let empty = [Some(&parts.train), parts.test.as_ref()].into_iter().flatten().any(Vec::is_empty);
    if empty {
        let part = if parts.train.is_empty() { "train" } else { "test" };
        let problem = format!("no picture of the part '{part}' can be read");
        return Err(Error::data(&tree.root, problem, "put whole pictures into it"));
    }

    let names: BTreeSet<&String> = parts.items().filter_map(|item| item.class.as_ref()).collect();
    let classes: Vec<String> = names.into_iter().cloned().collect();
    let part = |items: &[Item], pixels| {
        let names = items.iter().map(|item| item.file.name.clone()).collect();
        let part = Part::of_images(pixels, images.shape).with_names(names);
        if classes.is_empty() {
            return part;
        }
        let labels = items.iter().filter_map(|item| classes.binary_search(item.class.as_ref()?).ok());
        part.with_labels(labels.map(|label| label as u32).collect())
    };
    let mut pixels = images.pixels;
    let (train, test) = match &parts.test {
        Some(test) => {
            let test_pixels = pixels.split_off(parts.train.len() * images.shape.pixels());
            (part(&parts.train, pixels), part(test, test_pixels))
        }
        None => split::split(part(&parts.train, pixels), options.test_fraction, options.seed, &tree.root)?,
    };
    Ok(Dataset { found, ..Dataset::new(name, images.shape, train, test).with_classes(classes) })
}

/// Whether a file's name ends like a picture in a format that this program reads.
pub(super) fn is_picture(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
#[path = "folder_tests.rs"]
pub(super) mod tests;
