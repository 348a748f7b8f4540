//! Runs that begin with given weights.

use super::{Place, SMALL, text, vae};
use crate::common::program::tensors;
use predicates::prelude::*;
use predicates::str::contains;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// One step that leaves all parameters as they are, to the last bit.
const STILL: [&str; 4] = ["--learning-rate", "1e-30", "--steps", "1"];

/// The parameters of a run, without the optimizer's moments.
fn parameters(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = tensors(&run.join("checkpoint.safetensors"));
    all.retain(|name, _| !name.starts_with("optimizer."));
    all
}

#[test]
fn a_run_begins_with_the_model_and_the_weights_of_another() {
    let place = Place::new();
    let first = place.train("first", &["--steps", "3", "--latent", "3"]);
    let second = place.path("second");
    let flags =
        ["train", "--out", text(&second), "--from", text(&first), "--device", "cpu", "--images", "200"];
    vae(&[&flags[..], &STILL].concat())
        .assert()
        .success()
        .stderr(contains("10 of the model's 10 tensors are from").and(contains("not used").not()));
    assert_eq!(parameters(&first), parameters(&second));
    let settings = std::fs::read_to_string(second.join("config.toml")).unwrap();
    assert!(settings.contains("hidden = [16]\nlatent = 3\n"), "{settings}");
    assert!(settings.contains(&format!("from = \"{}\"", first.display())), "{settings}");
    // It goes on from its own checkpoint.
    vae(&["train", "--resume", text(&second), "--steps", "2"]).assert().success();
    vae(&["train", "--resume", text(&second), "--from", text(&first)])
        .assert()
        .code(1)
        .stderr(contains("--from: a run keeps the settings it began with"));
    // Nothing replaces what it is read from.
    let file = first.join("checkpoint.safetensors");
    for source in [&first, &file] {
        vae(&["train", "--from", text(source), "--out", text(&first), "--overwrite", "--device", "cpu"])
            .assert()
            .code(1)
            .stderr(contains("--out: it holds the weights that --from names"));
    }
    assert!(file.exists());
}

#[test]
fn what_does_not_fit_is_listed() {
    let place = Place::new();
    let first = place.train("first", &["--steps", "3"]);
    let file = first.join("checkpoint.safetensors");
    let second = place.path("second");
    let mlp = ["train", "--out", text(&second), "--from", text(&file)];
    let wide = [&mlp[..], &SMALL, &STILL, &["--latent", "5"]].concat();
    vae(&wide).assert().success().stderr(
        contains("5 of the model's 10 tensors")
            .and(contains("of another shape: encoder.mean.weight [2, 16], not [5, 16]; "))
            .and(contains("not [5]; and 1 more")),
    );
    let (own, given) = (parameters(&second), parameters(&first));
    let same = own.iter().filter(|(name, bytes)| given[*name] == **bytes).count();
    assert_eq!((own.len(), same), (10, 5));
    let small = ["--device", "cpu", "--images", "200", "--overwrite", "--hidden", "16,7"];
    vae(&[&mlp[..], &small, &STILL].concat())
        .assert()
        .success()
        .stderr(contains("not in the file: encoder.1.weight; encoder.1.bias; "));
    // Nothing is written where nothing fits.
    let other = place.path("other");
    let conv =
        ["train", "--out", text(&other), "--from", text(&file), "--model", "mnist-conv", "--device", "cpu"];
    vae(&conv)
        .assert()
        .code(1)
        .stderr(contains("no tensor has the name and the shape").and(contains("--model")));
    assert!(!other.exists());
    let missing = place.path("missing");
    vae(&["train", "--from", text(&missing)])
        .assert()
        .code(1)
        .stderr(contains("there is no such file or folder"));
    vae(&["train", "--from", text(&place.path(""))]).assert().code(1).stderr(contains("holds no weights"));
    let broken = place.path("broken");
    std::fs::write(&broken, b"weights").unwrap();
    vae(&["train", "--from", text(&broken)]).assert().code(1).stderr(contains("not readable"));
}

#[test]
fn weights_of_half_precision_are_taken() {
    let place = Place::new();
    let first = place.train("first", &["--steps", "3"]);
    let all = std::fs::read(first.join("checkpoint.safetensors")).unwrap();
    let all = SafeTensors::deserialize(&all).unwrap();
    let bias = all.tensor("decoder.output.bias").unwrap();
    // bfloat16 is the upper half of single precision.
    let upper: Vec<u8> = bias.data().chunks(4).flat_map(|word| [word[2], word[3]]).collect();
    let view = TensorView::new(Dtype::BF16, bias.shape().to_vec(), &upper).unwrap();
    let file = place.path("brain.safetensors");
    std::fs::write(&file, safetensors::serialize([("decoder.output.bias", view)], None).unwrap()).unwrap();
    let second = place.train("second", &[&["--from", text(&file)], &STILL[..]].concat());
    let rounded: Vec<u8> = upper.chunks(2).flat_map(|word| [0, 0, word[0], word[1]]).collect();
    assert_eq!(parameters(&second)["decoder.output.bias"], rounded);
}

/// A run of the autoencoder of latent diffusion has a folder for diffusers, and both are places to begin from.
#[test]
fn the_files_for_diffusers_are_a_place_to_begin_from() {
    let place = Place::new();
    let (first, second) = (place.path("first"), place.path("second"));
    let common = ["--device", "cpu", "--images", "20", "--image-size", "8x12", "--batch-size", "10"];
    let small = ["--model", "autoencoder-kl-tiny", "--set", "model.width=4", "--set", "model.norm-groups=2"];
    let begin = ["train", "--out", text(&first), "--steps", "1", "--ema-decay", "0.5"];
    vae(&[&begin[..], &common, &small].concat())
        .assert()
        .success()
        .stderr(contains("the KL weight is 1e-6").and(contains("12x8x1-12x8x4-6x4x8-3x2x8-3x2x4")));
    let folder = first.join("diffusers");
    let begin = ["train", "--out", text(&second), "--from", text(&folder)];
    vae(&[&begin[..], &common, &STILL].concat())
        .assert()
        .success()
        .stderr(contains("152 of the model's 152 tensors are from"));
    // The moving averages, where there are some.
    let all = parameters(&first);
    let averages = all.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("average.")?, bytes)));
    let own = parameters(&second);
    assert!(averages.clone().eq(own.iter().map(|(name, bytes)| (name.as_str(), bytes))));
    assert!(averages.clone().any(|(name, bytes)| all[name] != *bytes));
    assert_eq!(
        tensors(&second.join("diffusers/diffusion_pytorch_model.safetensors")),
        parameters(&second),
        "the files for diffusers hold what the checkpoint holds"
    );
    // What is meant for two latent dimensions is refused as for other models.
    vae(&["manifold", text(&first)]).assert().code(1).stderr(contains("this model's has 24"));
    vae(&["sample", text(&first), "--count", "2"]).assert().success();
}
