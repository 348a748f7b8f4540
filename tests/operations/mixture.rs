//! Mixtures of Gaussians, and controllers.

use crate::common::devices;
use crate::harness::Check;
use vae::graph::{Graph, Mode, ProgramSpec, Setting, Shape, Tensors, ValueId, controller_weights, lower};
use vae::plan::Step;

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

#[test]
fn the_negative_log_likelihood() {
    for (batch, steps, latent, components, rows) in
        [(2, 3, 5, 2, 2), (3, 1, 4, 1, 2), (1, 2, 17, 3, 1), (1, 1, 1, 5, 1)]
    {
        let shapes =
            [Shape::matrix(batch * steps, latent * components * 3), Shape::matrix(batch * steps, latent)];
        Check::of("MixtureNegativeLogLikelihood", &shapes).rows(rows).unreached(1).pull_back(|graph, x| {
            Ok(vec![graph.mixture_negative_log_likelihood(x[0], x[1], batch, components)?])
        });
    }
}

/// What `build` makes of inputs with these rows, on each device: rows without padding.
fn results(
    inputs: &[(&[f32], usize)],
    step: &[(&str, f64)],
    build: impl Fn(&mut Graph, &[ValueId]) -> ValueId,
) -> Vec<(String, Vec<f32>)> {
    let mut graph = Graph::new(&Tensors::default(), Mode::Evaluate);
    let shape = |(values, columns): (&[f32], usize)| Shape::matrix(values.len() / columns, columns);
    let values: Vec<ValueId> = inputs
        .iter()
        .enumerate()
        .map(|(i, &input)| graph.input(&format!("input.{i}"), shape(input)))
        .collect();
    let wanted = build(&mut graph, &values);
    let plan = lower(&graph, &[ProgramSpec::new("all", &values, &[wanted])], SETTING).unwrap();
    let port = plan.program("all").unwrap().wanted[0].clone();
    let of = |device: vae::device::OpenDevice| {
        let mut executor = device.executor(&plan, 1).unwrap();
        for (i, (values, columns)) in inputs.iter().enumerate() {
            let mut words = Vec::new();
            for row in values.chunks(*columns) {
                words.extend(row.iter().map(|value| value.to_bits()));
                words.resize(words.len().next_multiple_of(4), 0);
            }
            executor.write(plan.buffer(&format!("input.{i}")).unwrap(), 0, &words).unwrap();
        }
        // Every input's row is an item, as far as its operation has any.
        let mut record = Step { rows: inputs[0].0.len() as u32, ..Step::seeded(5, 0).at(3) };
        for (name, value) in step {
            plan.set_number(&mut record, name, *value);
        }
        executor.submit("all", &[record]).unwrap();
        executor.receive(0).unwrap();
        let [rows, _, columns] = port.shape;
        let found = executor.read(port.buffer, 0, (rows - 1) * port.strides[0] + columns).unwrap();
        let rows = found.chunks(port.strides[0]);
        rows.flat_map(|row| row[..columns].iter().map(|&word| f32::from_bits(word))).collect()
    };
    devices().into_iter().map(|(name, device)| (name, of(device))).collect()
}

/// Log-weights, means and log standard deviations of three components.
const MIXTURE: [f32; 9] = [0.3, -1.0, 2.0, -1.5, 0.2, 1.0, -0.5, 0.4, -1.2];

/// log p(t), from the formula alone.
fn log_density(mixture: &[f32], t: f64) -> f64 {
    let components = mixture.len() / 3;
    let at = |i: usize| f64::from(mixture[i]);
    let total: f64 = (0..components).map(|k| at(k).exp()).sum();
    let density = |k: usize| {
        let deviation = at(2 * components + k).exp();
        let e = (t - at(components + k)) / deviation;
        at(k).exp() / total * (-0.5 * e * e).exp() / (deviation * std::f64::consts::TAU.sqrt())
    };
    (0..components).map(density).sum::<f64>().ln()
}

/// Each device's densities equal the formula, and integrate to one.
#[test]
fn densities_integrate_to_one() {
    let (count, low, high) = (2000, -8.0_f64, 8.0);
    let width = (high - low) / count as f64;
    let targets: Vec<f32> = (0..count).map(|i| (low + (i as f64 + 0.5) * width) as f32).collect();
    let parameters = MIXTURE.repeat(count);
    let found = results(&[(&parameters, 9), (&targets, 1)], &[], |graph, x| {
        graph.mixture_negative_log_likelihood(x[0], x[1], count, 3).unwrap()
    });
    for (name, nats) in found {
        let integral: f64 = nats.iter().map(|&nats| (-f64::from(nats)).exp() * width).sum();
        assert!((integral - 1.0).abs() < 1e-5, "{name}: {integral}");
        for (&nats, &t) in nats.iter().zip(&targets) {
            let expected = -log_density(&MIXTURE, f64::from(t));
            let near = (f64::from(nats) - expected).abs() < 1e-5 + 2e-5 * expected.abs();
            assert!(near, "{name}: {nats} at {t}, not {expected}");
        }
    }
}

/// Far targets and narrow components have large, but finite, numbers of nats.
#[test]
fn far_targets_are_finite() {
    let parameters = [80.0, -80.0, 0.0, 100.0, -8.0, -8.0];
    let found = results(&[(&parameters, 6), (&[5.0], 1)], &[], |graph, x| {
        graph.mixture_negative_log_likelihood(x[0], x[1], 1, 2).unwrap()
    });
    for (name, nats) in found {
        let e = 5.0 * 8_f64.exp();
        let expected = 0.5 * e * e - 8.0 + 0.5 * std::f64::consts::TAU.ln();
        assert!((f64::from(nats[0]) / expected - 1.0).abs() < 1e-5, "{name}: {} not {expected}", nats[0]);
    }
}

/// Draws have the mean and the variance of the mixture at their temperature, and are the same again.
#[test]
fn draws_follow_the_mixture() {
    let (rows, latent) = (500, 8);
    let parameters = MIXTURE.repeat(rows * latent);
    for temperature in [1.0, 0.5] {
        let draw = || {
            results(&[(&parameters, 9 * latent)], &[("temperature", temperature)], |graph, x| {
                graph.mixture_draw(x[0], 3).unwrap()
            })
        };
        let weights: Vec<f64> = (0..3).map(|k| (f64::from(MIXTURE[k]) / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let moment = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            let one = |k: usize| {
                let variance = temperature * (2.0 * f64::from(MIXTURE[6 + k])).exp();
                weights[k] / total * of(f64::from(MIXTURE[3 + k]), variance)
            };
            (0..3).map(one).sum()
        };
        let mean = moment(&|mean, _| mean);
        let variance = moment(&|own, variance| variance + (own - mean).powi(2));
        for ((name, draws), (_, again)) in draw().into_iter().zip(draw()) {
            assert_eq!(draws, again, "{name}");
            let n = draws.len() as f64;
            let found = draws.iter().map(|&z| f64::from(z)).sum::<f64>() / n;
            let spread = draws.iter().map(|&z| (f64::from(z) - found).powi(2)).sum::<f64>() / n;
            assert!((found - mean).abs() < 4.0 * (variance / n).sqrt(), "{name}: mean {found}, not {mean}");
            assert!((spread / variance - 1.0).abs() < 0.12, "{name}: variance {spread}, not {variance}");
        }
    }
}

/// A controller is the formula; its weights are as many as the paper counts.
#[test]
fn controllers_act_as_the_formula_says() {
    let counts = [(288, None, 867), (32, None, 99), (32, Some(40), 1443)];
    for (features, hidden, expected) in counts {
        assert_eq!(controller_weights(features, hidden), expected);
    }
    let number = |i: usize| (i as f32 * 0.7).sin();
    for (cars, features, hidden) in [(3, 5, None), (2, 4, Some(6))] {
        let count = controller_weights(features, hidden);
        let f: Vec<f32> = (0..cars * features).map(number).collect();
        let w: Vec<f32> = (0..cars * count).map(|i| 0.5 * number(3 * i + 1)).collect();
        let found = results(&[(&f, features), (&w, count)], &[], |graph, x| {
            graph.controller(x[0], x[1], hidden).unwrap()
        });
        let layer = |inputs: &[f32], weights: &[f32], columns: usize| -> Vec<f32> {
            let sum = |o: usize| {
                let products = inputs.iter().enumerate().map(|(j, x)| x * weights[columns * (j + 1) + o]);
                (weights[o] + products.sum::<f32>()).tanh()
            };
            (0..columns).map(sum).collect()
        };
        for (name, actions) in found {
            for car in 0..cars {
                let (f, w) = (&f[car * features..][..features], &w[car * count..][..count]);
                let expected = match hidden {
                    None => layer(f, w, 3),
                    Some(n) => layer(&layer(f, w, n), &w[n * (features + 1)..], 3),
                };
                for (a, b) in actions[3 * car..3 * car + 3].iter().zip(&expected) {
                    assert!((a - b).abs() < 1e-5, "{name}: {actions:?}, {expected:?}");
                }
            }
        }
    }
}
