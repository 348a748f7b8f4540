//! Which commands leave the likelihood to the data.

use super::*;
use std::collections::BTreeMap;
use vae::graph::{Binarize, LikelihoodChoice};

/// The words of a command, quotes taken off.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in command.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn config(arguments: &[String]) -> Config {
    let command = super::super::train::Train::augment_args(clap::Command::new("train"));
    let matches = command.no_binary_name(true).try_get_matches_from(arguments).unwrap();
    Settings::<true>::from_arg_matches(&matches).unwrap().config().unwrap().resolve().unwrap()
}

/// The likelihood in the settings; `auto` of a named dataset of strokes is Bernoulli, and stands for itself elsewhere.
fn likelihood(config: &Config) -> String {
    let table = config.to_table().unwrap();
    let name = table["model"]["likelihood"].as_str().unwrap().to_string();
    let strokes = ["digits", "mnist", "kmnist", "emnist"].contains(&config.data.dataset.as_str());
    if name == "auto" && strokes { "bernoulli, named".into() } else { name }
}

#[test]
fn each_documented_command_has_its_likelihood() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(folder.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|page| page.extension().is_some_and(|it| it == "md"));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for page in pages.chain([folder.join("README.md")]) {
        let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
        for line in text.lines().filter_map(|line| line.strip_prefix("vae train")) {
            let arguments = words(line.split(" #").next().unwrap());
            let of_run = ["--resume", "--from"].iter().any(|flag| arguments.iter().any(|word| word == flag));
            if of_run {
                continue;
            }
            let config = config(&arguments);
            let likelihood = likelihood(&config);
            // Pictures of the reader's are the one case that the data decides.
            let pictures = config.data.dataset.contains("pictures");
            assert!(likelihood != "auto" || pictures, "vae train {}", arguments.join(" "));
            *found.entry(likelihood).or_default() += 1;
        }
    }
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["auto", "bernoulli", "bernoulli, named", "gaussian-learned", "laplace"], "{found:?}");
}

#[test]
fn a_setting_that_implies_a_likelihood_counts_as_given() {
    let choice = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mut config = config(&arguments);
        config.data.dataset = "pictures".into();
        likelihood(&config)
    };
    for open in [&[][..], &["--model=conv"], &["--hidden=9"], &["--objective=iwae"], &["--likelihood=auto"]] {
        assert_eq!(choice(open), "auto", "{open:?}");
    }
    for given in [&["--binarize=none"][..], &["--model=burgess"], &["--set", "data.binarize=static"]] {
        assert_eq!(choice(given), "bernoulli", "{given:?}");
    }
    assert_eq!(choice(&["--likelihood=laplace", "--scale=0.5"]), "laplace");
    assert_eq!(choice(&["--model=world-models"]), "gaussian");
    assert_eq!(choice(&["--model=burgess", "--likelihood=auto"]), "auto");
    // A file of before the choice means what it meant.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.toml");
    std::fs::write(&file, "latent = 5\n").unwrap();
    assert_eq!(choice(&["--config", file.to_str().unwrap()]), "bernoulli");
    let settings = config(&["--config".into(), file.to_str().unwrap().into()]);
    assert_eq!(settings.data.binarize, Some(Binarize::Dynamic));
    assert_ne!(LikelihoodChoice::from(settings.model.likelihood().kind), LikelihoodChoice::Auto);
}
