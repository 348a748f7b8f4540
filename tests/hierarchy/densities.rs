//! The bound of several stochastic layers against their densities in full.

use crate::common::spec::{LOSS, Spec, layer, step};
use crate::linear::{Linear, PIXELS, SIGMA};
use vae::cpu::CpuExecutor;
use vae::graph::Activation;
use vae::model::{Initialisation, ObjectiveKind};
use vae::plan::{Executor, Step};

/// The reported terms and the bound, computed again from the samples by densities in full.
#[test]
fn the_bound_is_made_of_the_densities_of_its_samples() {
    let (batch, samples, rows) = (3, 4, 2);
    for kind in [ObjectiveKind::Elbo, ObjectiveKind::Iwae] {
        let model = Spec {
            batch,
            layers: vec![layer(&[6], 3), layer(&[5], 2)],
            samples,
            activation: Activation::Tanh,
            kind,
            ..Linear { layers: 2 }.spec()
        };
        let names = [
            "latent",
            "latent.layer2",
            "noise",
            "noise.layer2",
            "encoder.mean+encoder.log_variance",
            "encoder.layer2.mean+encoder.layer2.log_variance",
            "decoder.layer2.mean+decoder.layer2.log_variance",
            "decoder.output",
            "images",
        ];
        let (plan, tensors) = model.loss_plan(&names);
        let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
        let pixels: Vec<u32> = (0..6).map(|i| 0x11_57_93_u32.rotate_left(5 * i) & 0xff_ffff).collect();
        cpu.write(plan.buffer("dataset.test.images").unwrap(), 0, &pixels).unwrap();
        cpu.write(plan.buffer("indices").unwrap(), 0, &[2, 0, 1]).unwrap();
        let start = Initialisation::FanIn.values(&tensors, 5);
        for (to, from) in cpu.real_mut(plan.buffer("parameters").unwrap()).iter_mut().zip(start) {
            *to = 2.0 * f64::from(from);
        }
        let beta = 0.625;
        let step = Step { seed_low: 3, ..step(&plan, rows, &[("beta", beta)]) };
        cpu.submit(LOSS, &[step]).unwrap();
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
                    .map(|i| -0.5 * (std::f64::consts::TAU.ln() + real("latent.layer2")[4 * row + i].powi(2)))
                    .sum();
                let kl = log_density("latent", "encoder.mean+encoder.log_variance", row, image, 3)
                    + log_density(
                        "latent.layer2",
                        "encoder.layer2.mean+encoder.layer2.log_variance",
                        row,
                        row,
                        2,
                    )
                    - log_density("latent", "decoder.layer2.mean+decoder.layer2.log_variance", row, row, 3)
                    - standard;
                let likelihood: f64 = (0..PIXELS)
                    .map(|i| {
                        let away =
                            (real("images")[8 * image + i] - real("decoder.output")[8 * row + i]) / SIGMA;
                        -0.5 * (std::f64::consts::TAU.ln() + 2.0 * SIGMA.ln() + away * away)
                    })
                    .sum();
                log_weights.push(likelihood - beta * kl);
                reconstruction -= likelihood / (samples * rows) as f64;
                divergence += kl / (samples * rows) as f64;
            }
            let mean_weight = log_weights.iter().map(|w| w.exp()).sum::<f64>() / samples as f64;
            bound -= match kind {
                ObjectiveKind::Elbo => log_weights.iter().sum::<f64>() / samples as f64,
                _ => mean_weight.ln(),
            } / rows as f64;
        }
        for (name, expected) in [("reconstruction", reconstruction), ("kl", divergence), ("bound", bound)] {
            let ours = real("metrics")[plan.metric(name).unwrap()];
            assert!(
                (ours - expected).abs() < 1e-12 * expected.abs().max(1.0),
                "{name}: {ours}, not {expected}"
            );
        }
        // Equal noise in both layers would be no noise of a joint distribution.
        assert_ne!(real("noise")[0], real("noise.layer2")[0]);
    }
}
