//! Runs: what training leaves, and what it replaces and takes.

use super::{Place, SMALL, assert_picture, eval, tensors, text, train, vae};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

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
    assert_eq!(litter, 12, "files left over in {}", run.display());
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

/// The table of a parameter group trains as the shared one would.
#[test]
fn a_parameter_group_has_its_own_optimizer() {
    let place = Place::new();
    let shared = place.train("shared", &["--epochs", "1", "--learning-rate", "0.01"]);
    let group = place.train("group", &["--epochs", "1", "--set", "optimizer.vae.learning-rate=0.01"]);
    let plain = place.train("plain", &["--epochs", "1"]);
    let parameters = |run: &Path| tensors(&run.join("checkpoint.safetensors"));
    assert!(parameters(&shared) == parameters(&group) && parameters(&shared) != parameters(&plain));
    // It is kept in the run, which goes on with it.
    vae(&["train", "--resume", text(&group), "--set", "run.epochs=2"]).assert().success();
    vae(&["train", "--resume", text(&shared), "--epochs", "2"]).assert().success();
    assert!(parameters(&shared) == parameters(&group));
    vae(&["train", "--resume", text(&group), "--set", "optimizer.vae.clip-norm=1"])
        .assert()
        .code(1)
        .stderr(contains("--set optimizer.vae.clip-norm: a run keeps the settings"));
    train(&place.path("none"), &["--set", "optimizer.discriminator.clip-norm=1"])
        .assert()
        .code(1)
        .stderr(contains("the model has no parameter group of this name").and(contains("groups: vae")));
}

#[test]
fn other_models_train_too() {
    let place = Place::new();
    for (number, flags) in [
        &["--hidden", "none", "--likelihood", "gaussian-shared"][..],
        &["--hidden", "12,9", "--likelihood", "gaussian-learned", "--mean-activation", "sigmoid"],
        &["--likelihood", "gaussian", "--sigma", "0.3", "--optimizer", "rmsprop", "--clip-norm", "5"],
        &["--binarize", "threshold", "--output-bias", "mean-image"],
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
fn files_that_a_run_or_a_report_would_replace_are_kept() {
    let place = Place::new();
    let foreign = place.path("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("samples.png"), "mine").unwrap();
    train(&foreign, &["--epochs", "1"])
        .assert()
        .code(1)
        .stderr(contains("samples.png, which a run would replace"));
    std::fs::write(foreign.join("reproduce.toml"), "").unwrap();
    train(&foreign, &["--epochs", "1", "--overwrite"])
        .assert()
        .code(1)
        .stderr(contains("holds a reproduction"));
    assert_eq!(std::fs::read_to_string(foreign.join("samples.png")).unwrap(), "mine");
    assert!(!foreign.join("config.toml").exists());

    let run = place.train("run", &["--epochs", "1"]);
    let checkpoint = run.join("checkpoint.safetensors");
    let before = tensors(&checkpoint);
    for command in ["eval", "posterior"] {
        vae(&[command, text(&run), "--json", text(&checkpoint)])
            .assert()
            .code(1)
            .stderr(contains("not a .json file"));
    }
    assert!(tensors(&checkpoint) == before);
    // A report may be replaced by a newer one.
    let report = place.path("report.json");
    for _ in 0..2 {
        vae(&["eval", text(&run), "--images", "5", "--json", text(&report)]).assert().success();
    }
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
    vae(&["eval", text(&run)])
        .assert()
        .code(1)
        .stderr(contains("data/pictures: the run's dataset is not there").and(contains("--dataset")));
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
    for likelihood in ["discretized-logistic", "continuous-bernoulli", "laplace"] {
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
