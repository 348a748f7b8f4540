//! `[model]`: a record for each family, selected by the key `family`. The one list of families.

use super::{Config, DataConfig, ObjectiveConfig, OptimizerConfig, RunConfig};
use crate::Result;
use crate::data::ImageShape;
use crate::graph::Likelihood;
use crate::model::families::mlp::MlpConfig;
use crate::model::{Model, Task};
use serde::{Deserialize, Deserializer, Serialize};
use std::rc::Rc;

/// The settings of a model, in the record of its family.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum ModelConfig {
    /// `mlp`: multilayer perceptrons, with any number of stochastic layers.
    Mlp(MlpConfig),
}

/// The name of a family, which is read before its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// [`ModelConfig::Mlp`]
    #[default]
    Mlp,
}

impl Family {
    /// The settings, whose table `[model]` is of this family and has no key `family` any more.
    pub(super) fn read<'de, D: Deserializer<'de>>(self, tables: D) -> Result<Config, D::Error> {
        match self {
            Self::Mlp => Tables::<MlpConfig>::deserialize(tables).map(Config::from),
        }
    }
}

/// The tables, with the record of one family.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tables<M> {
    data: DataConfig,
    model: M,
    objective: ObjectiveConfig,
    optimizer: OptimizerConfig,
    run: RunConfig,
}

impl<M: Into<ModelConfig>> From<Tables<M>> for Config {
    fn from(tables: Tables<M>) -> Self {
        let Tables { data, model, objective, optimizer, run } = tables;
        Self { data, model: model.into(), objective, optimizer, run }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}

impl From<MlpConfig> for ModelConfig {
    fn from(config: MlpConfig) -> Self {
        Self::Mlp(config)
    }
}

impl ModelConfig {
    /// Refuse settings that make no sense, and fill in those that depend on others.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path.
    pub fn resolve(self) -> Result<Self> {
        match self {
            Self::Mlp(config) => config.resolve().map(Self::Mlp),
        }
    }

    /// The parameter groups, each of which an optimizer trains.
    pub fn groups(&self) -> &'static [&'static str] {
        match self {
            Self::Mlp(_) => MlpConfig::GROUPS,
        }
    }

    /// The distribution of a pixel.
    pub fn likelihood(&self) -> Likelihood {
        match self {
            Self::Mlp(config) => config.likelihood(),
        }
    }

    /// Dimensions of each stochastic layer, that nearest to the image first.
    pub fn latent(&self) -> &[usize] {
        match self {
            Self::Mlp(config) => &config.latent,
        }
    }

    /// Sizes of all layers on one line; an image has `pixels` values.
    pub fn outline(&self, pixels: usize) -> String {
        match self {
            Self::Mlp(config) => config.outline(pixels),
        }
    }

    /// The model for images with `pixels` values (pixels times channels).
    pub fn model(&self, pixels: usize) -> Rc<dyn Model> {
        match self {
            Self::Mlp(config) => Rc::new(config.model(pixels)),
        }
    }
}

impl Config {
    /// The model for images of `shape`, and what it is trained for.
    pub fn task(&self, shape: ImageShape) -> Task {
        Task {
            model: self.model.model(shape.pixels()),
            batch: self.run.batch_size,
            binarize: self.binarization(),
            objective: self.objective.objective(),
        }
    }
}
