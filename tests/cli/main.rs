//! The program from outside: what users type, and what they find.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod bench;
mod choices;
#[path = "../common/mod.rs"]
mod common;
mod data;
mod deterministic;
mod disentangle;
mod encode;
mod evaluation;
mod from;
mod moved;
mod penalties;
mod program;
mod resume;
mod runs;
mod score;
mod web;
mod world;

use assert_cmd::Command;
use common::program::{tensors, text, vae};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A small model that trains in an instant.
const SMALL: [&str; 8] = ["--device", "cpu", "--images", "300", "--hidden", "16", "--batch-size", "50"];

/// With these the small model knows more than the mean image after an epoch, so that there are best parameters.
const WELL: [&str; 4] = ["--output-bias", "mean-image", "--learning-rate", "0.01"];

/// A place for runs, deleted at the end of a test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `vae train` of the small model into `name`, and more flags.
    fn train(&self, name: &str, more: &[&str]) -> PathBuf {
        let path = self.path(name);
        train(&path, more).assert().success();
        path
    }
}

fn train(path: &Path, more: &[&str]) -> Command {
    let mut command = vae(&["train", "--out", text(path)]);
    command.args(SMALL).args(more);
    command
}

fn assert_same_tensors(a: &Path, b: &Path) {
    let (a, b) = (tensors(&a.join("checkpoint.safetensors")), tensors(&b.join("checkpoint.safetensors")));
    assert!(a.len() > 10, "{:?}", a.keys());
    for (name, bytes) in &a {
        assert!(b.get(name) == Some(bytes), "{name} differs");
    }
    assert_eq!(a.len(), b.len());
}

fn eval(run: &Path, more: &[&str]) -> Value {
    let output = vae(&["eval", text(run), "--json", "-"]).args(more).assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_picture(path: &Path) {
    let picture = image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).to_rgb8();
    assert!(
        picture.width() >= 400 && picture.height() >= 100,
        "{}: {:?}",
        path.display(),
        picture.dimensions()
    );
    assert!(picture.width() <= 4000 && picture.height() <= 4000, "{}", path.display());
    let first = picture.get_pixel(0, 0);
    assert!(picture.pixels().filter(|pixel| *pixel != first).count() > 1000, "{} is empty", path.display());
}
