//! Runs whose pictures are gone, have moved, or were never here.

use crate::{Place, assert_picture, eval, text, vae};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::{Path, PathBuf};

/// Some pictures of two classes in `folder`.
pub(crate) fn draw(folder: &Path, count: u8) {
    for number in 0..count {
        let class = folder.join(if number % 2 == 0 { "even" } else { "odd" });
        std::fs::create_dir_all(&class).unwrap();
        save(&class.join(format!("{number:02}.png")), number);
    }
}

/// A picture of 12x9 pixels.
pub(crate) fn save(path: &Path, number: u8) {
    let pixel = |x: u32, y: u32| image::Luma([((x as u8 * 20) ^ (y as u8 * 7)).wrapping_mul(number | 1)]);
    image::GrayImage::from_fn(12, 9, pixel).save(path).unwrap();
}

/// A run on the pictures in `folder`.
pub(crate) fn train_on(folder: &Path, run: &Path, more: &[&str]) {
    vae(&["train", "--device", "cpu", "--dataset", text(folder), "--out", text(run), "--hidden", "8"])
        .args(["--image-size", "12x9", "--test-fraction", "0.3", "--batch-size", "7", "--epochs", "1"])
        .args(more)
        .assert()
        .success();
}

/// A run on a server, copied home without its pictures.
fn copied_home(place: &Place, more: &[&str]) -> (PathBuf, PathBuf) {
    let (pictures, run) = (place.path("server/pictures"), place.path("server/run"));
    draw(&pictures, 30);
    train_on(&pictures, &run, more);
    let (moved, home) = (place.path("home/faces"), place.path("home/run"));
    std::fs::create_dir(place.path("home")).unwrap();
    std::fs::rename(&pictures, &moved).unwrap();
    std::fs::rename(&run, &home).unwrap();
    std::fs::remove_dir(place.path("server")).unwrap();
    (moved, home)
}

#[test]
fn a_run_needs_its_folder_only() {
    let place = Place::new();
    let (moved, run) = copied_home(&place, &["--binarize", "threshold"]);
    for command in ["sample", "manifold"] {
        vae(&[command, text(&run)]).assert().success().stderr("");
        for flag in ["--data-dir", "--dataset"] {
            let refused = vae(&[command, text(&run), flag, text(&moved)]).assert().code(1);
            refused.stderr(contains(format!("{flag}: the command reads no images")));
        }
    }
    assert_picture(&run.join("manifold.png"));
    for command in ["reconstruct", "interpolate", "latent"] {
        vae(&[command, text(&run)]).assert().success().stderr(
            contains("server/pictures: the run's dataset is not there").and(contains("9 held-out pictures")),
        );
        vae(&[command, text(&run), "--dataset", text(&moved)]).assert().success().stderr("");
        vae(&[command, text(&run), "--data-dir", text(&moved)])
            .assert()
            .code(1)
            .stderr(contains("--data-dir").and(contains("the dataset is a path")).and(contains("--dataset")));
    }
    for command in ["eval", "posterior"] {
        vae(&[command, text(&run)])
            .assert()
            .code(1)
            .stderr(contains("the run's dataset is not there").and(contains("with --dataset")));
    }
    assert_eq!(eval(&run, &["--dataset", text(&moved)])["images"], 9);
    vae(&["posterior", text(&run), "--dataset", text(&moved), "--chains", "0"]).assert().success();
    vae(&["eval", text(&run), "--dataset", "digit"])
        .assert()
        .code(1)
        .stderr(contains("did you mean 'digits'?"));
}

#[test]
fn a_run_keeps_as_many_pictures_as_it_is_told_to() {
    let place = Place::new();
    let (_, run) = copied_home(&place, &["--keep-pictures", "0"]);
    assert!(!run.join("pictures.npz").exists());
    vae(&["reconstruct", text(&run)])
        .assert()
        .code(1)
        .stderr(contains("the run's dataset is not there").and(contains("--dataset")));
    vae(&["sample", text(&run)]).assert().success();
}
