//! Finite differences in f64 prove every derivative rule, one activation and one likelihood at a time, through the
//! gradient of the whole objective with respect to every parameter.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::{likelihood, small_model};
use vae::cpu::CpuExecutor;
use vae::graph::{Activation, Likelihood, LikelihoodKind, Stage};
use vae::model::{Initialisation, MlpVae, ObjectiveKind, UpperLayer};
use vae::plan::{self, Executor, Setting, Step};

const PROGRAM: &[Stage] = &[
    Stage::TestInput,
    Stage::Encode,
    Stage::Sample,
    Stage::Upper,
    Stage::Prior,
    Stage::Decode,
    Stage::Objective,
    Stage::Backward,
];

fn model() -> MlpVae {
    MlpVae {
        batch: 3,
        pixels: 7,
        hidden: vec![5, 6],
        latent: 3,
        activation: Activation::Tanh,
        likelihood: likelihood(LikelihoodKind::Bernoulli, 0.7),
        noise_samples: 2,
        ..small_model()
    }
}

/// Nats the divergence is drawn to in tests of that; on one side of what the model starts with, and on the other.
const CAPACITIES: [f32; 2] = [0.01, 3.0];

/// Largest difference between the gradient and central differences, relative to the largest gradient.
fn worst_error(model: &MlpVae, rows: u32, capacity: f32) -> f64 {
    let mut vae = model.build().unwrap();
    vae.graph.differentiate().unwrap();
    let setting = Setting { train_images: 3, test_images: 3, max_steps: 1, streamed: false };
    let plan = plan::lower(&vae.graph, None, &[("loss", PROGRAM)], setting);
    let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
    let images: Vec<u32> = (0..6).map(|i| 0x11_57_93_c1_u32.rotate_left(5 * i)).collect();
    // The last byte of each row is padding and must be zero.
    let images: Vec<u32> =
        (0..).zip(images).map(|(i, w)| if i % 2 == 1 { w & 0xff_ffff } else { w }).collect();
    cpu.write(plan.buffer("dataset.test").unwrap(), 0, &images).unwrap();
    cpu.write(plan.buffer("indices").unwrap(), 0, &[2, 0, 1]).unwrap();
    let parameters = plan.buffer("parameters").unwrap();
    for (to, from) in cpu.real_mut(parameters).iter_mut().zip(Initialisation::FanIn.values(
        &vae.graph,
        5,
        model.likelihood.sigma,
    )) {
        *to = f64::from(from);
    }
    let step = Step { seed_low: 3, rows, beta: 0.625, capacity, ..Step::default() };
    let metrics = plan.buffer("metrics").unwrap();
    let objective = |cpu: &mut CpuExecutor<f64>| {
        cpu.submit("loss", &[step]).unwrap();
        let metrics = cpu.real(metrics);
        if model.objective != ObjectiveKind::Elbo {
            return metrics[3];
        }
        if model.capacity {
            return metrics[0] + 0.625 * (metrics[1] - f64::from(capacity)).abs();
        }
        if model.free_bits == 0.0 {
            return metrics[0] + 0.625 * metrics[1];
        }
        let average = |buffer: &str, width: usize, j: usize| {
            let rows_of_values: Vec<_> =
                cpu.real(plan.buffer(buffer).unwrap()).chunks(width.next_multiple_of(4)).collect();
            // Rows past the minibatch are 0.
            let samples = (rows_of_values.len() / model.batch) as f64;
            rows_of_values.iter().map(|row| row[j]).sum::<f64>() / (samples * f64::from(rows))
        };
        // With two layers the divergence is known for each sample.
        let layers = match &model.upper {
            None => vec![("kl", model.latent)],
            Some(upper) => {
                vec![("latent.divergence", model.latent), ("latent.upper.divergence", upper.latent)]
            }
        };
        let dimensions =
            layers.iter().flat_map(|&(buffer, width)| (0..width).map(move |j| (buffer, width, j)));
        let divergences: Vec<f64> = dimensions.map(|(buffer, width, j)| average(buffer, width, j)).collect();
        let open = divergences.iter().filter(|&&nats| nats > model.free_bits).count();
        assert!(open > 0 && open < divergences.len(), "free bits {}: {divergences:?}", model.free_bits);
        metrics[0] + 0.625 * divergences.iter().map(|&nats| model.free_bits.max(nats)).sum::<f64>()
    };
    objective(&mut cpu);
    let gradient = cpu.real(plan.buffer("gradients").unwrap()).to_vec();
    let largest = gradient.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(largest > 1e-3, "no gradient at all");
    let mut worst = 0.0_f64;
    let mut reached = 0;
    for tensor in vae.graph.tensors() {
        for i in tensor.row_ranges().flatten() {
            let h = 1e-5;
            let start = cpu.real(parameters)[i];
            cpu.real_mut(parameters)[i] = start + h;
            let above = objective(&mut cpu);
            cpu.real_mut(parameters)[i] = start - h;
            let below = objective(&mut cpu);
            cpu.real_mut(parameters)[i] = start;
            let difference = (above - below) / (2.0 * h);
            let error = (difference - gradient[i]).abs() / largest;
            assert!(error.is_finite(), "{} element {i}", tensor.name);
            worst = worst.max(error);
            reached += usize::from(gradient[i] != 0.0);
        }
    }
    let count: usize = vae.graph.tensors().map(vae::graph::Tensor::count).sum();
    assert!(reached * 2 > count, "only {reached} of {count} parameters have a gradient");
    // Padding must stay zero, or an optimiser would move it.
    let mut inside = vec![false; gradient.len()];
    vae.graph.tensors().flat_map(vae::graph::Tensor::row_ranges).flatten().for_each(|i| inside[i] = true);
    for (i, g) in gradient.iter().enumerate() {
        assert!(inside[i] || *g == 0.0, "gradient of padding element {i} is {g}");
    }
    worst
}

fn check(model: &MlpVae, rows: u32) {
    let capacities = if model.capacity { &CAPACITIES[..] } else { &[0.0] };
    for &capacity in capacities {
        let worst = worst_error(model, rows, capacity);
        assert!(worst < 2e-8, "{model:?}, capacity {capacity}: {worst:e}");
    }
}

#[test]
fn every_activation() {
    for activation in Activation::ALL {
        check(&MlpVae { activation, ..model() }, 3);
    }
}

#[test]
fn every_likelihood_with_and_without_activation_of_means() {
    for kind in LikelihoodKind::ALL {
        for mean_activation in [Activation::Identity, Activation::Sigmoid] {
            let likelihood = Likelihood { kind, sigma: 0.7, mean_activation };
            check(&MlpVae { likelihood, ..model() }, 3);
        }
    }
}

#[test]
fn a_minibatch_that_is_not_full() {
    for kind in [LikelihoodKind::Bernoulli, LikelihoodKind::GaussianShared, LikelihoodKind::GaussianLearned] {
        let likelihood = Likelihood { kind, ..model().likelihood };
        check(&MlpVae { likelihood, ..model() }, 2);
    }
}

#[test]
fn free_bits_close_and_open_dimensions() {
    check(&MlpVae { free_bits: 0.1, ..model() }, 3);
}

#[test]
fn depths_and_widths() {
    for (hidden, latent) in [(vec![], 1), (vec![9], 2), (vec![4, 3, 2], 5)] {
        check(&MlpVae { hidden, latent, noise_samples: 1, ..model() }, 3);
    }
}

#[test]
fn the_divergence_is_drawn_to_a_capacity_from_both_sides() {
    check(&MlpVae { capacity: true, ..model() }, 3);
    check(&MlpVae { capacity: true, ..model() }, 2);
}

#[test]
fn the_importance_weighted_bound() {
    let iwae = MlpVae { objective: ObjectiveKind::Iwae, ..model() };
    for noise_samples in [1, 2, 5] {
        check(&MlpVae { noise_samples, ..iwae.clone() }, 3);
    }
    for kind in [LikelihoodKind::Gaussian, LikelihoodKind::GaussianShared, LikelihoodKind::GaussianLearned] {
        let likelihood = Likelihood { kind, ..model().likelihood };
        check(&MlpVae { likelihood, noise_samples: 3, ..iwae.clone() }, 2);
    }
    check(&MlpVae { hidden: vec![], latent: 5, noise_samples: 3, ..iwae }, 3);
}

#[test]
fn two_stochastic_layers() {
    for (hidden, latent) in [(vec![], 1), (vec![4], 2), (vec![6, 3], 5)] {
        let upper = Some(UpperLayer { hidden, latent });
        for objective in [ObjectiveKind::Elbo, ObjectiveKind::Iwae] {
            for (noise_samples, rows) in [(1, 3), (3, 3), (4, 2)] {
                check(&MlpVae { objective, noise_samples, upper: upper.clone(), ..model() }, rows);
            }
        }
    }
    let upper = Some(UpperLayer { hidden: vec![4], latent: 2 });
    for kind in [LikelihoodKind::Gaussian, LikelihoodKind::GaussianShared, LikelihoodKind::GaussianLearned] {
        let likelihood = Likelihood { kind, ..model().likelihood };
        let objective = ObjectiveKind::Iwae;
        check(&MlpVae { likelihood, objective, upper: upper.clone(), noise_samples: 3, ..model() }, 2);
    }
}

/// Their divergence is known at samples only: gates for each dimension, from averages over samples.
#[test]
fn two_stochastic_layers_with_free_bits_or_a_capacity() {
    for (hidden, latent) in [(vec![], 1), (vec![4], 5)] {
        let upper = Some(UpperLayer { hidden, latent });
        for (noise_samples, rows) in [(1, 3), (3, 2)] {
            let model = MlpVae { noise_samples, upper: upper.clone(), ..model() };
            check(&MlpVae { capacity: true, ..model.clone() }, rows);
            // Some dimensions are closed, and some are open.
            for free_bits in [0.02, 0.2] {
                check(&MlpVae { free_bits, ..model.clone() }, rows);
            }
        }
    }
}
