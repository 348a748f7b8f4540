//! The program as a whole: its other commands, its help, its errors.

use super::{Place, text, vae};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::process::Stdio;

#[test]
fn the_version_is_that_of_the_program() {
    vae(&["--version"]).assert().success().stdout(predicates::str::starts_with("vae "));
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
fn the_autoencoder_of_latent_diffusion_has_its_published_size() {
    for (model, shape, expected) in [
        ("autoencoder-kl", "256x256x3", 83_653_863),
        ("autoencoder-kl-tiny", "28x28x1", 953_413),
        ("autoencoder-kl-tiny", "64x32x3", 954_567),
    ] {
        let plan = ["plan", "--model", model, "--shape", shape, "--json"];
        let output = vae(&plan).assert().success().get_output().clone();
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["parameters"], expected, "{model}, {shape}");
    }
    vae(&["plan", "--model", "autoencoder-kl", "--shape", "60x64x3"])
        .assert()
        .code(1)
        .stderr(contains("divide by 8").and(contains("resize them to 64x64 with --image-size")));
}

#[test]
fn devices_are_listed() {
    vae(&["devices"]).assert().success().stdout(contains("cpu").and(contains("auto")));
    let output = vae(&["devices", "--json"]).assert().success().get_output().clone();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(list["cpu_threads"].as_u64().unwrap() > 0 && list["adapters"].is_array());
}

/// A device that has failed the start-up check is taken with a warning, and `vae devices` checks it again.
#[test]
#[cfg(target_os = "linux")]
fn a_failed_check_is_said() {
    let place = Place::new();
    let program = |arguments: &[&str]| {
        let mut command = vae(arguments);
        command.env("XDG_CACHE_HOME", place.0.path());
        command
    };
    let list = |check: &str| {
        let output = program(&["devices", "--json"]).assert().success().get_output().clone();
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let adapters = list["adapters"].as_array().unwrap().clone();
        adapters.iter().filter(|it| it["kind"] == "software" && it["check"] == check).count()
    };
    if list("passed") == 0 {
        assert!(super::common::adapters().is_empty());
        return;
    }
    let file = place.path("vae/checks.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    let failed = kept.replace("\"passed\"", r#"{"failed": "tanh is wrong"}"#);
    std::fs::write(&file, &failed).unwrap();
    program(&["bench", "--device", "software", "--filter", "no such thing"])
        .assert()
        .code(1)
        .stderr(contains("failed the start-up check: tanh is wrong").and(contains("--filter")));
    assert_ne!(list("passed"), 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
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
    vae(&["train", "--capacity", "inf"]).assert().code(1).stderr(contains("inf is not a finite number"));
    vae(&["train", "--device", "cpu", "--noise-samples", "4000000000"])
        .assert()
        .code(1)
        .stderr(contains("CPU: the system cannot allocate").and(contains("--batch-size")));
    vae(&["posterior", "run", "--chains", "10001"]).assert().code(2).stderr(contains("from 0 to 10000"));
    vae(&["posterior", "run", "--chains", "0", "--draws", "3"]).assert().code(1).stderr(contains("--draws"));
    let nowhere = place.path("nowhere");
    vae(&["deck", "--quick", "--out", text(&place.path("deck")), "--data-dir", text(&nowhere)])
        .assert()
        .code(1)
        .stderr(contains(text(&nowhere)));
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
