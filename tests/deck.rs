//! `vae deck` and `vae reproduce` from outside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use vae::deck::{Deck, Options};

fn vae(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vae").unwrap();
    command.args(arguments).env_remove("RUST_LOG").env_remove("VAE_DATA").timeout(Duration::from_secs(120));
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const FIGURES: [&str; 10] = [
    "student-network",
    "graphical-model",
    "latent-space",
    "bayes-rule",
    "divergences",
    "gaussians",
    "evidence",
    "likelihoods",
    "gradient-variance",
    "manifold",
];

/// The numbers of a row of the page's tables, by its first cell.
fn row(page: &str, first: &str) -> Vec<f64> {
    let start = page.find(&format!("<tr><td>{first}</td>")).unwrap_or_else(|| panic!("no row {first}"));
    let row = page[start..].split("</tr>").next().unwrap();
    row.split("<td>")
        .skip(2)
        .map(|cell| cell.replace("</td>", "").replace('−', "-").parse().unwrap())
        .collect()
}

#[test]
fn the_deck_is_one_page_that_needs_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("deck");
    let arguments = ["deck", "--quick", "--dataset", "digits", "--device", "cpu", "--out", text(&out)];
    vae(&arguments).assert().success().stdout(contains("index.html"));
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    for figure in FIGURES {
        let picture = image::open(out.join(format!("{figure}.png"))).unwrap().to_rgb8();
        assert!(picture.width() > 400 && picture.pixels().any(|pixel| pixel.0 != [255; 3]), "{figure}");
        assert!(page.contains(&format!("<figure id=\"{figure}\">")), "{figure}");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.matches("<math").count() >= 18);
    // Nothing is fetched: no scripts, links or styles of others, and pictures are in the page.
    for outside in ["<script", "<link", "@import", "url(", "src=", "href=\"http"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf "));
    // Koller and Friedman, section 3.2.1.2; 16,384 samples know a probability of a half to 0.004.
    let query = row(&page, "P(L = strong)");
    assert!((query[0] - 0.502).abs() < 5e-4 && (query[1] - 0.502).abs() < 0.02, "{query:?}");
    // One seed, one page.
    let again = place.path().join("again");
    vae(&["deck", "--quick", "--dataset", "digits", "--device", "cpu", "--out", text(&again)])
        .assert()
        .success();
    assert!(page == std::fs::read_to_string(again.join("index.html")).unwrap(), "two runs differ");

    vae(&["deck"]).assert().code(2).stderr(contains("--out"));
    let file = out.join("index.html");
    vae(&["deck", "--out", text(&file)]).assert().code(1).stderr(contains("is a file"));
    vae(&["deck", "--help"]).assert().success().stdout(contains("Example").and(contains("vae deck")));
}

#[test]
fn adapters_draw_the_deck_too() {
    let dataset = vae::data::digits::digits(200, 50, 1).unwrap();
    for (name, device) in common::adapters() {
        let options = Options { device, dataset: &dataset, quick: true, seed: 1 };
        let page = Deck::compute(&options, &mut |_| {}).unwrap().html().unwrap();
        let query = row(&page, "P(L = strong)");
        assert!((query[1] - 0.502).abs() < 0.02, "{name}: {query:?}");
        assert!(!page.contains("NaN"), "{name}");
    }
}

#[test]
fn recipes_are_listed_and_names_checked() {
    vae(&["reproduce"])
        .assert()
        .success()
        .stdout(contains("pytorch-example").and(contains("aevb-mnist")).and(contains("aevb-freyface")));
    vae(&["reproduce", "nothing"]).assert().code(1).stderr(contains("there are pytorch-example"));
    for scale in ["0", "1.5", "-1", "x"] {
        vae(&["reproduce", "aevb-mnist", "--scale", scale]).assert().code(2).stderr(contains("above 0"));
    }
    vae(&["reproduce", "aevb-mnist", "--variant", "4 latents"])
        .assert()
        .code(1)
        .stderr(contains("there are 3 latents"));
    vae(&["reproduce", "aevb-freyface"]).assert().code(1).stderr(contains("--data-dir"));
    vae(&["reproduce", "--help"])
        .assert()
        .success()
        .stdout(contains("Example").and(contains("vae reproduce")));
}

#[test]
fn a_fraction_of_a_recipe_is_labelled_and_not_judged() {
    let Some(data) = common::data("freyface") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("frey");
    let data_dir = data.parent().unwrap();
    let arguments = ["reproduce", "aevb-freyface", "--scale", "0.0002", "--variant", "2 latents,5 latents"];
    let folders = ["--data-dir", text(data_dir), "--out", text(&out), "--device", "cpu"];
    vae(&arguments)
        .args(folders)
        .assert()
        .success()
        .stdout(contains("5 latents").and(contains("nothing is judged")).and(contains("at scale 0.0002")));
    let numbers: Value = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    // 5,650 passes of 18 minibatches, times the scale, are 20 steps: a pass and two minibatches more.
    assert_eq!(numbers["variants"][0]["images"], 1768 + 200);
    assert_eq!((numbers["variants"].as_array().unwrap().len(), numbers["scale"].as_f64()), (2, Some(0.0002)));
    assert!(image::open(out.join("curves.png")).is_ok());
    assert!(out.join("2-latents/checkpoint.safetensors").exists());
    vae(&arguments).args(folders).assert().code(1).stderr(contains("--overwrite"));
}

/// A recipe's likelihood is what `vae eval` says of the run it leaves.
#[test]
fn a_recipes_likelihood_is_that_of_its_run() {
    let Some(data) = common::data("mnist") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("vae");
    let folders = ["--data-dir", text(data.parent().unwrap()), "--out", text(&out), "--device", "cpu"];
    vae(&["reproduce", "vae-784-400-40", "--scale", "0.00002"]).args(folders).assert().success().stdout(
        contains("1,000 x 200")
            .and(contains("of 40"))
            .and(contains("784-400-40, NLL by L_200"))
            .and(contains("not Larochelle and Murray's file"))
            .and(contains("nothing is judged")),
    );
    let numbers: Value = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    let variant = &numbers["variants"][0];
    // 500 passes of 500 minibatches, times the scale.
    assert_eq!(variant["images"], 500);
    let evaluate = ["--images", "1000", "--importance-samples", "200", "--json", "-"];
    let run = out.join("784-400-40");
    let output = vae(&["eval", text(&run)]).args(evaluate).assert().success().get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).unwrap();
    for key in ["negative_log_likelihood", "standard_error"] {
        assert_eq!(variant["likelihood"][key], report["importance"][key], "{key}");
    }
    // L_200 is above the ELBO, and after 5 steps far below any model's.
    let (loss, elbo) = (variant["likelihood"]["negative_log_likelihood"].as_f64().unwrap(), &variant["elbo"]);
    assert!(loss > 150.0 && loss < -elbo.as_f64().unwrap() + 5.0, "{numbers}");
}
