//! Deterministic autoencoders.

use super::{Place, WELL, assert_same_tensors, eval, text, train, vae};
use predicates::prelude::*;
use predicates::str::contains;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn a_denoising_autoencoder_is_trained_resumed_and_measured() {
    let place = Place::new();
    let flags = [&WELL[..], &["--objective", "denoising", "--latent", "2"]].concat();
    let whole = place.train("whole", &[&flags[..], &["--epochs", "3"]].concat());
    let parts = place.train("parts", &[&flags[..], &["--steps", "10"]].concat());
    vae(&["train", "--resume", text(&parts), "--steps", "18"]).assert().success();
    assert_same_tensors(&whole, &parts);
    let report = eval(&whole, &["--best"]);
    assert!(
        report["elbo"].is_null() && report["kl"].is_null() && report["reconstruction"].is_f64(),
        "{report}"
    );
    for name in ["best.safetensors", "reconstructions.png", "latent.png", "curves.png"] {
        assert!(whole.join(name).exists(), "{name}");
    }
    for name in ["samples.png", "manifold.png"] {
        assert!(!whole.join(name).exists(), "{name}");
    }
    vae(&["interpolate", text(&whole)]).assert().success();
    // Without a prior there are no samples; with a fitted one there are.
    vae(&["sample", text(&whole), "--prior", "fitted"])
        .assert()
        .code(1)
        .stderr(contains("has no prior.safetensors"));
    vae(&["fit-prior", text(&whole), "--components", "3"])
        .assert()
        .success()
        .stdout(contains("of 2 dimensions"));
    vae(&["sample", text(&whole), "--prior", "fitted", "--count", "9"]).assert().success();
    assert!(whole.join("samples.png").exists());
    let file = whole.join("prior.safetensors");
    std::fs::copy(&file, parts.join("prior.safetensors")).unwrap();
    vae(&["train", "--resume", text(&parts), "--steps", "19"]).assert().success();
    vae(&["sample", text(&parts), "--prior", "fitted"]).assert().code(1).stderr(contains("of step 18"));
    // What needs a density says what there is instead.
    for (command, flags) in [
        ("sample", &[][..]),
        ("manifold", &[]),
        ("posterior", &[]),
        ("eval", &["--ais", "--images", "2"]),
        ("web", &["--out", "page"]),
    ] {
        vae(&[command, text(&whole)])
            .args(flags)
            .current_dir(place.path("."))
            .assert()
            .code(1)
            .stderr(contains("the run's objective is denoising").and(contains("vae fit-prior RUN")));
    }
}

/// The terms of a penalty are added up over an epoch, also over one that was interrupted.
#[test]
fn penalties_are_recorded() {
    let place = Place::new();
    let flags = ["--objective", "sparse", "--latent", "3"];
    let whole = place.train("whole", &[&flags[..], &["--epochs", "2"]].concat());
    let parts = place.train("parts", &[&flags[..], &["--steps", "10"]].concat());
    vae(&["train", "--resume", text(&parts), "--steps", "12"]).assert().success();
    assert_same_tensors(&whole, &parts);
    let last = |run: &Path| {
        let table = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
        let row = |line: &str| line.split(',').map(str::to_string).collect::<Vec<_>>();
        let names = row(table.lines().next().unwrap());
        let numbers = row(table.lines().last().unwrap()).into_iter().map(|it| it.parse::<f64>().unwrap());
        names.into_iter().zip(numbers).collect::<BTreeMap<_, _>>()
    };
    let [whole, parts] = [last(&whole), last(&parts)];
    for part in ["train", "test"] {
        let [loss, reconstruction, penalty] =
            ["elbo", "reconstruction", "penalty"].map(|term| whole[&format!("{part}_{term}")]);
        assert!(penalty > 0.0 && (loss + reconstruction + penalty).abs() < 1e-9, "{whole:?}");
        let name = format!("{part}_penalty");
        assert!((whole[&name] - parts[&name]).abs() < 1e-9, "{whole:?} {parts:?}");
    }
}

#[test]
fn keys_of_other_objectives_are_refused() {
    let place = Place::new();
    for (flags, problem) in [
        (&["--noise-level", "0.3"][..], "--noise-level: the objective is elbo, which does not take it"),
        (&["--objective", "autoencoder", "--corruption", "masking"], "choose --objective denoising"),
        (&["--objective", "autoencoder", "--beta", "2"], "--beta: the objective is autoencoder"),
        (&["--objective", "denoising", "--kl-floor", "2"], "--kl-floor: the objective is denoising"),
        (
            &["--objective", "denoising", "--noise-level", "1.5"],
            "--noise-level: 1.5 is not a level of masking",
        ),
        (&["--objective", "denoising", "--latent", "3,2"], "one layer of latents"),
        (&["--objective", "contractive"], "--hidden: the objective is contractive, and its Jacobian"),
        (&["--objective", "sparse", "--sparsity", "1"], "--sparsity: 1 is not between 0 and 1"),
        (&["--objective", "sparse", "--decoder-penalty", "1"], "choose --objective rae"),
        (&["--objective", "k-sparse"], "--active-units: k-sparse keeps a number of units"),
        (
            &["--objective", "k-sparse", "--active-units", "3"],
            "--active-units: 3 units are more than the 2 of",
        ),
        (
            &["--objective", "topk", "--active-units", "1"],
            "--hidden: the objective is topk, and it is one layer",
        ),
        (&["--objective", "rae", "--penalty", "-1"], "--penalty: -1 is negative"),
    ] {
        train(&place.path("run"), flags).assert().code(1).stderr(contains(problem));
    }
}
