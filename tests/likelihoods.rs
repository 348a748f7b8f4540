//! Every likelihood is one: it sums or integrates to one over what it is a distribution of. And its mean can be asked for.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use clap::ValueEnum;
use vae::config::Config;
use vae::cpu::CpuExecutor;
use vae::data::digits::digits;
use vae::device::OpenDevice;
use vae::eval::density::{Density, Weights};
use vae::eval::importance::ImportanceSampler;
use vae::graph::{
    Activation, Binarize, Graph, Likelihood, LikelihoodKind, Mode, ProgramSpec, Setting, Shape, Tensors,
    lower,
};
use vae::plan::{Executor, Step};
use vae::session::Session;

/// -log p(x) of a single pixel with the values `x`, where the decoder gives `outputs`.
fn negative_logs(kind: LikelihoodKind, sigma: f64, outputs: &[f64], x: &[f64]) -> Vec<f64> {
    let tensors = Tensors::default();
    let mut graph = Graph::new(&tensors, Mode::Evaluate);
    let latent = graph.input("latent", Shape::matrix(x.len(), 1));
    // Images are written here, not gathered: pixels need not be bytes.
    let pixels = graph.input("images", Shape::matrix(x.len(), 1));
    let likelihood = Likelihood { kind, sigma, mean_activation: Activation::Identity };
    let decoded = graph.linear(kind.outputs(), latent, 1).unwrap();
    let value = graph.negative_log_likelihood(decoded, pixels, likelihood).unwrap();
    let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
    let program = ProgramSpec::new("value", &[latent, pixels], &[value]);
    let plan = lower(&graph, &[program], setting).unwrap();
    let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
    let parameters = cpu.real_mut(plan.buffer("parameters").unwrap());
    for tensor in tensors.all() {
        let value = match tensor.name.as_str() {
            "decoder.output.bias" => outputs[0],
            "decoder.log_variance.bias" | "decoder.log_scale.bias" => outputs[1],
            "decoder.log_variance" => 2.0 * sigma.ln(),
            _ => 0.0,
        };
        tensor.put(parameters, &[value]);
    }
    let images = cpu.real_mut(plan.buffer("images").unwrap());
    for (row, x) in images.chunks_mut(4).zip(x) {
        row[0] = *x;
    }
    cpu.submit("value", &[Step { rows: x.len() as u32, ..Step::default() }]).unwrap();
    cpu.real(plan.buffer("reconstruction").unwrap())[..x.len()].to_vec()
}

/// Simpson's rule over equal steps from `low` to `high`.
fn integral(kind: LikelihoodKind, sigma: f64, outputs: &[f64], [low, high]: [f64; 2]) -> f64 {
    let steps = 4000;
    let h = (high - low) / f64::from(steps);
    let x: Vec<f64> = (0..=steps).map(|i| low + h * f64::from(i)).collect();
    let weight = |i: usize| match i {
        0 | 4000 => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let densities = negative_logs(kind, sigma, outputs, &x).into_iter().map(|value| (-value).exp());
    densities.enumerate().map(|(i, density)| weight(i) * density).sum::<f64>() * h / 3.0
}

#[test]
fn bernoulli_sums_to_one() {
    for logit in [-30.0, -0.7, 0.0, 2.5, 40.0] {
        let sum: f64 = negative_logs(LikelihoodKind::Bernoulli, 1.0, &[logit], &[0.0, 1.0])
            .iter()
            .map(|v| (-v).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-12, "{logit}: {sum}");
    }
}

#[test]
fn gaussians_integrate_to_one() {
    for (kind, outputs, deviation) in [
        (LikelihoodKind::Gaussian, vec![0.3], 0.2),
        (LikelihoodKind::GaussianShared, vec![-1.5], 2.0),
        // Before any training.
        (LikelihoodKind::GaussianOptimal, vec![-1.5], 1.0),
        // Log-variance -3 above its floor, and far below it: the floor is one grey level.
        (LikelihoodKind::GaussianLearned, vec![0.3, -3.0], (-1.5_f64).exp()),
        (LikelihoodKind::GaussianLearned, vec![0.3, -40.0], 1.0 / 255.0),
    ] {
        let range = [outputs[0] - 12.0 * deviation, outputs[0] + 12.0 * deviation];
        let integral = integral(kind, deviation, &outputs, range);
        assert!((integral - 1.0).abs() < 1e-9, "{kind} {outputs:?}: {integral}");
    }
}

/// 40 scales on either side, with the mean between two steps.
#[test]
fn laplace_integrates_to_one() {
    for (mean, scale) in [(0.3, 0.2), (-1.5, 2.0), (0.5, 0.01)] {
        let range = [mean - 40.0 * scale, mean + 40.0 * scale];
        let integral = integral(LikelihoodKind::Laplace, scale, &[mean], range);
        assert!((integral - 1.0).abs() < 1e-6, "mean {mean}, scale {scale}: {integral}");
    }
    // The absolute error, up to log 2.
    let values = negative_logs(LikelihoodKind::Laplace, 1.0, &[0.3], &[0.3, 0.0, 1.0]);
    for (value, expected) in values.into_iter().zip([0.0, 0.3, 0.7]) {
        assert!((value - expected - 2.0_f64.ln()).abs() < 1e-12, "{value}");
    }
}

#[test]
fn discretized_logistic_sums_to_one_over_its_levels() {
    let levels: Vec<f64> = (0..256).map(|level| f64::from(level) / 255.0).collect();
    for mean in [-0.4, 0.0, 0.31, 0.5, 1.0, 1.7] {
        for log_scale in [-30.0, -7.0, -5.0, -2.0, 0.0, 4.0] {
            let values = negative_logs(LikelihoodKind::DiscretizedLogistic, 1.0, &[mean, log_scale], &levels);
            let sum: f64 = values.iter().map(|value| (-value).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-10, "mean {mean}, log-scale {log_scale}: {sum}");
            assert!(values.iter().all(|value| value.is_finite() && *value >= -1e-12), "{mean} {log_scale}");
        }
    }
}

/// Near s = 0, where lambda is near 1/2 and the normaliser is 0 over 0, it is a series; it must meet the rest.
#[test]
fn continuous_bernoulli_integrates_to_one() {
    for logit in [-40.0, -3.0, -0.501, -0.499, -1e-3, 0.0, 1e-9, 0.1, 0.4999, 0.5, 2.0, 15.0] {
        let integral = integral(LikelihoodKind::ContinuousBernoulli, 1.0, &[logit], [0.0, 1.0]);
        assert!((integral - 1.0).abs() < 1e-9, "{logit}: {integral}");
    }
}

/// With all other parameters 0 the output is its bias, and what is expected then the mean training image.
#[test]
fn the_decoder_can_begin_at_the_mean_image() {
    let dataset = digits(90, 25, 4).unwrap();
    let pixels = dataset.shape.pixels();
    let identity = |kind| (kind, Activation::Identity, Binarize::None);
    let mut cases = vec![
        (LikelihoodKind::Bernoulli, Activation::Identity, Binarize::Dynamic),
        (LikelihoodKind::Bernoulli, Activation::Identity, Binarize::Threshold),
    ];
    cases.extend(LikelihoodKind::ALL[1..].iter().copied().map(identity));
    let offered = Activation::ALL.into_iter().filter(|activation| activation.derivative_from_value());
    cases.extend(offered.map(|activation| (LikelihoodKind::GaussianLearned, activation, Binarize::None)));
    for (name, device) in [("CPU".to_string(), OpenDevice::Cpu)].into_iter().chain(common::adapters()) {
        for &(likelihood, mean_activation, binarize) in &cases {
            let means = mean_activation.to_possible_value().unwrap().get_name().to_string();
            let mut config = Config::default()
                .with(&format!(
                    "model = {{ likelihood = '{likelihood}', mean-activation = '{means}', hidden = [5] }}\n\
                     optimizer = {{ init = 'normal:0', output-bias = 'mean-image' }}\nrun.batch-size = 8"
                ))
                .unwrap();
            config.data.binarize = Some(binarize);
            let mut session =
                Session::open(device.clone(), &config.task(dataset.shape), None, &dataset).unwrap();
            let parameters = config.first_parameters(session.table(), &dataset.train);
            session.write_flat("parameters", &parameters).unwrap();
            let expected = session.decode(&[0.0; 2]).unwrap();
            assert_eq!(expected.len(), pixels);
            let mut between = 0;
            for (pixel, &expected) in expected.iter().enumerate() {
                let values =
                    (0..90).map(|image| dataset.train.image(image)[pixel]).map(|byte| match binarize {
                        Binarize::Threshold => f64::from(u8::from(byte > 127)),
                        _ => f64::from(byte) / 255.0,
                    });
                let mean = (values.sum::<f64>() / 90.0).clamp(0.001, 0.999);
                between += usize::from(mean > 0.01 && mean < 0.99);
                let case = format!("{name}, {likelihood}, {mean_activation:?}, {binarize:?}, pixel {pixel}");
                assert!((f64::from(expected) - mean).abs() < 1e-5, "{case}: {expected} should be {mean}");
            }
            assert!(between > pixels / 3, "{between} pixels are grey in the mean");
        }
    }
}

/// With all other parameters 0 the decoder's output is its bias, whatever is encoded: every number has a closed form.
#[test]
fn the_optimal_deviation_is_that_of_the_residuals() {
    let dataset = digits(10, 5, 4).unwrap();
    let pixels = dataset.shape.pixels();
    let text = "model = { hidden = [3], likelihood = 'gaussian-optimal' }\nrun.batch-size = 4\nobjective.noise-samples = 2";
    let config = Config::default().with(text).unwrap().resolve().unwrap();
    let bias: Vec<f32> = (0..pixels).map(|i| 0.2 + 0.5 * (i % 7) as f32 / 7.0).collect();
    let squared = |part: &vae::data::Part, number: usize| -> f64 {
        let image = part.image(number);
        let values = image.iter().zip(&bias);
        values.map(|(&x, &mean)| (f64::from(x) / 255.0 - f64::from(mean)).powi(2)).sum()
    };
    let negative_log = |variance: f64, squared: f64| {
        0.5 * (pixels as f64 * (std::f64::consts::TAU * variance).ln() + squared / variance)
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 2e-5 * b.abs(), "{a} is not {b}");
    for (name, device) in common::devices() {
        println!("{name}");
        let task = config.task(dataset.shape);
        let mut session = Session::open(device.clone(), &task, Some(&config.optimizers()), &dataset).unwrap();
        let mut parameters = vec![0.0; session.table().length()];
        session.table().find("decoder.output.bias").unwrap().put(&mut parameters, &bias);
        session.write_flat("parameters", &parameters).unwrap();
        let held_out = (0..5).map(|number| squared(&dataset.test, number)).sum::<f64>() / 5.0;
        let reconstruction = |session: &mut Session| session.evaluate(5, 2).unwrap().reconstruction;
        near(reconstruction(&mut session), negative_log(1.0, held_out));

        // An epoch of three minibatches, without moving; then one step of the next.
        let mut so_far = Vec::new();
        for (step, batch) in
            [&[0, 1, 2, 3][..], &[4, 5, 6, 7], &[8, 9], &[5, 2, 9, 0]].into_iter().enumerate()
        {
            let mut record = Step::seeded(1, 0).at(step as u64);
            session.plan().set_number(&mut record, "beta", 1.0);
            session.plan().set_number(&mut record, "epoch_ends", f64::from(u8::from(step == 2)));
            config.optimizers().default.prepare(step as u64 + 1, 0.0, 0, &mut record);
            session.submit("train", vae::session::Which::Train, &[batch], vec![record]).unwrap();
            let received = session.receive(0).unwrap();
            let found = received[0].rows().next().unwrap()[session.plan().metric("reconstruction").unwrap()];
            let own: Vec<f64> =
                batch.iter().map(|&number| squared(&dataset.train, number as usize)).collect();
            let mean = |squares: &[f64]| squares.iter().sum::<f64>() / squares.len() as f64;
            let variance = mean(&own) / pixels as f64;
            near(f64::from(found), negative_log(variance, mean(&own)));
            near(f64::from(found), 0.5 * pixels as f64 * ((std::f64::consts::TAU * variance).ln() + 1.0));
            if step < 3 {
                so_far.extend(own);
            }
            near(reconstruction(&mut session), negative_log(mean(&so_far) / pixels as f64, held_out));
        }
        let kept = session.read_states().unwrap().remove("decoder.residuals").unwrap();
        assert_eq!((kept.0, kept.1[1], kept.1[3]), (vec![4], 4.0, 10.0));

        // Densities and importance weights have the same deviation.
        let variance = so_far.iter().sum::<f64>() / 10.0 / pixels as f64;
        let weights = Weights::of(&mut session).unwrap();
        let task = task.for_evaluation();
        let mut density = Density::open(&device, &task, &weights, (1, 3), 1, 1).unwrap();
        let image: Vec<f32> = dataset.test.image(0).iter().map(|&x| f32::from(x) / 255.0).collect();
        density.set_images(&image).unwrap();
        let expected = negative_log(variance, squared(&dataset.test, 0));
        near(-density.log_likelihood(&[0.5, -1.0]).unwrap()[0], expected);
        // Draws at a quantile of one deviation.
        let drawn = density.simulate(&[0.5, -1.0], || 0.5, || 1.0).unwrap();
        near(f64::from(drawn[3] - bias[3]), variance.sqrt());
        let mut sampler = ImportanceSampler::open(&device, &task, &weights, 4).unwrap();
        let bound = sampler.bounds(&dataset.test, &[0], &mut |_| {}).unwrap()[0];
        let divergence = session.evaluate(1, 1).unwrap().kl;
        near(-bound.bound - divergence, expected);
    }
}
