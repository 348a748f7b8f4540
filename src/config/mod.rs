//! Everything that decides a run, in one flat record: the flags of `vae train`, a configuration file, and the
//! `config.toml` of a run folder all have the same keys.

mod dataset;
mod layers;
mod resolve;

use crate::data::{self, ImageShape, Part};
use crate::device::DeviceChoice;
use crate::graph::{Activation, Binarize, KlTarget, Likelihood, LikelihoodKind, Tensors};
use crate::model::families::mlp::{Layer, Mlp};
use crate::model::{Initialisation, Objective, ObjectiveKind, OutputBias, Task};
use crate::optimizer::{Optimizer, OptimizerKind, Optimizers};
use crate::train::LearningRateSchedule;
use crate::tuning::Tuning;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A run's settings, all resolved: two runs with equal settings on one device give equal bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// `digits`, the name of a known dataset, or a path.
    pub dataset: String,
    /// Where known datasets are looked for first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Use (or, for `digits`, draw) only so many training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Resize pictures to `[width, height]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<[usize; 2]>,
    /// Read pictures as grey or as RGB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<data::Colour>,
    /// Fraction held out where a dataset has no test part.
    pub test_fraction: f64,
    /// Widths of the encoder's hidden layers; the decoder has them in reverse. With two stochastic layers: of those
    /// between the image and the first.
    pub hidden: Vec<usize>,
    /// Widths of the hidden layers between the two stochastic layers; in a file the second list of `hidden`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper_hidden: Option<Vec<usize>>,
    /// Latent dimensions, of the first stochastic layer.
    pub latent: usize,
    /// Latent dimensions of a second stochastic layer; in a file the second number of `latent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper_latent: Option<usize>,
    /// Between layers.
    pub activation: Activation,
    /// Distribution of a pixel.
    pub likelihood: LikelihoodKind,
    /// Standard deviation of `gaussian`, initial one of `gaussian-shared`.
    pub sigma: f64,
    /// Applied to Gaussian means.
    pub mean_activation: Activation,
    /// What becomes of grey pixels; `dynamic` for Bernoulli and `none` for Gaussian likelihoods where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binarize: Option<Binarize>,
    /// What training maximises.
    pub objective: ObjectiveKind,
    /// Samples per image that `iwae` and `dreg` weigh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_samples: Option<usize>,
    /// Weight of the KL divergence.
    pub beta: f64,
    /// Epochs over which that weight rises from 0.
    pub kl_warmup: f64,
    /// Epochs after which it begins from 0 again; 0 for never.
    pub kl_cycle: f64,
    /// Nats to which the KL divergence is drawn, not to 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// Epochs over which these nats rise from 0.
    pub capacity_epochs: f64,
    /// Nats per latent dimension under which its divergence gives no gradient.
    pub free_bits: f64,
    /// Noise samples per image.
    pub noise_samples: usize,
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// Its step size; depends on the optimiser where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// How the step size changes over the epochs.
    pub learning_rate_schedule: LearningRateSchedule,
    /// Added to the denominators of `adam` and `adamax`.
    pub adam_epsilon: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; 0 for no limit.
    pub clip_norm: f64,
    /// Images in a minibatch.
    pub batch_size: usize,
    /// Passes over the training images.
    pub epochs: u64,
    /// Steps to train, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Seed of everything random.
    pub seed: u64,
    /// Version of the shuffle that orders the images of an epoch ([`crate::train::epoch_order`]). Runs of programs that
    /// had version 1 only do not name it.
    pub order: u32,
    /// Initial parameters.
    pub init: Initialisation,
    /// Whether the decoder begins at the mean training image.
    pub output_bias: OutputBias,
    /// Where to run.
    pub device: DeviceChoice,
    /// How the variants of matrix products are chosen on an adapter.
    pub matmul: Tuning,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dataset: "digits".into(),
            data_dir: None,
            images: None,
            image_size: None,
            color: None,
            test_fraction: 0.1,
            hidden: vec![500],
            upper_hidden: None,
            latent: 2,
            upper_latent: None,
            activation: Activation::Tanh,
            likelihood: LikelihoodKind::Bernoulli,
            sigma: 1.0,
            mean_activation: Activation::Identity,
            binarize: None,
            objective: ObjectiveKind::Elbo,
            importance_samples: None,
            beta: 1.0,
            kl_warmup: 0.0,
            kl_cycle: 0.0,
            capacity: None,
            capacity_epochs: 0.0,
            free_bits: 0.0,
            noise_samples: 1,
            optimizer: OptimizerKind::Adam,
            learning_rate: None,
            learning_rate_schedule: LearningRateSchedule::Constant,
            adam_epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: 0.0,
            batch_size: 64,
            epochs: 16,
            steps: None,
            seed: 1,
            order: ORDER,
            init: Initialisation::FanIn,
            output_bias: OutputBias::Drawn,
            device: DeviceChoice::Auto,
            matmul: Tuning::Measured,
        }
    }
}

/// A setting that two configurations have differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name in a configuration file.
    pub key: String,
    /// The one's value.
    pub was: String,
    /// The other's.
    pub is: String,
}

/// The `order` of new runs.
const ORDER: u32 = 2;

/// Samples that `iwae` and `dreg` weigh where `--importance-samples` does not say: the most of Burda et al. (2016).
const IMPORTANCE_SAMPLES: usize = 50;

impl Config {
    /// Read a configuration file; keys it leaves out have their defaults.
    ///
    /// # Errors
    /// If the file cannot be read, has an unknown key, or a value that does not fit its key.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, Self::from_toml)
    }

    /// Read the `config.toml` of a run folder: see [`Config::from_run`].
    ///
    /// # Errors
    /// See [`Config::read`].
    pub fn read_run(path: &Path) -> Result<Self> {
        Self::read_with(path, Self::from_run)
    }

    fn read_with(path: &Path, parse: fn(&str) -> Result<Self, toml::de::Error>) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        parse(&text).map_err(|error| {
            let hint = "the keys are the flags of 'vae train' without the dashes, such as batch-size = 128";
            Error::data(path, error.to_string().trim_end(), hint)
        })
    }

    /// The settings as a configuration file.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        let text = match (&self.upper_hidden, self.upper_latent) {
            // In the order of the fields, not of the alphabet.
            (None, None) => toml::to_string(self),
            _ => self.to_table().and_then(|table| toml::to_string(&table)),
        };
        text.map_err(|error| Error::Internal(format!("configuration: {error}")))
    }

    /// The first setting that `other` has differently, those called as in `except` left out.
    ///
    /// # Errors
    /// [`Error::Internal`] if the settings cannot be written as TOML.
    pub fn difference(&self, other: &Self, except: &[&str]) -> Result<Option<Difference>> {
        let table = |config: &Self| {
            config.to_table().map_err(|error| Error::Internal(format!("configuration: {error}")))
        };
        let (theirs, ours) = (table(self)?, table(other)?);
        let show = |value: Option<&toml::Value>| value.map_or("not set".to_string(), ToString::to_string);
        let mut keys = theirs.keys().chain(ours.keys());
        let key = keys.find(|key| theirs.get(*key) != ours.get(*key) && !except.contains(&key.as_str()));
        Ok(key.map(|key| Difference {
            key: key.clone(),
            was: show(theirs.get(key)),
            is: show(ours.get(key)),
        }))
    }

    /// How grey pixels are treated.
    pub fn binarization(&self) -> Binarize {
        self.binarize.unwrap_or(Binarize::None)
    }

    /// The distribution of a pixel, with its settings.
    fn likelihood(&self) -> Likelihood {
        Likelihood { kind: self.likelihood, sigma: self.sigma, mean_activation: self.mean_activation }
    }

    /// Parameters before the first step, in the layout of the flat buffer of `tensors`.
    pub fn first_parameters(&self, tensors: &Tensors, train: &Part) -> Vec<f32> {
        let mut values = self.init.values(tensors, self.seed);
        self.output_bias.apply(&mut values, tensors, train, self.likelihood(), self.binarization());
        values
    }

    /// The model for images of `shape`, and what it is trained for.
    pub fn task(&self, shape: ImageShape) -> Task {
        let first = Layer { hidden: self.hidden.clone(), latent: self.latent };
        let second = self
            .upper_latent
            .map(|latent| Layer { hidden: self.upper_hidden.clone().unwrap_or_default(), latent });
        let model = Mlp {
            pixels: shape.pixels(),
            layers: [first].into_iter().chain(second).collect(),
            activation: self.activation,
            likelihood: self.likelihood(),
        };
        let target = match self.free_bits {
            _ if self.capacity.is_some() => KlTarget::Capacity,
            nats if nats > 0.0 => KlTarget::FreeBits(nats),
            _ => KlTarget::Zero,
        };
        let samples = match self.objective {
            ObjectiveKind::Elbo => self.noise_samples,
            _ => self.importance_samples.unwrap_or(IMPORTANCE_SAMPLES),
        };
        Task {
            model: std::rc::Rc::new(model),
            batch: self.batch_size,
            binarize: self.binarization(),
            objective: Objective { kind: self.objective, samples, target },
        }
    }

    /// The optimizers of all groups of parameters.
    pub fn optimizers(&self) -> Optimizers {
        self.optimizer().into()
    }

    /// The optimiser.
    pub fn optimizer(&self) -> Optimizer {
        let standard = Optimizer::new(self.optimizer);
        Optimizer {
            epsilon: if self.optimizer.is_adam() { self.adam_epsilon } else { standard.epsilon },
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
            ..standard
        }
    }

    /// Steps of the whole run, for so many training images.
    pub fn total_steps(&self, images: usize) -> u64 {
        self.steps.unwrap_or(self.epochs * images.div_ceil(self.batch_size) as u64)
    }
}
