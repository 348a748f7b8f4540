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
    let pixel = |x: u32, y: u32| image::Luma([((x as u8 * 20) ^ (y as u8 * 7)).wrapping_mul(2 * number + 1)]);
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

#[test]
fn a_changed_dataset_is_refused_and_new_files_can_be_left_out() {
    let place = Place::new();
    let (pictures, run) = (place.path("pictures"), place.path("run"));
    draw(&pictures, 30);
    train_on(&pictures, &run, &["--binarize", "threshold", "--latent", "1"]);
    let before = eval(&run, &[]);
    save(&pictures.join("even/new.png"), 99);
    save(&pictures.join("odd/00 first.png"), 98);
    let added = "has changed since the run began: 2 added (even/new.png, odd/00 first.png)";
    let refused = |arguments: &[&str], what: &str| {
        vae(&[arguments, &[text(&run)]].concat()).assert().code(1).stderr(contains(what.to_string()));
    };
    for command in [&["eval"][..], &["posterior"], &["train", "--epochs", "2", "--resume"]] {
        refused(command, added);
        refused(command, "--pictures-as-before leaves the new files out");
    }
    vae(&["reconstruct", text(&run)])
        .assert()
        .success()
        .stderr(contains(added).and(contains("9 held-out pictures")));
    assert_eq!(eval(&run, &["--pictures-as-before"])["elbo"], before["elbo"]);
    // The folder as another dataset: what the run was trained on is left out.
    let new = vae(&["eval", text(&run), "--dataset", text(&pictures), "--json", "-"]).assert().success();
    new.stderr(contains("all its 32 images are taken, of which 21 are left out"))
        .stdout(contains("\"images\": 11"));
    vae(&["train", "--epochs", "2", "--pictures-as-before", "--resume", text(&run)])
        .assert()
        .success()
        .stderr(contains("from step 3 on"));

    let first = std::fs::read(pictures.join("even/00.png")).unwrap();
    save(&pictures.join("even/00.png"), 97);
    std::fs::remove_file(pictures.join("odd/01.png")).unwrap();
    refused(
        &["eval"],
        "2 added (even/new.png, odd/00 first.png), 1 gone (odd/01.png), 1 changed (even/00.png)",
    );
    refused(&["eval", "--pictures-as-before"], "began: 1 gone (odd/01.png), 1 changed (even/00.png)");
    // All as it was, in another place.
    std::fs::write(pictures.join("even/00.png"), first).unwrap();
    save(&pictures.join("odd/01.png"), 1);
    std::fs::remove_file(pictures.join("even/new.png")).unwrap();
    std::fs::remove_file(pictures.join("odd/00 first.png")).unwrap();
    let moved = place.path("moved");
    std::fs::rename(&pictures, &moved).unwrap();
    refused(&["train", "--epochs", "3", "--resume"], "name the place where it is now with --dataset");
    vae(&["train", "--epochs", "3", "--dataset", text(&moved), "--resume", text(&run)]).assert().success();
    assert_eq!(eval(&run, &[])["images"], 9);
    // A run that is older than the file goes on as it did.
    std::fs::remove_file(run.join("data.json")).unwrap();
    save(&moved.join("even/new.png"), 99);
    eval(&run, &[]);
    refused(&["eval", "--pictures-as-before"], "is older than this flag");
}
