//! In what two configurations differ.

use super::Config;
use crate::Result;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A setting that two configurations have differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its key path, such as `model.latent`.
    pub path: String,
    /// The one's value.
    pub was: String,
    /// The other's.
    pub is: String,
}

impl Config {
    /// The first setting that `other` has differently, of those whose key path `counts`.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if the settings cannot be written as TOML.
    pub fn difference(&self, other: &Self, counts: impl Fn(&str) -> bool) -> Result<Option<Difference>> {
        let (theirs, ours) = (leaves(&self.to_table()?), leaves(&other.to_table()?));
        let mut paths = theirs.keys().chain(ours.keys());
        let differs = |path: &&String| theirs.get(*path) != ours.get(*path) && counts(path);
        let show = |value: Option<&Value>| value.map_or("not set".to_string(), ToString::to_string);
        Ok(paths.find(differs).map(|path| Difference {
            path: path.clone(),
            was: show(theirs.get(path)),
            is: show(ours.get(path)),
        }))
    }
}

/// The values of `table` by their key paths.
fn leaves(table: &Table) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (key, value) in table {
        match value {
            Value::Table(below) => {
                all.extend(leaves(below).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
    all
}
