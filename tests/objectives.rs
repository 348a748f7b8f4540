//! The importance-weighted objectives: against the ELBO, and against each other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::spec::{LOSS, Spec, layer, small, step};
use vae::cpu::CpuExecutor;
use vae::graph::{Activation, Likelihood, LikelihoodKind};
use vae::model::families::mlp::Layer;
use vae::model::{Initialisation, ObjectiveKind};
use vae::plan::{BufferId, Executor, Plan, Step};

fn model(kind: ObjectiveKind, samples: usize) -> Spec {
    let likelihood =
        Likelihood { kind: LikelihoodKind::Gaussian, sigma: 0.4, mean_activation: Activation::Identity };
    Spec { pixels: 8, layers: vec![layer(&[6], 3)], likelihood, samples, kind, ..small() }
}

struct Oracle {
    plan: Plan,
    cpu: CpuExecutor<f64>,
    /// Where the encoder's parameters are in the flat buffer, and the decoder's.
    encoder: Vec<usize>,
    decoder: Vec<usize>,
}

impl Oracle {
    fn new(model: &Spec) -> Self {
        let (plan, tensors) = model.loss_plan(&["latent", "noise", "encoder.mean+encoder.log_variance"]);
        let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
        let images: Vec<u32> = (0..6).map(|i| 0x11_57_93_c1_u32.rotate_left(5 * i)).collect();
        cpu.write(plan.buffer("dataset.test.images").unwrap(), 0, &images).unwrap();
        cpu.write(plan.buffer("indices").unwrap(), 0, &[2, 0, 1]).unwrap();
        let start = Initialisation::FanIn.values(&tensors, 5);
        for (to, from) in cpu.real_mut(plan.buffer("parameters").unwrap()).iter_mut().zip(start) {
            // Far enough from the start that weights differ.
            *to = 2.0 * f64::from(from);
        }
        let places = |prefix: &str| {
            let all = tensors.all();
            let own = all.iter().filter(|tensor| tensor.name.starts_with(prefix));
            own.flat_map(vae::graph::Tensor::positions).collect()
        };
        let (encoder, decoder) = (places("encoder"), places("decoder"));
        Self { plan, cpu, encoder, decoder }
    }

    fn buffer(&self, name: &str) -> BufferId {
        self.plan.buffer(name).unwrap()
    }

    fn run(&mut self, draw: u32, beta: f64) {
        let step = Step { seed_low: 3, counter_low: draw, ..step(&self.plan, 3, &[("beta", beta)]) };
        self.cpu.submit(LOSS, &[step]).unwrap();
    }

    fn real(&self, name: &str) -> &[f64] {
        self.cpu.real(self.buffer(name))
    }

    fn metric(&self, name: &str) -> f64 {
        self.real("metrics")[self.plan.metric(name).unwrap()]
    }

    fn gradients(&self, places: &[usize]) -> Vec<f64> {
        places.iter().map(|&place| self.real("gradients")[place]).collect()
    }
}

/// With one sample the importance-weighted bound is the ELBO, its divergence sampled.
#[test]
fn one_sample_gives_the_elbo_with_a_sampled_divergence() {
    let mut oracle = Oracle::new(&model(ObjectiveKind::Iwae, 1));
    for draw in 0..5 {
        oracle.run(draw, 1.0);
        let (z, noise) = (oracle.real("latent"), oracle.real("noise"));
        let posterior = oracle.real("encoder.mean+encoder.log_variance");
        let divergence: f64 = (0..3)
            .flat_map(|row| (0..3).map(move |d| (row, d)))
            .map(|(row, d)| {
                let at = 4 * row + d;
                0.5 * (z[at].powi(2) - noise[at].powi(2) - posterior[8 * row + 4 + d])
            })
            .sum();
        let expected = oracle.metric("reconstruction") + divergence / 3.0;
        let bound = oracle.metric("bound");
        assert!((bound - expected).abs() < 1e-12 * expected.abs(), "{bound} {expected}");
    }
}

/// Several samples give a tighter bound, whatever the draw, than the average of their log weights.
#[test]
fn more_samples_give_a_tighter_bound() {
    let mean = |samples| {
        let mut oracle = Oracle::new(&model(ObjectiveKind::Iwae, samples));
        let draws = 400;
        let total: f64 = (0..draws)
            .map(|draw| {
                oracle.run(draw, 1.0);
                oracle.metric("bound")
            })
            .sum();
        -total / f64::from(draws)
    };
    let [one, five, fifty] = [1, 5, 50].map(mean);
    assert!(one + 0.1 < five && five + 0.02 < fifty, "{one} {five} {fifty}");
}

/// Over many draws the doubly reparametrized gradient of the encoder has the mean of the plain one, with less variance;
/// the decoder's is the same in each draw.
#[test]
fn doubly_reparametrized_gradients_have_the_same_mean_and_less_variance() {
    compare_estimators(&[layer(&[6], 3)], 0.9, 6000);
}

/// The same with several stochastic layers, whose encoders differ in what their samples have a part in.
#[test]
fn doubly_reparametrized_gradients_of_several_layers_have_the_same_mean_and_less_variance() {
    compare_estimators(&[layer(&[6], 3), layer(&[4], 2)], 0.96, 6000);
    compare_estimators(&[layer(&[6], 3), layer(&[5, 4], 2)], 0.96, 6000);
    compare_estimators(&[layer(&[6], 3), layer(&[4], 2), layer(&[3], 2)], 0.98, 6000);
}

/// The variance of the doubly reparametrized gradient is at most this `share` of the plain one's.
fn compare_estimators(layers: &[Layer], share: f64, draws: u32) {
    for (samples, beta) in [(1, 1.0), (4, 1.0), (4, 0.5)] {
        let of = |kind| Spec { layers: layers.to_vec(), ..model(kind, samples) };
        let mut plain = Oracle::new(&of(ObjectiveKind::Iwae));
        let mut doubly = Oracle::new(&of(ObjectiveKind::Dreg));
        let count = plain.encoder.len();
        // Sums of: the difference, its square, and each gradient and its square.
        let mut sums = vec![[0.0; 6]; count];
        for draw in 0..draws {
            plain.run(draw, beta);
            doubly.run(draw, beta);
            assert_eq!(plain.gradients(&plain.decoder), doubly.gradients(&doubly.decoder));
            assert_eq!(plain.metric("bound"), doubly.metric("bound"));
            let (a, b) = (plain.gradients(&plain.encoder), doubly.gradients(&doubly.encoder));
            for (sums, (a, b)) in sums.iter_mut().zip(a.iter().zip(&b)) {
                for (sum, term) in sums.iter_mut().zip([a - b, (a - b).powi(2), *a, a * a, *b, b * b]) {
                    *sum += term;
                }
            }
        }
        let n = f64::from(draws);
        let variance = |sum: f64, squares: f64| (squares / n - (sum / n).powi(2)).max(0.0);
        let (mut worst, mut of_plain, mut of_doubly) = (0.0_f64, 0.0, 0.0);
        for [difference, squares, a, a_squares, b, b_squares] in sums {
            let error = (variance(difference, squares) / n).sqrt();
            if error > 0.0 {
                worst = worst.max((difference / n).abs() / error);
            } else {
                assert_eq!(difference, 0.0);
            }
            of_plain += variance(a, a_squares);
            of_doubly += variance(b, b_squares);
        }
        // Of some hundred parameters, none is further off than a normal number gets once in a million.
        assert!(worst < 5.0, "{samples} samples, beta {beta}: {worst} standard errors");
        assert!(of_doubly < share * of_plain, "{samples} samples, beta {beta}: {of_doubly} {of_plain}");
        assert!(of_doubly > 0.0);
    }
}
