//! The bound of two stochastic layers against their densities in full.

use crate::linear::{PIXELS, SIGMA, linear};
use vae::cpu::CpuExecutor;
use vae::graph::{Activation, Stage};
use vae::model::{Initialisation, MlpVae, ObjectiveKind, UpperLayer};
use vae::plan::{self, Executor, Setting, Step};

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
