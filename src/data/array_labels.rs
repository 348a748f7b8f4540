//! Labels beside images in files of NumPy.

use super::arrays::{self, Array};
use super::file::File;
use super::npy::Header;
use crate::Result;
use std::io::Read;
use std::path::Path;

/// Names of labels.
pub(super) const NAMES: [&str; 5] = ["labels", "label", "y", "targets", "arr_1"];

/// The labels of the `count` images in `array`: under one of `names` in a `.npz`, in the file beside a `.npy`.
pub(super) fn read(
    file: &File,
    array: &Array,
    arrays: &[Array],
    names: &[&str],
    count: usize,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<u32>>> {
    let found = match &array.key {
        Some(_) => {
            let named = names.iter().find_map(|name| arrays.iter().find(|other| other.is_called(name)));
            let named = named.filter(|other| other.key != array.key);
            named.map(|array| (file.clone(), array.header.clone(), array.key.clone()))
        }
        None => match beside(file) {
            Some(file) => {
                let header = arrays::list(&file)?.found.swap_remove(0).header;
                Some((file, header, None))
            }
            None => None,
        },
    };
    let Some((file, header, key)) = found else { return Ok(None) };
    let name = key.as_deref().map_or_else(|| file.last_name().to_string(), str::to_string);
    let labels = match header.shape[..] {
        [rows] | [rows, 1] if rows == count => {
            Array { key, header: header.clone() }.values(&file, Header::labels)?
        }
        [rows, classes] if rows == count && (2..=10_000).contains(&classes) => {
            let one_hot = |header: &Header, path: &Path, reader: &mut dyn Read| -> Result<_> {
                Ok(header.labels(path, reader)?.and_then(|all| one_hot(&all, classes)))
            };
            Array { key, header: header.clone() }.values(&file, one_hot)?
        }
        _ => None,
    };
    if labels.is_none() {
        notes.push(format!("{name}, {header}, holds no labels of the {count} images, and is not used."));
    }
    Ok(labels)
}

/// The classes of rows that are 0 but for a 1 each.
fn one_hot(values: &[u32], classes: usize) -> Option<Vec<u32>> {
    let class = |row: &[u32]| {
        let place = row.iter().position(|&value| value == 1)?;
        (row.iter().sum::<u32>() == 1).then_some(place as u32)
    };
    values.chunks_exact(classes.max(1)).map(class).collect()
}

/// The file of labels beside the array in `file`.
fn beside(file: &File) -> Option<File> {
    let path = file.path();
    let stem = path.file_stem()?.to_str()?;
    let names = [format!("{stem}_labels.npy"), format!("{stem}-labels.npy")];
    let path = names.into_iter().map(|name| path.with_file_name(name)).find(|path| path.is_file())?;
    Some(File::single(&path))
}
