//! Presets: models with published settings, found by `--model NAME`.

use super::{Config, overlay};
use crate::data::ImageShape;
use crate::{Error, Result};
use serde::Deserialize;
use toml::Table;

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../assets/presets/", $name, ".toml")))),*]
    };
}

/// The presets' names and files. A new preset is one entry here.
const PRESETS: [(&str, &str); 7] = presets![
    "autoencoder-kl",
    "autoencoder-kl-tiny",
    "burgess",
    "disentanglement",
    "mnist-conv",
    "residual",
    "world-models"
];

/// Settings that belong together under one name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What the settings are, in one sentence.
    pub about: String,
    /// Where they are from.
    pub source: String,
    /// Width, height and channels of the images that `vae plan` assumes where none are given.
    shape: [usize; 3],
    /// The settings, as in a configuration file.
    config: Table,
}

impl Preset {
    /// The preset called `name`, or `None` if no preset has this name.
    ///
    /// # Errors
    /// [`Error::Internal`] if its file cannot be read: it is a part of this program.
    pub fn find(name: &str) -> Result<Option<Self>> {
        let Some((_, text)) = PRESETS.iter().find(|(own, _)| *own == name) else { return Ok(None) };
        toml::from_str(text).map(Some).map_err(|error| Error::Internal(format!("preset {name}: {error}")))
    }

    /// The names of all presets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The size of images that `vae plan` assumes where none is given.
    pub fn shape(&self) -> ImageShape {
        let [width, height, channels] = self.shape;
        ImageShape { width, height, channels }
    }

    /// `table` overlaid with the settings of the preset. The preset's `[model]` replaces that of `table` as a whole.
    pub fn over(&self, mut table: Table) -> Table {
        table.remove("model");
        overlay(&mut table, self.config.clone());
        table
    }

    /// The settings, the others having their defaults. Not resolved yet.
    ///
    /// # Errors
    /// [`Error::Internal`] if they do not fit: they are a part of this program.
    pub fn config(&self) -> Result<Config> {
        Config::from_table(&self.config).map_err(|error| Error::Internal(format!("preset: {error}")))
    }
}
