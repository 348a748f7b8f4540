//! Several stochastic layers from outside.

use crate::common::program::{tensors, text, vae};
use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Two layers of latents that train in an instant.
fn train(path: &Path, more: &[&str]) -> Command {
    let mut command = vae(&["train", "--out", text(path), "--device", "cpu", "--images", "300"]);
    command.args(["--hidden", "32/16", "--latent", "8,2", "--batch-size", "50"]);
    command.args(["--importance-samples", "3"]).args(more);
    if !more.contains(&"--objective") {
        command.args(["--objective", "iwae"]);
    }
    command
}

#[test]
fn runs_are_trained_resumed_evaluated_and_drawn() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let (whole, parts) = (path("whole"), path("parts"));
    let out = train(&whole, &["--epochs", "3"]).assert().success();
    out.stderr(contains("784-32-8-16-2-16-8-32-784"));
    train(&parts, &["--epochs", "1"]).assert().success();
    vae(&["train", "--resume", text(&parts), "--epochs", "3"]).assert().success();
    let [of_whole, of_parts] = [&whole, &parts].map(|run| tensors(&run.join("checkpoint.safetensors")));
    assert!(of_whole == of_parts, "a resumed run differs");
    assert!(of_whole.contains_key("decoder.layer2.log_variance.weight"));
    let config = std::fs::read_to_string(whole.join("config.toml")).unwrap();
    assert!(config.contains("latent = [8, 2]") && config.contains("hidden = [[32], [16]]"), "{config}");
    let columns = std::fs::read_to_string(whole.join("latents.csv")).unwrap();
    assert!(columns.lines().next().unwrap().ends_with(",kl_9,kl_10"), "{columns}");

    let output = vae(&[
        "eval",
        text(&whole),
        "--json",
        "-",
        "--importance-samples",
        "100",
        "--samples",
        "20",
        "--images",
        "200",
    ])
    .assert()
    .success()
    .get_output()
    .clone();
    let numbers: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |pointer: &str| numbers.pointer(pointer).unwrap().as_f64().unwrap();
    let layers = numbers["latents"]["layers"].as_array().unwrap();
    let widths: Vec<_> = layers.iter().map(|l| l["kl_per_dimension"].as_array().unwrap().len()).collect();
    assert_eq!(widths, [8, 2]);
    // The layers' divergences are those of the ELBO, by other draws: the ELBO's 4,000, and 1,600.
    let of_layers = number("/latents/layers/0/kl") + number("/latents/layers/1/kl");
    assert!((of_layers - number("/kl")).abs() < 0.5, "{of_layers} {}", number("/kl"));
    assert!((number("/importance/elbo") - number("/elbo")).abs() < 2.0, "{numbers}");
    assert!(number("/importance/bound") > number("/importance/elbo"), "{numbers}");
    vae(&["eval", text(&whole), "--images", "50"])
        .assert()
        .success()
        .stdout(contains("layer 2"))
        .stdout(contains("8 + 2"));

    for (command, more) in [
        ("sample", ["--count", "9"]),
        ("reconstruct", ["--count", "4"]),
        ("interpolate", ["--count", "2"]),
        ("manifold", ["--side", "4"]),
    ] {
        let picture: PathBuf = path(&format!("{command}.png"));
        vae(&[command, text(&whole), "--out", text(&picture)]).args(more).assert().success();
        assert!(image::open(&picture).unwrap().width() > 100);
    }
    let failed = vae(&["posterior", text(&whole)]).assert().failure();
    failed.stderr(contains("has 2, of [8, 2] dimensions")).stderr(contains("--ais"));
}

/// Annealing takes both layers together, and its ELBO is that of the importance weights.
#[test]
fn both_layers_are_annealed() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    train(&run, &["--epochs", "4"]).assert().success();
    let flags = ["--ais", "--bdmc", "--ais-images", "20", "--temperatures", "60", "--chains", "8"];
    let output = vae(&["eval", text(&run), "--images", "20", "--importance-samples", "400", "--json", "-"])
        .args(flags)
        .assert()
        .success()
        .get_output()
        .clone();
    let numbers: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |pointer: &str| numbers.pointer(pointer).unwrap().as_f64().unwrap();
    assert!(number("/ais/log_evidence") > number("/ais/elbo"), "{numbers}");
    // Both are of the same images, with other draws of their pixels.
    assert!((number("/ais/elbo") - number("/importance/elbo")).abs() < 10.0, "{numbers}");
    let error = number("/bdmc/lower_standard_error").hypot(number("/bdmc/upper_standard_error"));
    assert!(number("/bdmc/gap") > -4.0 * error, "{numbers}");
}

/// A column of a run's metrics, a number for each epoch.
fn column(run: &Path, name: &str) -> Vec<f64> {
    let metrics = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let column = metrics.lines().next().unwrap().split(',').position(|it| it == name).unwrap();
    metrics.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().parse().unwrap()).collect()
}

#[test]
fn doubly_reparametrized_gradients_train_two_layers() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    train(&run, &["--epochs", "4", "--objective", "dreg"]).assert().success();
    let bounds = column(&run, "test_elbo");
    assert!(bounds[3] > bounds[0] + 20.0, "{bounds:?}");
}

/// What the divergence is drawn to, it comes to: a capacity closely, free bits from above.
#[test]
fn two_layers_take_free_bits_a_floor_and_a_capacity() {
    let place = tempfile::tempdir().unwrap();
    let divergence = |name: &str, more: &[&str]| {
        let run = place.path().join(name);
        let mut command = vae(&["train", "--out", text(&run), "--device", "cpu", "--images", "300"]);
        command.args(["--hidden", "32/16", "--latent", "8,2", "--batch-size", "50", "--epochs", "40"]);
        command.args(more).assert().success();
        *column(&run, "train_kl").last().unwrap()
    };
    let plain = divergence("plain", &[]);
    let free = divergence("free", &["--free-bits", "3"]);
    let drawn = divergence("drawn", &["--capacity", "20", "--beta", "30"]);
    let floor = divergence("floor", &["--kl-floor", "24"]);
    println!("{plain} {free} {drawn} {floor}");
    // The divergence is known at one sample: some samples of an image are above the floor where their mean is below.
    assert!(floor > plain + 8.0 && floor < 25.0, "{floor}");
    assert!(free > plain + 8.0, "{plain} {free}");
    assert!((drawn - 20.0).abs() < 3.0 && (plain - 20.0).abs() > 6.0, "{plain} {drawn}");
}

#[test]
fn parts_of_hidden_layers_that_do_not_fit_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    for (hidden, latent, expected) in [
        ("32/16", "8", "--hidden: hidden layers in 2 parts, for 1 stochastic"),
        ("32/16", "8,4,2", "--hidden: hidden layers in 2 parts, for 3 stochastic"),
        ("32", "8,0", "--latent: 0 is too few"),
    ] {
        let mut command = vae(&["train", "--out", text(&run), "--hidden", hidden, "--latent", latent]);
        command.assert().failure().stderr(contains(expected));
        assert!(!run.exists());
    }
}

/// A third and a fourth layer need no line of code: trained in two parts, evaluated every way, and drawn from, on the
/// processor and on every adapter.
#[test]
fn four_layers_do_all_that_one_does() {
    let place = tempfile::tempdir().unwrap();
    let adapters = crate::common::adapters();
    let devices = ["cpu", "software"].into_iter().take(if adapters.is_empty() { 1 } else { 2 });
    for device in devices {
        let path = |name: &str| place.path().join(format!("{device}-{name}"));
        let (whole, parts) = (path("whole"), path("parts"));
        for (run, epochs) in [(&whole, "2"), (&parts, "1")] {
            let mut command = vae(&["train", "--out", text(run), "--device", device, "--images", "200"]);
            command.args(["--hidden", "16", "--latent", "8,5,3,2", "--batch-size", "50", "--no-tune"]);
            let out = command.args(["--epochs", epochs]).assert().success();
            out.stderr(contains("784-16-8-16-5-16-3-16-2-16-3-16-5-16-8-16-784"));
        }
        vae(&["train", "--resume", text(&parts), "--epochs", "2"]).assert().success();
        let [of_whole, of_parts] = [&whole, &parts].map(|run| tensors(&run.join("checkpoint.safetensors")));
        assert!(of_whole == of_parts, "{device}: a resumed run differs");
        assert!(of_whole.contains_key("encoder.layer4.0.weight"));
        assert!(of_whole.contains_key("decoder.layer3.mean.weight"));

        let flags = ["--ais", "--bdmc", "--ais-images", "4", "--temperatures", "30", "--chains", "4"];
        let output = vae(&["eval", text(&whole), "--images", "20", "--importance-samples", "200"])
            .args(["--json", "-"])
            .args(flags)
            .assert()
            .success()
            .get_output()
            .clone();
        let numbers: Value = serde_json::from_slice(&output.stdout).unwrap();
        let number = |pointer: &str| numbers.pointer(pointer).and_then(Value::as_f64).unwrap();
        let layers = numbers["latents"]["layers"].as_array().unwrap();
        let widths: Vec<_> = layers.iter().map(|l| l["kl_per_dimension"].as_array().unwrap().len()).collect();
        assert_eq!(widths, [8, 5, 3, 2]);
        assert!(number("/importance/bound") > number("/importance/elbo"), "{numbers}");
        assert!(number("/ais/log_evidence").is_finite() && number("/bdmc/gap").is_finite(), "{numbers}");
        let picture = path("samples.png");
        vae(&["sample", text(&whole), "--count", "9", "--out", text(&picture)]).assert().success();
        assert!(image::open(&picture).unwrap().width() > 100);
    }
}
