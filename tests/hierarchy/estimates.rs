//! Importance weights and annealing against the evidence of a linear hierarchy, on every device.

use crate::common::devices;
use crate::linear::{evidence, images, linear, parameters, weights};
use vae::device::OpenDevice;
use vae::eval::ais::{AisSettings, Annealer, Schedule, TARGET_ACCEPTANCE};
use vae::eval::average::mean_and_error;
use vae::eval::density::Density;
use vae::eval::importance::ImportanceSampler;
use vae::random::Philox;

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

fn density(device: &OpenDevice, shift: f64, (count, rows): (usize, usize)) -> Density {
    let mut density = Density::open(device, &linear(), &weights(shift), (count, rows), 5, 4).unwrap();
    let pixels: Vec<f32> =
        (0..count).flat_map(|i| images().image(i).to_vec()).map(|byte| f32::from(byte) / 255.0).collect();
    density.set_images(&pixels).unwrap();
    density
}

/// Weights by another way than the importance sampler's: both layers as noise, and the encoder's draws made on the host.
#[test]
fn the_encoders_weights_as_noise_have_the_evidence_of_the_closed_form() {
    let (count, rows) = (3, 400);
    for (name, device) in devices() {
        for shift in [0.0, 0.5] {
            let (mut density, mut random) = (density(&device, shift, (count, rows)), Philox::new(7, 80, 0));
            let found = density.encoder_log_weights(|| random.normal()).unwrap();
            for i in 0..count {
                let (mean, error) = mean_and_error(found.iter().skip(i).step_by(count).copied());
                let expected = evidence(i) - shift * shift;
                assert!((mean - expected).abs() < 4.5 * error + 2e-4, "{name}: {mean} ± {error}, {expected}");
                // Exact posteriors leave nothing to chance; the moved ones half a nat of each layer.
                assert!(error < 0.1 * shift + 1e-4, "{name}: {error}");
            }
        }
    }
}

#[test]
fn annealing_agrees_from_both_sides_within_its_standard_errors() {
    let (count, chains) = (5, 48);
    for (name, device) in devices() {
        let settings =
            AisSettings { chains, temperatures: 120, leapfrog: 5, schedule: Schedule::Sigmoid, seed: 4 };
        let mut annealer = Annealer::new(density(&device, 0.5, (count, chains)), settings).unwrap();
        let (forward, acceptance) = annealer.forward().unwrap();
        assert!((acceptance - TARGET_ACCEPTANCE).abs() < 0.12, "{name}: {acceptance}");
        let difference = |found: f64, i: usize| found - evidence(i);
        let error = forward.iter().map(|it| it.standard_error.powi(2)).sum::<f64>().sqrt();
        let sum: f64 = forward.iter().enumerate().map(|(i, it)| difference(it.log_evidence, i)).sum();
        assert!(sum.abs() < 4.0 * error, "{name}: {sum} {error}");
        // Errors that are large would agree with anything.
        assert!(error < 0.2 * (count as f64).sqrt(), "{name}: {error}");

        let elbo = annealer.elbo().unwrap();
        for (i, (elbo, error)) in elbo.into_iter().enumerate() {
            assert!((0.04..0.2).contains(&error), "{name}: {error}");
            // Of 48 log weights with a standard deviation of 0.71 nats.
            assert!((difference(elbo, i) + 0.25).abs() < 5.0 * 0.71 / 48.0_f64.sqrt(), "{name}: {elbo}");
        }

        // Both bounds of the same images, simulated with latents that are draws of their posteriors.
        let (sandwiches, _) = annealer.sandwich(count, &mut |_| {}).unwrap();
        let gaps: Vec<f64> =
            sandwiches.iter().map(|it| it.upper.log_evidence - it.lower.log_evidence).collect();
        let errors = sandwiches.iter().map(|it| it.upper.standard_error.hypot(it.lower.standard_error));
        let (gap, error) = (gaps.iter().sum::<f64>(), errors.map(|e| e * e).sum::<f64>().sqrt());
        assert!(gap.abs() < 4.0 * error && error < 0.3 * (count as f64).sqrt(), "{name}: {gap} {error}");
    }
}
