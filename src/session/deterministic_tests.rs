//! Deterministic autoencoders on the CPU.

use super::*;
use crate::config::Config;
use crate::data::digits::digits;
use crate::model::Initialisation;
use crate::random::Philox;

/// A session on `dataset` after `steps` steps of Adam on whole minibatches, whose learning rate falls to 0.
fn trained(settings: &str, dataset: &Dataset, steps: u64, rate: f64) -> Session {
    let config = Config::default().with(settings).unwrap().resolve().unwrap();
    let (task, optimizers) = (config.task(dataset.shape), config.optimizers());
    let mut session = Session::open(OpenDevice::Cpu, &task, Some(&optimizers), dataset).unwrap();
    let start = Initialisation::FanIn.values(session.table(), 3);
    session.write_flat("parameters", &start).unwrap();
    let numbers: Vec<u32> = (0..dataset.train.count as u32).collect();
    let batches: Vec<&[u32]> = numbers.chunks_exact(task.batch).collect();
    for first in (0..steps).step_by(MAX_STEPS) {
        let these: Vec<u64> = (first..steps.min(first + MAX_STEPS as u64)).collect();
        let records = these.iter().map(|&t| {
            let mut step = Step::default().at(t);
            session.plan().set_number(&mut step, "corruption", task.objective.codes.noise_level);
            let falling = rate * (1.0 - t as f64 / steps as f64);
            optimizers.of_group("vae").prepare(t + 1, falling, 0, &mut step);
            step
        });
        let records: Vec<Step> = records.collect();
        let images: Vec<&[u32]> = these.iter().map(|&t| batches[t as usize % batches.len()]).collect();
        session.submit("train", Which::Train, &images, records).unwrap();
        session.receive(0).unwrap();
    }
    session
}

/// Without noise a denoising autoencoder is an autoencoder, bit for bit; also in a convolutional network.
#[test]
fn denoising_without_noise_is_an_autoencoder() {
    let dataset = digits(40, 20, 1).unwrap();
    let models = [
        "model = { hidden = [12], dropout = 0.1 }",
        "model = { family = 'conv', latent = 3, dense = [9], levels = [{ channels = 4, kernel = 3, stride = 2 }] }",
    ];
    for model in models {
        let of = |kind: &str| {
            let settings = format!("{model}\nrun.batch-size = 16\nobjective = {kind}");
            let mut session = trained(&settings, &dataset, 5, 0.01);
            let parameters = session.read_flat("parameters").unwrap();
            (parameters, session.evaluate(20, 1).unwrap(), session.encode(&[4, 3]).unwrap())
        };
        let plain = of("{ kind = 'autoencoder' }");
        for corruption in ["masking", "gaussian", "salt-and-pepper"] {
            let without = format!("{{ kind = 'denoising', corruption = '{corruption}', noise-level = 0.0 }}");
            assert_eq!(plain, of(&without), "{corruption}");
        }
        assert_ne!(plain, of("{ kind = 'denoising', noise-level = 0.5 }"));
        assert_eq!((plain.1.kl, plain.1.bound), (0.0, 0.0));
        assert!(plain.2.log_variances.is_empty());
    }
}

/// As many pixels as the level says are changed, and only those seen by the encoder; codes are of images as they are.
#[test]
fn corruption_changes_what_the_encoder_sees() {
    let dataset = digits(16, 20, 1).unwrap();
    let numbers: Vec<u32> = (0..20).collect();
    let base = "model.hidden = [12]\nrun.batch-size = 16\ndata.binarize = 'none'\nobjective.kind = ";
    let clean = trained(&format!("{base}'autoencoder'"), &dataset, 0, 0.0).encode(&numbers).unwrap();
    for corruption in ["masking", "gaussian", "salt-and-pepper"] {
        let settings =
            format!("{base}'denoising'\nobjective.corruption = '{corruption}'\nobjective.noise-level = 0.25");
        let mut session = trained(&settings, &dataset, 0, 0.0);
        assert_eq!(session.encode(&numbers).unwrap(), clean);
        let (seen, codes) = session.corrupt(&numbers).unwrap().unwrap();
        assert_ne!(codes, clean);
        let count = seen.len() as f64;
        let images = numbers.iter().flat_map(|&number| dataset.test.image(number as usize).into_owned());
        let pairs: Vec<(f32, f32)> =
            seen.into_iter().zip(images.map(|byte| f32::from(byte) * (1.0 / 255.0))).collect();
        let changed = pairs.iter().filter(|(seen, image)| seen != image);
        match corruption {
            "gaussian" => {
                let square = pairs.iter().map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / count;
                assert!((square.sqrt() - 0.25).abs() < 0.01, "{square}");
            }
            "masking" => {
                assert!(changed.clone().all(|(seen, _)| *seen == 0.0));
                let lit = pairs.iter().filter(|(_, image)| *image > 0.0).count();
                let share = changed.count() as f64 / lit as f64;
                assert!((share - 0.25).abs() < 0.02, "{share}");
            }
            _ => {
                assert!(changed.clone().all(|(seen, _)| *seen == 0.0 || *seen == 1.0));
                let dark: Vec<_> = pairs.iter().filter(|(_, image)| *image == 0.0).collect();
                let share = dark.iter().filter(|(seen, _)| *seen == 1.0).count() as f64 / dark.len() as f64;
                assert!((share - 0.125).abs() < 0.02, "{share}");
            }
        }
    }
}

/// Eigenvalues of a symmetric matrix by Jacobi's rotations, in descending order.
fn eigenvalues(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for _ in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs() < 1e-300 {
                    continue;
                }
                let theta = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                let (sin, cos) = theta.sin_cos();
                for row in &mut a {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
                let (head, tail) = a.split_at_mut(q);
                for (x, y) in head[p].iter_mut().zip(&mut tail[0]) {
                    (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
                }
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| a[i][i]).collect();
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    values
}

/// A linear autoencoder of k units finds the principal components: its squared error is the sum of the other eigenvalues of
/// the covariance (Baldi and Hornik 1989).
#[test]
fn a_linear_autoencoder_finds_principal_components() {
    let (pixels, images) = (8, 64);
    let mut random = Philox::new(3, 1, 0);
    let mut normal = || random.normal();
    let mixing: Vec<f64> = (0..pixels * pixels).map(|i| normal() * 60.0 / (1 + i % pixels) as f64).collect();
    let bytes: Vec<u8> = (0..images)
        .flat_map(|_| {
            let sources: Vec<f64> = (0..pixels).map(|_| normal()).collect();
            let value = |row: &[f64]| 128.0 + row.iter().zip(&sources).map(|(m, s)| m * s).sum::<f64>();
            mixing.chunks(pixels).map(|row| value(row).round().clamp(0.0, 255.0) as u8).collect::<Vec<_>>()
        })
        .collect();
    let value = |image: usize, pixel: usize| f64::from(bytes[image * pixels + pixel]) / 255.0;
    let mean = |term: &dyn Fn(usize) -> f64| (0..images).map(term).sum::<f64>() / images as f64;
    let means: Vec<f64> = (0..pixels).map(|p| mean(&|i| value(i, p))).collect();
    let of = |p: usize, q: usize| mean(&|i| (value(i, p) - means[p]) * (value(i, q) - means[q]));
    let covariance = (0..pixels).map(|p| (0..pixels).map(|q| of(p, q)).collect()).collect();
    let discarded: f64 = eigenvalues(covariance)[3..].iter().sum();
    let shape = ImageShape { width: 4, height: 2, channels: 1 };
    let part = Part::of_images(bytes.clone(), shape);
    let dataset = Dataset::new("sources", shape, part.clone(), part);
    let settings = "model = { hidden = [], latent = 3, likelihood = 'gaussian', sigma = 0.1 }\n\
                    objective.kind = 'autoencoder'\nrun.batch-size = 64";
    let mut session = trained(settings, &dataset, 2500, 0.1);
    let error = session.evaluate(images, 1).unwrap().squared_error.unwrap();
    assert!((error - discarded).abs() < 1e-4 * discarded, "{error} instead of {discarded}");
}

/// The digits with each square of 2 by 2 pixels as one.
fn small_digits(train: usize, test: usize) -> Dataset {
    let dataset = digits(train, test, 1).unwrap();
    let shape = ImageShape { width: 14, height: 14, channels: 1 };
    let halved = |part: &Part| {
        let pixel = |image: &[u8], x: usize, y: usize| u16::from(image[28 * y + x]);
        let bytes = (0..part.count).flat_map(|number| {
            let image = part.image(number);
            let square = |i: usize| {
                let (x, y) = (2 * (i % 14), 2 * (i / 14));
                let sum = pixel(&image, x, y)
                    + pixel(&image, x + 1, y)
                    + pixel(&image, x, y + 1)
                    + pixel(&image, x + 1, y + 1);
                (sum / 4) as u8
            };
            (0..196).map(square).collect::<Vec<u8>>()
        });
        Part::of_images(bytes.collect(), shape)
    };
    Dataset::new("small digits", shape, halved(&dataset.train), halved(&dataset.test))
}

/// Of the same noisy images, a denoising autoencoder reconstructs the clean ones better than an autoencoder does.
#[test]
fn denoising_learns_to_remove_noise() {
    let dataset = small_digits(300, 100);
    let settings = |kind: &str| {
        format!(
            "model = {{ hidden = [], latent = 32 }}\nrun.batch-size = 50\n\
             data.binarize = 'none'\nobjective.kind = '{kind}'"
        )
    };
    let mut denoising = trained(&settings("denoising"), &dataset, 120, 0.02);
    let mut plain = trained(&settings("autoencoder"), &dataset, 120, 0.02);
    let own = denoising.evaluate(100, 1).unwrap().reconstruction;
    let parameters = plain.read_flat("parameters").unwrap().unwrap();
    denoising.write_flat("parameters", &parameters).unwrap();
    let other = denoising.evaluate(100, 1).unwrap().reconstruction;
    assert!(own < 0.99 * other, "{own} {other}");
}

/// Units reach the mean activation that is asked for; codes and weights of a regularized autoencoder are smaller than without
/// penalty; and a contractive layer has smaller slopes.
#[test]
fn penalties_do_what_they_are_for() {
    let dataset = small_digits(200, 100);
    let numbers: Vec<u32> = (0..100).collect();
    let of = |objective: &str| {
        let settings = format!(
            "model = {{ hidden = [], latent = 6 }}\nrun.batch-size = 50\ndata.binarize = 'none'\nobjective = {objective}"
        );
        let mut session = trained(&settings, &dataset, 60, 0.05);
        let codes = session.encode(&numbers).unwrap().means;
        (codes, session.evaluate(100, 1).unwrap())
    };
    let (codes, _) = of("{ kind = 'sparse', sparsity = 0.2, penalty = 100.0 }");
    assert!(codes.iter().all(|code| (0.0..=1.0).contains(code)));
    for unit in 0..6 {
        let mean = codes.iter().skip(unit).step_by(6).sum::<f32>() / 100.0;
        assert!((mean - 0.2).abs() < 0.05, "{mean}");
    }
    let square = |codes: &[f32]| codes.iter().map(|code| code * code).sum::<f32>();
    let (small, evaluation) = of("{ kind = 'rae', penalty = 1.0, decoder-penalty = 0.1 }");
    let (large, _) = of("{ kind = 'rae', penalty = 0.0, decoder-penalty = 0.0 }");
    assert!(square(&small) < 0.5 * square(&large), "{} {}", square(&small), square(&large));
    let penalty = f64::from(square(&small)) / 200.0;
    let found = evaluation.others["penalty"];
    assert!(
        (found - penalty).abs() < 1e-4 * penalty && evaluation.others["decoder_penalty"] > 0.0,
        "{found} {penalty}"
    );
    let slopes = |weight: f64| {
        of(&format!("{{ kind = 'contractive', penalty = {weight:?} }}")).1.others["penalty"] / weight
    };
    let [weak, strong] = [0.01, 10.0].map(slopes);
    assert!(strong < 0.5 * weak, "{strong} {weak}");
}

/// With all units kept a k-sparse autoencoder is an autoencoder, bit for bit; else each code has as many units as are asked for.
#[test]
fn the_largest_units_are_kept() {
    let dataset = small_digits(100, 60);
    let numbers: Vec<u32> = (0..60).collect();
    let of = |model: &str, objective: &str| {
        let settings =
            format!("model = {{ latent = 7, {model} }}\nrun.batch-size = 20\nobjective = {objective}");
        let mut session = trained(&settings, &dataset, 10, 0.02);
        let parameters = session.read_flat("parameters").unwrap();
        (parameters, session.evaluate(60, 1).unwrap(), session.encode(&numbers).unwrap().means)
    };
    let conv = "family = 'conv', dense = [9], levels = [{ channels = 4, kernel = 3, stride = 2 }]";
    for model in ["hidden = [12]", "hidden = []", conv] {
        let all = of(model, "{ kind = 'k-sparse', active-units = 7 }");
        assert!(all == of(model, "{ kind = 'autoencoder' }"), "{model}");
        let (.., codes) = of(model, "{ kind = 'k-sparse', active-units = 3 }");
        for code in codes.chunks(7) {
            assert_eq!(code.iter().filter(|unit| **unit != 0.0).count(), 3, "{code:?}");
        }
    }
}

/// A sparse autoencoder has at most the units asked for, none below 0, and decoder columns of length 1. Its encoder sees images less
/// the decoder's bias.
#[test]
fn topk_has_unit_columns() {
    let dataset = small_digits(100, 60);
    let numbers: Vec<u32> = (0..60).collect();
    let settings = "model = { hidden = [], latent = 30, likelihood = 'gaussian', sigma = 0.3 }\nrun.batch-size = 20\n\
                    objective = { kind = 'topk', active-units = 4 }";
    let mut first = trained(settings, &dataset, 1, 0.01);
    let mut session = trained(settings, &dataset, 100, 0.01);
    let [before, after] = [&mut first, &mut session].map(|session| session.evaluate(60, 1).unwrap());
    assert!(after.reconstruction < before.reconstruction - 10.0, "{before:?} {after:?}");
    let flat = session.read_flat("parameters").unwrap().unwrap();
    let [weight, bias, encoder, shift] =
        ["decoder.output.weight", "decoder.output.bias", "encoder.code.weight", "encoder.code.bias"]
            .map(|name| session.tensors().iter().find(|tensor| tensor.name == name).unwrap().take(&flat));
    for unit in 0..30 {
        let square: f32 = weight.iter().skip(unit).step_by(30).map(|w| w * w).sum();
        assert!((square - 1.0).abs() < 1e-5, "{square}");
    }
    let codes = session.encode(&numbers).unwrap().means;
    for code in codes.chunks(30) {
        assert!(code.iter().all(|&unit| unit >= 0.0) && code.iter().filter(|&&unit| unit > 0.0).count() <= 4);
    }
    let image = dataset.test.image(0);
    let sums: Vec<f32> = (0..30)
        .map(|unit| {
            let row = &encoder[196 * unit..196 * (unit + 1)];
            let pixels = row.iter().zip(image.iter()).zip(&bias);
            shift[unit] + pixels.map(|((w, &x), b)| w * (f32::from(x) / 255.0 - b)).sum::<f32>()
        })
        .collect();
    for (unit, code) in codes[..30].iter().enumerate() {
        assert!(*code == 0.0 || (code - sums[unit]).abs() < 1e-3, "{code} {}", sums[unit]);
    }
}

/// Units that have died come back by the auxiliary loss, and stay dead without it.
#[test]
fn dead_units_are_revived() {
    let dataset = small_digits(100, 60);
    let idle = |weight: f64| {
        let settings = format!(
            "model = {{ hidden = [], latent = 12, likelihood = 'gaussian', sigma = 0.3 }}\nrun.batch-size = 50\n\
             objective = {{ kind = 'topk', active-units = 2, auxiliary-weight = {weight:?}, dead-after = 5 }}"
        );
        let config = Config::default().with(&settings).unwrap().resolve().unwrap();
        let (task, optimizers) = (config.task(dataset.shape), config.optimizers());
        let mut session = Session::open(OpenDevice::Cpu, &task, Some(&optimizers), &dataset).unwrap();
        let mut start = Initialisation::FanIn.values(session.table(), 3);
        // Six units begin so high that the images choose no others.
        let bias =
            session.tensors().iter().find(|tensor| tensor.name == "encoder.code.bias").unwrap().clone();
        for (unit, place) in bias.positions().enumerate() {
            start[place] = if unit < 6 { 3.0 } else { 0.5 };
        }
        session.write_flat("parameters", &start).unwrap();
        let numbers: Vec<u32> = (0..50).collect();
        for first in (0..192).step_by(MAX_STEPS) {
            let steps = (first..first + MAX_STEPS as u64).map(|t| {
                let mut step = Step::default().at(t);
                optimizers.of_group("vae").prepare(t + 1, 0.005, 0, &mut step);
                step
            });
            let steps: Vec<Step> = steps.collect();
            session.submit("train", Which::Train, &vec![&numbers[..]; MAX_STEPS], steps).unwrap();
            session.receive(0).unwrap();
        }
        let states = session.read_states().unwrap();
        let idle = states.get("state.code.idle").map(|(_, steps)| steps.clone());
        let means = session.encode(&numbers).unwrap().means;
        let used = (0..12).filter(|unit| means.iter().skip(*unit).step_by(12).any(|&z| z > 0.0)).count();
        (idle, used)
    };
    let (none, without) = idle(0.0);
    let (steps, with) = idle(1.0 / 32.0);
    assert!(none.is_none() && steps.unwrap().iter().any(|&steps| steps < 190.0));
    assert!(with > without, "{with} {without}");
}
