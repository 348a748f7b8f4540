use super::*;
use crate::data::{Background, Colour, Fit};
use crate::device::DeviceChoice;
use crate::graph::Activation;
use crate::model::families::mlp::MlpConfig;
use crate::model::{Initialisation, ObjectiveKind, OutputBias};
use crate::optimizer::{LearningRateSchedule, OptimizerKind};
use crate::tuning::Tuning;

/// A file of before the tables, with every key.
const FLAT: &str = r#"
dataset = "mnist"
data-dir = "/data"
images = 100
image-size = [7, 9]
color = "rgb"
test-fraction = 0.25
hidden = [[200, 150], [100]]
latent = [50, 20]
activation = "elu"
likelihood = "gaussian"
sigma = 0.5
mean-activation = "sigmoid"
binarize = "none"
objective = "iwae"
importance-samples = 7
beta = 2.0
kl-warmup = 3.0
kl-cycle = 4.0
capacity = 5.0
capacity-epochs = 6.0
free-bits = 0.5
noise-samples = 8
optimizer = "adamax"
learning-rate = 0.01
learning-rate-schedule = "iwae"
adam-epsilon = 0.0001
weight-decay = 0.125
clip-norm = 9.0
batch-size = 10
epochs = 11
steps = 12
seed = 13
init = "glorot"
output-bias = "mean-image"
device = "cpu"
matmul = "fixed"
"#;

fn complete() -> Config {
    Config {
        data: DataConfig {
            dataset: "mnist".into(),
            data_dir: Some("/data".into()),
            images: Some(100),
            image_size: Some([7, 9]),
            color: Some(Colour::Rgb),
            fit: Fit::Crop,
            background: None,
            stretch: Stretch::default(),
            skip_unreadable: false,
            test_fraction: 0.25,
            binarize: Some(Binarize::None),
            flip: false,
        },
        model: MlpConfig {
            hidden: vec![vec![200, 150], vec![100]],
            latent: vec![50, 20],
            activation: Activation::Elu,
            dropout: 0.0,
            likelihood: LikelihoodKind::Gaussian.into(),
            sigma: 0.5,
            scale: 1.0,
            mean_activation: Activation::Sigmoid,
        }
        .into(),
        objective: ObjectiveConfig {
            kind: ObjectiveKind::Iwae,
            importance_samples: Some(7),
            noise_samples: 8,
            beta: Some(2.0),
            kl_warmup: Warmup::Epochs(3.0),
            kl_cycle: 4.0,
            capacity: Some(5.0),
            capacity_epochs: 6.0,
            free_bits: 0.5,
            kl_floor: 0.0,
            ..ObjectiveConfig::default()
        },
        optimizer: OptimizerConfig {
            kind: OptimizerKind::Adamax,
            learning_rate: Some(0.01),
            learning_rate_schedule: LearningRateSchedule::Iwae,
            adam_epsilon: 1e-4,
            adam_beta_1: None,
            adam_beta_2: None,
            weight_decay: 0.125,
            clip_norm: 9.0,
            clip_value: 0.0,
            ema_decay: 0.0,
            init: Initialisation::Glorot,
            output_bias: OutputBias::MeanImage,
            groups: Default::default(),
        },
        run: RunConfig {
            batch_size: Some(10),
            epochs: Some(11),
            steps: Some(12),
            evaluate_every: 1,
            disentangle_every: 5,
            seed: 13,
            order: 2,
            log_steps: false,
            keep_pictures: 64,
            device: DeviceChoice::Cpu,
            from: None,
            matmul: Tuning::Fixed,
        },
    }
}

#[test]
fn every_flat_key_has_its_table() {
    for (key, _) in FLAT_KEYS {
        assert!(FLAT.contains(&format!("\n{key} = ")), "{key}");
    }
    assert_eq!(FLAT.lines().filter(|line| !line.is_empty()).count(), FLAT_KEYS.len());
    assert_eq!(Config::from_toml(FLAT).unwrap(), complete());
    // Of an old run or checkpoint the order of images is that of its time; of a file for a new run it is not.
    let stored = Config::from_run(FLAT).unwrap();
    assert_eq!(stored.run.order, 1);
    // So are the fit of pictures, and what lies under them.
    assert_eq!((stored.data.fit, stored.data.background), (Fit::Stretch, Some(Background::BLACK)));
    let newer = ["run.order", "data.fit", "data.background"];
    assert_eq!(complete().difference(&stored, |path| !newer.contains(&path)).unwrap(), None);
}

/// What the program wrote before the tables, for one stochastic layer.
#[test]
fn a_run_of_before_the_tables_opens() {
    let text = "dataset = \"digits\"\nimages = 300\ntest-fraction = 0.1\nhidden = [16]\nlatent = 2\n\
                activation = \"tanh\"\nlikelihood = \"bernoulli\"\nsigma = 1.0\nmean-activation = \"identity\"\n\
                binarize = \"dynamic\"\nobjective = \"elbo\"\nbeta = 1.0\nkl-warmup = 0.0\nkl-cycle = 0.0\n\
                capacity-epochs = 0.0\nfree-bits = 0.0\nnoise-samples = 1\noptimizer = \"adam\"\n\
                learning-rate = 0.002\nlearning-rate-schedule = \"constant\"\nadam-epsilon = 1e-8\n\
                weight-decay = 0.0\nclip-norm = 0.0\nbatch-size = 50\nepochs = 1\nseed = 1\ninit = \"fan-in\"\n\
                output-bias = \"drawn\"\ndevice = \"cpu\"\nmatmul = \"measured\"\n";
    let config = Config::from_run(text).unwrap().resolve().unwrap();
    let expected = "data.images = 300\nmodel.hidden = [16]\nrun = { batch-size = 50, epochs = 1, order = 1, device = 'cpu' }";
    assert_eq!(config, Config::default().with(expected).unwrap().resolve().unwrap());
}

#[test]
fn what_is_written_is_read_again() {
    let groups = "[optimizer.vae]\nkind = 'sgd'\nlearning-rate = 0.5\nadam-epsilon = 1e-8";
    for config in [Config::default(), complete(), complete().with(groups).unwrap()] {
        let text = config.to_toml().unwrap();
        assert_eq!(Config::from_toml(&text).unwrap(), config, "{text}");
        assert_eq!(Config::from_run(&text).unwrap(), config, "{text}");
        assert_eq!(Config::from_table(&config.to_table().unwrap()).unwrap(), config);
    }
    let text = Config::default().to_toml().unwrap();
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(tables, ["[data]", "[model]", "[objective]", "[optimizer]", "[run]"]);
    assert!(text.contains("[model]\nfamily = \"mlp\"\nhidden = [500]\nlatent = 2\n"), "{text}");
    let old = Config { run: RunConfig { order: 1, ..RunConfig::default() }, ..Config::default() };
    assert_eq!(Config::from_run(&old.to_toml().unwrap()).unwrap().run.order, 1);
}

#[test]
fn mistakes_in_a_file_have_their_line() {
    for (text, expected) in [
        ("[run]\nseed = 1\nsteps = 'x'", ["line 3", "string"]),
        ("[run]\nsede = 1", ["line 2", "unknown field `sede`, expected one of `batch-size`"]),
        ("\n[modle]\nlatent = 2", ["line 2", "unknown field `modle`, expected one of `data`, `model`"]),
        ("[model]\nlatent = 2\nfamily = 'mpl'", ["line 3", "unknown variant `mpl`, expected one of `mlp`"]),
        ("[model]\nfamily = 'mlp'\nlatnet = 2", ["line 3", "unknown field `latnet`"]),
        ("[model]\nlatent = 2\nlatent = 3", ["line 3", "duplicate key"]),
        ("[optimizer]\nkind = 'adam'\nlearning-rte = 2", ["line 3", "unknown field `learning-rte`"]),
        ("[optimizer]\nkind = 'adam'\n[optimizer.vae]\nrate = 2", ["line 4", "unknown field `rate`"]),
        ("[optimizer.vae]\n\nlearning-rate = 'x'", ["line 3", "string"]),
        ("[objective]\n\nkl-warmup = '3 epochs'", ["line 3", "a text such as \"10000 steps\""]),
        // Flat keys.
        ("seed = 1\nlatnet = 2", ["line 2", "latnet"]),
        ("seed = 1\nlatent = 'x'", ["line 2", "string"]),
        // Twice.
        ("seed = 1\n[run]\nseed = 2", ["line 1", "unknown field `seed`"]),
        ("model = 3", ["line 1", "integer"]),
    ] {
        let problem = Config::from_toml(text).unwrap_err().to_string();
        assert!(expected.iter().all(|part| problem.contains(part)), "{text}: {problem}");
    }
    let problem = Config::default().with("model.latent = 'x'").unwrap_err().to_string();
    assert!(problem.starts_with("settings: "), "{problem}");
}

#[test]
fn a_rise_is_of_epochs_or_steps() {
    for (text, expected, written) in [
        ("3", Warmup::Epochs(3.0), "3.0"),
        ("0.25", Warmup::Epochs(0.25), "0.25"),
        ("'10000 steps'", Warmup::Steps(10_000), "\"10000 steps\""),
    ] {
        let config =
            Config::default().with(&format!("objective.kl-warmup = {text}")).unwrap().resolve().unwrap();
        assert_eq!(config.objective.kl_warmup, expected);
        assert!(config.to_toml().unwrap().contains(&format!("\nkl-warmup = {written}\n")), "{text}");
        assert_eq!(Config::from_toml(&config.to_toml().unwrap()).unwrap(), config);
    }
    // 100 digits in minibatches of 10: 2 epochs are 20 steps.
    let cycle = |steps| {
        let text =
            format!("objective = {{ kl-cycle = 2, kl-warmup = '{steps} steps' }}\nrun.batch-size = 10");
        Config::default()
            .with(&text)
            .unwrap()
            .with("data.images = 100")
            .unwrap()
            .resolve()
            .unwrap()
            .open_dataset()
    };
    cycle(20).unwrap();
    let problem = cycle(21).unwrap_err().to_string();
    assert!(problem.contains("a cycle of 2 epochs, 20 steps, has a rise of 21 steps"), "{problem}");
}

fn refused(text: &str) -> String {
    Config::default().with(text).unwrap().resolve().unwrap_err().to_string()
}

#[test]
fn what_does_not_go_together_names_its_key_path() {
    for (text, expected) in [
        ("run.batch-size = 0", "run.batch-size: 0 is too few"),
        ("run.order = 3", "run.order: there is no order 3"),
        ("data.test-fraction = 1", "data.test-fraction: 1 is not between"),
        ("data.image-size = [0, 4]", "data.image-size: a side is 0"),
        ("objective.beta = inf", "objective.beta: inf is not a finite number"),
        (
            "objective = { kind = 'iwae', noise-samples = 2 }",
            "objective.noise-samples: the objective is iwae",
        ),
        ("objective.importance-samples = 2", "objective.importance-samples: the objective is elbo"),
        ("objective = { capacity = 2, free-bits = 1 }", "objective.capacity: objective.free-bits is another"),
        ("objective = { capacity = 2, kl-floor = 1 }", "objective.capacity: objective.kl-floor is another"),
        ("objective = { free-bits = 2, kl-floor = 1 }", "objective.kl-floor: objective.free-bits is another"),
        ("objective = { kind = 'dreg', kl-floor = 1 }", "objective.kl-floor: the objective is dreg"),
        ("objective.kl-floor = -1", "objective.kl-floor: -1 is negative"),
        ("objective.kl-cycle = 2", "objective.kl-cycle: a cycle of 2 epochs has a rise of 0"),
        (
            "objective = { kl-cycle = 2, kl-warmup = '0 steps' }",
            "objective.kl-cycle: a cycle of 2 epochs has a rise of 0 steps",
        ),
        ("objective.kl-warmup = -1", "objective.kl-warmup: -1 is negative"),
        (
            "model.likelihood = 'discretized-logistic'\ndata.binarize = 'static'",
            "data.binarize: the likelihood",
        ),
        ("model.mean-activation = 'sigmoid'", "model.mean-activation: has no effect with bernoulli"),
        ("optimizer.learning-rate = 0", "optimizer.learning-rate: 0 is not above zero"),
        ("optimizer.learning-rate = inf", "optimizer.learning-rate: inf is not a finite number"),
        (
            "optimizer = { kind = 'sgd', adam-epsilon = 1 }",
            "optimizer.adam-epsilon: the optimizer is neither",
        ),
        ("optimizer.discriminator.kind = 'sgd'", "optimizer.discriminator: the model has no parameter group"),
        ("optimizer.vae.learning-rate = -1", "optimizer.vae.learning-rate: -1 is not above zero"),
    ] {
        let problem = refused(text);
        assert!(problem.starts_with(expected), "{text}: {problem}");
    }
    assert!(refused("optimizer.x.kind = 'sgd'").contains("the model's groups: vae"));
}

#[test]
fn a_group_has_its_own_settings_before_the_shared_ones() {
    let config = |text: &str| Config::default().with(text).unwrap().resolve().unwrap();
    let shared = "optimizer = { adam-epsilon = 1e-4, learning-rate = 0.5, weight-decay = 0.25 }";
    let both = config(shared).with("optimizer.vae = { weight-decay = 0.125, clip-norm = 2 }").unwrap();
    let settings = both.optimizer.of("vae");
    let optimizer = *both.optimizers().of_group("vae");
    assert_eq!((optimizer.epsilon, optimizer.weight_decay, optimizer.clip_norm), (1e-4, 0.125, 2.0));
    assert_eq!(settings.learning_rate(), 0.5);
    assert_eq!((both.optimizer.weight_decay, both.optimizer.clip_norm), (0.25, 0.0));
    // Another algorithm has its own epsilon and learning rate.
    let other = config(shared).with("optimizer.vae.kind = 'rmsprop'").unwrap().resolve().unwrap();
    let settings = other.optimizer.of("vae");
    assert_eq!((settings.optimizer().epsilon, settings.learning_rate()), (1e-8, 1e-3));
}

#[test]
fn what_is_left_open_is_filled_in_once() {
    let config = |text: &str| Config::default().with(text).unwrap().resolve().unwrap();
    let filled = config("");
    assert_eq!(filled.data.binarize, Some(Binarize::Dynamic));
    assert_eq!(filled.optimizer.learning_rate, Some(2e-3));
    assert_eq!(filled.clone().resolve().unwrap(), filled);
    assert_eq!(config("model.likelihood = 'gaussian'").data.binarize, Some(Binarize::None));
    assert_eq!(config("objective.kind = 'dreg'").objective.importance_samples, Some(50));
    // A family's own.
    assert_eq!((filled.objective.beta, filled.objective.compared()), (Some(1.0), 1.0));
    let autoencoder = config("model.family = 'autoencoder-kl'");
    assert_eq!((autoencoder.objective.beta, autoencoder.objective.compared()), (Some(1e-6), 1e-6));
    assert_eq!(autoencoder.optimizer.learning_rate, Some(1e-4));
    let given = config("model.family = 'autoencoder-kl'\nobjective.beta = 0.5\noptimizer.kind = 'sgd'");
    assert_eq!((given.objective.compared(), given.optimizer.learning_rate), (0.5, Some(1e-4)));
    // With a capacity, beta weighs the distance from it, not the divergence: epochs are compared at weight 1.
    assert_eq!(config("objective = { beta = 1000, capacity = 25 }").objective.compared(), 1.0);
    let two = config("model = { latent = [4, 3], hidden = [9] }");
    assert!(two.to_toml().unwrap().contains("hidden = [[9], [9]]\nlatent = [4, 3]\n"));
    let shape = crate::data::ImageShape { width: 2, height: 2, channels: 1 };
    let task = two.task(shape);
    assert_eq!(
        task.latent("test").unwrap().groups().iter().map(|group| group.width).collect::<Vec<_>>(),
        [4, 3]
    );
}

#[test]
fn differences_are_named_by_their_path() {
    let two = Config::default().with("model.latent = [4, 3]\noptimizer.vae.clip-norm = 2").unwrap();
    let of = |prefix: &'static str| {
        let found = Config::default().difference(&two, |path| path.starts_with(prefix)).unwrap();
        found.map(|Difference { path, was, is }| format!("{path}: {was} -> {is}"))
    };
    assert_eq!(of("model.").unwrap(), "model.latent: 2 -> [4, 3]");
    assert_eq!(of("optimizer.").unwrap(), "optimizer.vae.clip-norm: not set -> 2.0");
    assert_eq!(of("run."), None);
}

#[test]
fn tables_are_laid_over_one_another() {
    let mut below: toml::Table = "a = 1\n[b]\nc = 2\nd = 3".parse().unwrap();
    overlay(&mut below, at_path("b.c", toml::Value::Integer(9)));
    overlay(&mut below, "a = [7]".parse().unwrap());
    assert_eq!(below, "a = [7]\n[b]\nc = 9\nd = 3".parse().unwrap());
}

/// Pictures were read in their own size and channels before the keys for them were there.
#[test]
fn an_older_run_of_pictures_is_read_in_its_size() {
    let shape = crate::data::ImageShape { width: 96, height: 80, channels: 3 };
    let older = Config::from_run("[data]\ndataset = \"pictures\"\n").unwrap().as_trained(shape);
    assert_eq!((older.data.image_size, older.data.color), (Some([96, 80]), Some(Colour::Rgb)));
    for text in ["[data]\ndataset = \"pictures\"\nfit = \"crop\"\n", "[data]\ndataset = \"mnist\"\n"] {
        let config = Config::from_run(text).unwrap();
        assert_eq!(config.as_trained(shape), config);
    }
}
