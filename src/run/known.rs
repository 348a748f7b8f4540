//! What a run's images were: names and digests, by which a change of its dataset is noticed.

use super::RunFolder;
use crate::data::{Dataset, Part};
use crate::files::write_atomically;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use xxhash_rust::xxh3::Xxh3;

/// The file, in the run's folder.
pub(super) const DATA: &str = "data.json";
/// Most names that a change shows of each kind.
const SHOWN: usize = 3;

/// What is known of the images that a run was trained on, and of those it held out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownData {
    /// The dataset's name.
    pub name: String,
    train: KnownPart,
    test: KnownPart,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownPart {
    count: usize,
    /// XXH3, 128 bits, of all pixels, as they are kept, and labels.
    digest: String,
    /// Of each picture that has a name: the name, and XXH3, 64 bits, of the pixels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<(String, String)>,
}

impl KnownPart {
    fn of(part: &Part) -> Self {
        let mut digest = Xxh3::new();
        digest.update(&part.all_kept());
        for label in part.labels().unwrap_or_default() {
            digest.update(&label.to_le_bytes());
        }
        let name = |(index, name): (usize, &String)| (name.clone(), digest_of(part, index));
        Self {
            count: part.count,
            digest: format!("{:032x}", digest.digest128()),
            pictures: part.names.iter().enumerate().map(name).collect(),
        }
    }
}

/// The digest of a picture's pixels.
fn digest_of(part: &Part, index: usize) -> String {
    format!("{:016x}", part.digest(index))
}

/// How a dataset differs from what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    added: Vec<String>,
    gone: Vec<String>,
    changed: Vec<String>,
    /// Where no names show the difference.
    other: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        for (what, names) in [("added", &self.added), ("gone", &self.gone), ("changed", &self.changed)] {
            if !names.is_empty() {
                let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                let more = if names.len() > SHOWN { ", .." } else { "" };
                said.push(format!("{} {what} ({shown}{more})", names.len()));
            }
        }
        said.extend(self.other.clone());
        f.write_str(&said.join(", "))
    }
}

impl Change {
    /// Whether files were added, and nothing else is different.
    pub(super) fn only_added(&self) -> bool {
        !self.added.is_empty() && self.gone.is_empty() && self.changed.is_empty() && self.other.is_none()
    }
}

impl KnownData {
    /// Of the images in `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        Self {
            name: dataset.name.clone(),
            train: KnownPart::of(&dataset.train),
            test: KnownPart::of(&dataset.test),
        }
    }

    /// The names of all pictures; none where they have no names.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.pictures().map(|(name, _)| name.to_string()).collect()
    }

    fn pictures(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.train.pictures.iter().chain(&self.test.pictures);
        all.map(|(name, digest)| (name.as_str(), digest.as_str()))
    }

    /// Of `part`, the numbers of the items that the run was not trained on, as far as that is known.
    pub(super) fn unseen(&self, part: &Part) -> Vec<usize> {
        let seen: BTreeSet<&str> = self.train.pictures.iter().map(|(_, digest)| digest.as_str()).collect();
        let new = |index: &usize| !seen.contains(digest_of(part, *index).as_str());
        (0..part.count).filter(|index| seen.is_empty() || new(index)).collect()
    }

    /// Whether the images to train on are those that are known.
    pub(super) fn has_train(&self, dataset: &Dataset) -> bool {
        KnownPart::of(&dataset.train) == self.train
    }

    /// How `dataset` differs; nothing if it does not.
    pub fn compare(&self, dataset: &Dataset) -> Option<Change> {
        let found = Self::of(dataset);
        if (&found.train.digest, &found.test.digest) == (&self.train.digest, &self.test.digest) {
            return None;
        }
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (self.pictures().collect(), found.pictures().collect());
        let mut change = Change::default();
        if !old.is_empty() && !new.is_empty() {
            let missing = |from: &BTreeMap<&str, &str>, to: &BTreeMap<&str, &str>| -> Vec<String> {
                from.keys().filter(|name| !to.contains_key(*name)).map(ToString::to_string).collect()
            };
            change.added = missing(&new, &old);
            change.gone = missing(&old, &new);
            let other = old.iter().filter(|(name, digest)| new.get(*name).is_some_and(|it| it != *digest));
            change.changed = other.map(|(name, _)| name.to_string()).collect();
        }
        if change == Change::default() {
            let counts = |known: &Self| [known.train.count, known.test.count];
            let ([train, test], [old_train, old_test]) = (counts(&found), counts(self));
            change.other = Some(if [train, test] == [old_train, old_test] {
                "the images are as many as before, with other pixels, labels or parts".to_string()
            } else {
                format!("{train} images to train on and {test} held out were {old_train} and {old_test}")
            });
        }
        Some(change)
    }

    /// `dataset`, which has all known pictures and no others, in the parts that they had.
    pub(super) fn in_old_parts(&self, mut dataset: Dataset) -> Dataset {
        let train = std::mem::take(&mut dataset.train);
        let all = train.joined(&dataset.test);
        let places: BTreeMap<&str, usize> = all.names.iter().map(String::as_str).zip(0..).collect();
        let part = |known: &KnownPart| {
            let places = known.pictures.iter().filter_map(|(name, _)| places.get(name.as_str()));
            all.select(&places.copied().collect::<Vec<usize>>())
        };
        let (train, test) = (part(&self.train), part(&self.test));
        Dataset { train, test, ..dataset }
    }
}

impl RunFolder {
    /// Keep what is known of the images in `dataset`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_known(&self, dataset: &Dataset) -> Result<()> {
        let text = serde_json::to_vec(&KnownData::of(dataset))
            .map_err(|error| Error::Internal(format!("{DATA}: {error}")))?;
        write_atomically(&self.file(DATA), &text)
    }

    /// What is known of the run's images; nothing of those of runs that are older than the file.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if the file cannot be used.
    pub fn read_known(&self) -> Result<Option<KnownData>> {
        let path = self.file(DATA);
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let hint = "put back the run's own file; without it, a change of the dataset goes unnoticed";
            Error::checkpoint(&path, format!("not readable: {error}"), hint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    fn named(train: &[(&str, u8)], test: &[(&str, u8)]) -> Dataset {
        let shape = ImageShape { width: 2, height: 1, channels: 1 };
        let part = |items: &[(&str, u8)]| {
            let pixels = items.iter().flat_map(|(_, value)| [*value, 1]).collect();
            Part::of_images(pixels, shape)
                .with_names(items.iter().map(|(name, _)| name.to_string()).collect())
        };
        Dataset::new("some", shape, part(train), part(test))
    }

    #[test]
    fn a_change_is_named() {
        let known = KnownData::of(&named(&[("a", 1), ("b", 2), ("c", 3)], &[("d", 4)]));
        assert_eq!(known.compare(&named(&[("a", 1), ("b", 2), ("c", 3)], &[("d", 4)])), None);
        let said = |train: &[(&str, u8)], test: &[(&str, u8)]| {
            known.compare(&named(train, test)).unwrap().to_string()
        };
        assert_eq!(
            said(&[("a", 1), ("e", 9), ("f", 9), ("g", 9), ("c", 7)], &[("h", 4), ("d", 4)]),
            "4 added (e, f, g, ..), 1 gone (b), 1 changed (c)"
        );
        assert!(said(&[("a", 1), ("b", 2), ("d", 4)], &[("c", 3)]).contains("or parts"));
        let mut plain = named(&[("a", 1)], &[("d", 4)]);
        plain.train.names.clear();
        plain.test.names.clear();
        let change = known.compare(&plain).unwrap();
        assert_eq!(change.to_string(), "1 images to train on and 1 held out were 3 and 1");
        assert!(!change.only_added());
        let labelled = named(&[("a", 1)], &[("d", 4)]);
        let other = Dataset { train: labelled.train.clone().with_labels(vec![3]), ..labelled.clone() };
        assert!(KnownData::of(&labelled).compare(&other).is_some());
    }

    #[test]
    fn old_parts_come_back() {
        let old = named(&[("c", 3), ("a", 1)], &[("d", 4), ("b", 2)]);
        let known = KnownData::of(&old);
        let found = known.in_old_parts(named(&[("a", 1), ("b", 2), ("d", 4)], &[("c", 3)]));
        assert_eq!(known.compare(&found), None);
        assert_eq!((found.train.names, found.test.names), (old.train.names, old.test.names));
        let part = named(&[("x", 1), ("y", 4), ("z", 5)], &[]).train;
        assert_eq!(known.unseen(&part), [1, 2], "held-out pictures are new");
    }
}
