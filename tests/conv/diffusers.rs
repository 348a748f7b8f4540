//! Weights with the names of diffusers' `AutoencoderKL` give the posteriors and pictures of that library, and what a run
//! writes for it has the names, shapes and numbers that it reads. `tests/fixtures/autoencoder-kl.py` made the numbers, and
//! compares what the library reads from the folder `diffusers` of a run.

use super::config;
use crate::common;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use vae::config::Config;
use vae::data::{Dataset, ImageShape, Part};
use vae::device::OpenDevice;
use vae::run::{Checkpoint, RunFolder, TrainState, Weights};
use vae::session::Session;

/// What the library computes from images and weights that a formula gives.
#[derive(Deserialize)]
struct Case {
    shape: ImageShape,
    /// Its tensors.
    tensors: BTreeMap<String, Vec<usize>>,
    means: Vec<f32>,
    log_variances: Vec<f32>,
    /// Of the means of the first image.
    picture: Vec<f32>,
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("../fixtures/autoencoder-kl.json")).unwrap()
}

fn hashed(i: u32) -> u32 {
    let i = (i ^ (i >> 16)).wrapping_mul(0x045d_9f3b);
    let i = (i ^ (i >> 16)).wrapping_mul(0x045d_9f3b);
    i ^ (i >> 16)
}

/// The values of tensor `number` of all that are sorted by name, counted from 1.
fn values(number: u32, name: &str, shape: &[usize]) -> Vec<f32> {
    let is_norm = name.contains("norm") && name.ends_with("weight");
    let [middle, scale] = match shape {
        [_] => [if is_norm { 1.0 } else { 0.0 }, 0.1],
        [_, rest @ ..] => [0.0, (3.0 / rest.iter().product::<usize>() as f64).sqrt()],
        [] => [0.0, 0.0],
    };
    let unit = |i: u32| f64::from(hashed(i + 10_000_000 * number)) / f64::from(1_u32 << 31) - 1.0;
    (0..shape.iter().product::<usize>() as u32).map(|i| (middle + scale * unit(i)) as f32).collect()
}

impl Case {
    fn tensors(&self) -> BTreeMap<&str, (&[usize], Vec<f32>)> {
        let numbered = (1..).zip(&self.tensors);
        numbered
            .map(|(number, (name, shape))| (name.as_str(), (&shape[..], values(number, name, shape))))
            .collect()
    }

    /// Write all of them as the library does.
    fn write(&self, path: &Path) {
        let tensors = self.tensors();
        let views = tensors.iter().map(|(name, (shape, values))| {
            (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(values)).unwrap())
        });
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn config(&self) -> Config {
        config(
            "run.batch-size = 2\nmodel = { family = 'autoencoder-kl', width = 32, multipliers = [1, 2, 2], blocks = 1 }",
            self.shape,
        )
    }

    /// The model with the weights of the file at `path`, all of which it takes.
    fn session(&self, device: OpenDevice, path: &Path) -> Session {
        let pixels = (0..2 * self.shape.pixels() as u32).map(|i| (hashed(i) % 256) as u8).collect();
        let part = Part::of_images(pixels, self.shape);
        let (train, test) = (part.clone(), part);
        let dataset = Dataset::new("noise", self.shape, train, test);
        let config = self.config();
        let task = config.task(self.shape);
        let mut session = Session::open(device, &task, Some(&config.optimizers()), &dataset).unwrap();
        let weights = Weights::read(path).unwrap();
        let fit = weights.fit(&mut session).unwrap();
        assert_eq!((fit.taken.len(), fit.missing, fit.misshapen, fit.left), (152, vec![], vec![], vec![]));
        let mut flat = vec![0.0; session.table().length()];
        weights.put(&mut session, &mut flat).unwrap();
        session.write_flat("parameters", &flat).unwrap();
        session
    }
}

fn furthest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn weights_of_diffusers_give_its_posteriors_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    for (name, case) in cases() {
        let file = folder.path().join(format!("{name}.safetensors"));
        case.write(&file);
        for (device_name, device) in common::devices() {
            let mut session = case.session(device, &file);
            let found = session.encode(&[0, 1]).unwrap();
            let picture = session.decode(&found.means[..found.means.len() / 2]).unwrap();
            for (what, found, expected) in [
                ("means", &found.means, &case.means),
                ("log-variances", &found.log_variances, &case.log_variances),
                ("picture", &picture, &case.picture),
            ] {
                let furthest = furthest(found, expected);
                assert!(furthest < 1e-4, "{device_name}, {name}: {what}: {furthest}");
            }
        }
    }
}

#[test]
fn a_run_has_files_that_diffusers_reads() {
    let folder = tempfile::tempdir().unwrap();
    for (name, case) in cases() {
        let file = folder.path().join(format!("{name}.safetensors"));
        case.write(&file);
        let (mut session, config) = (case.session(OpenDevice::Cpu, &file), case.config());
        let run = RunFolder::create(&folder.path().join(&name), &config, false).unwrap();
        Checkpoint::take(&mut session, &config, &TrainState::default()).unwrap().export(&run).unwrap();
        let bytes = std::fs::read(run.file("diffusers/diffusion_pytorch_model.safetensors")).unwrap();
        let written = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(written.len(), case.tensors.len());
        for (name, (shape, values)) in case.tensors() {
            let tensor = written.tensor(name).unwrap();
            assert_eq!((tensor.shape(), tensor.dtype()), (shape, Dtype::F32), "{name}");
            assert_eq!(tensor.data(), bytemuck::cast_slice::<f32, u8>(&values), "{name}");
        }
        let text = std::fs::read_to_string(run.file("diffusers/config.json")).unwrap();
        let settings: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(settings["_class_name"], "AutoencoderKL");
        assert_eq!(settings["block_out_channels"], serde_json::json!([32, 64, 64]));
        assert_eq!(settings["in_channels"], case.shape.channels);
        // It is a place to begin from, of a model that the files name.
        let weights = run.file("diffusers");
        assert_eq!(Weights::read(&weights).unwrap().fit(&mut session).unwrap().taken.len(), 152);
        let model = Weights::model_of(&weights).unwrap().unwrap();
        let model = model.resolve().unwrap();
        assert_eq!(model, config.model);
    }
}
