//! `vae eval`, and the objectives and pictures of trained models.

use super::{Place, WELL, assert_picture, assert_same_tensors, eval, text, train, vae};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;

#[test]
fn evaluation_gives_the_numbers_of_training() {
    let place = Place::new();
    let run = place.train("run", &[&WELL[..], &["--epochs", "2"]].concat());
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

    // So large a layer lies in the memory of the loss terms, which do not fill it to whole vec4.
    let wide = place.path("wide");
    let sizes = ["--images", "300", "--hidden", "100", "--batch-size", "50", "--epochs", "1"];
    vae(&["train", "--device", "cpu", "--out", text(&wide)]).args(sizes).assert().success();
    let metrics = std::fs::read_to_string(wide.join("metrics.csv")).unwrap();
    let recorded: f64 = metrics.lines().last().unwrap().split(',').nth(7).unwrap().parse().unwrap();
    assert_eq!(eval(&wide, &[])["elbo"].as_f64().unwrap(), recorded);

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
    let run = place.train("run", &[&WELL[..], &["--epochs", "2", "--noise-samples", "2"]].concat());
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
        .stderr(contains("/nowhere/x.png").and(contains("there is no folder /nowhere")));
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
        let flags = [&WELL[..], &["--objective", objective, "--importance-samples", "5"]].concat();
        let whole = place.path(&format!("{objective}-whole"));
        train(&whole, &flags)
            .args(["--epochs", "2"])
            .assert()
            .success()
            .stdout(contains("held-out L_5"))
            .stderr(contains("L_5  active").and(contains("2/2")));
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
        (&["--set", "model.dropout=1"], "--set model.dropout: 1 is not between 0 and 1"),
        (&["--scale", "2"], "--scale: the likelihood is bernoulli"),
        (&["--likelihood", "laplace", "--sigma", "2"], "--sigma: the likelihood is laplace"),
        (&["--likelihood", "laplace", "--scale", "0"], "--scale: "),
        (
            &["--likelihood", "continuous-bernoulli", "--mean-activation", "tanh"],
            "--mean-activation: has no effect",
        ),
    ] {
        train(&place.path("run"), flags).assert().code(1).stderr(contains(problem));
    }
}
