//! `vae disentangle` and `vae traverse`.

use crate::moved::{save, train_on};
use crate::{Place, assert_picture, text, vae};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;

fn scores(run: &Path, more: &[&str]) -> Value {
    let output = vae(&["disentangle", text(run), "--json", "-"]).args(more).assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// Pictures with five factors: all metrics, and those of training.
#[test]
fn factors_are_measured_in_training_and_after() {
    let place = Place::new();
    let run = place.path("run");
    let flags =
        ["--hidden", "8", "--latent", "3", "--batch-size", "50", "--epochs", "3", "--disentangle-every", "2"];
    vae(&["train", "--out", text(&run), "--device", "cpu", "--dataset", "dsprites", "--images", "200"])
        .args(flags)
        .assert()
        .success()
        .stderr(contains("MIG 0.").and(contains("FactorVAE score")));
    let metrics = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let head: Vec<&str> = metrics.lines().next().unwrap().split(',').collect();
    for name in ["mig", "factor_vae"] {
        let column = head.iter().position(|it| *it == name).unwrap();
        let values: Vec<&str> =
            metrics.lines().skip(1).map(|line| line.split(',').nth(column).unwrap_or("")).collect();
        assert!(values[0].is_empty() && !values[1].is_empty() && !values[2].is_empty(), "{metrics}");
    }
    let found = scores(&run, &["--images", "60", "--posteriors", "30"]);
    for name in [
        "beta_vae",
        "factor_vae",
        "mig",
        "mig_sampled",
        "sap",
        "dci_disentanglement",
        "dci_completeness",
        "dci_informativeness",
        "modularity",
        "explicitness",
        "irs",
        "gaussian_tc",
        "mean_pairwise_mi",
    ] {
        assert!(found[name].is_number(), "{name}: {found}");
    }
    assert_eq!((found["images"].as_u64(), found["posteriors"].as_u64()), (Some(60), Some(30)));
    assert_eq!(found["factors"][2]["name"], "orientation");
    assert_eq!(found["information"].as_array().unwrap().len(), 3);
    assert_picture(&run.join("information.png"));
    assert_picture(&run.join("factors.png"));
}

#[test]
fn labels_are_one_factor_and_traversals_need_none() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1", "--latent", "2"]);
    let found = scores(&run, &["--images", "100"]);
    assert!(found["modularity"].is_null() && found["mig"].is_number(), "{found}");
    assert!(found["missing"]["beta_vae"].as_str().unwrap().contains("two factors"));
    assert_eq!(found["factors"][0]["name"], "label");
    vae(&["disentangle", text(&run), "--images", "5"]).assert().failure().stderr(contains("at least 10"));

    let (pictures, other) = (place.path("pictures"), place.path("other"));
    std::fs::create_dir(&pictures).unwrap();
    (0..24).for_each(|number| save(&pictures.join(format!("{number}.png")), number));
    train_on(&pictures, &other, &["--latent", "2"]);
    let refused = vae(&["disentangle", text(&other)]).assert().failure();
    refused.stderr(contains("'factors'").and(contains("no labels")));
    // A traversal needs none.
    vae(&["traverse", text(&other), "--steps", "3"]).assert().success();
    assert_picture(&other.join("traversal.png"));

    let traverse = |more: &[&str]| vae(&["traverse", text(&run)]).args(more).assert();
    traverse(&["--image", "2", "--steps", "4", "--range", "2"]).success().stdout(contains("traversal.png"));
    let out = place.path("moving.gif");
    traverse(&["--animate", "--steps", "4", "--out", text(&out)]).success();
    assert_eq!(&std::fs::read(&out).unwrap()[..4], b"GIF8");
    traverse(&["--animate", "--out", "moving.png"]).failure().stderr(contains(".gif"));
    traverse(&["--image", "99999"]).failure().stderr(contains("no image 99999"));
    traverse(&["--range", "-1"]).failure().stderr(contains("above 0"));
}
