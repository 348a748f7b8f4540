//! Everything that decides a run, in five tables: `[data]`, `[model]`, `[objective]`, `[optimizer]` and `[run]`. The flags of
//! `vae train`, a configuration file, and the `config.toml` of a run folder all set the same keys.

mod choices;
mod codes;
mod data;
mod dataset;
mod difference;
mod document;
mod model;
mod objective;
mod optimizer;
mod penalty;
mod presets;
mod run;
#[cfg(test)]
mod tests;
mod upgrade;
mod warmup;

pub use data::{DataConfig, Stretch};
pub use difference::Difference;
pub use document::{at_path, overlay};
pub use model::{Family, ModelConfig};
pub use objective::ObjectiveConfig;
pub use optimizer::{GroupConfig, OptimizerConfig};
pub use presets::Preset;
pub use run::RunConfig;
pub use upgrade::FLAT_KEYS;
pub use warmup::Warmup;

use crate::data::Part;
use crate::graph::{Binarize, LikelihoodKind, Tensors};
use crate::model::{OutputBias, Penalty};
use crate::optimizer::{OptimizerKind, Optimizers};
use crate::{Error, Result};
use serde::Serialize;

/// A run's settings, all resolved: two runs with equal settings on one device give equal bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Config {
    /// The images.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// What training maximises.
    pub objective: ObjectiveConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// How long to train, and where.
    pub run: RunConfig,
}

impl Config {
    /// Refuse settings that make no sense, fill in those that depend on others, and make paths absolute, so that a
    /// run's configuration can be used from any folder.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path, such as `model.latent`.
    pub fn resolve(self) -> Result<Self> {
        let standard = self.model.standard();
        let mut optimizer = self.optimizer;
        let rate_is_given = optimizer.learning_rate.is_some() || standard.learning_rate.is_some();
        if optimizer.kind == OptimizerKind::Adam {
            optimizer.learning_rate = optimizer.learning_rate.or(standard.learning_rate);
        }
        let standard_beta = Some(standard.beta).filter(|_| self.objective.kind.has_divergence());
        let beta = self.objective.beta.or(standard_beta);
        let mut config = Self {
            data: self.data.resolve()?,
            model: self.model.resolve()?,
            objective: ObjectiveConfig { beta, ..self.objective }.resolve()?,
            optimizer,
            run: self.run.resolve()?,
        };
        config.objective.set_up_group(&mut config.optimizer);
        config.optimizer = std::mem::take(&mut config.optimizer).resolve(&config.groups())?;
        config.check_codes()?;
        config.check_penalty()?;
        let Some(likelihood) = config.model.likelihood_choice().kind() else {
            // What depends on a likelihood that the data decides, `for_dataset` fills in.
            if config.optimizer.kind == OptimizerKind::Adam && !rate_is_given {
                config.optimizer.learning_rate = None;
            }
            return Ok(config);
        };
        let standard = match likelihood {
            // Its pixels are black or white already.
            LikelihoodKind::Bernoulli if config.data.is_dsprites() => Binarize::Threshold,
            LikelihoodKind::Bernoulli => Binarize::Dynamic,
            _ => Binarize::None,
        };
        config.check_codes_likelihood(likelihood)?;
        let binarize = *config.data.binarize.get_or_insert(standard);
        let weighs = config.objective.kind.weighting().is_some();
        if likelihood == LikelihoodKind::GaussianOptimal && weighs {
            let problem = format!(
                "the objective is {}, which weighs samples, and the optimal deviation is that of equal weights",
                config.objective.kind
            );
            let hint = "choose model.likelihood = gaussian-shared, or objective.kind = elbo";
            return Err(Error::setting("model.likelihood", problem, hint));
        }
        if likelihood == LikelihoodKind::DiscretizedLogistic && binarize != Binarize::None {
            let problem = "the likelihood is discretized-logistic, which is of 256 grey levels";
            let hint = "leave it out, or choose model.likelihood = bernoulli";
            return Err(Error::setting("data.binarize", problem, hint));
        }
        Ok(config)
    }

    /// How grey pixels become black or white.
    pub fn binarization(&self) -> Binarize {
        self.data.binarize.unwrap_or(Binarize::None)
    }

    /// Parameters before the first step, in the layout of the flat buffer of `tensors`.
    pub fn first_parameters(&self, tensors: &Tensors, train: &Part) -> Vec<f32> {
        let mut values = self.optimizer.init.values(tensors, self.run.seed);
        let layer = self.model.output_layer();
        self.optimizer.output_bias.apply(&mut values, tensors, train, layer, self.binarization());
        values
    }

    /// A bias that is set, and not drawn as the other parameters are, with its values; `None` where none is.
    pub fn first_bias(&self, tensors: &Tensors, train: &Part) -> Option<(String, Vec<f32>)> {
        if self.optimizer.output_bias == OutputBias::Drawn {
            return None;
        }
        let tensor = tensors.find(&format!("{}.bias", self.model.output_layer().name))?;
        let values = tensor.take(&self.first_parameters(tensors, train));
        Some((tensor.name, values))
    }

    /// The optimizers of all groups of parameters.
    pub fn optimizers(&self) -> Optimizers {
        let groups = self.groups().into_iter();
        Optimizers {
            default: self.optimizer.optimizer(),
            groups: groups.map(|name| (name.to_string(), self.optimizer.of(name).optimizer())).collect(),
        }
    }

    /// Names of the groups of parameters, each of which has an optimizer: those of the model, then that of the objective.
    pub fn groups(&self) -> Vec<&'static str> {
        let own = self.objective.penalty_term().and_then(Penalty::group);
        self.model.groups().iter().copied().chain(own).collect()
    }

    /// Steps in which each of `images` training images is used once.
    pub fn steps_per_epoch(&self, images: usize) -> u64 {
        images.div_ceil(self.run.batch_size()) as u64
    }

    /// Steps of the whole run on this number of training images.
    pub fn total_steps(&self, images: usize) -> u64 {
        self.run.steps.unwrap_or(self.run.epochs() * self.steps_per_epoch(images))
    }
}
