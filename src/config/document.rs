//! Settings as TOML: read in two steps, because the family decides which record the table `[model]` is of, and written.

use super::upgrade::upgrade;
use super::{Config, Family, GroupConfig};
use crate::data::{Background, Fit};
use crate::{Error, Result};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// A configuration file with the places of its keys, flat keys moved into their tables.
struct Document<'a> {
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    fn parse(text: &'a str) -> Result<Self, toml::de::Error> {
        let mut root = DeTable::parse(text)?;
        upgrade(root.get_mut());
        Ok(Self { text, root })
    }

    /// One of the five tables.
    fn section(&mut self, name: &str) -> Option<&mut DeTable<'a>> {
        match self.root.get_mut().get_mut(name)?.get_mut() {
            DeValue::Table(table) => Some(table),
            _ => None,
        }
    }

    fn into_config(mut self) -> Result<Config, toml::de::Error> {
        let text = self.text;
        let with_line = |mut error: toml::de::Error| {
            error.set_input(Some(text));
            error
        };
        let family = self.section("model").and_then(|model| model.remove("family"));
        let family = family.map(|name| Family::deserialize(name.into_deserializer())).transpose();
        let groups = self.take_groups().map_err(with_line)?;
        let family = family.map_err(with_line)?.unwrap_or_default();
        let mut config = family.read(self.root.into_deserializer()).map_err(with_line)?;
        config.optimizer.groups = groups;
        Ok(config)
    }

    /// Take out the tables `[optimizer.GROUP]`: every table in `[optimizer]` is a group.
    fn take_groups(&mut self) -> Result<BTreeMap<String, GroupConfig>, toml::de::Error> {
        let Some(optimizer) = self.section("optimizer") else { return Ok(BTreeMap::new()) };
        let is_table = |value: &Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_));
        let names = optimizer.iter().filter(|(_, value)| is_table(value));
        let names: Vec<String> = names.map(|(name, _)| name.get_ref().to_string()).collect();
        let mut groups = BTreeMap::new();
        for name in names {
            if let Some(table) = optimizer.remove(name.as_str()) {
                groups.insert(name, GroupConfig::deserialize(table.into_deserializer())?);
            }
        }
        Ok(groups)
    }
}

impl Config {
    /// The settings of a configuration file's text. What it leaves out has its default.
    ///
    /// # Errors
    /// If it is not TOML, has an unknown key, or a value that does not fit its key.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        Document::parse(text)?.into_config()
    }

    /// The same from a table.
    ///
    /// # Errors
    /// See [`Config::from_toml`].
    pub fn from_table(table: &Table) -> Result<Self, toml::de::Error> {
        Self::from_toml(&table.to_string())
    }

    /// The settings that a run or a checkpoint was stored with. `run.order` is 1 where it is left out, and pictures are
    /// stretched and laid over black where `data.fit` is left out: the run is older than the key.
    ///
    /// # Errors
    /// See [`Config::from_toml`].
    pub fn from_run(text: &str) -> Result<Self, toml::de::Error> {
        let mut document = Document::parse(text)?;
        let older = document.section("run").is_none_or(|run| !run.contains_key("order"));
        let stretched = document.section("data").is_none_or(|data| !data.contains_key("fit"));
        let mut config = document.into_config()?;
        if stretched && !config.data.is_drawn() {
            config.data.fit = Fit::Stretch;
            config.data.background = Some(Background::BLACK);
        }
        if older {
            config.run.order = 1;
        }
        Ok(config)
    }

    /// The tables of the configuration file at `path`, flat keys moved into theirs. What they hold is checked.
    ///
    /// # Errors
    /// If the file cannot be read, has an unknown key, or a value that does not fit its key.
    pub fn read_table(path: &Path) -> Result<Table> {
        read(path, |text| {
            Self::from_toml(text)?;
            Table::deserialize(Document::parse(text)?.root.into_deserializer())
        })
    }

    /// Read the `config.toml` of a run: see [`Config::from_run`].
    ///
    /// # Errors
    /// If the file cannot be read, has an unknown key, or a value that does not fit its key.
    pub fn read_run(path: &Path) -> Result<Self> {
        read(path, Self::from_run)
    }

    /// These settings with the ones of `text` in their place, such as `model.latent = 20`.
    ///
    /// # Errors
    /// [`Error::Setting`] if `text` is not TOML, has an unknown key, or a value that does not fit its key.
    pub fn with(&self, text: &str) -> Result<Self> {
        let mut table = self.to_table()?;
        let above = text.parse().map(|above: Table| {
            let family = above.get("model").and_then(|model| model.get("family")).and_then(Value::as_str);
            if family.is_some_and(|family| family != self.model.family()) {
                // The keys of one family are not those of another.
                table.remove("model");
            }
            overlay(&mut table, above);
        });
        above.and_then(|()| Self::from_table(&table)).map_err(|error| {
            Error::setting("settings", error.to_string().trim_end(), "the keys stand in docs/config-keys.md")
        })
    }

    /// The settings as a table.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be written as TOML.
    pub fn to_table(&self) -> Result<Table> {
        Table::try_from(self).map_err(|error| Error::Internal(format!("configuration: {error}")))
    }

    /// The settings as a configuration file.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Internal(format!("configuration: {error}")))
    }
}

/// What `parse` makes of the configuration file at `path`.
fn read<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, toml::de::Error>) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::InvalidData => {
            let hint = "give the path of a file of settings in TOML, such as the config.toml of a run";
            Error::data(path, source.to_string(), hint)
        }
        _ => Error::io(path, source),
    })?;
    parse(&text).map_err(|error| {
        let hint =
            "the keys stand in docs/config-keys.md; 'vae train' writes all of them to a run's config.toml";
        Error::data(path, error.to_string().trim_end(), hint)
    })
}

/// Put every value of `above` into `below`, replacing what stands at its key path.
pub fn overlay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// The table that holds only `value`, at a key path such as `model.latent`.
pub fn at_path(path: &str, value: Value) -> Table {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Value::Table(at_path(rest, value))),
        None => (path, value),
    };
    Table::from_iter([(first.to_string(), rest)])
}
