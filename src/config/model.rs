//! `[model]`: a record for each family, selected by the key `family`. The one list of families.

use super::{Config, DataConfig, ObjectiveConfig, OptimizerConfig, RunConfig};
use crate::Result;
use crate::data::ImageShape;
use crate::graph::{Likelihood, LikelihoodChoice, Mirror};
use crate::model::families::auto::AutoConfig;
use crate::model::families::autoencoder_kl::AutoencoderKlConfig;
use crate::model::families::conv::ConvConfig;
use crate::model::families::mlp::MlpConfig;
use crate::model::families::{FamilyConfig, Interchange, Standard};
use crate::model::{Model, OutputLayer, Task};
use serde::{Deserialize, Deserializer, Serialize};
use std::rc::Rc;

macro_rules! families {
    ($($(#[$attribute:meta])* $family:ident($record:ident): $name:literal),* $(,)?) => {
        /// The settings of a model, in the record of its family.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "family", rename_all = "kebab-case")]
        pub enum ModelConfig {
            $($(#[$attribute])* $family($record),)*
        }

        /// The name of a family, which is read before its record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum Family {
            $($(#[$attribute])* $family,)*
        }

        impl Family {
            /// The names of all families.
            pub const NAMES: [&str; [$($name),*].len()] = [$($name),*];

            /// The settings, whose table `[model]` is of this family and has no key `family` any more.
            pub(super) fn read<'de, D: Deserializer<'de>>(self, tables: D) -> Result<Config, D::Error> {
                match self {
                    $(Self::$family => Tables::<$record>::deserialize(tables).map(Config::from),)*
                }
            }
        }

        impl ModelConfig {
            /// The family's name.
            pub fn family(&self) -> &'static str {
                match self {
                    $(Self::$family(_) => $name,)*
                }
            }

            fn record(&self) -> &dyn FamilyConfig {
                match self {
                    $(Self::$family(record) => record,)*
                }
            }

            fn record_mut(&mut self) -> &mut dyn FamilyConfig {
                match self {
                    $(Self::$family(record) => record,)*
                }
            }

            /// Refuse settings that make no sense, and fill in those that depend on others.
            ///
            /// # Errors
            /// [`crate::Error::Setting`] naming the key path.
            pub fn resolve(self) -> Result<Self> {
                match self {
                    $(Self::$family(record) => record.resolve().map(Self::$family),)*
                }
            }

            /// The same record with every key written out for images of `shape`.
            fn written_out(&self, shape: ImageShape) -> Result<Self> {
                match self {
                    $(Self::$family(record) => record.for_images(shape).map(Self::$family),)*
                }
            }
        }

        $(impl From<$record> for ModelConfig {
            fn from(record: $record) -> Self {
                Self::$family(record)
            }
        })*
    };
}

// The list of families.
families! {
    /// Multilayer perceptrons, with any number of stochastic layers.
    Mlp(MlpConfig): "mlp",
    /// Convolutions.
    Conv(ConvConfig): "conv",
    /// The autoencoder of latent diffusion.
    AutoencoderKl(AutoencoderKlConfig): "autoencoder-kl",
    /// One of the others, chosen by the size of the images.
    Auto(AutoConfig): "auto",
}

impl Default for Family {
    /// Files that do not name a family are older than the others.
    fn default() -> Self {
        Self::Mlp
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

impl ModelConfig {
    /// The model with every key written out for images of `shape`, in the record of the family chosen.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path, if the model does not fit the images.
    pub fn for_images(&self, shape: ImageShape) -> Result<Self> {
        match self {
            Self::Auto(config) if AutoConfig::is_mlp(shape) => config.mlp().for_images(shape).map(Self::Mlp),
            Self::Auto(config) => config.conv().for_images(shape).map(Self::Conv),
            other => other.written_out(shape),
        }
    }

    /// The parameter groups, each of which an optimizer trains.
    pub fn groups(&self) -> &'static [&'static str] {
        self.record().groups()
    }

    /// The key `likelihood`.
    pub(super) fn likelihood_choice(&mut self) -> &mut LikelihoodChoice {
        self.record_mut().likelihood_choice()
    }

    /// The distribution of a pixel; Bernoulli where the data has not decided yet.
    pub fn likelihood(&self) -> Likelihood {
        self.record().likelihood()
    }

    /// What the family sets where a setting is not given.
    pub(super) fn standard(&self) -> Standard {
        self.record().standard()
    }

    /// The files by which another library opens the model for images of `shape`, if there is one.
    pub fn interchange(&self, shape: ImageShape) -> Option<Interchange> {
        self.record().interchange(shape)
    }

    /// The layer that computes the decoder's output.
    pub(super) fn output_layer(&self) -> OutputLayer {
        self.record().output_layer()
    }

    /// Sizes of all layers on one line, for images of `shape`.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model does not fit the images.
    pub fn outline(&self, shape: ImageShape) -> Result<String> {
        self.record().outline(shape)
    }

    /// Layers whose sizes are worked out, with these sizes, as a table for people; `None` where there are none.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model does not fit the images.
    pub fn describe(&self, shape: ImageShape) -> Result<Option<String>> {
        self.record().describe(shape)
    }

    /// The model for images of `shape`.
    pub fn model(&self, shape: ImageShape) -> Rc<dyn Model> {
        self.record().model(shape)
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
            batch: self.run.batch_size(),
            binarize: self.binarization(),
            mirror: self.data.flip.then_some(Mirror { width: shape.width, channels: shape.channels }),
            objective: self.objective.objective(),
        }
    }
}
