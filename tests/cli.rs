//! The program from outside: what users type, and what they find.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A small model that trains in an instant.
const SMALL: [&str; 8] = ["--device", "cpu", "--images", "300", "--hidden", "16", "--batch-size", "50"];

fn vae(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vae").unwrap();
    command.args(arguments).env_remove("RUST_LOG").env_remove("VAE_DATA").timeout(Duration::from_secs(120));
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A place for runs, deleted at the end of a test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `vae train` of the small model into `name`, and more flags.
    fn train(&self, name: &str, more: &[&str]) -> PathBuf {
        let path = self.path(name);
        train(&path, more).assert().success();
        path
    }
}

fn train(path: &Path, more: &[&str]) -> Command {
    let mut command = vae(&["train", "--out", text(path)]);
    command.args(SMALL).args(more);
    command
}

/// The tensors of a checkpoint as bytes: parameters, moments, and the optimiser's step.
fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

fn assert_same_tensors(a: &Path, b: &Path) {
    let (a, b) = (tensors(&a.join("checkpoint.safetensors")), tensors(&b.join("checkpoint.safetensors")));
    assert!(a.len() > 10, "{:?}", a.keys());
    for (name, bytes) in &a {
        assert!(b.get(name) == Some(bytes), "{name} differs");
    }
    assert_eq!(a.len(), b.len());
}

fn eval(run: &Path, more: &[&str]) -> Value {
    let output = vae(&["eval", text(run), "--json", "-"]).args(more).assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_picture(path: &Path) {
    let picture = image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).to_rgb8();
    assert!(
        picture.width() >= 400 && picture.height() >= 100,
        "{}: {:?}",
        path.display(),
        picture.dimensions()
    );
    assert!(picture.width() <= 4000 && picture.height() <= 4000, "{}", path.display());
    let first = picture.get_pixel(0, 0);
    assert!(picture.pixels().filter(|pixel| *pixel != first).count() > 1000, "{} is empty", path.display());
}

#[test]
fn training_leaves_a_complete_run() {
    let place = Place::new();
    let run = place.path("run");
    train(&run, &["--epochs", "2"])
        .assert()
        .success()
        .stdout(contains("held-out ELBO").and(contains("manifold.png")).and(contains("vae eval")))
        .stderr(
            contains("300 images of 28x28 grey").and(contains("784-16-2-16-784")).and(contains("12 steps")),
        );
    for name in ["curves", "reconstructions", "samples", "latent", "manifold"] {
        assert_picture(&run.join(format!("{name}.png")));
    }
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(
        config.contains("learning-rate = 0.002") && config.contains("binarize = \"dynamic\""),
        "{config}"
    );
    assert_eq!(std::fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count(), 3);
    assert_eq!(
        tensors(&run.join("best.safetensors")).len(),
        tensors(&run.join("checkpoint.safetensors")).len()
    );
    let litter = std::fs::read_dir(&run).unwrap().count();
    assert_eq!(litter, 10, "files left over in {}", run.display());
}

#[test]
fn a_run_without_a_name_gets_the_next_number() {
    let place = Place::new();
    for number in 1..=2 {
        vae(&["train", "--epochs", "1"]).args(SMALL).current_dir(place.0.path()).assert().success();
        assert!(place.path(&format!("runs/digits-{number}/checkpoint.safetensors")).is_file());
    }
}

#[test]
fn a_run_is_replaced_only_when_asked() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1"]);
    let before = tensors(&run.join("checkpoint.safetensors"));
    train(&run, &["--epochs", "1", "--seed", "2"])
        .assert()
        .code(1)
        .stderr(contains("error: --out").and(contains("--resume")).and(contains("--overwrite")));
    assert!(before == tensors(&run.join("checkpoint.safetensors")));
    // What is refused replaces nothing, even with --overwrite.
    train(&run, &["--overwrite", "--batch-size", "301"]).assert().code(2);
    vae(&[
        "train",
        "--out",
        text(&run),
        "--overwrite",
        "--device",
        "cpu",
        "--images",
        "50",
        "--batch-size",
        "51",
    ])
    .assert()
    .code(1)
    .stderr(contains("--batch-size: 51 is more than the 50 training images"));
    assert!(before == tensors(&run.join("checkpoint.safetensors")));
    train(&run, &["--epochs", "1", "--seed", "2", "--overwrite"]).assert().success();
    assert!(before != tensors(&run.join("checkpoint.safetensors")));
}

#[test]
fn a_longer_run_is_the_same_in_two_parts() {
    let place = Place::new();
    let whole = place.train("whole", &["--epochs", "3"]);
    let parts = place.train("parts", &["--epochs", "1"]);
    vae(&["train", "--resume", text(&parts)])
        .assert()
        .success()
        .stdout(contains("has all its 6 steps").and(contains("--epochs 2")));
    vae(&["train", "--resume", text(&parts), "--epochs", "3"]).assert().success();
    vae(&["train", "--resume", text(&parts), "--epochs", "2"])
        .assert()
        .success()
        .stdout(contains("has done 18 steps (3 epochs)").and(contains("--epochs 6")));
    assert_same_tensors(&whole, &parts);
    let rows = |run: &Path| std::fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count();
    assert_eq!(rows(&whole), rows(&parts));
    // Within an epoch, by steps.
    let steps = place.train("steps", &["--steps", "10"]);
    vae(&["train", "--resume", text(&steps), "--steps", "18"]).assert().success();
    assert_same_tensors(&whole, &steps);
}

#[test]
fn the_step_size_follows_its_schedule_through_a_resume() {
    let place = Place::new();
    let rate = ["--learning-rate", "0.001"];
    let flags = [&rate[..], &["--learning-rate-schedule", "iwae", "--adam-epsilon", "1e-4"]].concat();
    let whole = place.train("whole", &[&flags[..], &["--epochs", "3"]].concat());
    // Stopped within the second stage, which begins after the first epoch of 6 steps.
    let parts = place.train("parts", &[&flags[..], &["--steps", "10"]].concat());
    vae(&["train", "--resume", text(&parts), "--learning-rate-schedule", "constant"])
        .assert()
        .code(1)
        .stderr(contains("--learning-rate-schedule: a run keeps"));
    vae(&["train", "--resume", text(&parts), "--steps", "18"]).assert().success();
    assert_same_tensors(&whole, &parts);
    let rates: Vec<f64> = std::fs::read_to_string(whole.join("metrics.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(11).unwrap().parse().unwrap())
        .collect();
    let second = 0.001 * 10.0_f64.powf(-1.0 / 7.0);
    assert!(rates[0] == 0.001 && rates[1..].iter().all(|rate| (rate - second).abs() < 1e-12), "{rates:?}");
    // Each of the two settings does something, and neither is the default.
    let parameters = |run: &Path| tensors(&run.join("checkpoint.safetensors"));
    for others in [&["--learning-rate-schedule", "iwae"][..], &["--adam-epsilon", "1e-4"]] {
        let other = place.train(others[0], &[&rate[..], others, &["--epochs", "3"]].concat());
        assert!(parameters(&whole) != parameters(&other), "{others:?}");
    }
    train(&place.path("sgd"), &["--optimizer", "sgd", "--adam-epsilon", "1e-4"])
        .assert()
        .code(1)
        .stderr(contains("--adam-epsilon: the optimizer is neither adam nor adamax"));
    train(&place.path("zero"), &["--adam-epsilon", "0"])
        .assert()
        .code(1)
        .stderr(contains("--adam-epsilon: 0 is not between"));
}

#[test]
fn a_run_keeps_its_settings() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1"]);
    vae(&["train", "--resume", text(&run), "--latent", "3"])
        .assert()
        .code(1)
        .stderr(contains("error: --latent: a run keeps the settings"));
    vae(&["train", "--resume", text(&run), "--kl-warmup", "3"])
        .assert()
        .code(1)
        .stderr(contains("--kl-warmup"));
    let file = run.join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    for (old, new) in [
        ("images = 300", "images = 299"),
        ("seed = 1", "seed = 2"),
        ("batch-size = 50", "batch-size = 60"),
        ("learning-rate = 0.002", "learning-rate = 0.001"),
        ("optimizer = \"adam\"", "optimizer = \"sgd\""),
        ("beta = 1.0", "image-size = [28, 28]\nbeta = 1.0"),
    ] {
        assert!(config.contains(old), "{old}");
        std::fs::write(&file, config.replace(old, new)).unwrap();
        let (key, value) = new.lines().next().unwrap().split_once(" = ").unwrap();
        vae(&["train", "--resume", text(&run), "--epochs", "2"])
            .assert()
            .code(1)
            .stderr(contains(format!("{key} is {value} here, but the run was trained with {key}")));
    }
    std::fs::write(&file, config).unwrap();
    for flag in [&["--out", "x"][..], &["--overwrite"], &["--config", "x.toml"]] {
        vae(&["train", "--resume", text(&run)]).args(flag).assert().code(2).stderr(contains(flag[0]));
    }
}

#[test]
fn settings_come_from_a_file() {
    let place = Place::new();
    let file = place.path("settings.toml");
    std::fs::write(&file, "hidden = [8]\nlatent = 3\nepochs = 1\n").unwrap();
    let run = place.path("run");
    train(&run, &["--config", text(&file), "--latent", "1"])
        .assert()
        .success()
        .stderr(contains("784-16-1-16-784"));
    assert!(!run.join("manifold.png").exists());
    std::fs::write(&file, "hiden = [8]\n").unwrap();
    vae(&["train", "--config", text(&file)])
        .assert()
        .code(1)
        .stderr(contains("hiden").and(contains("settings.toml")));
}

#[test]
fn evaluation_gives_the_numbers_of_training() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "2"]);
    let first = eval(&run, &[]);
    assert_eq!(first, eval(&run, &[]));
    let number = |key: &str| first[key].as_f64().unwrap();
    assert_eq!(number("elbo"), -(number("reconstruction") + number("kl")));
    assert_eq!((first["images"].as_u64(), first["samples"].as_u64()), (Some(300), Some(1)));
    assert_eq!(
        (first["likelihood"].as_str(), first["binarize"].as_str()),
        (Some("bernoulli"), Some("dynamic"))
    );
    assert_eq!((first["step"].as_u64(), first["dataset"].as_str()), (Some(12), Some("digits")));
    assert!(first["device"].as_str().unwrap().starts_with("CPU"));
    // The last line of metrics.csv says the same.
    let metrics = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let recorded: f64 = metrics.lines().last().unwrap().split(',').nth(7).unwrap().parse().unwrap();
    assert_eq!(number("elbo"), recorded);

    let many = eval(&run, &["--samples", "5"]);
    assert_eq!(many["samples"].as_u64(), Some(5));
    assert!((many["elbo"].as_f64().unwrap() - number("elbo")).abs() < 5.0);
    let file = place.path("eval.json");
    vae(&["eval", text(&run), "--best", "--json", text(&file)])
        .assert()
        .success()
        .stdout(contains("ELBO").and(contains("nats/image")).and(contains("not a likelihood").not()));
    let best: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert!(best["elbo"].as_f64().unwrap() >= number("elbo"));
}

#[test]
fn grey_bernoulli_is_called_no_likelihood() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1", "--binarize", "none"]);
    vae(&["eval", text(&run)]).assert().success().stdout(contains("not a likelihood"));
}

#[test]
fn each_picture_has_its_command() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1", "--noise-samples", "2"]);
    let drawn_by_train = std::fs::read(run.join("samples.png")).unwrap();
    for (command, file) in [
        ("reconstruct", "reconstructions.png"),
        ("sample", "samples.png"),
        ("manifold", "manifold.png"),
        ("latent", "latent.png"),
        ("interpolate", "interpolation.png"),
    ] {
        let path = run.join(file);
        let _ = std::fs::remove_file(&path);
        vae(&[command, text(&run)]).assert().success().stdout(contains(text(&path)));
        assert_picture(&path);
        let other = place.path(&format!("{command}.png"));
        vae(&[command, text(&run), "--best", "--out", text(&other)])
            .assert()
            .success()
            .stdout(contains(text(&other)));
        assert_picture(&other);
    }
    assert!(
        drawn_by_train == std::fs::read(run.join("samples.png")).unwrap(),
        "train and sample draw differently"
    );
    let other = place.path("other.png");
    vae(&["sample", text(&run), "--seed", "9", "--out", text(&other)]).assert().success();
    assert!(drawn_by_train != std::fs::read(&other).unwrap());
    vae(&["reconstruct", text(&run), "--count", "5", "--seed", "3"]).assert().success();
    vae(&["interpolate", text(&run), "--count", "2", "--steps", "5", "--seed", "3"]).assert().success();
    vae(&["sample", text(&run), "--count", "0"]).assert().code(2);
    vae(&["sample", text(&run), "--out", "/nowhere/x.png"])
        .assert()
        .code(1)
        .stderr(contains("/nowhere/x.png"));
}

#[test]
fn pictures_of_other_latent_sizes() {
    let place = Place::new();
    let line = place.train("line", &["--epochs", "1", "--latent", "1"]);
    vae(&["manifold", text(&line)]).assert().success();
    vae(&["latent", text(&line)]).assert().success();
    assert_picture(&line.join("manifold.png"));
    assert_picture(&line.join("latent.png"));
    let space = place.train("space", &["--epochs", "1", "--latent", "5"]);
    vae(&["manifold", text(&space)])
        .assert()
        .code(1)
        .stderr(contains("2 dimensions").and(contains("vae interpolate")));
    vae(&["latent", text(&space)]).assert().success();
    assert_picture(&space.join("latent.png"));
}

#[test]
fn other_models_train_too() {
    let place = Place::new();
    for (number, flags) in [
        &["--hidden", "none", "--likelihood", "gaussian-shared"][..],
        &["--hidden", "12,9", "--likelihood", "gaussian-learned", "--mean-activation", "sigmoid"],
        &["--likelihood", "gaussian", "--sigma", "0.3", "--optimizer", "rmsprop", "--clip-norm", "5"],
        &["--image-size", "11x13", "--kl-warmup", "1", "--free-bits", "0.1", "--init", "normal:0.02"],
    ]
    .iter()
    .enumerate()
    {
        let run = place.path(&number.to_string());
        let mut base =
            vae(&["train", "--device", "cpu", "--images", "200", "--epochs", "1", "--out", text(&run)]);
        base.args(*flags);
        if !flags.contains(&"--hidden") {
            base.args(["--hidden", "16"]);
        }
        base.assert().success();
        eval(&run, &[]);
    }
}

#[test]
fn a_plan_is_shown_and_written() {
    vae(&["plan", "--hidden", "64,32", "--latent", "3"])
        .assert()
        .success()
        .stdout(contains("encoder.1").and(contains("GFLOP")).and(contains("moments.second")));
    let output = vae(&["plan", "--json"]).assert().success().get_output().clone();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["programs"][0]["name"], "train");
    assert!(plan["dispatches"].as_array().unwrap().len() > 10);
}

#[test]
fn devices_are_listed() {
    vae(&["devices"]).assert().success().stdout(contains("cpu").and(contains("auto")));
    let output = vae(&["devices", "--json"]).assert().success().get_output().clone();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(list["cpu_threads"].as_u64().unwrap() > 0 && list["adapters"].is_array());
}

#[test]
fn the_processor_passes_the_self_test() {
    vae(&["selftest", "--device", "cpu"])
        .assert()
        .success()
        .stdout(contains("matmul_nt").and(contains("all ")));
}

#[test]
fn mistakes_are_explained() {
    let place = Place::new();
    vae(&["train", "--hiden", "3"]).assert().code(2).stderr(contains("--hidden"));
    vae(&["train", "--hidden", "3,,4"]).assert().code(2).stderr(contains("500,250"));
    vae(&["train", "--activation", "tan"]).assert().code(2).stderr(contains("tanh"));
    vae(&["train", "--epochs", "1", "--steps", "1"]).assert().code(2);
    vae(&["train", "--dataset", "minst"]).assert().code(1).stderr(contains("did you mean 'mnist'?"));
    vae(&["train", "--dataset", "/nowhere"]).assert().code(1).stderr(contains("/nowhere"));
    for flag in ["--epochs", "--steps"] {
        vae(&["train", flag, "0"]).assert().code(1).stderr(contains(format!("error: {flag}: 0 is too few")));
    }
    vae(&["train", "--clip-norm", "-1"])
        .assert()
        .code(1)
        .stderr(contains("error: --clip-norm: -1 is negative"));
    vae(&["train", "--latent", "-1"]).assert().code(2).stderr(contains("invalid value '-1'"));
    vae(&["train", "--sigma", "0.5"]).assert().code(1).stderr(contains("--sigma").and(contains("bernoulli")));
    vae(&["sample", "run", "--out", "x.jpg"]).assert().code(1).stderr(contains("ends in .png"));
    vae(&["train", "--data-dir", "/data"]).assert().code(1).stderr(contains("--dataset mnist"));
    vae(&["train", "--device", "cpu", "--image-size", "90000x90000"])
        .assert()
        .code(1)
        .stderr(contains("--image-size").and(contains("bytes")));
    vae(&["train", "--init", "normal:-1"]).assert().code(2).stderr(contains("-1 is negative"));
    vae(&["interpolate", "run", "--steps", "1"]).assert().code(2).stderr(contains("from 2 to 10000"));
    vae(&["train", "--latent", "0"]).assert().code(1).stderr(contains("error: --latent"));
    vae(&["train", "--device", "no such card"]).assert().code(1).stderr(contains("no such card"));
    vae(&["train", "--out", text(&place.path("nothing")), "--device", "cpu", "--image-size", "2x2"])
        .assert()
        .code(1);
    assert!(!place.path("nothing").exists(), "a refused run leaves no folder");
    for command in ["eval", "sample", "latent"] {
        vae(&[command, text(place.0.path())]).assert().code(1).stderr(contains("no run"));
        vae(&[command, text(&place.path("missing"))]).assert().code(1).stderr(contains("no such run folder"));
    }
    vae(&["train", "--resume", text(&place.path("missing"))])
        .assert()
        .code(1)
        .stderr(contains("no such run"));
}

#[test]
fn every_command_explains_itself() {
    let list = [
        "train",
        "eval",
        "reconstruct",
        "sample",
        "manifold",
        "latent",
        "interpolate",
        "devices",
        "plan",
        "selftest",
    ];
    for command in list {
        vae(&[]).assert().code(2).stderr(contains(command));
        vae(&[command, "--help"])
            .assert()
            .success()
            .stdout(contains("Example").and(contains(format!("vae {command}"))));
    }
}

#[test]
fn damaged_checkpoints_are_named() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1"]);
    let other = place.train("other", &["--epochs", "1", "--latent", "7"]);
    let smooth = place.train("smooth", &["--epochs", "1", "--activation", "elu"]);
    let file = run.join("checkpoint.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let refused = |problem: &str| {
        for command in [&["eval", text(&run)][..], &["train", "--epochs", "2", "--resume", text(&run)]] {
            vae(command).assert().code(1).stderr(contains(text(&file)).and(contains(problem)));
        }
    };
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused("cut short");
    refused(&format!("copy {} over it", run.join("best.safetensors").display()));
    std::fs::write(&file, b"").unwrap();
    refused("cut short");
    std::fs::copy(other.join("checkpoint.safetensors"), &file).unwrap();
    refused("latent = 7");
    std::fs::copy(smooth.join("checkpoint.safetensors"), &file).unwrap();
    refused("activation = elu");
    std::fs::remove_file(&file).unwrap();
    refused("there is no checkpoint");
    eval(&run, &["--best"]);
    std::fs::write(&file, &whole).unwrap();
    eval(&run, &[]);
}

#[test]
fn a_run_is_found_from_elsewhere() {
    let place = Place::new();
    let pictures = place.path("data/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    for number in 0..40u8 {
        let picture =
            image::GrayImage::from_fn(9, 7, |x, y| image::Luma([(x as u8 * 20) ^ (y as u8 * number)]));
        picture.save(pictures.join(format!("{number}.png"))).unwrap();
    }
    let run = place.path("run");
    vae(&["train", "--dataset", "pictures", "--out", "../run", "--epochs", "1", "--batch-size", "9"])
        .args(["--device", "cpu", "--hidden", "8"])
        .current_dir(place.path("data"))
        .assert()
        .success();
    assert_eq!(eval(&run, &[])["dataset"], "pictures");
    std::fs::rename(&pictures, place.path("moved")).unwrap();
    vae(&["eval", text(&run)]).assert().code(1).stderr(contains("data/pictures"));
}

#[test]
fn divergence_names_the_step_and_keeps_the_last_checkpoint() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1", "--optimizer", "sgd"]);
    let before = tensors(&run.join("checkpoint.safetensors"));
    let file = run.join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    // Both tell the same, or resuming would refuse; in the checkpoint the new value must be as long as the old one.
    let (old, new) = ("learning-rate = 0.0001", "learning-rate = 1.0e06");
    std::fs::write(&file, config.replace(old, new)).unwrap();
    let checkpoint = run.join("checkpoint.safetensors");
    let mut bytes = std::fs::read(&checkpoint).unwrap();
    let place_of = bytes.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
    bytes[place_of..place_of + new.len()].copy_from_slice(new.as_bytes());
    std::fs::write(&checkpoint, bytes).unwrap();
    vae(&["train", "--resume", text(&run), "--epochs", "5"])
        .assert()
        .code(1)
        .stderr(contains("error: step ").and(contains(" term became ")).and(contains("step 6 are kept")));
    assert!(before == tensors(&run.join("checkpoint.safetensors")));
    eval(&run, &[]);
    let never = place.path("never");
    train(&never, &["--optimizer", "sgd", "--learning-rate", "1e6"])
        .assert()
        .code(1)
        .stderr(contains("smaller --learning-rate, or a --clip-norm such as 10"));
    assert!(never.join("config.toml").exists());
    train(&never, &["--optimizer", "sgd", "--learning-rate", "1e6", "--clip-norm", "1e9", "--overwrite"])
        .assert()
        .code(1)
        .stderr(contains("or a smaller --clip-norm"));
    train(&never, &[]).assert().code(1).stderr(contains("--overwrite").and(contains("--resume").not()));
}

#[test]
fn broken_pipes_are_no_panic() {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("vae"))
        .args(["plan", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

/// Long enough to be interrupted at any of many steps.
const LONG: [&str; 2] = ["--steps", "900"];

/// Start the long run, stop it with `signal` once it has saved something (or at once), and return its errors and exit.
#[cfg(unix)]
fn stop(path: &Path, signal: &str, after: &str) -> std::process::Output {
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("vae"))
        .args(["train", "--out", text(path)])
        .args(SMALL)
        .args(LONG)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !path.join(after).exists() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Somewhere within an epoch.
    std::thread::sleep(Duration::from_millis(130));
    let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_stopped_run_goes_on_as_if_it_had_not_been() {
    let place = Place::new();
    let whole = place.train("whole", &LONG);
    let interrupted = place.path("interrupted");
    let output = stop(&interrupted, "-INT", "metrics.csv");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains(&format!("vae train --resume {}", interrupted.display())), "{errors}");
    assert!(!interrupted.join("curves.png").exists());
    eval(&interrupted, &["--device", "cpu"]);
    vae(&["train", "--resume", text(&interrupted)]).assert().success().stderr(contains("from step"));
    assert_same_tensors(&whole, &interrupted);

    let killed = place.path("killed");
    let output = stop(&killed, "-KILL", "checkpoint.safetensors");
    assert_eq!(output.status.code(), None);
    vae(&["train", "--resume", text(&killed)]).assert().success();
    assert_same_tensors(&whole, &killed);
    let metrics = |run: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
        // Times differ; epoch, step, images and the ELBOs do not.
        let fields = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            [&fields[..3], &fields[4..12]].concat().join(",")
        };
        text.lines().map(fields).collect()
    };
    assert_eq!(metrics(&whole), metrics(&killed));
    assert_eq!(metrics(&whole), metrics(&interrupted));
}

#[test]
fn a_report_has_the_bound_and_what_the_latents_carry() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1", "--latent", "3"]);
    let plain = eval(&run, &["--images", "40"]);
    assert!(plain["importance"].is_null());
    assert_eq!(plain["images"].as_u64(), Some(40));
    let mut report = eval(&run, &["--images", "40", "--importance-samples", "100"]);
    let number = |report: &Value, group: &str, key: &str| report[group][key].as_f64().unwrap();
    let bound = number(&report, "importance", "bound");
    assert_eq!(number(&report, "importance", "negative_log_likelihood"), -bound);
    assert_eq!(number(&report, "importance", "samples"), 100.0);
    assert!(bound >= number(&report, "importance", "elbo"), "{report}");
    // Other draws of the same pixels and latents: near the ELBO beside it.
    assert!(
        (number(&report, "importance", "elbo") - report["elbo"].as_f64().unwrap()).abs() < 15.0,
        "{report}"
    );
    assert!(number(&report, "importance", "standard_error") > 0.0);
    let bits = number(&report, "importance", "bits_per_dimension");
    assert!((bits + bound / (784.0 * 2.0_f64.ln())).abs() < 1e-9, "{report}");
    let worth = number(&report, "importance", "effective_samples_median");
    assert!((1.0..=100.0).contains(&worth), "{report}");
    let latents = &report["latents"];
    let divergences: Vec<f64> =
        latents["kl_per_dimension"].as_array().unwrap().iter().map(|kl| kl.as_f64().unwrap()).collect();
    assert_eq!(divergences.len(), 3);
    let (information, rest) =
        (number(&report, "latents", "mutual_information"), number(&report, "latents", "aggregate_kl"));
    assert!((divergences.iter().sum::<f64>() - information - rest).abs() < 1e-9);
    assert!((report["kl"].as_f64().unwrap() - divergences.iter().sum::<f64>()).abs() < 1e-3);
    assert!((0.0..=40.0_f64.ln() + 1e-9).contains(&information));
    // The same again, but for the time it took.
    let mut again = eval(&run, &["--images", "40", "--importance-samples", "100"]);
    for report in [&mut report, &mut again] {
        report["importance"]["seconds"] = Value::Null;
    }
    assert_eq!(report, again);
    vae(&["eval", text(&run), "--images", "7", "--importance-samples", "10"]).assert().success().stdout(
        contains("log p(x) >=").and(contains("bits/dimension; binarisation dynamic")).and(contains("active")),
    );
    vae(&["eval", text(&run), "--importance-samples", "0"]).assert().code(2);
}

#[test]
fn other_objectives_train_resume_and_are_evaluated() {
    let place = Place::new();
    for objective in ["iwae", "dreg"] {
        let flags = ["--objective", objective, "--importance-samples", "5"];
        let whole = place.path(&format!("{objective}-whole"));
        train(&whole, &flags)
            .args(["--epochs", "2"])
            .assert()
            .success()
            .stdout(contains("held-out L_5"))
            .stderr(contains(", L_5 -").and(contains("of 2 units active")));
        let parts = place.train(&format!("{objective}-parts"), &[&flags[..], &["--epochs", "1"]].concat());
        vae(&["train", "--resume", text(&parts), "--epochs", "2"]).assert().success();
        assert_same_tensors(&whole, &parts);
        let table = |run: &Path| std::fs::read_to_string(run.join("latents.csv")).unwrap();
        assert_eq!(table(&whole), table(&parts));
        let lines = table(&whole);
        assert!(
            lines.starts_with("epoch,step,active_units,train_bound,test_bound,kl_1,kl_2\n1,6,"),
            "{lines}"
        );
        assert_eq!(lines.lines().count(), 3);
        let report = eval(&whole, &["--importance-samples", "5", "--images", "300"]);
        assert_eq!(report["samples"].as_u64(), Some(1));
        // The bound of training at its end, on other draws.
        let recorded: f64 = lines.lines().last().unwrap().split(',').nth(4).unwrap().parse().unwrap();
        assert!(
            (report["importance"]["bound"].as_f64().unwrap() - recorded).abs() < 5.0,
            "{report} {recorded}"
        );
        vae(&["sample", text(&whole)]).assert().success();
    }
}

#[test]
fn objectives_refuse_what_they_do_not_take() {
    let place = Place::new();
    for (flags, problem) in [
        (&["--objective", "iwae", "--noise-samples", "2"][..], "--noise-samples: the objective is iwae"),
        (&["--objective", "dreg", "--free-bits", "0.1"], "--free-bits: the objective is dreg"),
        (&["--objective", "iwae", "--capacity", "3"], "--capacity: the objective is iwae"),
        (&["--importance-samples", "5"], "--importance-samples: the objective is elbo"),
        (&["--capacity", "3", "--free-bits", "0.1"], "--capacity: --free-bits"),
        (&["--capacity-epochs", "3"], "--capacity-epochs: there is no capacity"),
        (&["--kl-cycle", "3"], "--kl-cycle: a cycle of 3 epochs"),
        (&["--kl-cycle", "3", "--kl-warmup", "4"], "--kl-cycle: a cycle of 3 epochs"),
        (&["--likelihood", "discretized-logistic", "--binarize", "static"], "--binarize: the likelihood"),
        (
            &["--likelihood", "continuous-bernoulli", "--mean-activation", "tanh"],
            "--mean-activation: it shapes",
        ),
    ] {
        train(&place.path("run"), flags).assert().code(1).stderr(contains(problem));
    }
}

#[test]
fn schedules_and_likelihoods_of_grey_pixels_train() {
    let place = Place::new();
    let run = place.train("cycles", &["--epochs", "4", "--kl-cycle", "2", "--kl-warmup", "1"]);
    let weights: Vec<f64> = std::fs::read_to_string(run.join("metrics.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(10).unwrap().parse().unwrap())
        .collect();
    // The weight of each epoch's last step: 5/6 of the way up, then the whole.
    assert!((weights[0] - 5.0 / 6.0).abs() < 1e-9 && weights[0] == weights[2], "{weights:?}");
    assert_eq!((weights[1], weights[3]), (1.0, 1.0));
    place.train("capacity", &["--epochs", "2", "--capacity", "4", "--capacity-epochs", "1", "--beta", "20"]);
    for likelihood in ["discretized-logistic", "continuous-bernoulli"] {
        let run = place.train(likelihood, &["--epochs", "1", "--likelihood", likelihood]);
        let report = eval(&run, &["--importance-samples", "20", "--images", "10"]);
        assert_eq!(
            (report["likelihood"].as_str(), report["binarize"].as_str()),
            (Some(likelihood), Some("none"))
        );
        vae(&["reconstruct", text(&run)]).assert().success();
        assert_picture(&run.join("reconstructions.png"));
    }
}
