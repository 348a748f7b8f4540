//! Objectives with a penalty beside the ELBO.

use super::{Place, WELL, assert_same_tensors, eval, text, train, vae};
use predicates::str::contains;
use std::fs;

/// The numbers of a column of `metrics.csv`.
fn column(run: &std::path::Path, name: &str) -> Vec<f64> {
    let table = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let mut lines = table.lines();
    let at = lines.next().unwrap().split(',').position(|own| own == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

#[test]
fn each_objective_is_trained_and_resumed_to_equal_bits() {
    let place = Place::new();
    for (objective, settings, term) in [
        (
            "factor",
            &["--discriminator-layers", "2", "--discriminator-units", "9"][..],
            "train_total_correlation",
        ),
        ("tc", &["--sampling", "stratified"], "train_total_correlation"),
        ("dip-1", &["--penalty", "2"], "train_covariance_penalty"),
        ("dip-2", &[], "train_covariance_penalty"),
        ("wae", &[], "train_discrepancy"),
        ("infovae", &["--penalty-warmup", "2"], "train_discrepancy"),
    ] {
        let flags = [&WELL[..], &["--objective", objective, "--latent", "3"], settings].concat();
        let whole = place.train(&format!("{objective}-whole"), &[&flags[..], &["--epochs", "2"]].concat());
        assert!(column(&whole, term).into_iter().all(f64::is_finite), "{objective}");
        // One with a second network stands for all.
        if objective != "factor" {
            continue;
        }
        let parts = place.train(&format!("{objective}-parts"), &[&flags[..], &["--steps", "8"]].concat());
        vae(&["train", "--resume", text(&parts), "--epochs", "2"]).assert().success();
        assert_same_tensors(&whole, &parts);
        assert_eq!(column(&whole, term).last(), column(&parts, term).last(), "{objective}");
        assert!(eval(&whole, &[])["elbo"].is_f64(), "{objective}");
        vae(&["sample", text(&whole)]).assert().success();
    }
    let run = place.path("tc-whole");
    let [kl, information] = ["train_kl", "train_mutual_information"].map(|name| column(&run, name));
    assert!(information.iter().zip(&kl).all(|(information, kl)| information < kl), "{information:?} {kl:?}");
}

/// The plan of `factor` steps two groups of parameters.
#[test]
fn the_plan_has_both_networks() {
    let flags = ["plan", "--objective", "factor", "--discriminator-units", "8", "--latent", "3"];
    let plan = vae(&flags).assert().success();
    let plan = String::from_utf8(plan.get_output().stdout.clone()).unwrap();
    for part in ["permute_columns", "cross_entropy", "discriminator.output", "adam"] {
        assert!(plan.contains(part), "{part} is not in {plan}");
    }
}

#[test]
fn keys_of_other_objectives_are_refused() {
    let place = Place::new();
    for (flags, problem) in [
        (&["--penalty", "3"][..], "--penalty: the objective is elbo, which does not take it"),
        (&["--objective", "tc", "--discriminator-units", "3"], "choose --objective factor"),
        (&["--objective", "factor", "--sampling", "weighted"], "choose --objective tc"),
        (&["--objective", "wae", "--beta", "1"], "--beta: the objective is wae"),
        (&["--objective", "dip-1", "--penalty", "0"], "--penalty: the covariances have no weight"),
        (&["--objective", "factor", "--discriminator-units", "0"], "--discriminator-units"),
        (&["--objective", "factor", "--discriminator-layers", "99"], "give at most 32"),
        (&["--objective", "tc", "--noise-samples", "2"], "one sample of each image"),
        (&["--objective", "tc", "--latent", "3,2"], "tc works with one layer of latents"),
        (&["--optimizer", "sgd", "--adam-beta-1", "0.5"], "--adam-beta-1: the optimizer is neither"),
        (&["--adam-beta-2", "1"], "--adam-beta-2"),
    ] {
        train(&place.path("run"), flags).assert().code(1).stderr(contains(problem));
    }
    for (flags, problem) in [
        (["--objective", "tc", "--batch-size", "1"], "--batch-size: the objective is tc, which compares"),
        (["--dataset", "dsprites", "--images", "800000"], "--images: 800,000 are more than dsprites has"),
    ] {
        let out = place.path("run");
        vae(&["train", "--out", text(&out)]).args(flags).assert().code(1).stderr(contains(problem));
    }
}

/// After the ramp the KL divergence is the capacity.
#[test]
fn a_capacity_is_reached() {
    let place = Place::new();
    let flags = [
        "--images",
        "1000",
        "--hidden",
        "50",
        "--latent",
        "3",
        "--capacity",
        "5",
        "--capacity-epochs",
        "3",
        "--beta",
        "20",
        "--learning-rate",
        "0.005",
        "--epochs",
        "6",
    ];
    let run = place.path("capacity");
    vae(&["train", "--device", "cpu", "--out", text(&run)]).args(flags).assert().success();
    let kl = column(&run, "train_kl");
    assert!(kl[0] < 2.0 && kl[4..].iter().all(|kl| (kl - 5.0).abs() < 0.3), "{kl:?}");
}
