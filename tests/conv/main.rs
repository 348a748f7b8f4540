//! Convolutional models.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

#[path = "../common/mod.rs"]
mod common;

mod autoencoder_kl;
mod diffusers;
mod gradients;
mod limits;
mod names;
mod pytorch;
mod training;

use vae::config::{Config, Preset};
use vae::data::{Dataset, ImageShape, Part};
use vae::graph::{Setting, Tensor, Tensors};
use vae::session::plan_task;

/// Images of this many training and held-out items; smooth, so that there is something to learn.
fn dataset(shape: ImageShape, [train, test]: [usize; 2]) -> Dataset {
    let part = |count: usize, from: usize| {
        let pixel = |i: usize| {
            let (image, place) = (from + i / shape.pixels(), i % shape.pixels());
            let (row, column) = (place / shape.channels / shape.width, place / shape.channels % shape.width);
            let wave = (0.3 * (image % 11) as f64 + 0.7 * row as f64).sin()
                * (0.5 * column as f64 - 0.2 * image as f64).cos();
            (127.5 + 120.0 * wave) as u8 ^ (place % shape.channels) as u8
        };
        Part::of_images((0..count * shape.pixels()).map(pixel).collect(), shape)
    };
    Dataset::new("waves", shape, part(train, 0), part(test, train))
}

/// The settings with a model for images of `shape`, a convolutional one where they name no family.
fn config(settings: &str, shape: ImageShape) -> Config {
    let settings = match (settings.contains("family = "), settings.contains("model = {")) {
        (true, _) => settings.to_string(),
        (false, true) => settings.replace("model = {", "model = { family = 'conv',"),
        (false, false) => format!("model.family = 'conv'\n{settings}"),
    };
    let config = Config::default().with(&settings).unwrap();
    config.resolve().unwrap().for_images(shape).unwrap()
}

/// The parameters of a model.
fn tensors(config: &Config, shape: ImageShape) -> Vec<Tensor> {
    let tensors = Tensors::default();
    let setting = Setting { train_images: 100, test_images: 100, max_steps: 1, streamed: false };
    plan_task(&config.task(shape), &tensors, Some(&config.optimizers()), setting).unwrap();
    tensors.all()
}

/// A preset for images of `shape`, or of the size that the preset assumes.
fn preset(name: &str, shape: Option<ImageShape>) -> (Config, ImageShape) {
    let preset = Preset::find(name).unwrap().unwrap();
    let shape = shape.unwrap_or(preset.shape());
    (preset.config().unwrap().resolve().unwrap().for_images(shape).unwrap(), shape)
}
