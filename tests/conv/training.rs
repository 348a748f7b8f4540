//! Steps of many small convolutional models: the same on every device, and from every seed.

use super::{config, dataset};
use crate::common;
use vae::config::Config;
use vae::data::{Dataset, ImageShape};
use vae::device::OpenDevice;
use vae::plan::MetricRows;
use vae::session::{Evaluation, Session, Which};
use vae::train::Steps;

const STEPS: u64 = 8;
const BATCH: &str = "run.batch-size = 20\noptimizer.learning-rate = 0.01\ndata.binarize = 'none'";

/// Take some steps, the last of them on fewer images, then evaluate, encode and decode.
fn train(device: &OpenDevice, config: &Config, dataset: &Dataset) -> (Session, Vec<Vec<f32>>, Evaluation) {
    let task = config.task(dataset.shape);
    let mut session = Session::open(device.clone(), &task, Some(&config.optimizers()), dataset).unwrap();
    let values = config.first_parameters(session.table(), &dataset.train);
    session.write_flat("parameters", &values).unwrap();
    let steps = Steps::of(config, dataset.train.count);
    let mut metrics = Vec::new();
    for step in 0..STEPS {
        let first = (step as u32 % 2) * 20;
        let batch: Vec<u32> = (first..(first + 20).min(dataset.train.count as u32)).collect();
        let record = steps.record(session.plan(), step);
        session.submit("train", Which::Train, &[&batch], vec![record]).unwrap();
        let received = session.receive(0).unwrap();
        metrics.extend(received.iter().flat_map(MetricRows::rows).map(<[f32]>::to_vec));
    }
    let evaluation = session.evaluate(dataset.test.count, 1).unwrap();
    (session, metrics, evaluation)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 2e-3 + 3e-4 * b.abs()
}

pub(super) fn compare(settings: &str, shape: ImageShape) {
    let dataset = dataset(shape, [33, 7]);
    let config = config(&format!("{BATCH}\n{settings}"), shape);
    let (mut session, expected, evaluation) = train(&OpenDevice::Cpu, &config, &dataset);
    let column = session.plan().metric("reconstruction").unwrap();
    assert!(expected[6][column] < expected[0][column], "{settings}: nothing was learned: {expected:?}");
    let posteriors = session.encode(&[0, 5, 2]).unwrap();
    let pictures = session.decode(&posteriors.means).unwrap();
    assert_eq!(pictures.len(), 3 * shape.pixels());
    for (name, device) in common::adapters() {
        let (mut session, metrics, own) = train(&device, &config, &dataset);
        for (step, (a, b)) in metrics.iter().zip(&expected).enumerate() {
            let same = a.iter().zip(b).all(|(a, b)| near(f64::from(*a), f64::from(*b)));
            assert!(same, "{name}, {settings}: step {step}: {a:?} should be {b:?}");
        }
        assert!(near(own.elbo(), evaluation.elbo()), "{name}, {settings}: {own:?} should be {evaluation:?}");
        let found = session.decode(&posteriors.means).unwrap();
        let difference = found.iter().zip(&pictures).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 5e-3, "{name}, {settings}: pictures differ by {difference}");
    }
}

const GREY: ImageShape = ImageShape { width: 12, height: 9, channels: 1 };
const COLOUR: ImageShape = ImageShape { width: 11, height: 13, channels: 3 };

#[test]
fn plain_levels_train_alike() {
    compare(
        "model.latent = 3\nmodel.dense = [7]\nmodel.levels = [{ channels = 6, kernel = 4, stride = 2 }, { channels = 5, kernel = 3, stride = 2 }]",
        GREY,
    );
    compare(
        "model = { latent = 3, dense = [], activation = 'elu', output-kernel = 3, likelihood = 'gaussian-learned', mean-activation = 'sigmoid', \
         levels = [{ channels = 4, kernel = 5, stride = 3 }] }",
        COLOUR,
    );
}

#[test]
fn norms_and_blocks_train_alike() {
    for norm in ["batch", "group", "layer", "none"] {
        compare(
            &format!(
                "model = {{ latent = 3, dense = [9], norm = '{norm}', norm-groups = 3, block-kernel = 3, levels = \
                 [{{ channels = 6, kernel = 3, stride = 2 }}, {{ channels = 9, kernel = 3, stride = 2, blocks = 1 }}] }}"
            ),
            COLOUR,
        );
    }
}

#[test]
fn dropout_trains_alike() {
    compare(
        "model = { latent = 3, dense = [9, 7], dropout = 0.2, levels = [{ channels = 6, kernel = 3, stride = 2 }] }\n\
         optimizer.ema-decay = 0.5",
        COLOUR,
    );
}

#[test]
fn upsampling_and_objectives_train_alike() {
    compare(
        "model = { latent = 2, dense = [9], upsampling = 'nearest', norm = 'batch', levels = [{ channels = 6, kernel = 3, stride = 2 }] }\n\
         objective = { kind = 'iwae', importance-samples = 3 }",
        GREY,
    );
    compare(
        "model = { latent = 2, dense = [9], levels = [{ channels = 6, kernel = 3, stride = 2 }], likelihood = 'discretized-logistic' }\n\
         objective.free-bits = 0.1",
        COLOUR,
    );
}

/// Evaluation uses running statistics: it does not depend on the other images of a minibatch.
#[test]
fn evaluation_of_batch_norm_does_not_depend_on_the_minibatch() {
    let dataset = dataset(GREY, [33, 23]);
    let config = config(
        &format!(
            "{BATCH}\nmodel = {{ latent = 2, dense = [9], norm = 'batch', levels = [{{ channels = 6, kernel = 3, stride = 2 }}] }}"
        ),
        GREY,
    );
    for (name, device) in common::devices() {
        let (mut session, _, _) = train(&device, &config, &dataset);
        let all: Vec<u32> = (0..23).collect();
        let together = session.encode(&all).unwrap().means;
        for number in [0, 7, 22] {
            let alone = session.encode(&[number as u32]).unwrap().means;
            for (a, b) in alone.iter().zip(&together[2 * number..]) {
                assert!((a - b).abs() < 1e-5, "{name}, image {number}: {a} is not {b}");
            }
        }
    }
}
