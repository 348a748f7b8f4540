//! `vae eval --ais --bdmc` and `vae posterior` from outside.

use crate::common::program::vae;
use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;

/// A small model, trained in an instant.
fn train(run: &Path, more: &[&str]) {
    let small = "--device cpu --images 300 --image-size 12x12 --batch-size 50 --epochs 4 --out";
    let mut command = vae(&["train"]);
    command.args(small.split(' ')).arg(run).args(more).assert().success();
}

fn json(command: &mut Command) -> Value {
    let output = command.args(["--json", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn annealing_reports_both_sides_and_says_how_pixels_are_drawn() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    train(&run, &["--latent", "5", "--hidden", "16"]);
    let run = run.to_str().unwrap();
    let flags = "--ais --bdmc --chains 12 --temperatures 60 --leapfrog 4 --ais-images 7";
    let arguments: Vec<&str> = ["eval", run].into_iter().chain(flags.split(' ')).collect();
    let found = json(&mut vae(&arguments));
    vae(&arguments).assert().success().stdout(contains("warning").not());
    let (ais, bdmc) = (&found["ais"], &found["bdmc"]);
    assert_eq!(ais["images"].as_array().unwrap().len(), 7);
    assert!(ais["pixels"].as_str().unwrap().contains("dynamic binarisation"), "{ais}");
    let [evidence, error, bound] = ["log_evidence", "standard_error", "elbo"].map(|name| number(&ais[name]));
    assert!(error > 0.0 && error < 1.0, "{ais}");
    // log p(x) is above the ELBO, up to both estimates' errors.
    assert!(evidence > bound - 4.0 * error - 0.5 && evidence < 0.0, "{ais}");
    assert!((number(&ais["acceptance"]) - 0.65).abs() < 0.2, "{ais}");
    let [lower, upper, gap] = ["lower", "upper", "gap"].map(|name| number(&bdmc[name]));
    assert!((upper - lower - gap).abs() < 1e-9, "{bdmc}");
    let error = number(&bdmc["lower_standard_error"]) + number(&bdmc["upper_standard_error"]);
    assert!(gap > -4.0 * error && gap < 10.0 * error.max(0.1), "{bdmc}");
    assert_eq!(found, json(&mut vae(&arguments)), "equal commands give different numbers");
    vae(&arguments).assert().success().stdout(contains("BDMC gap").and(contains("log p(x)")));

    // One step from the prior finds no posterior of five dimensions, and a single value has no standard error.
    let flags = "--ais --chains 1 --temperatures 1 --ais-images 3";
    let hasty: Vec<&str> = ["eval", run].into_iter().chain(flags.split(' ')).collect();
    let found = json(&mut vae(&hasty));
    let ais = &found["ais"];
    assert!(ais["standard_error"].is_null() && ais["images"][2]["elbo_standard_error"].is_null(), "{ais}");
    assert!(number(&ais["standard_error_over_images"]) > 0.0, "{ais}");
    assert!(number(&ais["images_missed"]) > 0.0, "{ais}");
    vae(&hasty)
        .assert()
        .success()
        .stdout(contains("± unknown").and(contains("warning: annealing has missed")));

    let lone = ["eval", run, "--chains", "4"];
    vae(&lone).assert().failure().stderr(contains("--chains").and(contains("--ais")));
    let deep = ["posterior", run];
    vae(&deep).assert().failure().stderr(contains("--ais").and(contains("has 5")));
}

#[test]
fn the_identity_holds_for_images_of_trained_models() {
    let place = tempfile::tempdir().unwrap();
    for (name, more) in [
        ("two", &["--latent", "2", "--hidden", "16"][..]),
        (
            "one",
            &"--latent 1 --likelihood gaussian-learned --activation relu --hidden 16"
                .split(' ')
                .collect::<Vec<_>>(),
        ),
        ("linear", &["--hidden", "none", "--likelihood", "gaussian-shared", "--sigma", "0.3"]),
    ] {
        let run = place.path().join(name);
        train(&run, more);
        let path = run.to_str().unwrap();
        let found = json(&mut vae(&["posterior", path, "--image", "3", "--chains", "24", "--draws", "20"]));
        let image = &found["images"][0];
        assert_eq!(number(&image["image"]), 3.0);
        let residual = number(&image["residual"]).abs();
        assert!(residual < 1e-3, "{name}: {image}");
        let stated = ["log_evidence_error", "kl_error"].map(|error| number(&image["grid"][error]));
        // Rounding of a few hundred nats in f32, beside what the rules say of themselves.
        let rounding = 1e-4;
        let stated = stated[0] + stated[1] + number(&image["elbo_error"]);
        assert!(residual < stated + rounding, "{name}: {image}");
        let [kl, approximation, amortisation] =
            [&image["grid"]["kl"], &image["approximation_gap"], &image["amortisation_gap"]].map(number);
        assert!((kl - approximation - amortisation).abs() < 2.0 * (stated + rounding), "{name}: {image}");
        assert!(approximation > -rounding && amortisation > -rounding, "{name}: {image}");
        let picture = image::open(run.join("posterior-3.png")).unwrap();
        assert!(picture.width() > 1000);
    }
    let path = place.path().join("two");
    let path = path.to_str().unwrap();
    let several = ["posterior", path, "--images", "3", "--chains", "0"];
    vae(&several)
        .assert()
        .success()
        .stdout(contains("largest residual").and(contains("standard errors off").not()));
    let single = ["posterior", path, "--image", "2", "--chains", "1", "--draws", "2"];
    vae(&single).assert().success().stdout(contains("has no standard errors"));
    let missing = ["posterior", path, "--image", "300"];
    vae(&missing).assert().failure().stderr(contains("--image").and(contains("0 to 299")));
}
