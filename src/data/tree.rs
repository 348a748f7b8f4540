//! What there is in a folder or an archive: the names of its files, and where their bytes are.

use super::PassedOver;
use super::file::{File, Place};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The files of a folder or an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// The folder or the archive.
    pub(super) root: PathBuf,
    /// Its files, in the order of the parts of their names.
    pub(super) files: Vec<File>,
    /// The names of its folders, those without files among them.
    pub(super) folders: Vec<String>,
    /// What is left out because of its name or kind.
    pub(super) passed_over: Vec<PassedOver>,
}

impl Tree {
    /// The same with the files of these names only.
    pub(super) fn only(mut self, names: &BTreeSet<String>) -> Self {
        self.files.retain(|file| names.contains(&file.name));
        let above = |file: &File| -> Vec<String> {
            file.name.match_indices('/').map(|(end, _)| file.name[..end].to_string()).collect()
        };
        let used: BTreeSet<String> = self.files.iter().flat_map(above).collect();
        self.folders.retain(|folder| used.contains(folder));
        self
    }
}

/// A name as text. Bytes that are not UTF-8 are written as `\xFF`, so that different names stay different.
pub(super) fn text(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    text
}

/// Why a file or folder with this name is no part of any dataset.
pub(super) fn litter(name: &str) -> Option<&'static str> {
    match name {
        "__MACOSX" => Some("written by macOS"),
        ".DS_Store" => Some("written by macOS"),
        ".ipynb_checkpoints" => Some("written by Jupyter"),
        _ if name.starts_with("._") => Some("written by macOS"),
        _ if ["thumbs.db", "ehthumbs.db", "desktop.ini"].contains(&&*name.to_lowercase()) => {
            Some("written by Windows")
        }
        _ if name.starts_with('.') => Some("hidden"),
        _ => None,
    }
}

/// Everything in `folder`, at any depth.
pub(super) fn of_folder(folder: &Path) -> Result<Tree> {
    let mut tree = Tree { root: folder.to_path_buf(), ..Tree::default() };
    let own = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
    walk(folder, "", &mut vec![(own, false)], &mut tree)?;
    Ok(tree)
}

/// How many links a path may lead through. Folders that link to one another would have too many paths.
const LINKS: usize = 3;

/// Adds what is in `folder`, called `name`, to `tree`. The last of `above` is its path without links; each of these with
/// whether a link led to it.
fn walk(folder: &Path, name: &str, above: &mut Vec<(PathBuf, bool)>, tree: &mut Tree) -> Result<()> {
    let io = |error| Error::io(folder, error);
    let mut entries: Vec<(OsString, std::fs::FileType)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        entries.push((entry.file_name(), entry.file_type().map_err(io)?));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (own, kind) in entries {
        let path = folder.join(&own);
        let last = text(own.as_encoded_bytes());
        let name = if name.is_empty() { last.clone() } else { format!("{name}/{last}") };
        let mut pass_over = |why: String| tree.passed_over.push(PassedOver { name: name.clone(), why });
        if let Some(why) = litter(&last) {
            pass_over(why.into());
            continue;
        }
        let target = if kind.is_symlink() { path.metadata().map(|data| data.file_type()) } else { Ok(kind) };
        match target {
            // A link that leads nowhere, or to itself.
            Err(_) => {
                let target = std::fs::read_link(&path).unwrap_or_default();
                tree.files.push(File::of(path, name, Place::Nowhere(target)));
            }
            Ok(kind) if kind.is_file() => tree.files.push(File::at(path, name)),
            Ok(target) if target.is_dir() => {
                let real = match (kind.is_symlink(), above.last()) {
                    (false, Some((parent, _))) => parent.join(&own),
                    _ => path.canonicalize().map_err(|error| Error::io(&path, error))?,
                };
                // Its pictures are drawn from the dataset.
                if ["config.toml", "checkpoint.safetensors"].iter().all(|file| path.join(file).is_file()) {
                    pass_over("the folder of a run".into());
                    continue;
                }
                if above.iter().any(|(folder, _)| *folder == real) {
                    pass_over(format!("a link to {}, the folder that it is in", real.display()));
                    continue;
                }
                let link = kind.is_symlink();
                if link && above.iter().filter(|(_, link)| *link).count() == LINKS {
                    pass_over(format!("a link behind {LINKS} others"));
                    continue;
                }
                tree.folders.push(name.clone());
                above.push((real, link));
                walk(&path, &name, above, tree)?;
                above.pop();
            }
            Ok(_) => pass_over("neither a file nor a folder".into()),
        }
    }
    Ok(())
}

/// The tree of the archive `root`, which holds entries with these names; a name that ends in `/` is a folder's. Of several
/// entries with one name the last counts. A folder that holds everything is left out of the names.
pub(super) fn of_archive(root: &Path, entries: Vec<(String, Option<Place>)>) -> Tree {
    let mut tree = Tree { root: root.to_path_buf(), ..Tree::default() };
    let mut files: BTreeMap<Vec<String>, Place> = BTreeMap::new();
    let mut folders: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut passed_over: BTreeMap<Vec<String>, &'static str> = BTreeMap::new();
    for (name, place) in entries {
        // Some programs of Windows write `\`.
        let name = if name.contains('/') { name } else { name.replace('\\', "/") };
        let folder = name.ends_with('/');
        let parts: Vec<String> =
            name.split('/').filter(|part| !["", "."].contains(part)).map(str::to_string).collect();
        let found = parts.iter().enumerate().find_map(|(index, part)| Some((index, litter(part)?)));
        match (found, place) {
            (Some((index, why)), _) => {
                passed_over.insert(parts[..=index].to_vec(), why);
            }
            (None, None) if !folder => {
                passed_over.insert(parts, "a link, or no file");
            }
            (None, place) => {
                let inside = if folder { parts.len() } else { parts.len().saturating_sub(1) };
                (1..=inside).for_each(|length| _ = folders.insert(parts[..length].to_vec()));
                if let Some(place) = place.filter(|_| !folder && !parts.is_empty()) {
                    files.insert(parts, place);
                }
            }
        }
    }
    let top: Option<String> = files.keys().next().and_then(|parts| parts.first()).cloned();
    let common = top.filter(|top| files.keys().all(|parts| parts.len() > 1 && parts[0] == *top));
    // Parts stay, because they are known by their names.
    let common = common.filter(|top| super::layout::Role::of(top).is_none());
    let inner = |parts: &[String]| match (&common, parts) {
        (Some(top), [first, rest @ ..]) if first == top => rest.join("/"),
        _ => parts.join("/"),
    };
    for (parts, place) in files {
        let path = root.join(parts.iter().collect::<PathBuf>());
        tree.files.push(File::of(path, inner(&parts), place));
    }
    tree.folders = folders.iter().map(|parts| inner(parts)).filter(|name| !name.is_empty()).collect();
    tree.passed_over = passed_over
        .into_iter()
        .map(|(parts, why)| PassedOver { name: inner(&parts), why: why.into() })
        .collect();
    tree
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
