//! Deterministic autoencoders.

use super::{Place, WELL, assert_same_tensors, eval, text, train, vae};
use predicates::prelude::*;
use predicates::str::contains;

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
    ] {
        train(&place.path("run"), flags).assert().code(1).stderr(contains(problem));
    }
}
