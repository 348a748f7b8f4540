//! Two stochastic layers: against an evidence in closed form, against their own densities, and from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vae::cpu::CpuExecutor;
use vae::data::Part;
use vae::device::OpenDevice;
use vae::eval::importance::ImportanceSampler;
use vae::graph::{Activation, Binarize, Likelihood, LikelihoodKind, Stage};
use vae::model::{Initialisation, MlpVae, ObjectiveKind, UpperLayer};
use vae::plan::{self, Executor, Setting, Step};

const PIXELS: usize = 7;
/// p(x|h1) = N(W h1 + B, SIGMA^2 I), p(h1|h2) = N(A h2 + C, S^2), p(h2) = N(0, 1); one dimension each.
const SIGMA: f64 = 0.5;
const W: [f64; PIXELS] = [0.6, 0.5, -0.4, 0.0, 0.3, -0.2, 0.1];
const B: [f64; PIXELS] = [0.4, 0.6, 0.5, 0.3, 0.5, 0.2, 0.7];
const A: f64 = 0.8;
const C: f64 = -0.3;
const S: f64 = 0.7;

fn linear() -> MlpVae {
    MlpVae {
        batch: 4,
        pixels: PIXELS,
        hidden: vec![],
        latent: 1,
        upper: Some(UpperLayer { hidden: vec![], latent: 1 }),
        activation: Activation::Identity,
        likelihood: Likelihood {
            kind: LikelihoodKind::Gaussian,
            sigma: SIGMA,
            mean_activation: Activation::Identity,
        },
        binarize: Binarize::None,
        noise_samples: 1,
        free_bits: 0.0,
        objective: ObjectiveKind::Elbo,
        capacity: false,
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Mean C and this variance: h1 with h2 integrated out.
fn marginal_variance() -> f64 {
    A * A + S * S
}

/// The model's parameters, and encoders that give the exact q(h1|x) = p(h1|x) and q(h2|h1) = p(h2|h1), the means of both
/// moved by `shift` of their deviation.
fn parameters(shift: f64) -> Vec<f32> {
    let graph = linear().build().unwrap().graph;
    let mut flat = vec![0.0_f32; graph.parameter_length()];
    let variance = 1.0 / (1.0 / marginal_variance() + dot(&W, &W) / (SIGMA * SIGMA));
    let upper_variance = 1.0 / (1.0 + A * A / (S * S));
    for tensor in graph.tensors() {
        let values: Vec<f64> = match tensor.name.as_str() {
            "decoder.output.weight" => W.to_vec(),
            "decoder.output.bias" => B.to_vec(),
            "decoder.upper.mean.weight" => vec![A],
            "decoder.upper.mean.bias" => vec![C],
            "decoder.upper.log_variance.weight" | "encoder.upper.log_variance.weight" => vec![0.0],
            "decoder.upper.log_variance.bias" => vec![2.0 * S.ln()],
            "encoder.mean.weight" => W.map(|w| variance * w / (SIGMA * SIGMA)).to_vec(),
            "encoder.mean.bias" => {
                let mean = variance * (C / marginal_variance() - dot(&W, &B) / (SIGMA * SIGMA));
                vec![mean + shift * variance.sqrt()]
            }
            "encoder.log_variance.weight" => vec![0.0; PIXELS],
            "encoder.log_variance.bias" => vec![variance.ln()],
            "encoder.upper.mean.weight" => vec![upper_variance * A / (S * S)],
            "encoder.upper.mean.bias" => {
                vec![-upper_variance * A * C / (S * S) + shift * upper_variance.sqrt()]
            }
            "encoder.upper.log_variance.bias" => vec![upper_variance.ln()],
            other => panic!("a tensor called {other}"),
        };
        tensor.put(&mut flat, &values.into_iter().map(|value| value as f32).collect::<Vec<_>>());
    }
    flat
}

fn images() -> Part {
    let pixels: Vec<u8> = (0..11 * PIXELS).map(|i| (i * i * 37 % 251) as u8).collect();
    Part { count: 11, pixels, labels: None }
}

/// log N(x; C W + B, marginal variance W Wᵀ + SIGMA^2 I) of image `number`.
fn evidence(number: usize) -> f64 {
    let images = images();
    let bytes = images.image(number).iter();
    let d: Vec<f64> =
        bytes.zip(W.iter().zip(B)).map(|(&x, (w, b))| f64::from(x) / 255.0 - b - C * w).collect();
    let (noise, norm, along) = (SIGMA * SIGMA, marginal_variance() * dot(&W, &W), dot(&W, &d));
    let quadratic = dot(&d, &d) / noise - marginal_variance() * along * along / (noise * (norm + noise));
    let log_determinant = PIXELS as f64 * noise.ln() + ((norm + noise) / noise).ln();
    -0.5 * (PIXELS as f64 * std::f64::consts::TAU.ln() + log_determinant + quadratic)
}

fn devices() -> Vec<(String, OpenDevice)> {
    let mut devices = common::adapters();
    devices.push(("CPU".into(), OpenDevice::Cpu));
    devices
}

/// With exact posteriors every weight is the evidence itself. With means half a deviation off, the ELBO is lower by
/// KL(q(h1|x) || p(h1|x)) + KL(q(h2|h1) || p(h2|h1)), an eighth of a nat each, and many samples reach the evidence.
#[test]
fn linear_layers_have_the_evidence_of_their_closed_form() {
    let numbers: Vec<u32> = (0..11).collect();
    for (name, device) in devices() {
        for (shift, samples) in [(0.0, 1), (0.0, 130), (0.5, 5000)] {
            let mut sampler =
                ImportanceSampler::open(&device, &linear(), &parameters(shift), samples).unwrap();
            for (i, image) in sampler.bounds(&images(), &numbers, &mut |_| {}).unwrap().iter().enumerate() {
                let expected = evidence(i);
                // Of the log weights, whose standard deviation is half a nat for each layer, by 5 standard errors; the
                // bound has the error that its effective samples tell.
                let error = 5.0 * 0.75 * (2.0 * shift) / (samples as f64).sqrt() + 2e-4;
                let elbo = expected - shift * shift;
                assert!((image.elbo - elbo).abs() < error, "{name}, image {i}: {image:?}, not {elbo}");
                let of_one = 1.0 / image.effective_samples - 1.0 / samples as f64;
                let error = 5.0 * of_one.max(0.0).sqrt() + 2e-4;
                assert!(
                    (image.bound - expected).abs() < error,
                    "{name}, image {i}: {image:?}, not {expected}"
                );
            }
        }
    }
}

/// The reported terms and the bound, computed again from the samples by densities in full.
#[test]
fn the_bound_is_made_of_the_densities_of_its_samples() {
    let (batch, samples, rows) = (3, 4, 2);
    for objective in [ObjectiveKind::Elbo, ObjectiveKind::Iwae] {
        let model = MlpVae {
            batch,
            hidden: vec![6],
            latent: 3,
            upper: Some(UpperLayer { hidden: vec![5], latent: 2 }),
            noise_samples: samples,
            activation: Activation::Tanh,
            objective,
            ..linear()
        };
        let graph = model.build().unwrap().graph;
        let stages: &[Stage] = &[
            Stage::TestInput,
            Stage::Encode,
            Stage::Sample,
            Stage::Upper,
            Stage::Prior,
            Stage::Decode,
            Stage::Objective,
        ];
        let setting = Setting { train_images: 3, test_images: 3, max_steps: 1, streamed: false };
        let plan = plan::lower(&graph, None, &[("loss", stages)], setting);
        let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
        let pixels: Vec<u32> = (0..6).map(|i| 0x11_57_93_u32.rotate_left(5 * i) & 0xff_ffff).collect();
        cpu.write(plan.buffer("dataset.test").unwrap(), 0, &pixels).unwrap();
        cpu.write(plan.buffer("indices").unwrap(), 0, &[2, 0, 1]).unwrap();
        let start = Initialisation::FanIn.values(&graph, 5, 1.0);
        for (to, from) in cpu.real_mut(plan.buffer("parameters").unwrap()).iter_mut().zip(start) {
            *to = 2.0 * f64::from(from);
        }
        let beta = 0.625_f32;
        let step = Step { seed_low: 3, rows: rows as u32, beta, ..Step::default() };
        cpu.submit("loss", &[step]).unwrap();
        let real = |name: &str| cpu.real(plan.buffer(name).unwrap());
        // Columns are padded to 4 in all of these.
        let log_density = |z: &str, of: &str, row: usize, from: usize, width: usize| -> f64 {
            (0..width)
                .map(|i| {
                    let (mean, v) = (real(of)[8 * from + i], real(of)[8 * from + 4 + i]);
                    let away = real(z)[4 * row + i] - mean;
                    -0.5 * (std::f64::consts::TAU.ln() + v + away * away * (-v).exp())
                })
                .sum()
        };
        let (mut reconstruction, mut divergence, mut bound) = (0.0, 0.0, 0.0);
        for image in 0..rows {
            let mut log_weights = Vec::new();
            for row in (0..samples).map(|l| l * batch + image) {
                let standard: f64 = (0..2)
                    .map(|i| -0.5 * (std::f64::consts::TAU.ln() + real("latent.upper")[4 * row + i].powi(2)))
                    .sum();
                let kl = log_density("latent", "encoder.mean+encoder.log_variance", row, image, 3)
                    + log_density(
                        "latent.upper",
                        "encoder.upper.mean+encoder.upper.log_variance",
                        row,
                        row,
                        2,
                    )
                    - log_density("latent", "decoder.upper.mean+decoder.upper.log_variance", row, row, 3)
                    - standard;
                let likelihood: f64 = (0..PIXELS)
                    .map(|i| {
                        let away =
                            (real("images")[8 * image + i] - real("decoder.output")[8 * row + i]) / SIGMA;
                        -0.5 * (std::f64::consts::TAU.ln() + 2.0 * SIGMA.ln() + away * away)
                    })
                    .sum();
                log_weights.push(likelihood - f64::from(beta) * kl);
                reconstruction -= likelihood / (samples * rows) as f64;
                divergence += kl / (samples * rows) as f64;
            }
            let mean_weight = log_weights.iter().map(|w| w.exp()).sum::<f64>() / samples as f64;
            bound -= match objective {
                ObjectiveKind::Elbo => log_weights.iter().sum::<f64>() / samples as f64,
                _ => mean_weight.ln(),
            } / rows as f64;
        }
        let metrics = real("metrics");
        for (name, ours, expected) in [
            ("reconstruction", metrics[0], reconstruction),
            ("divergence", metrics[1], divergence),
            ("bound", metrics[3], bound),
        ] {
            assert!(
                (ours - expected).abs() < 1e-12 * expected.abs().max(1.0),
                "{name}: {ours}, not {expected}"
            );
        }
        // Equal noise in both layers would be no noise of a joint distribution.
        assert_ne!(real("noise")[0], real("noise.upper")[0]);
    }
}

fn vae(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vae").unwrap();
    command.args(arguments).env_remove("RUST_LOG").env_remove("VAE_DATA").timeout(Duration::from_secs(120));
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two layers of latents that train in an instant.
fn train(path: &Path, more: &[&str]) -> Command {
    let mut command = vae(&["train", "--out", text(path), "--device", "cpu", "--images", "300"]);
    command.args(["--hidden", "32/16", "--latent", "8,2", "--batch-size", "50", "--objective", "iwae"]);
    command.args(["--importance-samples", "3"]).args(more);
    command
}

#[test]
fn runs_are_trained_resumed_evaluated_and_drawn() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let (whole, parts) = (path("whole"), path("parts"));
    let out = train(&whole, &["--epochs", "3"]).assert().success();
    out.stderr(contains("784-32-8-16-2-16-8-32-784"));
    train(&parts, &["--epochs", "1"]).assert().success();
    vae(&["train", "--resume", text(&parts), "--epochs", "3"]).assert().success();
    let tensors = |run: &Path| {
        let bytes = std::fs::read(run.join("checkpoint.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut all: Vec<_> =
            file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect();
        all.sort();
        all
    };
    assert!(tensors(&whole) == tensors(&parts), "a resumed run differs");
    assert!(tensors(&whole).iter().any(|(name, _)| name == "decoder.upper.log_variance.weight"));
    let config = std::fs::read_to_string(whole.join("config.toml")).unwrap();
    assert!(config.contains("latent = [8, 2]") && config.contains("hidden = [[32], [16]]"), "{config}");
    let columns = std::fs::read_to_string(whole.join("latents.csv")).unwrap();
    assert!(columns.lines().next().unwrap().ends_with(",kl_9,kl_10"), "{columns}");

    let output = vae(&[
        "eval",
        text(&whole),
        "--json",
        "-",
        "--importance-samples",
        "100",
        "--samples",
        "20",
        "--images",
        "200",
    ])
    .assert()
    .success()
    .get_output()
    .clone();
    let numbers: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |pointer: &str| numbers.pointer(pointer).unwrap().as_f64().unwrap();
    let layers = numbers["latents"]["layers"].as_array().unwrap();
    let widths: Vec<_> = layers.iter().map(|l| l["kl_per_dimension"].as_array().unwrap().len()).collect();
    assert_eq!(widths, [8, 2]);
    // The layers' divergences are those of the ELBO, by other draws: the ELBO's 4,000, and 1,600.
    let of_layers = number("/latents/layers/0/kl") + number("/latents/layers/1/kl");
    assert!((of_layers - number("/kl")).abs() < 0.5, "{of_layers} {}", number("/kl"));
    assert!((number("/importance/elbo") - number("/elbo")).abs() < 2.0, "{numbers}");
    assert!(number("/importance/bound") > number("/importance/elbo"), "{numbers}");
    vae(&["eval", text(&whole), "--images", "50"])
        .assert()
        .success()
        .stdout(contains("layer 2"))
        .stdout(contains("8 + 2"));

    for (command, more) in [
        ("sample", ["--count", "9"]),
        ("reconstruct", ["--count", "4"]),
        ("interpolate", ["--count", "2"]),
        ("manifold", ["--side", "4"]),
    ] {
        let picture: PathBuf = path(&format!("{command}.png"));
        vae(&[command, text(&whole), "--out", text(&picture)]).args(more).assert().success();
        assert!(image::open(&picture).unwrap().width() > 100);
    }
    for arguments in [vec!["eval", text(&whole), "--ais"], vec!["posterior", text(&whole)]] {
        let failed = vae(&arguments).assert().failure();
        failed.stderr(contains("has two, of 8 and 2")).stderr(contains("--importance-samples"));
    }
}

#[test]
fn what_two_layers_do_not_take_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    for (flags, expected) in [
        (["--objective", "dreg"], "--objective: doubly reparametrized"),
        (["--latent", "8"], "--latent: --hidden gives hidden layers for two"),
        (["--hidden", "32"], "--hidden: --latent gives two stochastic layers"),
        (["--latent", "8,4,2"], "one or two stochastic layers"),
    ] {
        let mut command = vae(&["train", "--out", text(&run)]);
        let mut settings = vec![("--hidden", "32/16"), ("--latent", "8,2")];
        settings.retain(|(flag, _)| *flag != flags[0]);
        settings.push((flags[0], flags[1]));
        settings.iter().for_each(|(flag, value)| {
            command.args([flag, value]);
        });
        command.assert().failure().stderr(contains(expected));
        assert!(!run.exists());
    }
}
