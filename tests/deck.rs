//! `vae deck` from outside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::program::{text, vae};
use predicates::prelude::*;
use predicates::str::contains;
use vae::deck::{Deck, Options};

const FIGURES: [&str; 11] = [
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
    "autoencoders",
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
