//! Quadrature, Gauss-Hermite, the best Gaussian, HMC and AIS against the closed forms, on every device.

use crate::devices;
use crate::linear::LinearGaussian;
use crate::training::linear;
use vae::device::OpenDevice;
use vae::eval::ais::{AisSettings, Annealer, Estimate, Schedule, TARGET_ACCEPTANCE};
use vae::eval::density::{Density, Weights};
use vae::eval::gap::best_gaussian;
use vae::eval::gaussian::{Gaussian, expected_log_likelihood};
use vae::eval::quadrature::integrate;
use vae::random::Philox;

const PIXELS: usize = 13;

/// A linear model whose noise has deviation 0.5, as closed form and as parameters.
fn model(latent: usize) -> (LinearGaussian, Weights) {
    let mut random = Philox::new(9, 78, 0);
    let mut draws = |count: usize, scale: f32| -> Vec<f32> {
        (0..count).map(|_| scale * random.normal() as f32).collect()
    };
    let tensors = vec![
        ("decoder.output.weight".to_string(), draws(PIXELS * latent, 0.4)),
        ("decoder.output.bias".to_string(), draws(PIXELS, 0.3)),
        ("decoder.log_variance".to_string(), vec![2.0 * 0.5_f32.ln()]),
        ("encoder.mean.weight".to_string(), draws(latent * PIXELS, 0.1)),
        ("encoder.mean.bias".to_string(), draws(latent, 0.1)),
        ("encoder.log_variance.weight".to_string(), draws(latent * PIXELS, 0.1)),
        ("encoder.log_variance.bias".to_string(), vec![-2.0; latent]),
    ];
    let table = linear(latent, PIXELS, 1).tensors();
    let mut weights = Weights { flat: vec![0.0; table.length()], tensors: table, states: Default::default() };
    for (name, values) in tensors {
        weights.tensors.find(&name).unwrap().put(&mut weights.flat, &values);
    }
    let get = |name: &str| weights.get(name).unwrap().iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let exact = LinearGaussian {
        weight: get("decoder.output.weight"),
        bias: get("decoder.output.bias"),
        variance: get("decoder.log_variance")[0].exp(),
        latent,
    };
    (exact, weights)
}

fn density(device: &OpenDevice, latent: usize, images: usize, rows: usize) -> (LinearGaussian, Density) {
    let (exact, weights) = model(latent);
    let task = linear(latent, PIXELS, 1).task();
    (exact, Density::open(device, &task, &weights, (images, rows), 5, 4).unwrap())
}

/// Latents from the prior, and an image of each.
fn simulated(density: &mut Density, count: usize) -> (Vec<f32>, Vec<f32>) {
    let mut random = Philox::new(31, 79, 0);
    let z: Vec<f32> = (0..count * density.latent()).map(|_| random.normal() as f32).collect();
    let x = density.simulate(&z, || 0.5, || random.normal()).unwrap();
    (z, x)
}

#[test]
fn quadrature_and_the_identity() {
    for (name, device) in devices() {
        for latent in [1, 2] {
            let (exact, mut density) = density(&device, latent, 1, 500);
            let (_, images) = simulated(&mut density, 3);
            for x in images.chunks(PIXELS) {
                density.set_images(x).unwrap();
                let q = density.encode().unwrap();
                let numbers = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
                let q = Gaussian { mean: numbers(&q.means), log_variance: numbers(&q.log_variances) };
                let grid = integrate(&q, &mut |z| density.log_likelihood(z)).unwrap();
                // What a device's numbers of some 20 nats leave, beside what the grid says of itself.
                let rounding = 2e-5;
                let difference = (grid.log_evidence - exact.log_evidence(x)).abs();
                assert!(
                    difference < grid.log_evidence_error + rounding,
                    "{name} {latent}: {difference} {grid:?}"
                );
                let (mean, covariance) = exact.posterior(x);
                for i in 0..latent {
                    assert!((grid.mean[i] - mean[i]).abs() < 1e-4, "{name}: {grid:?} {mean:?}");
                }
                for (found, exact) in grid.covariance.iter().zip(&covariance.values) {
                    assert!((found - exact).abs() < 1e-4, "{name}: {grid:?} {covariance:?}");
                }
                let expected = expected_log_likelihood(&q, &mut |z| density.log_likelihood(z)).unwrap();
                let elbo = expected.value - q.divergence_to_prior();
                let residual = grid.log_evidence - elbo - grid.kl;
                let stated = grid.log_evidence_error + grid.kl_error + expected.error;
                assert!(
                    residual.abs() < stated + rounding,
                    "{name} {latent}: {residual} {grid:?} {expected:?}"
                );
                assert!(grid.kl > 1e-3, "q is the posterior: the identity shows nothing");

                // The best Gaussian has the posterior's mean and, for variances, the inverse of the precision's diagonal.
                let start = q.clone();
                let (best, reached) =
                    best_gaussian(&start, 20, &mut |z| density.log_likelihood_and_gradient(z)).unwrap();
                let precision = match latent {
                    1 => vec![1.0 / covariance.values[0]],
                    _ => {
                        let c = &covariance.values;
                        let determinant = c[0] * c[3] - c[1] * c[2];
                        vec![c[3] / determinant, c[0] / determinant]
                    }
                };
                for i in 0..latent {
                    assert!((best.mean[i] - mean[i]).abs() < 2e-3, "{name}: {best:?} {mean:?}");
                    assert!((best.log_variance[i] + precision[i].ln()).abs() < 5e-3, "{name}: {best:?}");
                }
                assert!(reached > elbo && reached < grid.log_evidence + rounding, "{name}: {reached}");
            }
        }
    }
}

/// The mean of estimates that should be near `exact`, in units of its standard error.
fn deviations(estimates: &[Estimate], exact: &[f64]) -> f64 {
    let count = estimates.len() as f64;
    let difference: f64 = estimates.iter().zip(exact).map(|(e, x)| e.log_evidence - x).sum::<f64>() / count;
    let error = estimates.iter().map(|e| e.standard_error.powi(2)).sum::<f64>().sqrt() / count;
    println!("{difference:.5} ± {error:.5}");
    difference / error
}

#[test]
fn annealing_agrees_from_both_sides_within_its_standard_errors() {
    for (name, device) in devices() {
        let (images, chains, latent) = (6, 48, 3);
        let (exact, mut density) = density(&device, latent, images, chains);
        let (z, x) = simulated(&mut density, images);
        let evidence: Vec<f64> = x.chunks(PIXELS).map(|x| exact.log_evidence(x)).collect();
        density.set_images(&x).unwrap();
        let settings =
            AisSettings { chains, temperatures: 120, leapfrog: 5, schedule: Schedule::Sigmoid, seed: 4 };
        let mut annealer = Annealer::new(density, settings).unwrap();
        let (forward, acceptance) = annealer.forward().unwrap();
        assert!((acceptance - TARGET_ACCEPTANCE).abs() < 0.12, "{name}: {acceptance}");
        assert!(deviations(&forward, &evidence).abs() < 4.0, "{name}: {forward:?} {evidence:?}");
        let (reverse, acceptance) = annealer.reverse(&z).unwrap();
        assert!((acceptance - TARGET_ACCEPTANCE).abs() < 0.12, "{name}: {acceptance}");
        assert!(deviations(&reverse, &evidence).abs() < 4.0, "{name}: {reverse:?} {evidence:?}");
        // Errors that are large would agree with anything.
        for estimate in forward.iter().chain(&reverse) {
            assert!(estimate.standard_error < 0.2, "{name}: {estimate:?}");
        }

        // Chains at the end: draws of the posterior.
        let sampling = annealer.sampling(10).unwrap();
        let mut draws: Vec<Vec<f32>> = Vec::new();
        for _ in 0..20 {
            annealer.density.transitions(&sampling).unwrap();
            draws.push(annealer.density.positions().unwrap());
        }
        for image in 0..images {
            let (mean, covariance) = exact.posterior(&x[image * PIXELS..(image + 1) * PIXELS]);
            for (i, mean) in mean.into_iter().enumerate() {
                let of = |chain: usize| {
                    let at = (chain * images + image) * latent + i;
                    draws.iter().map(move |rows| f64::from(rows[at]))
                };
                // The means of chains are independent, which their draws are not.
                let (found, error) =
                    vae::eval::average::mean_and_error((0..chains).map(|c| of(c).sum::<f64>() / 20.0));
                assert!((found - mean).abs() < 4.5 * error, "{name}: {found} ± {error}, {mean}");
                let square = |c: usize| of(c).map(|z| (z - mean).powi(2)).sum::<f64>() / 20.0;
                let (found, error) = vae::eval::average::mean_and_error((0..chains).map(square));
                let exact = covariance.at(i, i);
                assert!((found - exact).abs() < 4.5 * error, "{name}: {found} ± {error}, {exact}");
                assert!(error < 0.2 * exact, "{name}: {error}");
            }
        }
    }
}
