//! What a path holds: which reader a folder, an archive or a file is for.

use super::tree::{self, Tree};
use super::{Dataset, Options, PassedOver, arrays, folder, folder_name, idx_folder};
use crate::{Error, Result};
use std::path::Path;

/// Opens the folder, archive or file at `path`.
pub(super) fn open(path: &Path, options: &Options) -> Result<Dataset> {
    let last = path.file_name().unwrap_or_default().to_string_lossy();
    if !path.is_dir() && folder::is_picture(&last) {
        let hint = "give the folder that holds the pictures";
        return Err(Error::data(path, "this is a single picture", hint));
    }
    if !path.is_dir() && arrays::is_file_of_numpy(path) {
        return arrays::read(path, None, options);
    }
    if let Some(tree) = tree::at(path)? {
        let name = if path.is_dir() { folder_name(path) } else { stem(&last) };
        let tree = match &options.only {
            Some(names) => tree.only(names),
            None => tree,
        };
        return open_tree(&tree, &name, options);
    }
    let (set, name) = idx_folder::containing(path)?;
    set.load(name, path, options)
}

/// The name of an archive without its ending.
fn stem(name: &str) -> String {
    let lower = name.to_lowercase();
    let ending = [".tar.gz", ".tgz", ".tar", ".zip"].into_iter().find(|ending| lower.ends_with(ending));
    name[..name.len() - ending.map_or(0, str::len)].to_string()
}

/// IDX files come first, because a folder may also hold pictures made from them.
fn open_tree(tree: &Tree, name: &str, options: &Options) -> Result<Dataset> {
    let mut sets = idx_folder::sets(&tree.files);
    let mut deep = None;
    if !sets.contains_key("") {
        if let Some(dataset) = folder::read(tree, name, options)? {
            return Ok(dataset);
        }
        deep = sets.keys().next().filter(|_| sets.len() == 1).cloned();
    }
    let place = deep.unwrap_or_default();
    if let Some(set) = sets.remove(&place)
        && let Some(set) = idx_folder::choose(&set, &tree.root.join(&place))?
    {
        let mut dataset = set.load(name.to_string(), &tree.root, options)?;
        pass_over(tree, &mut dataset, |file| set.uses(file), "no IDX file of this set");
        return Ok(dataset);
    }
    if !sets.is_empty() {
        let folders: Vec<String> =
            sets.keys().map(|name| tree.root.join(name).display().to_string()).collect();
        let hint = format!("some of its subfolders do; name one of them:\n    {}", folders.join("\n    "));
        return Err(Error::data(&tree.root, "the folder itself holds neither IDX files nor pictures", hint));
    }
    Err(Error::data(
        &tree.root,
        "it holds neither IDX files nor pictures",
        "looked for names with 'images' such as train-images-idx3-ubyte.gz, and for .png, .jpg and .jpeg files in \
         the folder, in its subfolders (one a class), and in the folders train and test",
    ))
}

/// Lists the files that were not read.
fn pass_over(tree: &Tree, dataset: &mut Dataset, used: impl Fn(&super::file::File) -> bool, why: &str) {
    let others = tree.files.iter().filter(|file| !used(file));
    let others = others.map(|file| PassedOver { name: file.name.clone(), why: why.into() });
    dataset.found.passed_over.extend(tree.passed_over.iter().cloned().chain(others));
}
