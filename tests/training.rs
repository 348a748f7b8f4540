//! Training as a whole: adapters against the CPU, bits against bits.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::spec::{Spec, layer, small};
use vae::data::{Dataset, digits::digits};
use vae::device::OpenDevice;
use vae::graph::{Activation, Binarize, KlTarget, Likelihood, LikelihoodKind};
use vae::model::{Initialisation, ObjectiveKind};
use vae::optimizer::{Optimizer, OptimizerKind};
use vae::plan::{MetricRows, Step, Variant};
use vae::session::{Session, Which};
use vae::train::epoch_order;
use vae::tuning::{Matmul, Tuning};

fn dataset() -> Dataset {
    digits(90, 25, 4).unwrap()
}

fn model() -> Spec {
    let likelihood = Likelihood { sigma: 1.0, ..small().likelihood };
    Spec {
        batch: 32,
        pixels: 784,
        layers: vec![layer(&[37, 21], 3)],
        likelihood,
        binarize: Binarize::Dynamic,
        samples: 2,
        ..small()
    }
}

/// Parameters after `steps` steps, the metrics of each, and the held-out terms. 90 images in minibatches of 32: every
/// third minibatch is not full.
fn train(
    device: &OpenDevice,
    spec: &Spec,
    optimizer: &Optimizer,
    steps: usize,
    a_submit: usize,
) -> (Vec<f32>, Vec<Vec<f32>>, f64) {
    train_tuned(device, &Matmul::default(), spec, optimizer, [steps, a_submit])
}

fn train_tuned(
    device: &OpenDevice,
    matmul: &Matmul,
    spec: &Spec,
    optimizer: &Optimizer,
    [steps, a_submit]: [usize; 2],
) -> (Vec<f32>, Vec<Vec<f32>>, f64) {
    let dataset = dataset();
    let mut session =
        Session::open_tuned(device.clone(), matmul, &spec.task(), Some(&(*optimizer).into()), &dataset)
            .unwrap();
    let start = Initialisation::FanIn.values(session.table(), 3);
    session.write_flat("parameters", &start).unwrap();
    let mut batches: Vec<Vec<u32>> = Vec::new();
    for epoch in 0..steps.div_ceil(3) as u64 {
        batches.extend(epoch_order(90, 3, epoch, 2).chunks(32).map(<[u32]>::to_vec));
    }
    let records: Vec<Step> = (0..steps as u64)
        .map(|step| {
            let mut record = Step::seeded(3, 0).at(step);
            session.plan().set_number(&mut record, "beta", 0.5);
            optimizer.prepare(step + 1, 1e-3, 0, &mut record);
            record
        })
        .collect();
    let mut metrics = Vec::new();
    for first in (0..steps).step_by(a_submit) {
        let end = (first + a_submit).min(steps);
        let group: Vec<&[u32]> = batches[first..end].iter().map(Vec::as_slice).collect();
        session.submit("train", Which::Train, &group, records[first..end].to_vec()).unwrap();
        let received = session.receive(0).unwrap();
        metrics.extend(received.iter().flat_map(MetricRows::rows).map(<[f32]>::to_vec));
    }
    let elbo = session.evaluate(25, 2).unwrap().elbo();
    (session.read_flat("parameters").unwrap().unwrap(), metrics, elbo)
}

fn compare(name: &str, spec: &Spec, optimizer: &Optimizer, device: &OpenDevice) {
    compare_tuned(name, spec, optimizer, device, &Matmul::default());
}

fn compare_tuned(name: &str, spec: &Spec, optimizer: &Optimizer, device: &OpenDevice, matmul: &Matmul) {
    let (expected, expected_metrics, expected_elbo) = train(&OpenDevice::Cpu, spec, optimizer, 20, 7);
    let (actual, metrics, elbo) = train_tuned(device, matmul, spec, optimizer, [20, 7]);
    assert_eq!(metrics.len(), 20);
    for (step, (a, b)) in metrics.iter().zip(&expected_metrics).enumerate() {
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= 1e-3 + 1e-4 * b.abs(), "{name}: step {step}: {a} should be {b}");
        }
    }
    assert!((elbo - expected_elbo).abs() < 0.02, "{name}: {elbo} should be {expected_elbo}");
    // Adam turns the sign of a gradient near zero into a whole step: what counts is that parameters differ by far less
    // than they moved.
    let start = Initialisation::FanIn.values(&spec.tensors(), 3);
    let norm =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    let (difference, moved) = (norm(&actual, &expected), norm(&expected, &start));
    assert!(moved > 0.01, "{name}: nothing was learned");
    assert!(difference < 2e-3 * moved, "{name}: parameters differ by {difference:e} after moving {moved:e}");
}

#[test]
fn twenty_steps_agree_with_the_cpu() {
    for (name, device) in common::adapters() {
        let clipped =
            Optimizer { clip_norm: 20.0, weight_decay: 1e-3, ..Optimizer::new(OptimizerKind::Adam) };
        compare(&name, &model(), &clipped, &device);
        let two = Spec { layers: vec![layer(&[37, 21], 3), layer(&[13], 2)], ..model() };
        for kind in [ObjectiveKind::Elbo, ObjectiveKind::Iwae, ObjectiveKind::Dreg] {
            compare(&name, &Spec { kind, ..two.clone() }, &clipped, &device);
        }
        compare(&name, &Spec { target: KlTarget::FreeBits(0.1), ..two.clone() }, &clipped, &device);
        compare(&name, &Spec { target: KlTarget::Capacity, ..two }, &clipped, &device);
        let layers = vec![layer(&[37], 5), layer(&[13], 3), layer(&[], 2), layer(&[6], 1)];
        for kind in [ObjectiveKind::Elbo, ObjectiveKind::Dreg] {
            compare(&name, &Spec { layers: layers.clone(), kind, ..model() }, &clipped, &device);
        }
    }
}

#[test]
fn every_variant_of_the_matrix_products_trains_alike() {
    for (name, device) in common::adapters() {
        // The first variant is what the other tests run; sixteen parts are computed by the kernels of four.
        for variant in &Variant::ALL[1..5] {
            let matmul = Tuning::Only(*variant).into();
            // Sums long enough to be split in four parts of whole tiles.
            let spec = Spec { layers: vec![layer(&[129], 3)], samples: 1, ..model() };
            let adam = Optimizer::new(OptimizerKind::Adam);
            compare_tuned(&format!("{name}, {variant}"), &spec, &adam, &device, &matmul);
        }
    }
}

#[test]
fn every_likelihood_trains_alike() {
    for (name, device) in common::adapters() {
        for kind in LikelihoodKind::ALL.into_iter().skip(1) {
            let likelihood = Likelihood { kind, sigma: 0.5, mean_activation: Activation::Sigmoid };
            let (target, layers) = (KlTarget::FreeBits(0.1), vec![layer(&[30], 3)]);
            let spec = Spec { likelihood, binarize: Binarize::None, target, layers, ..model() };
            compare(&name, &spec, &Optimizer::new(OptimizerKind::Adamax), &device);
        }
    }
}

#[test]
fn runs_with_one_seed_are_bit_identical_however_steps_are_submitted() {
    let mut devices = common::adapters();
    devices.push(("CPU".into(), OpenDevice::Cpu));
    for (name, device) in devices {
        let adam = Optimizer::new(OptimizerKind::Adam);
        let (first, first_metrics, first_elbo) = train(&device, &model(), &adam, 20, 1);
        for a_submit in [1, 6, 20] {
            let (again, metrics, elbo) = train(&device, &model(), &adam, 20, a_submit);
            assert!(
                first.iter().map(|x| x.to_bits()).eq(again.iter().map(|x| x.to_bits())),
                "{name}: {a_submit}"
            );
            assert_eq!(first_metrics, metrics, "{name}: {a_submit}");
            assert_eq!(first_elbo.to_bits(), elbo.to_bits(), "{name}: {a_submit}");
        }
    }
}

/// Clipped by value, each number of a gradient is at most the limit in size, and the norm is measured after that.
#[test]
fn gradients_are_clipped_by_value() {
    let dataset = dataset();
    let moved = |clip_value: f64, clip_norm: f64| -> Vec<f32> {
        let optimizer =
            Optimizer { beta_1: 0.0, clip_value, clip_norm, ..Optimizer::new(OptimizerKind::Sgd) };
        let mut session =
            Session::open(OpenDevice::Cpu, &model().task(), Some(&optimizer.into()), &dataset).unwrap();
        let start = Initialisation::FanIn.values(session.table(), 3);
        session.write_flat("parameters", &start).unwrap();
        let mut record = Step::seeded(3, 0).at(0);
        session.plan().set_number(&mut record, "beta", 1.0);
        optimizer.prepare(1, 1.0, 0, &mut record);
        let batch: Vec<u32> = (0..32).collect();
        session.submit("train", Which::Train, &[&batch], vec![record]).unwrap();
        session.receive(0).unwrap();
        let end = session.read_flat("parameters").unwrap().unwrap();
        start.iter().zip(end).map(|(start, end)| start - end).collect()
    };
    let (whole, clipped, both) = (moved(0.0, 0.0), moved(0.5, 0.0), moved(0.5, 0.5));
    let limited: Vec<f32> = whole.iter().map(|g| g.clamp(-0.5, 0.5)).collect();
    let count = whole.iter().filter(|g| g.abs() > 0.5).count();
    assert!(count > 10 && count < whole.len() / 2, "{count} of {}", whole.len());
    let norm = limited.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    for ((limited, clipped), both) in limited.iter().zip(clipped).zip(both) {
        assert!((limited - clipped).abs() < 1e-5, "{clipped} should be {limited}");
        let scaled = f64::from(*limited) * 0.5 / norm;
        assert!((scaled - f64::from(both)).abs() < 1e-5, "{both} should be {scaled}");
    }
}

/// Every optimiser lowers the loss, on the CPU (the kernels themselves are compared elsewhere).
#[test]
fn every_optimiser_learns() {
    for (kind, rate) in [
        (OptimizerKind::Adam, 1e-3),
        (OptimizerKind::Adamax, 2e-3),
        (OptimizerKind::Adagrad, 1e-2),
        (OptimizerKind::Rmsprop, 1e-3),
        (OptimizerKind::Sgd, 1e-4),
    ] {
        let mut optimizer = Optimizer::new(kind);
        optimizer.clip_norm = if kind == OptimizerKind::Sgd { 100.0 } else { 0.0 };
        let dataset = dataset();
        let mut session =
            Session::open(OpenDevice::Cpu, &model().task(), Some(&optimizer.into()), &dataset).unwrap();
        let start = Initialisation::FanIn.values(session.table(), 3);
        session.write_flat("parameters", &start).unwrap();
        let before = session.evaluate(25, 2).unwrap().elbo();
        let batch: Vec<u32> = (0..32).collect();
        for step in 0..60 {
            let mut record = Step::seeded(3, 0).at(step);
            session.plan().set_number(&mut record, "beta", 1.0);
            optimizer.prepare(step + 1, rate, 0, &mut record);
            session.submit("train", Which::Train, &[&batch], vec![record]).unwrap();
        }
        session.receive(0).unwrap();
        let after = session.evaluate(25, 2).unwrap().elbo();
        let gain = if kind == OptimizerKind::Sgd { 20.0 } else { 100.0 };
        assert!(after > before + gain, "{kind:?}: {before} to {after}");
    }
}
