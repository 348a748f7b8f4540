//! Everything that decides a run, in one flat record: the flags of `vae train`, a configuration file, and the
//! `config.toml` of a run folder all have the same keys.

mod layers;

use crate::data::{self, Dataset, ImageShape};
use crate::device::DeviceChoice;
use crate::graph::{Activation, Binarize, Likelihood, LikelihoodKind};
use crate::model::{Initialisation, MlpVae, ObjectiveKind, UpperLayer, refuse_for_two_layers};
use crate::train::{LearningRateSchedule, Optimizer, OptimizerKind};
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
    /// Initial parameters.
    pub init: Initialisation,
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
            init: Initialisation::FanIn,
            device: DeviceChoice::Auto,
            matmul: Tuning::Measured,
        }
    }
}

/// Samples that `iwae` and `dreg` weigh where `--importance-samples` does not say: the most of Burda et al. (2016).
const IMPORTANCE_SAMPLES: usize = 50;
/// Training images of the procedural digits where `--images` does not say.
const DIGITS: usize = 10_000;
/// Held-out digits, for so many training images at least.
const TEST_DIGITS: usize = 2_000;

impl Config {
    /// Read a configuration file; keys it leaves out have their defaults.
    ///
    /// # Errors
    /// If the file cannot be read, has an unknown key, or a value that does not fit its key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        Self::from_toml(&text).map_err(|error| {
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

    /// Refuse settings that make no sense, fill in those that depend on others, and make paths absolute, so that a
    /// run's configuration can be used from any folder.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the flag.
    pub fn resolve(mut self) -> Result<Self> {
        let positive = |flag: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::setting(flag, format!("{value} is not above zero"), "give a number above zero"))
            }
        };
        let not_negative = |flag: &str, value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(Error::setting(flag, format!("{value} is negative or not a number"), "give 0 or more"))
            }
        };
        let counted = |flag: &str, value: usize| {
            if value > 0 { Ok(()) } else { Err(Error::setting(flag, "0 is too few", "give 1 or more")) }
        };
        positive("--sigma", self.sigma)?;
        for (flag, value) in [
            ("--beta", self.beta),
            ("--kl-warmup", self.kl_warmup),
            ("--kl-cycle", self.kl_cycle),
            ("--capacity", self.capacity.unwrap_or(0.0)),
            ("--capacity-epochs", self.capacity_epochs),
            ("--free-bits", self.free_bits),
            ("--weight-decay", self.weight_decay),
            ("--clip-norm", self.clip_norm),
        ] {
            not_negative(flag, value)?;
        }
        counted("--latent", self.latent.min(self.upper_latent.unwrap_or(usize::MAX)))?;
        counted("--noise-samples", self.noise_samples)?;
        counted("--batch-size", self.batch_size)?;
        counted("--epochs", usize::from(self.epochs > 0))?;
        counted("--steps", usize::from(self.steps != Some(0)))?;
        if let Some(images) = self.images {
            counted("--images", images)?;
        }
        if self.image_size.is_some_and(|[width, height]| width * height == 0) {
            return Err(Error::setting("--image-size", "a side is 0", "give WIDTHxHEIGHT, such as 28x28"));
        }
        if self.hidden.iter().chain(self.upper_hidden.iter().flatten()).any(|&width| width == 0) {
            return Err(Error::setting(
                "--hidden",
                "a layer has no units",
                "give widths such as 500 or 500,250",
            ));
        }
        if !(self.test_fraction > 0.0 && self.test_fraction < 1.0) {
            let problem = format!("{} is not between 0 and 1", self.test_fraction);
            return Err(Error::setting("--test-fraction", problem, "give a fraction such as 0.1"));
        }
        if self.likelihood.takes_logits() && self.mean_activation != Activation::Identity {
            let problem = format!("it shapes means, and the decoder of {} gives logits", self.likelihood);
            let hint = "leave it out, or choose a gaussian --likelihood";
            return Err(Error::setting("--mean-activation", problem, hint));
        }
        let has_sigma = matches!(self.likelihood, LikelihoodKind::Gaussian | LikelihoodKind::GaussianShared);
        if !has_sigma && self.sigma != Self::default().sigma {
            let problem = format!("the likelihood is {}, which takes no standard deviation", self.likelihood);
            let hint = "leave it out, or choose --likelihood gaussian or gaussian-shared";
            return Err(Error::setting("--sigma", problem, hint));
        }
        self.check_layers()?;
        self.check_objective()?;
        if self.objective != ObjectiveKind::Elbo {
            counted("--importance-samples", *self.importance_samples.get_or_insert(IMPORTANCE_SAMPLES))?;
        }
        if !self.mean_activation.derivative_from_value() {
            return Err(Error::setting("--mean-activation", "silu is not offered for means", "use sigmoid"));
        }
        self.check_adam_epsilon()?;
        let default_rate = match self.optimizer {
            OptimizerKind::Adam | OptimizerKind::Adamax => 2e-3,
            OptimizerKind::Rmsprop => 1e-3,
            OptimizerKind::Adagrad => 1e-2,
            OptimizerKind::Sgd => 1e-4,
        };
        let rate = *self.learning_rate.get_or_insert(default_rate);
        positive("--learning-rate", rate)?;
        let binarize =
            if self.likelihood == LikelihoodKind::Bernoulli { Binarize::Dynamic } else { Binarize::None };
        let binarize = *self.binarize.get_or_insert(binarize);
        if self.likelihood == LikelihoodKind::DiscretizedLogistic && binarize != Binarize::None {
            let problem = "the likelihood is discretized-logistic, which is of 256 grey levels";
            return Err(Error::setting(
                "--binarize",
                problem,
                "leave it out, or choose --likelihood bernoulli",
            ));
        }
        self.make_paths_absolute()?;
        Ok(self)
    }

    /// Refuse an epsilon that the optimiser does not have, or that is none in single precision.
    fn check_adam_epsilon(&self) -> Result<()> {
        let value = self.adam_epsilon;
        if !self.optimizer.is_adam() && value != Self::default().adam_epsilon {
            let problem = "the optimizer is neither adam nor adamax";
            return Err(Error::setting(
                "--adam-epsilon",
                problem,
                "leave it out, or choose --optimizer adam",
            ));
        }
        if !(1e-30..=1e3).contains(&value) {
            let problem = format!("{value} is not between 1e-30 and 1000");
            return Err(Error::setting(
                "--adam-epsilon",
                problem,
                "give a small number such as 1e-8 or 1e-4",
            ));
        }
        Ok(())
    }

    /// Refuse stochastic layers that do not fit together, or what two of them do not take.
    fn check_layers(&self) -> Result<()> {
        match (&self.upper_hidden, self.upper_latent) {
            (None, None) => Ok(()),
            (Some(_), Some(_)) => {
                refuse_for_two_layers(self.objective, self.free_bits, self.capacity.is_some())
            }
            (None, Some(upper)) => Err(Error::setting(
                "--hidden",
                format!(
                    "--latent gives two stochastic layers, {} and {upper}, and it hidden layers for one",
                    self.latent
                ),
                "give the hidden layers below each, such as 200,200/100,100, or none/none",
            )),
            (Some(_), None) => Err(Error::setting(
                "--latent",
                format!(
                    "--hidden gives hidden layers for two stochastic layers, and it has one, {}",
                    self.latent
                ),
                "give the dimensions of both, such as 100,50",
            )),
        }
    }

    /// Refuse settings of the objective that no objective takes together.
    fn check_objective(&self) -> Result<()> {
        let refuse = |flag: &str, problem: String, hint: &str| Err(Error::setting(flag, problem, hint));
        if self.objective == ObjectiveKind::Elbo {
            if self.importance_samples.is_some() {
                let hint = "use --noise-samples, or choose --objective iwae or dreg";
                return refuse(
                    "--importance-samples",
                    "the objective is elbo, which weighs no samples".into(),
                    hint,
                );
            }
        } else {
            for (flag, given) in [
                ("--noise-samples", self.noise_samples > 1),
                ("--free-bits", self.free_bits > 0.0),
                ("--capacity", self.capacity.is_some()),
            ] {
                if given {
                    let problem = format!("the objective is {}, which does not take it", self.objective);
                    return refuse(flag, problem, "leave it out, or choose --objective elbo");
                }
            }
        }
        if self.capacity.is_some() && self.free_bits > 0.0 {
            let hint = "leave one of the two out";
            return refuse("--capacity", "--free-bits is another rule for the same term".into(), hint);
        }
        if self.capacity.is_none() && self.capacity_epochs > 0.0 {
            let hint = "give --capacity too, the nats to rise to";
            return refuse("--capacity-epochs", "there is no capacity to rise to".into(), hint);
        }
        if self.kl_cycle > 0.0 && !(self.kl_warmup > 0.0 && self.kl_warmup <= self.kl_cycle) {
            let problem = format!("a cycle of {} epochs has a rise of {}", self.kl_cycle, self.kl_warmup);
            let hint = "give --kl-warmup, the epochs of a cycle in which the weight rises, above 0 and at most the cycle";
            return refuse("--kl-cycle", problem, hint);
        }
        Ok(())
    }

    fn make_paths_absolute(&mut self) -> Result<()> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(|source| Error::io(path, source));
        if let Some(folder) = &mut self.data_dir {
            *folder = absolute(folder)?;
        }
        // What does not exist stays as it was typed, for the error that names it.
        let path = Path::new(&self.dataset);
        if !self.is_digits() && !data::KNOWN_NAMES.contains(&self.dataset.as_str()) && path.exists() {
            let path = absolute(path)?;
            let text = path.to_str().ok_or_else(|| {
                Error::data(&path, "the path is not valid UTF-8", "rename the folder, or link to it")
            })?;
            self.dataset = text.to_string();
        }
        Ok(())
    }

    fn is_digits(&self) -> bool {
        self.dataset == "digits"
    }

    /// Procedural digits to train on and to hold out.
    fn digit_counts(&self) -> (usize, usize) {
        let train = self.images.unwrap_or(DIGITS);
        (train, TEST_DIGITS.min(train))
    }

    /// The images' size, and how many there are to train on and held out. The procedural digits are not drawn for it;
    /// other datasets are read.
    ///
    /// # Errors
    /// See [`Config::open_dataset`].
    pub fn dataset_size(&self) -> Result<(ImageShape, usize, usize)> {
        if self.is_digits() {
            let [width, height] = self.image_size.unwrap_or([28, 28]);
            let (train, test) = self.digit_counts();
            self.check_batch(train)?;
            return Ok((ImageShape { width, height, channels: 1 }, train, test));
        }
        let dataset = self.open_dataset()?;
        Ok((dataset.shape, dataset.train.count, dataset.test.count))
    }

    fn check_batch(&self, images: usize) -> Result<()> {
        if self.batch_size <= images {
            return Ok(());
        }
        let problem = format!("{} is more than the {images} training images", self.batch_size);
        Err(Error::setting("--batch-size", problem, format!("use at most {images}")))
    }

    /// How grey pixels are treated.
    pub fn binarization(&self) -> Binarize {
        self.binarize.unwrap_or(Binarize::None)
    }

    /// Open the dataset the settings name.
    ///
    /// # Errors
    /// If it is missing or broken, or has fewer images than a minibatch.
    pub fn open_dataset(&self) -> Result<Dataset> {
        let mut dataset = if self.is_digits() {
            let (train, test) = self.digit_counts();
            let [width, height] = self.image_size.unwrap_or([28, 28]);
            self.refuse_what_digits_ignore()?;
            let bytes = (train as u128 + test as u128) * width as u128 * height as u128;
            if bytes > u128::from(data::idx::BYTE_LIMIT) {
                let problem = format!("{} digits of {width}x{height} are {bytes} bytes", train + test);
                let hint = format!(
                    "a dataset has at most {} bytes; ask for fewer or smaller",
                    data::idx::BYTE_LIMIT
                );
                return Err(Error::setting("--images, --image-size", problem, hint));
            }
            data::digits::digits_sized(train, test, self.seed, width, height)?
        } else {
            let options = data::Options {
                data_dir: self.data_dir.clone(),
                image_size: self.image_size.map(|[width, height]| (width, height)),
                colour: self.color,
                test_fraction: self.test_fraction,
                seed: self.seed,
            };
            data::open(&self.dataset, &options)?
        };
        if let Some(images) = self.images {
            dataset.train.truncate(images, dataset.shape);
        }
        self.check_batch(dataset.train.count)?;
        Ok(dataset)
    }

    /// The digits are drawn: a folder or a colour given for them was meant for another dataset.
    fn refuse_what_digits_ignore(&self) -> Result<()> {
        let given = [("--data-dir", self.data_dir.is_some()), ("--color", self.color.is_some())];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                let hint = "leave it out, or name the dataset it is for, such as --dataset mnist";
                Err(Error::setting(*flag, "the dataset is 'digits', which is drawn in grey, not read", hint))
            }
            None => Ok(()),
        }
    }

    /// The model for images of `shape`.
    pub fn model(&self, shape: ImageShape) -> MlpVae {
        MlpVae {
            batch: self.batch_size,
            pixels: shape.pixels(),
            hidden: self.hidden.clone(),
            latent: self.latent,
            upper: self
                .upper_latent
                .map(|latent| UpperLayer { hidden: self.upper_hidden.clone().unwrap_or_default(), latent }),
            activation: self.activation,
            likelihood: Likelihood {
                kind: self.likelihood,
                sigma: self.sigma,
                mean_activation: self.mean_activation,
            },
            binarize: self.binarization(),
            noise_samples: match self.objective {
                ObjectiveKind::Elbo => self.noise_samples,
                _ => self.importance_samples.unwrap_or(IMPORTANCE_SAMPLES),
            },
            free_bits: self.free_bits,
            objective: self.objective,
            capacity: self.capacity.is_some(),
        }
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
