//! What a path holds: which reader a folder, an archive or a file is for.

use super::cifar::Batches;
use super::file::File;
use super::layout::Role;
use super::tree::{self, Tree};
use super::{
    Dataset, Options, PassedOver, archive, arrays, cifar, folder, folder_name, foreign, idx_folder, table,
};
use crate::{Error, Result};
use std::path::Path;

/// Opens the folder, archive or file at `path`.
pub(super) fn open(path: &Path, options: &Options) -> Result<Dataset> {
    let file = File::single(path);
    if path.is_dir() {
        return open_tree(tree::of_folder(path)?, &folder_name(path), options);
    }
    if !path.is_file() {
        return Err(Error::data(path, "this is neither a file nor a folder", "give one of these"));
    }
    if folder::is_picture(&file.name) {
        let hint = "give the folder that holds the pictures";
        return Err(Error::data(path, "this is a single picture", hint));
    }
    if arrays::is_file_of_numpy(&file) {
        return arrays::read(&file, None, options);
    }
    if let Some(tree) = archive::of(path)? {
        return open_tree(tree, &stem(&file.name), options);
    }
    if let Some(foreign) = foreign::recognise(&file) {
        return Err(Error::data(path, format!("this is {}", foreign.what), foreign.how));
    }
    if table::is_table(&file.name) {
        return table::read(&stem(&file.name), &file, None, options);
    }
    let (set, name) = idx_folder::containing(path)?;
    set.load(name, path, options)
}

/// The name of an archive or a table without its ending.
fn stem(name: &str) -> String {
    const ENDINGS: [&str; 8] = [".tar.gz", ".tgz", ".tar", ".zip", ".csv.gz", ".csv", ".tsv.gz", ".tsv"];
    let ending = ENDINGS.iter().find(|ending| name.to_lowercase().ends_with(*ending));
    let stem = ending.and_then(|ending| name.get(..name.len() - ending.len()));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name).to_string()
}

/// Opens a folder or an archive. IDX files come first, because a folder may also hold pictures made from them.
fn open_tree(tree: Tree, name: &str, options: &Options) -> Result<Dataset> {
    let tree = &match &options.only {
        Some(names) => tree.only(names),
        None => tree,
    };
    let root = &tree.root;
    let mut sets = idx_folder::sets(&tree.files);
    if !sets.contains_key("")
        && let Some(dataset) = folder::read(tree, name, options)?
    {
        return Ok(dataset);
    }
    let place = sets.keys().next().filter(|place| sets.len() == 1 || place.is_empty()).cloned();
    if let Some(place) = place
        && let Some(set) = sets.remove(&place)
        && let Some(set) = idx_folder::choose(&set, &root.join(&place))?
    {
        let mut dataset = set.load(name.to_string(), root, options)?;
        pass_over(tree, &mut dataset, |file| set.uses(file));
        return Ok(dataset);
    }
    if !sets.is_empty() {
        let folders: Vec<String> = sets.keys().map(|name| root.join(name).display().to_string()).collect();
        let hint = format!("some of its subfolders do; name one of them:\n    {}", folders.join("\n    "));
        return Err(Error::data(root, "the folder itself holds neither IDX files nor pictures", hint));
    }
    if let Some(batches) = Batches::among(&tree.files) {
        let mut dataset = cifar::read_batches(&batches, root, options)?;
        pass_over(tree, &mut dataset, |file| batches.uses(file));
        return Ok(dataset);
    }
    if let Some(dataset) = open_single(tree, name, options)? {
        return Ok(dataset);
    }
    // An archive that was not unpacked.
    let archives: Vec<&File> =
        tree.files.iter().filter(|it| it.is_own() && archive::is_archive(&it.name)).collect();
    if let [only] = archives[..]
        && let Some(inner) = archive::of(only.path())?
    {
        let mut dataset = open_tree(inner, name, options)?;
        dataset.found.notes.insert(0, format!("The dataset is the archive {}.", only.name));
        pass_over(tree, &mut dataset, |file| file == only);
        return Ok(dataset);
    }
    if let [first, _, ..] = archives[..] {
        let names: Vec<&str> = archives.iter().map(|file| &*file.name).collect();
        let problem = format!("it holds several archives:\n    {}", names.join("\n    "));
        let hint =
            format!("unpack them, or name the one to use, such as --dataset {}", first.path().display());
        return Err(Error::data(root, problem, hint));
    }
    // Where there is nothing else, a file that is known but not read is what was meant.
    if let Some((file, foreign)) =
        tree.files.iter().take(100).find_map(|file| Some((file, foreign::recognise(file)?)))
    {
        return Err(Error::data(file.path(), format!("this is {}", foreign.what), foreign.how));
    }
    Err(Error::data(
        root,
        "it holds neither IDX files nor pictures, nor arrays or tables",
        "looked at any depth for pictures (png, jpeg, webp, bmp, tiff, gif), for IDX files (names with 'images' such as \
         train-images-idx3-ubyte.gz), for data_batch_1.bin, and for .npy, .npz and .csv files",
    ))
}

/// Opens the only array or table of a tree, or the two of its parts.
fn open_single(tree: &Tree, name: &str, options: &Options) -> Result<Option<Dataset>> {
    let arrays =
        tree.files.iter().filter(|file| arrays::is_array(&file.name) && !arrays::is_of_labels(&file.name));
    let arrays: Vec<&File> = arrays.collect();
    let tables: Vec<&File> = tree.files.iter().filter(|file| table::is_table(&file.name)).collect();
    if let [only] = arrays[..] {
        let mut dataset = arrays::read(only, None, options)?;
        pass_over(tree, &mut dataset, |file| file == only || arrays::is_of_labels(&file.name));
        return Ok(Some(dataset));
    }
    if arrays.is_empty() && !tables.is_empty() {
        let part = |role: Role| -> Vec<&File> {
            let words = |file: &File| -> Vec<Role> {
                file.last_name()
                    .split(|letter: char| !letter.is_alphanumeric())
                    .filter_map(Role::of)
                    .collect()
            };
            tables.iter().copied().filter(|file| words(file).contains(&role)).collect()
        };
        let parts = [part(Role::Train), part(Role::Validation), part(Role::Test)];
        let wanted = match options.held_out {
            super::HeldOut::Validation => [&parts[1][..], &parts[2][..]],
            super::HeldOut::Test => [&parts[2][..], &parts[1][..]],
        };
        let pair = match (&parts[0][..], wanted, &tables[..]) {
            (&[train], [&[test], _] | [&[], &[test]], _) => Some((train, Some(test))),
            (_, _, &[only]) => Some((only, None)),
            _ => None,
        };
        if let Some((train, test)) = pair {
            let mut dataset = table::read(name, train, test, options)?;
            if let Some(test) = test {
                let note =
                    format!("{} is the part to train on, {} the part held out.", train.name, test.name);
                dataset.found.notes.insert(0, note);
            }
            pass_over(tree, &mut dataset, |file| file == train || Some(file) == test);
            return Ok(Some(dataset));
        }
    }
    let all: Vec<&File> = arrays.into_iter().chain(tables).collect();
    let Some(first) = all.first() else { return Ok(None) };
    let names: Vec<&str> = all.iter().map(|file| &*file.name).collect();
    let hint = if first.is_own() {
        format!("name the one to use, such as --dataset {}", first.path().display())
    } else {
        "unpack the archive, and name the one to use".into()
    };
    let problem = format!("several files could be the images:\n    {}", names.join("\n    "));
    Err(Error::data(&tree.root, problem, hint))
}

/// Lists the files that were not read.
fn pass_over(tree: &Tree, dataset: &mut Dataset, used: impl Fn(&File) -> bool) {
    let others = tree.files.iter().filter(|file| !used(file));
    let others =
        others.map(|file| PassedOver { name: file.name.clone(), why: "no part of the dataset".into() });
    dataset.found.passed_over.extend(tree.passed_over.iter().cloned().chain(others));
}
