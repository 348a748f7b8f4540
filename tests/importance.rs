//! The importance-weighted bound of trained models against evidence in closed form, on every device.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::spec::{Spec, layer, small};
use vae::data::{ImageShape, Part};
use vae::device::OpenDevice;
use vae::eval::density::Weights;
use vae::eval::importance::{ImageBound, ImportanceSampler};
use vae::graph::{Activation, Likelihood, LikelihoodKind};

const PIXELS: usize = 7;
const SIGMA: f64 = 0.5;
/// The decoder's two columns, orthogonal, so that the exact posterior has a diagonal covariance.
const COLUMNS: [[f64; PIXELS]; 2] =
    [[0.6, 0.5, -0.4, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.8, -0.3, 0.2, 0.0]];
const BIAS: [f64; PIXELS] = [0.4, 0.6, 0.5, 0.3, 0.5, 0.2, 0.7];

/// A linear model: p(x|z) = N(W z + b, sigma^2 I), whose evidence is N(b, W Wᵀ + sigma^2 I): probabilistic PCA (Tipping
/// and Bishop 1999).
fn model() -> Spec {
    Spec {
        batch: 4,
        pixels: PIXELS,
        layers: vec![layer(&[], 2)],
        activation: Activation::Identity,
        likelihood: Likelihood {
            kind: LikelihoodKind::Gaussian,
            sigma: SIGMA,
            mean_activation: Activation::Identity,
        },
        ..small()
    }
}

fn squared(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// W, b, and an encoder that gives the exact posterior with its means moved by `shift` of their deviation and its
/// variances multiplied by `widen`.
fn parameters(shift: f64, widen: f64) -> Weights {
    let tensors = model().tensors();
    let mut flat = vec![0.0_f32; tensors.length()];
    let precision = COLUMNS.map(|column| (squared(&column) + SIGMA * SIGMA) / (SIGMA * SIGMA));
    let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
    for tensor in tensors.all() {
        let values = match tensor.name.as_str() {
            "decoder.output.weight" => (0..PIXELS).flat_map(|i| [COLUMNS[0][i], COLUMNS[1][i]]).collect(),
            "decoder.output.bias" => BIAS.to_vec(),
            "encoder.mean.weight" => {
                (0..2).flat_map(|j| COLUMNS[j].map(|w| w / (precision[j] * SIGMA * SIGMA))).collect()
            }
            "encoder.mean.bias" => (0..2)
                .map(|j| {
                    let projected: f64 = COLUMNS[j].iter().zip(&BIAS).map(|(w, b)| w * b).sum();
                    -projected / (precision[j] * SIGMA * SIGMA) + shift / precision[j].sqrt()
                })
                .collect(),
            "encoder.log_variance.weight" => vec![0.0; 2 * PIXELS],
            "encoder.log_variance.bias" => (0..2).map(|j| (widen / precision[j]).ln()).collect(),
            other => panic!("a tensor called {other}"),
        };
        tensor.put(&mut flat, &single(values));
    }
    Weights { tensors, flat, states: Default::default() }
}

fn images() -> Part {
    let pixels: Vec<u8> = (0..11 * PIXELS).map(|i| (i * i * 37 % 251) as u8).collect();
    Part::of_images(pixels, ImageShape { width: PIXELS, height: 1, channels: 1 })
}

/// log N(x; b, W Wᵀ + sigma^2 I) of image `number`.
fn evidence(number: usize) -> f64 {
    let images = images();
    let d: Vec<f64> =
        images.image(number).iter().zip(BIAS).map(|(&byte, b)| f64::from(byte) / 255.0 - b).collect();
    let variance = SIGMA * SIGMA;
    let mut quadratic = squared(&d) / variance;
    let mut log_determinant = PIXELS as f64 * variance.ln();
    for column in COLUMNS {
        let (norm, along) = (squared(&column), column.iter().zip(&d).map(|(w, d)| w * d).sum::<f64>());
        quadratic -= along * along / (variance * (norm + variance));
        log_determinant += ((norm + variance) / variance).ln();
    }
    -0.5 * (PIXELS as f64 * std::f64::consts::TAU.ln() + log_determinant + quadratic)
}

fn bounds(device: &OpenDevice, parameters: &Weights, samples: usize) -> Vec<ImageBound> {
    let mut sampler = ImportanceSampler::open(device, &model().task(), parameters, samples).unwrap();
    let numbers: Vec<u32> = (0..11).collect();
    let mut told = 0;
    let bounds = sampler.bounds(&images(), &numbers, &mut |done| told = done).unwrap();
    assert_eq!((bounds.len(), told), (11, 11));
    assert_eq!(bounds, sampler.bounds(&images(), &numbers, &mut |_| {}).unwrap());
    bounds
}

fn devices() -> Vec<(String, OpenDevice)> {
    let mut devices = common::adapters();
    devices.push(("CPU".into(), OpenDevice::Cpu));
    devices
}

/// With the exact posterior every weight is the evidence itself, and one sample is as good as a thousand.
#[test]
fn the_exact_posterior_gives_the_evidence() {
    for (name, device) in devices() {
        for samples in [1, 97, 600] {
            for (i, image) in bounds(&device, &parameters(0.0, 1.0), samples).iter().enumerate() {
                let expected = evidence(i);
                for value in [image.bound, image.elbo] {
                    assert!((value - expected).abs() < 2e-4, "{name}, image {i}: {value}, not {expected}");
                }
                let worth = image.effective_samples / samples as f64;
                assert!((worth - 1.0).abs() < 1e-4, "{name}: {worth}");
            }
        }
    }
}

/// With another posterior the bound reaches the evidence within the error its weights predict, and the mean of the log
/// weights is lower by KL(q(z|x) || p(z|x)), here the divergence of two Gaussians.
#[test]
fn another_posterior_reaches_the_evidence_with_many_samples() {
    let (shift, widen) = (0.5, 1.6_f64);
    let gap = 2.0 * 0.5 * (widen - 1.0 - widen.ln() + shift * shift);
    let samples = 5000;
    for (name, device) in devices() {
        let (mut difference, mut variance) = (0.0, 0.0);
        for (i, image) in bounds(&device, &parameters(shift, widen), samples).iter().enumerate() {
            let (expected, of_one) = (evidence(i), 1.0 / image.effective_samples - 1.0 / samples as f64);
            assert!(image.effective_samples > 2500.0, "{name}: {image:?}");
            let error = (image.bound - expected).abs();
            assert!(error < 4.5 * of_one.sqrt(), "{name}, image {i}: {image:?}, not {expected}");
            // Log weights of these Gaussians have a standard deviation below 1.5: 0.02 for a mean of 5000.
            assert!((image.elbo - (expected - gap)).abs() < 0.09, "{name}, image {i}: {image:?}");
            difference += image.bound - expected;
            variance += of_one;
        }
        assert!(difference.abs() < 4.0 * variance.sqrt(), "{name}: {difference}, {variance}");
    }
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    let mut broken = parameters(0.0, 1.0);
    broken.flat.iter_mut().for_each(|value| *value *= 1e30);
    let mut sampler = ImportanceSampler::open(&OpenDevice::Cpu, &model().task(), &broken, 10).unwrap();
    let problem = sampler.bounds(&images(), &[3], &mut |_| {}).unwrap_err().to_string();
    assert!(problem.contains("held-out image 3") && problem.contains("--best"), "{problem}");
    let problem =
        ImportanceSampler::open(&OpenDevice::Cpu, &model().task(), &broken, 0).unwrap_err().to_string();
    assert!(problem.contains("--importance-samples"), "{problem}");
}
