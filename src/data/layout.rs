//! The parts and classes of pictures, from the names of files and folders alone: the same for folders and archives.
//!
//! Folders named `train` and `val` or `test` are the parts. The class is the first folder below the dataset, or below its
//! part. Folders around everything else do not count.

use super::file::File;
use super::tree::Tree;
use super::{HeldOut, PassedOver};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The part that an item belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// There are no parts: some of these items will be held out.
    Whole,
    Train,
    Validation,
    Test,
}

impl Role {
    /// The part that a folder with this name holds.
    pub(super) fn of(name: &str) -> Option<Self> {
        match &*name.to_lowercase() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

/// A file of a dataset, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) file: File,
    /// The name of its class; none where the folders are no classes.
    pub(super) class: Option<String>,
    pub(super) role: Role,
}

/// The items of a dataset, before any is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) items: Vec<Item>,
    /// The folders of the parts, such as `train`; empty where there are no parts.
    parts: BTreeMap<Role, Vec<String>>,
    pub(super) passed_over: Vec<PassedOver>,
    pub(super) notes: Vec<String>,
}

/// The first parts of a name that are folders, and what follows.
fn within<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(name) } else { name.strip_prefix(folder)?.strip_prefix('/') }
}

/// Where each of the files of `tree` that are `wanted` belongs; none of the others.
pub(super) fn of(tree: &Tree, wanted: impl Fn(&str) -> bool) -> Listing {
    let (files, others): (Vec<&File>, Vec<&File>) = tree.files.iter().partition(|file| wanted(&file.name));
    let mut listing = Listing { passed_over: tree.passed_over.clone(), ..Listing::default() };
    let pass_over = |file: &File, why: &str| PassedOver { name: file.name.clone(), why: why.into() };
    listing.passed_over.extend(others.into_iter().map(|file| pass_over(file, "no picture")));

    // The folder that holds everything, however deep.
    let mut top = String::new();
    loop {
        let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
        let empty = tree.folders.iter().filter_map(|name| within(name, &top));
        empty.filter(|name| !name.contains('/')).for_each(|name| _ = folders.entry(name).or_default());
        let (mut flat, mut used) = (0, 0);
        for name in files.iter().filter_map(|file| within(&file.name, &top)) {
            match name.split_once('/') {
                Some((folder, _)) => *folders.entry(folder).or_default() += 1,
                None => flat += 1,
            }
        }
        let mut parts: BTreeMap<Role, Vec<String>> = BTreeMap::new();
        for (name, count) in &folders {
            used += usize::from(*count > 0);
            if let Some(role) = Role::of(name) {
                parts.entry(role).or_default().push(name.to_string());
            }
        }
        if parts.contains_key(&Role::Train) && parts.len() > 1 {
            listing.parts = parts;
            break;
        }
        let only = folders.iter().find(|(_, count)| **count > 0).map(|(name, _)| name.to_string());
        match only {
            Some(only) if flat == 0 && used == 1 => {
                top = if top.is_empty() { only } else { format!("{top}/{only}") };
            }
            _ => break,
        }
    }

    let (has_parts, mut nested, mut outside) = (!listing.parts.is_empty(), false, 0);
    for file in files {
        let inside = within(&file.name, &top).unwrap_or(&file.name);
        let (role, inside) = match inside.split_once('/') {
            Some((folder, rest)) if has_parts => (Role::of(folder), rest),
            _ if has_parts => (None, inside),
            _ => (Some(Role::Whole), inside),
        };
        let Some(role) = role else {
            outside += 1;
            listing.passed_over.push(pass_over(file, "in none of the parts"));
            continue;
        };
        let class = inside.split_once('/').map(|(folder, _)| folder.to_string());
        nested |= class.is_some();
        listing.items.push(Item { file: file.clone(), class, role });
    }
    if outside > 0 {
        let are = if outside == 1 { "picture is" } else { "pictures are" };
        listing
            .notes
            .push(format!("{outside} {are} in none of the parts, and not read; 'vae data' names them"));
    }
    if !top.is_empty() && !has_parts && nested {
        listing.notes.push(format!("The classes are the subfolders of {top}, which holds all pictures."));
    }
    listing
}

impl Listing {
    /// The items to train on, and those to hold out if they are a part of their own.
    ///
    /// # Errors
    /// [`Error::Data`] naming a part without pictures.
    pub(super) fn parts(
        mut self,
        tree: &Tree,
        held_out: HeldOut,
    ) -> Result<(Parts, Vec<PassedOver>, Vec<String>)> {
        if self.parts.is_empty() {
            let train = self.items;
            return Ok((Parts { train, test: None }.checked(&mut self.notes), self.passed_over, self.notes));
        }
        let wanted = match held_out {
            HeldOut::Validation => [Role::Validation, Role::Test],
            HeldOut::Test => [Role::Test, Role::Validation],
        };
        let names = |role: Role| self.parts.get(&role).map(|names| names.join(" and ")).unwrap_or_default();
        let [first, second] = wanted;
        let (test, left) = if self.parts.contains_key(&first) { (first, second) } else { (second, first) };
        let of = |role: Role| -> Result<Vec<Item>> {
            let items: Vec<Item> = self.items.iter().filter(|item| item.role == role).cloned().collect();
            if items.is_empty() {
                let path = tree.root.join(names(role));
                let hint = "put pictures into it, or remove it to hold out a part of the others";
                return Err(Error::data(path, "there are no pictures in this folder", hint));
            }
            Ok(items)
        };
        let parts = Parts { train: of(Role::Train)?, test: Some(of(test)?) };
        let mut note = format!(
            "The folder {} is the part to train on, {} the part held out",
            names(Role::Train),
            names(test)
        );
        if self.parts.contains_key(&left) {
            note += &match left {
                Role::Test => format!("; {} is left for `vae eval`", names(left)),
                _ => format!("; {}, held out in training, is not read", names(left)),
            };
        }
        let mut notes = self.notes.clone();
        notes.push(note + ".");
        Ok((parts.checked(&mut notes), self.passed_over, notes))
    }
}

/// The items to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) train: Vec<Item>,
    pub(super) test: Option<Vec<Item>>,
}

impl Parts {
    /// All items, first those to train on.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.train.iter().chain(self.test.iter().flatten())
    }

    /// Leave out the items that are not `used`, in the order of [`Parts::items`].
    pub(super) fn keep(&mut self, used: &[bool]) {
        let mut used = used.iter();
        let mut keep = |_: &Item| used.next().is_none_or(|used| *used);
        self.train.retain(&mut keep);
        if let Some(test) = &mut self.test {
            test.retain(&mut keep);
        }
    }

    /// Without classes where only some items have one.
    fn checked(mut self, notes: &mut Vec<String>) -> Self {
        let flat = self.items().find(|item| item.class.is_none()).map(|item| item.file.name.clone());
        let nested = self.items().find(|item| item.class.is_some()).map(|item| item.file.name.clone());
        if let (Some(flat), Some(nested)) = (flat, nested) {
            notes.push(format!(
                "Some pictures are in subfolders ({nested}), some are not ({flat}): the subfolders are not taken for \
                 classes."
            ));
            self.train.iter_mut().chain(self.test.iter_mut().flatten()).for_each(|item| item.class = None);
        }
        self
    }
}
