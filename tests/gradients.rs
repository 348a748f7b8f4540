//! Finite differences in f64 prove every derivative rule, one activation and one likelihood at a time, through the
//! gradient of the whole objective with respect to every parameter.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::spec::{LOSS, Spec, layer, small, step};
use vae::cpu::CpuExecutor;
use vae::graph::{Activation, KlTarget, Likelihood, LikelihoodKind};
use vae::model::{Initialisation, ObjectiveKind};
use vae::plan::Executor;

fn model() -> Spec {
    Spec { samples: 2, ..small() }
}

/// Capacities in nats: below and above the divergence that the model starts with.
const CAPACITIES: [f64; 2] = [0.01, 3.0];

/// Largest difference between the gradient and central differences, relative to the largest gradient.
fn worst_error(model: &Spec, rows: u32, capacity: f64) -> f64 {
    let free_bits = match model.target {
        KlTarget::FreeBits(nats) => nats,
        _ => 0.0,
    };
    // The divergence of each dimension: with several layers it is known for each sample.
    let mut divergences: Vec<(String, usize)> = match &model.layers[..] {
        [single] => vec![("kl".into(), single.latent)],
        layers => (1..)
            .zip(layers)
            .map(|(number, layer)| match number {
                1 => ("latent.divergence".into(), layer.latent),
                number => (format!("latent.layer{number}.divergence"), layer.latent),
            })
            .collect(),
    };
    if free_bits == 0.0 {
        divergences.clear();
    }
    // The divergence of each image, for the floor.
    let of_images = match &model.layers[..] {
        [_] => "kl".to_string(),
        layers => format!("latent.layer{}.kl", layers.len()),
    };
    let floor = if let KlTarget::Floor(nats) = model.target { Some(nats) } else { None };
    if floor.is_some() {
        divergences = vec![(of_images.clone(), 0)];
    }
    let names: Vec<&str> = divergences.iter().map(|(name, _)| name.as_str()).collect();
    let (plan, tensors) = model.loss_plan(&names);
    let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
    let images: Vec<u32> = (0..6).map(|i| 0x11_57_93_c1_u32.rotate_left(5 * i)).collect();
    // The last byte of each row is padding and must be zero.
    let images: Vec<u32> =
        (0..).zip(images).map(|(i, w)| if i % 2 == 1 { w & 0xff_ffff } else { w }).collect();
    cpu.write(plan.buffer("dataset.test.images").unwrap(), 0, &images).unwrap();
    cpu.write(plan.buffer("indices").unwrap(), 0, &[2, 0, 1]).unwrap();
    let parameters = plan.buffer("parameters").unwrap();
    let start = Initialisation::FanIn.values(&tensors, 5);
    for (to, from) in cpu.real_mut(parameters).iter_mut().zip(start) {
        *to = f64::from(from);
    }
    let numbers = [("beta", 0.625), ("capacity", capacity)];
    let step = vae::plan::Step { seed_low: 3, ..step(&plan, rows as usize, &numbers) };
    let metrics = plan.buffer("metrics").unwrap();
    let column = |name: &str| plan.metric(name).unwrap();
    let objective = |cpu: &mut CpuExecutor<f64>| {
        cpu.submit(LOSS, &[step]).unwrap();
        let metrics = cpu.real(metrics);
        if model.kind != ObjectiveKind::Elbo {
            return metrics[column("bound")];
        }
        let (reconstruction, kl) = (metrics[column("reconstruction")], metrics[column("kl")]);
        if model.target == KlTarget::Capacity {
            return reconstruction + 0.625 * (kl - f64::from(capacity as f32)).abs();
        }
        if let Some(nats) = floor {
            let values = cpu.real(plan.buffer(&of_images).unwrap());
            let mut images = vec![0.0; model.batch];
            match model.layers.len() {
                1 => values
                    .chunks(values.len() / model.batch)
                    .zip(&mut images)
                    .for_each(|(row, image)| *image = row.iter().sum()),
                _ => {
                    let samples = values[..model.samples * model.batch].chunks(model.batch);
                    samples.flatten().zip(0..).for_each(|(value, row)| {
                        images[row % model.batch] += value / model.samples as f64;
                    });
                }
            }
            let images = &images[..rows as usize];
            let open = images.iter().filter(|&&kl| kl >= nats).count();
            assert!(open > 0 && open < images.len(), "floor {nats}: {images:?}");
            return reconstruction
                + 0.625 * images.iter().map(|kl| kl.max(nats)).sum::<f64>() / f64::from(rows);
        }
        if free_bits == 0.0 {
            return reconstruction + 0.625 * kl;
        }
        let average = |buffer: &str, width: usize, j: usize| {
            let rows_of_values: Vec<_> =
                cpu.real(plan.buffer(buffer).unwrap()).chunks(width.next_multiple_of(4)).collect();
            // Rows past the minibatch are 0.
            let samples = (rows_of_values.len() / model.batch) as f64;
            rows_of_values.iter().map(|row| row[j]).sum::<f64>() / (samples * f64::from(rows))
        };
        let dimensions =
            divergences.iter().flat_map(|(buffer, width)| (0..*width).map(move |j| (buffer, *width, j)));
        let divergences: Vec<f64> = dimensions.map(|(buffer, width, j)| average(buffer, width, j)).collect();
        let open = divergences.iter().filter(|&&nats| nats > free_bits).count();
        assert!(open > 0 && open < divergences.len(), "free bits {free_bits}: {divergences:?}");
        reconstruction + 0.625 * divergences.iter().map(|&nats| free_bits.max(nats)).sum::<f64>()
    };
    objective(&mut cpu);
    let gradient = cpu.real(plan.buffer("gradients").unwrap()).to_vec();
    let largest = gradient.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(largest > 1e-3, "no gradient at all");
    let mut worst = 0.0_f64;
    let mut reached = 0;
    for tensor in tensors.all() {
        for i in tensor.positions() {
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
    let count: usize = tensors.all().iter().map(vae::graph::Tensor::count).sum();
    assert!(reached * 2 > count, "only {reached} of {count} parameters have a gradient");
    // Padding must stay zero, or an optimiser would move it.
    let mut inside = vec![false; gradient.len()];
    tensors.all().iter().flat_map(vae::graph::Tensor::positions).for_each(|i| inside[i] = true);
    for (i, g) in gradient.iter().enumerate() {
        assert!(inside[i] || *g == 0.0, "gradient of padding element {i} is {g}");
    }
    worst
}

fn check(model: &Spec, rows: u32) {
    let capacities = if model.target == KlTarget::Capacity { &CAPACITIES[..] } else { &[0.0] };
    for &capacity in capacities {
        let worst = worst_error(model, rows, capacity);
        assert!(worst < 2e-8, "{model:?}, capacity {capacity}: {worst:e}");
    }
}

#[test]
fn every_activation() {
    for activation in Activation::ALL {
        check(&Spec { activation, ..model() }, 3);
    }
}

#[test]
fn every_likelihood_with_and_without_activation_of_means() {
    for kind in LikelihoodKind::ALL {
        for mean_activation in [Activation::Identity, Activation::Sigmoid] {
            let likelihood = Likelihood { kind, sigma: 0.7, mean_activation };
            check(&Spec { likelihood, ..model() }, 3);
        }
    }
}

#[test]
fn a_minibatch_that_is_not_full() {
    for kind in [LikelihoodKind::Bernoulli, LikelihoodKind::GaussianShared, LikelihoodKind::GaussianLearned] {
        let likelihood = Likelihood { kind, ..model().likelihood };
        check(&Spec { likelihood, ..model() }, 2);
    }
}

#[test]
fn free_bits_close_and_open_dimensions() {
    check(&Spec { target: KlTarget::FreeBits(0.1), ..model() }, 3);
}

#[test]
fn a_floor_closes_some_images_and_opens_others() {
    check(&Spec { target: KlTarget::Floor(0.25), ..model() }, 3);
    let layers = vec![layer(&[5, 6], 3), layer(&[4], 2)];
    for (samples, rows, nats) in [(1, 3, 1.0), (3, 3, 0.95), (4, 2, 0.86)] {
        let layers = layers.clone();
        check(&Spec { target: KlTarget::Floor(nats), samples, layers, ..model() }, rows);
    }
}

#[test]
fn depths_and_widths() {
    for (hidden, latent) in [(vec![], 1), (vec![9], 2), (vec![4, 3, 2], 5)] {
        check(&Spec { layers: vec![layer(&hidden, latent)], samples: 1, ..model() }, 3);
    }
}

#[test]
fn the_divergence_moves_towards_a_capacity_from_both_sides() {
    check(&Spec { target: KlTarget::Capacity, ..model() }, 3);
    check(&Spec { target: KlTarget::Capacity, ..model() }, 2);
}

#[test]
fn the_importance_weighted_bound() {
    let iwae = Spec { kind: ObjectiveKind::Iwae, ..model() };
    for samples in [1, 2, 5] {
        check(&Spec { samples, ..iwae.clone() }, 3);
    }
    for kind in [LikelihoodKind::Gaussian, LikelihoodKind::GaussianShared, LikelihoodKind::GaussianLearned] {
        let likelihood = Likelihood { kind, ..model().likelihood };
        check(&Spec { likelihood, samples: 3, ..iwae.clone() }, 2);
    }
    check(&Spec { layers: vec![layer(&[], 5)], samples: 3, ..iwae }, 3);
}

/// One code for any number of layers: two, three and four, with hidden layers and without.
fn hierarchies() -> Vec<Vec<vae::model::families::mlp::Layer>> {
    vec![
        vec![layer(&[5, 6], 3), layer(&[], 1)],
        vec![layer(&[5, 6], 3), layer(&[6, 3], 5)],
        vec![layer(&[5], 3), layer(&[4], 2), layer(&[3], 4)],
        vec![layer(&[5], 5), layer(&[], 3), layer(&[4], 2), layer(&[], 1)],
    ]
}

#[test]
fn several_stochastic_layers() {
    for layers in hierarchies() {
        for kind in [ObjectiveKind::Elbo, ObjectiveKind::Iwae] {
            for (samples, rows) in [(1, 3), (3, 3), (4, 2)] {
                check(&Spec { kind, samples, layers: layers.clone(), ..model() }, rows);
            }
        }
    }
    let layers = vec![layer(&[5, 6], 3), layer(&[4], 2)];
    for kind in [LikelihoodKind::Gaussian, LikelihoodKind::GaussianShared, LikelihoodKind::GaussianLearned] {
        let likelihood = Likelihood { kind, ..model().likelihood };
        let kind = ObjectiveKind::Iwae;
        check(&Spec { likelihood, kind, layers: layers.clone(), samples: 3, ..model() }, 2);
    }
}

/// Their divergence is known at samples only: gates for each dimension, from averages over samples.
#[test]
fn several_stochastic_layers_with_free_bits_or_a_capacity() {
    for layers in [
        vec![layer(&[5, 6], 3), layer(&[], 1)],
        vec![layer(&[5, 6], 3), layer(&[4], 5)],
        vec![layer(&[5], 3), layer(&[4], 2), layer(&[], 2)],
    ] {
        for (samples, rows) in [(1, 3), (3, 2)] {
            let model = Spec { samples, layers: layers.clone(), ..model() };
            check(&Spec { target: KlTarget::Capacity, ..model.clone() }, rows);
            // Some dimensions are closed, and some are open.
            for free_bits in [0.02, 0.1] {
                check(&Spec { target: KlTarget::FreeBits(free_bits), ..model.clone() }, rows);
            }
        }
    }
}
