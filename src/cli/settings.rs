//! The flags that make up a [`Config`]. Flags overlay a configuration file, which overlays the defaults.

use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;
use vae::config::Config;
use vae::data::Colour;
use vae::device::DeviceChoice;
use vae::graph::{Activation, Binarize, LikelihoodKind};
use vae::model::{Initialisation, ObjectiveKind, OutputBias};
use vae::optimizer::OptimizerKind;
use vae::train::LearningRateSchedule;
use vae::tuning::Tuning;
use vae::{Error, Result};

/// Copies the fields that were given from flags to a [`Config`], and lists them as flags.
macro_rules! overlay {
    ($flags:expr, $config:expr, $($field:ident),* $(,)?) => {{
        let mut given = Vec::new();
        $(if let Some(value) = &$flags.$field {
            $config.$field = value.clone().into();
            given.push(format!("--{}", stringify!($field).replace('_', "-")));
        })*
        given
    }};
}

/// What decides a model's plan.
#[derive(Debug, Default, Args)]
pub(crate) struct ModelFlags {
    /// Read settings from FILE, whose keys are the names of these flags; flags given here come first
    #[arg(long, value_name = "FILE.toml", help_heading = "Run")]
    pub(crate) config: Option<PathBuf>,

    /// digits (drawn by the program), mnist, fashion-mnist, kmnist, emnist, or the path of IDX files or of a folder of
    /// pictures [default: digits]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data")]
    dataset: Option<String>,
    /// Where the files of named datasets are [default: the variable VAE_DATA, then the user's data folder]
    #[arg(long, value_name = "FOLDER", help_heading = "Data")]
    data_dir: Option<PathBuf>,
    /// Training images to use [default: all; 10000 digits]
    #[arg(long, value_name = "N", help_heading = "Data")]
    images: Option<usize>,
    /// Stretch pictures to this many pixels, such as 28x28 [default: their own size]
    #[arg(long, value_name = "WxH", help_heading = "Data", value_parser = image_size)]
    image_size: Option<[usize; 2]>,
    /// Read pictures in grey or in colour [default: grey if all of them are]
    #[arg(long, help_heading = "Data")]
    color: Option<Colour>,
    /// Share of the images to hold out, where a dataset has no test part [default: 0.1]
    #[arg(long, value_name = "FRACTION", help_heading = "Data")]
    test_fraction: Option<f64>,

    /// Units of the encoder's hidden layers, such as 500,250; the decoder mirrors them; none for a linear model; with two
    /// layers of latents those below each, such as 200,200/100,100 [default: 500]
    #[arg(long, value_name = "WIDTHS", help_heading = "Model")]
    hidden: Option<Widths>,
    /// Latent dimensions; 100,50 for two stochastic layers, 100 nearer to the data [default: 2]
    #[arg(long, value_name = "N", help_heading = "Model")]
    latent: Option<Latents>,
    /// Function between layers [default: tanh]
    #[arg(long, value_name = "FUNCTION", help_heading = "Model")]
    activation: Option<Activation>,
    /// Distribution of a pixel; gaussian has a fixed, -shared one learned, -learned a predicted deviation per pixel;
    /// discretized-logistic gives the 256 grey levels probabilities, continuous-bernoulli a density
    /// [default: bernoulli]
    #[arg(long, value_name = "DISTRIBUTION", help_heading = "Model")]
    likelihood: Option<LikelihoodKind>,
    /// Standard deviation of gaussian, first one of gaussian-shared, in pixel values from 0 to 1 [default: 1]
    #[arg(long, value_name = "DEVIATION", help_heading = "Model")]
    sigma: Option<f64>,
    /// Function that gives Gaussian means [default: identity]
    #[arg(long, value_name = "FUNCTION", help_heading = "Model")]
    mean_activation: Option<Activation>,
    /// Grey pixels to black or white: at 128, drawn once, or drawn anew each time [default: dynamic for bernoulli,
    /// else none]
    #[arg(long, value_name = "HOW", help_heading = "Model")]
    binarize: Option<Binarize>,

    /// What to maximise: elbo, the importance-weighted bound iwae, or dreg, which is iwae with less noise in the encoder's
    /// gradient [default: elbo]
    #[arg(long, value_name = "BOUND", help_heading = "Objective")]
    objective: Option<ObjectiveKind>,
    /// Samples per image that iwae and dreg weigh [default: 50 for these]
    #[arg(long, value_name = "K", help_heading = "Objective")]
    importance_samples: Option<usize>,
    /// Draw the KL divergence to so many nats, not to 0: the objective has --beta times their distance
    #[arg(long, value_name = "NATS", help_heading = "Objective")]
    capacity: Option<f64>,
    /// Nats per latent dimension below which its KL divergence is not reduced further [default: 0]
    #[arg(long, value_name = "NATS", help_heading = "Objective")]
    free_bits: Option<f64>,
    /// Latent samples per image and step [default: 1]
    #[arg(long, value_name = "N", help_heading = "Objective")]
    noise_samples: Option<usize>,

    /// Rule that moves the parameters [default: adam]
    #[arg(long, value_name = "RULE", help_heading = "Optimizer")]
    optimizer: Option<OptimizerKind>,
    /// Added to the denominators of adam and adamax [default: 1e-8]
    #[arg(long, value_name = "EPSILON", help_heading = "Optimizer")]
    adam_epsilon: Option<f64>,
    /// L2 penalty: this times a parameter is added to its gradient [default: 0]
    #[arg(long, value_name = "FACTOR", help_heading = "Optimizer")]
    weight_decay: Option<f64>,
    /// Shorten gradients whose norm is larger; 0 for no limit [default: 0]
    #[arg(long, value_name = "NORM", help_heading = "Optimizer")]
    clip_norm: Option<f64>,
    /// Images in a minibatch [default: 64]
    #[arg(long, value_name = "N", help_heading = "Optimizer")]
    batch_size: Option<usize>,
}

impl ModelFlags {
    /// The defaults, under the configuration file, under these flags. Not resolved yet.
    ///
    /// # Errors
    /// If the configuration file cannot be used.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        self.apply(&mut config);
        Ok(config)
    }

    /// Set what was given; returns the flags.
    pub(crate) fn apply(&self, config: &mut Config) -> Vec<String> {
        let mut given = overlay!(
            self,
            config,
            dataset,
            data_dir,
            images,
            image_size,
            color,
            test_fraction,
            activation,
            likelihood,
            sigma,
            mean_activation,
            binarize,
            objective,
            importance_samples,
            capacity,
            free_bits,
            noise_samples,
            optimizer,
            adam_epsilon,
            weight_decay,
            clip_norm,
            batch_size,
        );
        if let Some(Widths { first, upper }) = self.hidden.clone() {
            (config.hidden, config.upper_hidden) = (first, upper);
            given.push("--hidden".to_string());
        }
        if let Some(Latents { first, upper }) = self.latent {
            (config.latent, config.upper_latent) = (first, upper);
            given.push("--latent".to_string());
        }
        given
    }
}

/// What decides the course of training, beside the model.
#[derive(Debug, Default, Args)]
pub(crate) struct TrainingFlags {
    /// Weight of the KL divergence in the objective; 1 gives the ELBO [default: 1]
    #[arg(long, value_name = "WEIGHT", help_heading = "Objective")]
    beta: Option<f64>,
    /// Epochs over which that weight rises from 0 [default: 0]
    #[arg(long, value_name = "EPOCHS", help_heading = "Objective")]
    kl_warmup: Option<f64>,
    /// Epochs after which that weight begins from 0 again; 0 for never [default: 0]
    #[arg(long, value_name = "EPOCHS", help_heading = "Objective")]
    kl_cycle: Option<f64>,
    /// Epochs over which --capacity is reached from 0 [default: 0]
    #[arg(long, value_name = "EPOCHS", help_heading = "Objective")]
    capacity_epochs: Option<f64>,
    /// Step size [default: 0.002 for adam and adamax, 0.001 for rmsprop, 0.01 for adagrad, 0.0001 for sgd]
    #[arg(long, value_name = "RATE", help_heading = "Optimizer")]
    learning_rate: Option<f64>,
    /// How the step size changes: iwae has eight stages, stage i of 3^i epochs at 10^(-i/7) times the step size, from 0 to
    /// 7, as Burda et al. trained; steps:0.5@100,150 halves it after 100 and 150 epochs [default: constant]
    #[arg(long, value_name = "SCHEDULE", help_heading = "Optimizer", value_parser = plain::<LearningRateSchedule>)]
    learning_rate_schedule: Option<LearningRateSchedule>,
    /// Passes over the training images [default: 16]
    #[arg(long, value_name = "N", help_heading = "Run", conflicts_with = "steps")]
    epochs: Option<u64>,
    /// Minibatches to train on, in place of epochs
    #[arg(long, value_name = "N", help_heading = "Run")]
    steps: Option<u64>,
    /// Seed of everything random: equal seeds on one device give equal bits [default: 1]
    #[arg(long, value_name = "N", help_heading = "Run")]
    seed: Option<u64>,
    /// Version of the shuffle that orders the images of an epoch: 1 trains as a run of an older version did [default: 2]
    #[arg(long, value_name = "VERSION", help_heading = "Run")]
    order: Option<u32>,
    /// First parameters: fan-in, glorot, or normal:DEVIATION [default: fan-in]
    #[arg(long, value_name = "RULE", help_heading = "Optimizer", value_parser = plain::<Initialisation>)]
    init: Option<Initialisation>,
    /// First bias of the decoder's output: drawn as --init says, or such that the mean training image is expected
    /// [default: drawn]
    #[arg(long, value_name = "BIAS", help_heading = "Optimizer")]
    output_bias: Option<OutputBias>,
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices') [default: auto]
    #[arg(long, value_name = "DEVICE", help_heading = "Run", value_parser = device)]
    device: Option<DeviceChoice>,
    /// How matrix products are computed on an adapter: measured (the fastest variant), fixed (by a rule), or one variant
    /// for all (see 'vae bench') [default: measured]
    #[arg(long, value_name = "HOW", help_heading = "Run", value_parser = tuning)]
    matmul: Option<Tuning>,
    /// Take a fixed choice of variants, without measuring: the same as --matmul fixed
    #[arg(long, help_heading = "Run", conflicts_with = "matmul")]
    no_tune: bool,
}

impl TrainingFlags {
    /// Set what was given; returns the flags.
    pub(crate) fn apply(&self, config: &mut Config) -> Vec<String> {
        if self.epochs.is_some() {
            config.steps = None;
        }
        let mut given = overlay!(
            self,
            config,
            beta,
            kl_warmup,
            kl_cycle,
            capacity_epochs,
            learning_rate,
            learning_rate_schedule,
            epochs,
            steps,
            seed,
            order,
            init,
            output_bias,
            device,
            matmul,
        );
        if self.no_tune {
            config.matmul = Tuning::Fixed;
            given.push("--no-tune".to_string());
        }
        given
    }
}

/// Widths of hidden layers, as `500,250`; of those below each of two stochastic layers, as `200,200/100,100`.
#[derive(Clone, Debug)]
pub(crate) struct Widths {
    first: Vec<usize>,
    upper: Option<Vec<usize>>,
}

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let widths = |text: &str| {
            if ["", "none"].contains(&text.trim()) {
                return Ok(Vec::new());
            }
            let widths: Result<_, _> = text.split(',').map(|width| width.trim().parse()).collect();
            widths.map_err(|_| "give widths such as 500 or 500,250, or none".to_string())
        };
        match text.split('/').collect::<Vec<_>>()[..] {
            [first] => Ok(Self { first: widths(first)?, upper: None }),
            [first, upper] => Ok(Self { first: widths(first)?, upper: Some(widths(upper)?) }),
            _ => Err("there can be one or two stochastic layers, such as 200,200/100,100".to_string()),
        }
    }
}

/// Latent dimensions, as `50`, or of two stochastic layers, as `100,50`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latents {
    first: usize,
    upper: Option<usize>,
}

impl FromStr for Latents {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim().parse().map_err(|_| "give a number such as 50, or two such as 100,50".to_string())
        };
        match text.split(',').collect::<Vec<_>>()[..] {
            [first] => Ok(Self { first: number(first)?, upper: None }),
            [first, upper] => Ok(Self { first: number(first)?, upper: Some(number(upper)?) }),
            _ => Err("there can be one or two stochastic layers, such as 100,50".to_string()),
        }
    }
}

fn image_size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once(['x', 'X']).and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    sides.ok_or_else(|| "give WIDTHxHEIGHT, such as 28x28".to_string())
}

/// A value of the library, with its error in the form that clap's message goes on with.
fn plain<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::Setting { problem, hint, .. } => format!("{problem}; {hint}"),
        other => other.to_string(),
    })
}

/// A `--device`.
pub(crate) fn device(text: &str) -> Result<DeviceChoice, String> {
    plain(text)
}

/// A `--matmul`.
pub(crate) fn tuning(text: &str) -> Result<Tuning, String> {
    plain(text)
}

/// A number of images, at least one and few enough to draw.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(count),
        _ => Err("give a number from 1 to 10000".to_string()),
    }
}

/// A number of images along a path: both ends, and what lies between.
pub(crate) fn path_length(text: &str) -> Result<usize, String> {
    match count(text) {
        Ok(1) | Err(_) => Err("give a number from 2 to 10000".to_string()),
        length => length,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::{CommandFactory, FromArgMatches};

    fn parse(arguments: &[&str]) -> Config {
        let command = TrainingFlags::augment_args(ModelFlags::augment_args(clap::Command::new("train")));
        let matches = command.no_binary_name(true).get_matches_from(arguments);
        let mut config = ModelFlags::from_arg_matches(&matches).unwrap().config().unwrap();
        TrainingFlags::from_arg_matches(&matches).unwrap().apply(&mut config);
        config
    }

    fn help_of(name: &str) -> Option<String> {
        let command = Cli::command();
        let train = command.find_subcommand("train").unwrap();
        let argument = train.get_arguments().find(|argument| argument.get_long() == Some(name))?;
        Some(argument.get_help().unwrap().to_string().replace('\n', " "))
    }

    /// Every key of a configuration is a flag, and the default its help states is the default it has.
    #[test]
    fn keys_are_flags_and_help_tells_their_defaults() {
        let complete = Config {
            data_dir: Some("folder".into()),
            images: Some(1),
            image_size: Some([1, 1]),
            color: Some(Colour::Grey),
            steps: Some(1),
            ..Config::default()
        };
        let text = complete.resolve().unwrap().to_toml().unwrap();
        let defaults = Config::default().resolve().unwrap();
        let mut tried = 0;
        for key in text.lines().filter_map(|line| Some(line.split_once(" = ")?.0)) {
            let help = help_of(key).unwrap_or_else(|| panic!("there is no flag --{key}"));
            let Some((_, default)) = help.rsplit_once("[default: ") else { continue };
            let default = default.trim_end_matches(']');
            if default.contains([' ', ';']) {
                continue;
            }
            assert_eq!(parse(&[&format!("--{key}={default}")]).resolve().unwrap(), defaults, "{help}");
            tried += 1;
        }
        assert!(tried > 15, "{tried}");
    }

    /// A flag that is read and then forgotten would pass the test above, whose values are the defaults.
    #[test]
    fn flags_of_objective_and_schedule_reach_the_configuration() {
        let flags = ["--kl-cycle=3", "--kl-warmup=2", "--capacity=5", "--capacity-epochs=4", "--beta=7"];
        let config = parse(&flags);
        let given = (config.kl_cycle, config.kl_warmup, config.capacity, config.capacity_epochs, config.beta);
        assert_eq!(given, (3.0, 2.0, Some(5.0), 4.0, 7.0));
        let config = parse(&["--learning-rate-schedule=iwae", "--adam-epsilon=1e-4"]);
        assert_eq!(config.learning_rate_schedule, LearningRateSchedule::Iwae);
        let schedule = LearningRateSchedule::Steps { factor: 0.5, epochs: vec![2, 3] };
        let config_of_steps = parse(&["--learning-rate-schedule=steps:0.5@2,3"]);
        assert_eq!(config_of_steps.learning_rate_schedule, schedule);
        assert_eq!(Config::from_toml(&config_of_steps.to_toml().unwrap()).unwrap(), config_of_steps);
        assert_eq!((config.adam_epsilon, config.optimizer().epsilon), (1e-4, 1e-4));
        let config = parse(&["--objective=dreg", "--importance-samples=6"]);
        assert_eq!((config.objective, config.importance_samples), (ObjectiveKind::Dreg, Some(6)));
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "latent = 5\nhidden = [7, 8]\nsteps = 3\nbatch-size = 9\n").unwrap();
        let file = file.to_str().unwrap();
        let config = parse(&["--config", file, "--latent", "6", "--epochs", "4"]);
        let expected =
            Config { latent: 6, hidden: vec![7, 8], batch_size: 9, epochs: 4, ..Config::default() };
        assert_eq!(config, expected);
        assert_eq!(parse(&["--config", file]).steps, Some(3));
    }

    #[test]
    fn widths_and_sizes_are_read() {
        assert_eq!(parse(&["--hidden", "500, 250"]).hidden, [500, 250]);
        assert!(parse(&["--hidden", ""]).hidden.is_empty());
        assert!(parse(&["--hidden", "none"]).hidden.is_empty());
        assert!("5,,6".parse::<Widths>().is_err());
        assert!("5/6/7".parse::<Widths>().is_err());
        let two = parse(&["--hidden", "200,200/100,100", "--latent", "100,50"]);
        assert_eq!((two.hidden, two.upper_hidden), (vec![200, 200], Some(vec![100, 100])));
        assert_eq!((two.latent, two.upper_latent), (100, Some(50)));
        assert_eq!(parse(&["--hidden", "none/7"]).upper_hidden, Some(vec![7]));
        for wrong in ["", "5,", "1,2,3", "x"] {
            assert!(wrong.parse::<Latents>().is_err(), "{wrong}");
        }
        assert_eq!(image_size("28x30"), Ok([28, 30]));
        assert!(image_size("28").is_err());
        assert!(count("0").is_err());
        assert!(plain::<Initialisation>("x").unwrap_err().contains("use fan-in"));
    }
}
