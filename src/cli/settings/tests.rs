use super::super::Cli;
use super::*;
use clap::CommandFactory;
use vae::config::OptimizerConfig;
use vae::data::ImageShape;
use vae::device::DeviceChoice;
use vae::model::ObjectiveKind;
use vae::optimizer::{LearningRateSchedule, OptimizerKind};

fn settings(arguments: &[&str]) -> Settings<true> {
    let command = Settings::<true>::augment_args(clap::Command::new("train"));
    let matches = command.no_binary_name(true).try_get_matches_from(arguments).unwrap();
    Settings::from_arg_matches(&matches).unwrap()
}

/// The settings of a multilayer perceptron with the Bernoulli likelihood, where the arguments name no other model or
/// likelihood.
fn parse(arguments: &[&str]) -> Config {
    let named = |names: &[&str]| {
        let starts = |argument: &&str| names.iter().any(|name| argument.starts_with(name));
        arguments.iter().any(starts)
    };
    let model: &[&str] = if named(&["--model", "--config"]) { &[] } else { &["--model=mlp"] };
    let given = named(&["--likelihood", "model.likelihood", "--config", "--model"]);
    let likelihood: &[&str] = if given { &[] } else { &["--likelihood=bernoulli"] };
    settings(&[model, likelihood, arguments].concat()).config().unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let settings = settings(arguments);
    let error = settings.config().and_then(Config::resolve).unwrap_err();
    settings.explain(error).to_string()
}

/// A value for each flag that is not its default.
fn other(flag: &Flag) -> &'static str {
    match flag.name {
        "dataset" => "mnist",
        "data-dir" => "folder",
        "images" => "123",
        "image-size" => "7x9",
        "color" => "rgb",
        "fit" => "pad",
        "background" => "#102030",
        "test-fraction" => "0.25",
        "binarize" => "static",
        "flip" | "log-steps" | "stretch" | "skip-unreadable" => "true",
        "hidden" => "9,8/7",
        "latent" => "6,5",
        "activation" => "elu",
        "likelihood" => "gaussian",
        "sigma" | "scale" | "beta" | "kl-warmup" | "kl-cycle" | "capacity" | "capacity-epochs" => "2.5",
        "mean-activation" => "sigmoid",
        "objective" => "iwae",
        "importance-samples" | "noise-samples" | "batch-size" | "epochs" | "steps" | "seed"
        | "keep-pictures" | "evaluate-every" | "disentangle-every" => "17",
        "free-bits" | "kl-floor" | "learning-rate" | "adam-epsilon" | "weight-decay" | "clip-norm"
        | "clip-value" | "ema-decay" => "0.125",
        "corruption" => "gaussian",
        "active-units" | "auxiliary-units" | "dead-after" => "17",
        "auxiliary-weight" => "0.125",
        "noise-level" | "sparsity" | "decoder-penalty" => "0.125",
        "sampling" => "weighted",
        "penalty" | "penalty-warmup" | "diagonal-penalty" => "2.5",
        "discriminator-layers" | "discriminator-units" => "17",
        "adam-beta-1" | "adam-beta-2" => "0.25",
        "optimizer" => "sgd",
        "learning-rate-schedule" => "steps:0.5@2,3",
        "init" => "normal:0.5",
        "output-bias" => "mean-image",
        "order" => "1",
        "from" => "weights.safetensors",
        "device" => "cpu",
        "matmul" => "fixed",
        name => panic!("give --{name} a value here"),
    }
}

/// The value of a configuration at a key path, as text.
fn at(config: &Config, path: &str) -> Option<String> {
    let mut value = &Value::Table(config.to_table().unwrap());
    for key in path.split('.') {
        value = value.get(key)?;
    }
    Some(value.to_string())
}

#[test]
fn every_flag_reaches_its_key_and_no_other() {
    let defaults = Config::default();
    for flag in FLAGS {
        let config = match flag.takes {
            Takes::Value(_) | Takes::Switch => parse(&[&format!("--{}={}", flag.name, other(flag))]),
            Takes::Nothing(_) => parse(&[&format!("--{}", flag.name)]),
        };
        let differs = defaults.difference(&config, |path| path == flag.path).unwrap();
        assert!(differs.is_some(), "--{} is forgotten", flag.name);
        assert_eq!(defaults.difference(&config, |path| path != flag.path).unwrap(), None, "--{}", flag.name);
        // The same by --set.
        let value = at(&config, flag.path).unwrap();
        assert_eq!(parse(&["--set", &format!("{}={value}", flag.path)]), config, "--{}", flag.name);
    }
}

/// Every key of a configuration is a flag: of a configuration in which all optional ones are given.
#[test]
fn every_key_has_a_flag() {
    let given: Vec<String> = FLAGS
        .iter()
        .filter(|flag| !matches!(flag.takes, Takes::Nothing(_)) && flag.name != "epochs")
        .map(|flag| format!("--{}={}", flag.name, other(flag)))
        .collect();
    let complete = parse(&given.iter().map(String::as_str).collect::<Vec<_>>());
    for (section, keys) in complete.to_table().unwrap() {
        for key in keys.as_table().unwrap().keys() {
            let path = format!("{section}.{key}");
            // The family has a flag that also names presets.
            let has_flag = path == "model.family" || FLAGS.iter().any(|flag| flag.path == path);
            assert!(has_flag, "{path} has no flag");
        }
    }
}

/// The default that the help states is the default of the record.
#[test]
fn help_states_the_defaults() {
    let defaults = Config::default().resolve().unwrap();
    let command = Cli::command();
    let train = command.find_subcommand("train").unwrap();
    let mut tried = 0;
    for flag in FLAGS {
        let argument = train.get_arguments().find(|argument| argument.get_long() == Some(flag.name)).unwrap();
        let help = argument.get_help().unwrap().to_string();
        let Some((_, default)) = help.rsplit_once("[default: ") else { continue };
        let default = default.trim_end_matches(']');
        if default.contains([' ', ';']) {
            continue;
        }
        let config = parse(&[&format!("--{}={default}", flag.name)]);
        assert_eq!(config.resolve().unwrap(), defaults, "{help}");
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn flags_come_before_set_and_set_before_the_file_and_the_file_before_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let tables = "[model]\nlatent = 5\nhidden = [7, 8]\n[run]\nsteps = 3\nbatch-size = 9\nseed = 8\n";
    let flat = "latent = 5\nhidden = [7, 8]\nsteps = 3\nbatch-size = 9\nseed = 8\n";
    for text in [tables, flat] {
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let set = ["--set", "model.latent=4", "--set", "run.batch-size=10", "--set", "run.batch-size=11"];
        let flags = ["--config", file, "--latent", "6", "--epochs", "4"];
        let config = parse(&[&flags[..], &set].concat());
        let expected = Config::default()
            .with("model = { latent = 6, hidden = [7, 8] }\nrun = { batch-size = 11, epochs = 4, seed = 8 }");
        assert_eq!(config, expected.unwrap());
        assert_eq!(parse(&["--config", file]).run.steps, Some(3));
        assert_eq!(parse(&["--config", file, "--set", "run.epochs=4"]).run.steps, None);
        // A file for a new run does not ask for the order of an old one.
        assert_eq!(parse(&["--config", file]).run.order, 2);
    }
}

#[test]
fn set_takes_words_lists_and_tables_of_groups() {
    let config = parse(&["--set", "model.activation=relu", "--set", "model.latent=[4, 3]"]);
    assert_eq!(
        (at(&config, "model.activation"), at(&config, "model.latent")),
        (Some("\"relu\"".to_string()), Some("[4, 3]".to_string()))
    );
    let config = parse(&["--set", "optimizer.vae.learning-rate=1e-2", "--set", "optimizer.vae.kind=sgd"]);
    let config = config.resolve().unwrap();
    let group = config.optimizer.of("vae");
    assert_eq!((group.learning_rate(), group.optimizer().kind), (0.01, vae::optimizer::OptimizerKind::Sgd));
    let shared = OptimizerConfig { groups: Default::default(), ..config.optimizer };
    assert_eq!(shared, OptimizerConfig::default().resolve(&["vae"]).unwrap());
}

#[test]
fn flags_for_all_groups_come_before_those_of_a_group_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[optimizer.vae]\nkind = 'sgd'\nlearning-rate = 0.007\n").unwrap();
    let file = file.to_str().unwrap();
    let of_group = |arguments: &[&str]| {
        let group = parse(arguments).optimizer.of("vae");
        (group.kind, group.learning_rate.unwrap())
    };
    let kind = OptimizerKind::Sgd;
    assert_eq!(of_group(&["--config", file]), (kind, 0.007));
    assert_eq!(of_group(&["--config", file, "--learning-rate", "0.5"]), (kind, 0.5));
    assert_eq!(of_group(&["--config", file, "--set", "optimizer.learning-rate=0.5"]), (kind, 0.5));
    let both = ["--config", file, "--set", "optimizer.learning-rate=0.5"];
    assert_eq!(of_group(&[&both[..], &["--set", "optimizer.vae.learning-rate=0.25"]].concat()), (kind, 0.25));
    assert_eq!(of_group(&["--config", file, "--optimizer", "adamax"]), (OptimizerKind::Adamax, 0.007));
}

#[test]
fn errors_name_what_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "latent = 0\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, expected) in [
        (&["--latent=0"][..], "--latent: 0 is too few".to_string()),
        (&["--set", "model.latent=0"], "--set model.latent: 0 is too few".to_string()),
        (&["--config", file], format!("{file}: model.latent: 0 is too few")),
        (&["--config", file, "--latent", "0"], "--latent: 0 is too few".to_string()),
        (&["--latent=3,0", "--set", "model.latent=0"], "--latent: 0 is too few".to_string()),
        (&["--set", "model.latent=x"], "--set model.latent: invalid type: string \"x\"".to_string()),
        (&["--set", "model.latnet=3"], "--set model.latnet: unknown field `latnet`".to_string()),
        (&["--set", "modle.latent=3"], "--set modle.latent: unknown field `modle`".to_string()),
        (
            &["--set", "optimizer.other.clip-norm=1"],
            "optimizer.other: the model has no parameter".to_string(),
        ),
        (
            &["--set", "optimizer.vae.clip-norm=-1"],
            "--set optimizer.vae.clip-norm: -1 is negative".to_string(),
        ),
        (&["--adam-epsilon=1", "--optimizer=sgd"], "--adam-epsilon: the optimizer is neither".to_string()),
        // By default.
        (&["--hidden=3/4"], "--hidden: hidden layers in 2 parts, for 1 stochastic layers in --latent".into()),
    ] {
        let problem = refused(arguments);
        assert!(problem.starts_with(&expected), "{arguments:?}: {problem}");
    }
    assert!(refused(&["--capacity-epochs=1"]).contains("give --capacity too"));
    assert!(refused(&["--importance-samples=1"]).contains("choose --objective iwae or dreg"));
    let problem = by_flags(Error::setting("data.images, data.image-size", "", "")).to_string();
    assert!(problem.starts_with("--images, --image-size: "), "{problem}");
    let hint = "leave --set model.latent out, or model.hidden";
    let problem = by_flags(Error::setting("--set model.latent", "", hint)).to_string();
    assert!(problem.contains("leave --set model.latent out, or --hidden"), "{problem}");
}

#[test]
fn what_is_no_assignment_is_refused() {
    for (text, expected) in [
        ("model.latent", "KEY=VALUE"),
        ("latent=3", "the key is model.latent"),
        ("objective=iwae", "the key is objective.kind"),
        ("x=3", "with its table"),
        ("model..latent=3", "empty part"),
    ] {
        let problem = assignment(text).unwrap_err();
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}

#[test]
fn sizes_and_schedules_are_read() {
    let hidden = |text: &str| at(&parse(&["--hidden", text]), "model.hidden").unwrap();
    assert_eq!(hidden("500, 250"), "[500, 250]");
    assert_eq!(
        (hidden(""), hidden("none"), hidden("none/7")),
        ("[]".into(), "[]".into(), "[[], [7]]".into())
    );
    assert_eq!(hidden("200,200/100,100"), "[[200, 200], [100, 100]]");
    let latent = |text: &str| at(&parse(&["--latent", text]), "model.latent").unwrap();
    assert_eq!((latent("7"), latent("40,20,10,5")), ("7".into(), "[40, 20, 10, 5]".into()));
    for wrong in [
        "--hidden=5,,6",
        "--hidden=x",
        "--latent=",
        "--latent=5,",
        "--latent=x",
        "--image-size=28",
        "--kl-warmup=3 epochs",
    ] {
        let command = Settings::<true>::augment_args(clap::Command::new("train"));
        assert!(command.no_binary_name(true).try_get_matches_from([wrong]).is_err(), "{wrong}");
    }
    let schedule = LearningRateSchedule::Steps { factor: 0.5, epochs: vec![2, 3] };
    let config = parse(&["--learning-rate-schedule=steps:0.5@2,3", "--device=cpu", "--objective=dreg"]);
    assert_eq!(config.optimizer.learning_rate_schedule, schedule);
    assert_eq!((config.run.device, config.objective.kind), (DeviceChoice::Cpu, ObjectiveKind::Dreg));
    let warmup = |text: &str| at(&parse(&["--kl-warmup", text]), "objective.kl-warmup").unwrap();
    assert_eq!(
        (warmup("3"), warmup("0.5"), warmup("10000 steps")),
        ("3.0".into(), "0.5".into(), "\"10000 steps\"".into())
    );
    assert_eq!(parse(&["--set", "objective.kl-warmup=7 steps"]), parse(&["--kl-warmup", "7steps"]));
    assert!(count("0").is_err());
}

/// `docs/config-keys.md`, as it should be.
fn key_table() -> String {
    let mut text = "\
# Keys of the configuration

A configuration has five tables. A run writes all of its settings to `config.toml`; `vae train --config FILE` reads such a
file. Every key can be set by its flag, or by `--set KEY=VALUE`. Flags come first, then `--set`, then the file, then the
defaults. `vae train --help` says what each key means.

Older versions wrote flat keys, without tables. Their files, runs and checkpoints are still read; runs keep `run.order` 1.

| old flat key | key | flag |
|---|---|---|
"
    .to_string();
    for flag in FLAGS.iter().filter(|flag| !matches!(flag.takes, Takes::Nothing(_))) {
        let old = FLAT_KEYS.iter().find(|(_, path)| *path == flag.path);
        let old = old.map_or("-".to_string(), |(flat, _)| format!("`{flat}`"));
        text += &format!("| {old} | `{}` | `--{}` |\n", flag.path, flag.name);
    }
    text + "\
| - | `optimizer.GROUP.KEY` | `--set optimizer.GROUP.KEY=VALUE` |

`[optimizer.GROUP]` overrides `[optimizer]` for one parameter group. Its keys are `kind`, `learning-rate`,
`learning-rate-schedule`, `adam-epsilon`, `adam-beta-1`, `adam-beta-2`, `weight-decay`, `clip-norm` and `clip-value`. Every family has the group `vae`; the objective `factor` adds
`discriminator`.

The keys of `[model]` depend on `model.family`: `mlp`, `conv`, `autoencoder-kl`, or `auto`, which takes `latent`, `likelihood`,
`sigma`, `scale` and `mean-activation` and stands for `mlp` or `conv`. A file that names no family is of the family `mlp`.
`--model NAME` names a family or a preset. `[model]` of `conv` is explained in [models](models.md#convolutional), that of
`autoencoder-kl` [there too](models.md#autoencoder-kl).

```toml
[data]
dataset = \"mnist\"

[model]
family = \"mlp\"
hidden = [[200, 200], [100, 100]] # below each stochastic layer; [200, 200] stands below all of them
latent = [100, 50]                # from the image on; 20 for one layer

[objective]
kind = \"iwae\"
importance-samples = 50

[optimizer]
kind = \"adam\"
learning-rate = 1e-3

[run]
epochs = 400
seed = 1
```
"
}

/// Run with `VAE_WRITE_DOCS=1` to write it anew.
#[test]
fn the_documented_keys_are_the_keys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config-keys.md");
    let text = key_table();
    if std::env::var_os("VAE_WRITE_DOCS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "write it anew: VAE_WRITE_DOCS=1 cargo test");
    for (flat, path) in FLAT_KEYS {
        assert!(FLAGS.iter().any(|flag| flag.path == path), "{flat} has no flag");
        assert!(text.contains(&format!("| `{flat}` | `{path}` |")), "{flat}");
    }
    let example = text.split("```").nth(1).unwrap().trim_start_matches("toml");
    Config::from_toml(example).unwrap().resolve().unwrap();
}

/// The family that arguments ask for, and the one it becomes for images of `width` and `height`.
fn families(arguments: &[&str], width: usize, height: usize) -> [&'static str; 2] {
    let config = settings(arguments).config().unwrap().resolve().unwrap();
    let shape = ImageShape { width, height, channels: 1 };
    [config.model.family(), config.for_images(shape).unwrap().model.family()]
}

#[test]
fn auto_is_chosen_by_the_size_of_images() {
    assert_eq!(families(&[], 28, 28), ["auto", "mlp"]);
    assert_eq!(families(&[], 32, 32), ["auto", "mlp"]);
    assert_eq!(families(&["--latent=7", "--likelihood=gaussian"], 33, 32), ["auto", "conv"]);
    assert_eq!(families(&["--model=auto"], 64, 64), ["auto", "conv"]);
    assert_eq!(families(&["--hidden=9"], 64, 64), ["mlp", "mlp"]);
    assert_eq!(families(&["--activation=relu"], 64, 64), ["mlp", "mlp"]);
    assert_eq!(families(&["--model=auto", "--hidden=9"], 64, 64), ["mlp", "mlp"]);
    assert_eq!(families(&["--latent=5,4"], 64, 64), ["mlp", "mlp"]);
    assert_eq!(families(&["--set", "model.hidden=[9]"], 64, 64), ["mlp", "mlp"]);
    assert_eq!(families(&["--model=conv"], 28, 28), ["conv", "conv"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.toml");
    std::fs::write(&file, "latent = 5\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(families(&["--config", file], 64, 64), ["mlp", "mlp"]);
    assert_eq!(families(&["--config", file, "--model=conv"], 64, 64), ["conv", "conv"]);
    let config = parse(&["--model=auto", "--latent=7", "--likelihood=gaussian", "--sigma=0.5"]);
    let shape = ImageShape { width: 64, height: 64, channels: 3 };
    let chosen = config.resolve().unwrap().for_images(shape).unwrap();
    assert_eq!(at(&chosen, "model.latent").unwrap(), "7");
    assert_eq!(chosen.model.likelihood().sigma, 0.5);
    assert_eq!(chosen.for_images(shape).unwrap(), chosen, "settings that are written out stay as they are");
    let text = chosen.to_toml().unwrap();
    assert!(text.contains("family = \"conv\"") && !text.contains("auto\"\nlatent"), "{text}");
    assert_eq!(Config::from_run(&text).unwrap(), chosen);
}

#[test]
fn presets_lie_below_flags_and_above_a_file() {
    let config = parse(&["--model=burgess", "--latent=12", "--batch-size=32"]);
    assert_eq!((at(&config, "model.latent").unwrap(), config.run.batch_size()), ("12".into(), 32));
    assert_eq!(config.optimizer.learning_rate, Some(5e-4));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.toml");
    std::fs::write(&file, "[model]\nhidden = [9]\n[run]\nepochs = 3\nbatch-size = 7\n").unwrap();
    let config = parse(&["--config", file.to_str().unwrap(), "--model", "burgess"]);
    assert_eq!((config.run.epochs, config.run.batch_size), (Some(3), Some(64)));
    let problem = refused(&["--model=nothing"]);
    assert!(problem.contains("no model is called 'nothing'") && problem.contains("burgess"), "{problem}");
    for name in Preset::names() {
        let preset = Preset::find(name).unwrap().unwrap();
        let config = preset.config().unwrap().resolve().unwrap().for_images(preset.shape()).unwrap();
        assert_eq!(config.model.family(), if name.starts_with("auto") { "autoencoder-kl" } else { "conv" });
        assert!(preset.about.len() > 20 && preset.source.len() > 20, "{name}");
    }
}

#[test]
fn flags_of_another_family_are_refused() {
    for (arguments, expected) in [
        (&["--model=conv", "--hidden=5"][..], "--hidden: a model of the family conv has no such setting"),
        (&["--model=burgess", "--latent=5,4"], "--latent: it does not fit a model of the family conv"),
    ] {
        let problem = refused(arguments);
        assert!(problem.starts_with(expected), "{arguments:?}: {problem}");
    }
}
