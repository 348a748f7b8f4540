//! `[model]`: a record for each family, selected by the key `family`. The one list of families.

use super::{Config, DataConfig, ObjectiveConfig, OptimizerConfig, RunConfig};
use crate::Result;
use crate::data::ImageShape;
use crate::graph::{Likelihood, Mirror};
use crate::model::families::auto::AutoConfig;
use crate::model::families::conv::ConvConfig;
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
    /// `conv`: convolutions.
    Conv(ConvConfig),
    /// `auto`: one of the others, chosen by the size of the images.
    Auto(AutoConfig),
}

/// The name of a family, which is read before its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// [`ModelConfig::Mlp`]. Files that do not name a family are older than the others.
    #[default]
    Mlp,
    /// [`ModelConfig::Conv`]
    Conv,
    /// [`ModelConfig::Auto`]
    Auto,
}

impl Family {
    /// The settings, whose table `[model]` is of this family and has no key `family` any more.
    pub(super) fn read<'de, D: Deserializer<'de>>(self, tables: D) -> Result<Config, D::Error> {
        match self {
            Self::Mlp => Tables::<MlpConfig>::deserialize(tables).map(Config::from),
            Self::Conv => Tables::<ConvConfig>::deserialize(tables).map(Config::from),
            Self::Auto => Tables::<AutoConfig>::deserialize(tables).map(Config::from),
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

impl From<ConvConfig> for ModelConfig {
    fn from(config: ConvConfig) -> Self {
        Self::Conv(config)
    }
}

impl From<AutoConfig> for ModelConfig {
    fn from(config: AutoConfig) -> Self {
        Self::Auto(config)
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
            Self::Conv(config) => config.resolve().map(Self::Conv),
            Self::Auto(config) => config.resolve().map(Self::Auto),
        }
    }

    /// The model with every key written out for images of `shape`, in the record of the family chosen.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path, if the model does not fit the images.
    pub fn for_images(&self, shape: ImageShape) -> Result<Self> {
        match self {
            Self::Mlp(config) => config.clone().resolve().map(Self::Mlp),
            Self::Conv(config) => config.for_images(shape).map(Self::Conv),
            Self::Auto(_) => self.chosen(shape).for_images(shape),
        }
    }

    /// The family that `auto` chooses for images of `shape`; others as they are.
    fn chosen(&self, shape: ImageShape) -> Self {
        match self {
            Self::Auto(config) if AutoConfig::is_mlp(shape) => Self::Mlp(config.mlp()),
            Self::Auto(config) => Self::Conv(config.conv()),
            other => other.clone(),
        }
    }

    /// The family's name.
    pub fn family(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Conv(_) => "conv",
            Self::Auto(_) => "auto",
        }
    }

    /// The parameter groups, each of which an optimizer trains.
    pub fn groups(&self) -> &'static [&'static str] {
        match self {
            Self::Mlp(_) => MlpConfig::GROUPS,
            Self::Conv(_) | Self::Auto(_) => ConvConfig::GROUPS,
        }
    }

    /// The distribution of a pixel.
    pub fn likelihood(&self) -> Likelihood {
        match self {
            Self::Mlp(config) => config.likelihood(),
            Self::Conv(config) => config.likelihood(),
            Self::Auto(config) => config.likelihood(),
        }
    }

    /// Dimensions of each stochastic layer, that nearest to the image first; none where they depend on the images.
    pub fn latent(&self) -> &[usize] {
        match self {
            Self::Mlp(config) => &config.latent,
            Self::Conv(config) => std::slice::from_ref(&config.latent),
            Self::Auto(config) => config.latent.as_slice(),
        }
    }

    /// Sizes of all layers on one line, for images of `shape`.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model does not fit the images.
    pub fn outline(&self, shape: ImageShape) -> Result<String> {
        match self.chosen(shape) {
            Self::Conv(config) => config.outline(shape),
            Self::Mlp(config) => Ok(config.outline(shape.pixels())),
            Self::Auto(_) => Ok(String::new()),
        }
    }

    /// Layers whose sizes are worked out, with these sizes, as a table for people; `None` where there are none.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model does not fit the images.
    pub fn describe(&self, shape: ImageShape) -> Result<Option<String>> {
        match self.chosen(shape) {
            Self::Conv(config) => config.describe(shape).map(Some),
            Self::Mlp(_) | Self::Auto(_) => Ok(None),
        }
    }

    /// The model for images of `shape`.
    pub fn model(&self, shape: ImageShape) -> Rc<dyn Model> {
        match self {
            Self::Mlp(config) => Rc::new(config.model(shape.pixels())),
            Self::Conv(config) => Rc::new(config.model(shape)),
            Self::Auto(_) => self.chosen(shape).model(shape),
        }
    }
}

impl Config {
    /// The settings with the model written out for images of `shape`: its family, and every key.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path, if the model does not fit the images.
    pub fn for_images(&self, shape: ImageShape) -> Result<Self> {
        Ok(Self { model: self.model.for_images(shape)?, ..self.clone() })
    }

    /// The model for images of `shape`, and what it is trained for.
    pub fn task(&self, shape: ImageShape) -> Task {
        Task {
            model: self.model.model(shape),
            batch: self.run.batch_size,
            binarize: self.binarization(),
            mirror: self.data.flip.then_some(Mirror { width: shape.width, channels: shape.channels }),
            objective: self.objective.objective(),
        }
    }
}
