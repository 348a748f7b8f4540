//! Sessions on the CPU: streaming, reading, evaluating, decoding.

use super::*;
use crate::config::Config;
use crate::data::digits::digits;
use crate::data::{Bits, Part, Values};
use crate::gpu::{Gpu, adapters};
use crate::graph::{Binarize, ColumnKind, Graph, Mode, ProgramSpec, Source};
use crate::model::{Built, Initialisation, Model, Objective};
use crate::plan::Executor;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};

/// A dataset that is larger than the device's buffers gives the same bits as one that fits, also where its images are bits
/// themselves.
#[test]
fn streaming_changes_nothing() {
    let greys = digits(70, 20, 1).unwrap();
    let all = |images: &Part| {
        let packed = images
            .pixels()
            .chunks(8)
            .map(|eight| (0..8).map(|i| u8::from(eight[i] > 127) << i).sum())
            .collect();
        Part::of_bits(Bits::new(packed), greys.shape)
    };
    let bits = Dataset::new("bits", greys.shape, all(&greys.train), all(&greys.test));
    let [train, test] =
        [&bits.train, &bits.test].map(|part| Part::of_images(part.pixels().into_owned(), bits.shape));
    let bytes = Dataset::new("bytes", bits.shape, train, test);
    let modes = [Binarize::None, Binarize::Static, Binarize::Dynamic];
    for (datasets, binarize) in
        modes.map(|mode| ([&greys, &greys], mode)).into_iter().chain([([&bytes, &bits], modes[0])])
    {
        let mut config = Config::default().with("model.hidden = [12]\nrun.batch-size = 16").unwrap();
        config.data.binarize = Some(binarize);
        let task = config.task(greys.shape);
        let [resident, streamed] = [false, true].map(|streamed| {
            let dataset = datasets[usize::from(streamed)];
            let optimizers = config.optimizers();
            let optimizer = optimizers.of_group("vae");
            let device = OpenDevice::Cpu;
            let mut session = Session::open_with(
                device,
                &Matmul::default(),
                &task,
                Some(&optimizers),
                dataset,
                Memory { streamed: Some(streamed), shared: true },
            )
            .unwrap();
            let start = Initialisation::FanIn.values(session.table(), 3);
            session.write_flat("parameters", &start).unwrap();
            let numbers: Vec<u32> = (0..70).rev().collect();
            let batches: Vec<&[u32]> = numbers.chunks(16).collect();
            let steps = (1..=batches.len() as u64)
                .map(|t| {
                    let mut step = Step::default().at(t);
                    session.plan().set_number(&mut step, "beta", 1.0);
                    optimizer.prepare(t, 0.01, 0, &mut step);
                    step
                })
                .collect();
            session.submit("train", Which::Train, &batches, steps).unwrap();
            session.receive(0).unwrap();
            (
                session.read_flat("parameters").unwrap(),
                session.evaluate(20, 1).unwrap(),
                session.encode(&[7, 3]).unwrap(),
            )
        });
        assert_eq!(resident, streamed, "{binarize:?}");
    }
}

/// The CPU, slowed down; sends the number of steps of each submit.
struct Slow(Box<dyn Executor>, Sender<(String, usize)>);

impl Executor for Slow {
    fn device_name(&self) -> String {
        self.0.device_name()
    }
    fn max_steps(&self) -> usize {
        self.0.max_steps()
    }
    fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()> {
        self.0.write(buffer, offset, words)
    }
    fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
        self.0.read(buffer, offset, length)
    }
    fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()> {
        std::thread::sleep(Duration::from_millis(70) * steps.len() as u32);
        self.1.send((name.to_string(), steps.len())).unwrap();
        self.0.submit(name, steps)
    }
    fn receive(&mut self, pending: usize) -> Result<Vec<MetricRows>> {
        self.0.receive(pending)
    }
}

/// No submit of evaluation is much longer than wanted, however many minibatches there are.
#[test]
fn evaluation_paces_its_submits() {
    let dataset = digits(10, 40, 1).unwrap();
    let config = Config::default().with("model.hidden = [4]\nrun.batch-size = 5").unwrap();
    let mut session = Session::open(OpenDevice::Cpu, &config.task(dataset.shape), None, &dataset).unwrap();
    let expected = session.evaluate(40, 1).unwrap();
    let (sender, submits) = channel();
    let nothing = OpenDevice::Cpu.executor(&Plan::default(), 1).unwrap();
    let real = std::mem::replace(&mut session.host.executor, nothing);
    session.host.executor = Box::new(Slow(real, sender));
    session.pace = session.host.pace(SUBMIT);
    assert_eq!(session.evaluate(40, 1).unwrap(), expected);
    session.encode(&[1, 2, 3, 4, 5, 6]).unwrap();
    drop(session);
    let submits: Vec<(String, usize)> = submits.iter().collect();
    let of = |name: &str| submits.iter().filter(|it| it.0 == name).map(|it| it.1).collect::<Vec<_>>();
    let evaluation = of("evaluate");
    assert_eq!(evaluation.iter().sum::<usize>(), 8);
    assert!(evaluation[0] == 1 && evaluation.iter().all(|&steps| steps <= 2), "{evaluation:?}");
    assert_eq!(of("encode"), [1, 1]);
}

/// Gathers minibatches of three columns.
#[derive(Debug)]
struct Reading;

const READ: [(&str, usize, ColumnKind); 3] = [
    ("images", 784, ColumnKind::Bytes(Binarize::Dynamic)),
    ("places", 5, ColumnKind::Reals),
    ("labels", 1, ColumnKind::Words),
];

impl Model for Reading {
    fn build(&self, tensors: &Tensors, task: &Task, _: Option<&Optimizers>) -> Result<Built> {
        let mut graph = Graph::new(tensors, Mode::Evaluate);
        let columns = READ.map(|(name, size, kind)| graph.column(name, task.batch, size, kind));
        let programs = vec![ProgramSpec::new("check", &[], &columns).from_source(Source::Test)];
        Ok(Built { graph, programs })
    }

    fn pixels(&self) -> usize {
        784
    }
}

/// Every column that a plan reads is sent with each submit.
#[test]
fn streaming_sends_every_column() {
    let mut dataset = digits(1, 30, 1).unwrap();
    let places = |count: usize| Values::Reals((0..5 * count).map(|i| i as f32 / 3.0).collect());
    dataset.test = dataset.test.with(Column::new("places", &[5], places(30)));
    let (model, binarize) = (Rc::new(Reading), Binarize::None);
    let task = Task { model, batch: 8, binarize, mirror: None, objective: Objective::default() };
    let usable = adapters().into_iter().filter(|it| it.unusable.is_none() && it.same_as.is_none());
    let mut devices: Vec<OpenDevice> =
        usable.map(|info| OpenDevice::Gpu(Box::new(Gpu::open(&info).unwrap()))).collect();
    devices.push(OpenDevice::Cpu);
    for device in devices {
        let [resident, streamed] = [false, true].map(|streamed| {
            let memory = Memory { streamed: Some(streamed), shared: false };
            let mut session =
                Session::open_with(device.clone(), &Matmul::default(), &task, None, &dataset, memory)
                    .unwrap();
            let batches: [&[u32]; 2] = [&[9, 8, 7, 6, 5, 4, 3, 2], &[29, 0, 11]];
            session.submit("check", Which::Test, &batches, vec![Step::default(); 2]).unwrap();
            session.receive(0).unwrap();
            READ.map(|(name, ..)| session.read_flat(name).unwrap().unwrap())
        });
        let name = format!("{device:?}");
        assert!(resident[0].contains(&1.0), "{name}");
        let expected = [29, 0, 11].map(|item| item as f32 * 5.0 / 3.0);
        assert_eq!([0, 8, 16].map(|first| resident[1][first]), expected, "{name}");
        let labels = dataset.test.labels().unwrap();
        assert_eq!(
            [0, 4, 8].map(|first| resident[2][first]),
            [29, 0, 11].map(|i| labels[i] as f32),
            "{name}"
        );
        assert_eq!(resident, streamed, "{name}");
    }
}

#[test]
fn values_of_a_step_are_read_where_nothing_has_taken_their_memory() {
    let dataset = digits(20, 5, 1).unwrap();
    let config = Config::default().with("model.hidden = [12]\nrun.batch-size = 8").unwrap();
    let (task, optimizers) = (config.task(dataset.shape), config.optimizers());
    let batch: Vec<u32> = (0..8).collect();
    let read = |mut session: Session| {
        let step = Step::default();
        session.submit("train", Which::Train, &[&batch], vec![step]).unwrap();
        session.receive(0).unwrap();
        session.read_flat("gradient.latent")
    };
    let shared = Session::open(OpenDevice::Cpu, &task, Some(&optimizers), &dataset).unwrap();
    assert!(read(shared).unwrap_err().to_string().contains("inspection"));
    let apart = Session::open_for_inspection(OpenDevice::Cpu, &task, Some(&optimizers), &dataset).unwrap();
    assert_eq!(read(apart).unwrap().unwrap().len(), 8 * 4);
}

#[test]
fn evaluation_averages_over_images_and_samples() {
    let dataset = digits(40, 21, 1).unwrap();
    let config = Config::default().with("model.hidden = [12]\nrun.batch-size = 8").unwrap();
    let mut session = Session::open(OpenDevice::Cpu, &config.task(dataset.shape), None, &dataset).unwrap();
    let start = Initialisation::FanIn.values(session.table(), 3);
    session.write_flat("parameters", &start).unwrap();
    let once = session.evaluate(21, 1).unwrap();
    assert_eq!(once, session.evaluate(21, 1).unwrap());
    assert_eq!((once.images, once.samples), (21, 1));
    let often = session.evaluate(21, 50).unwrap();
    assert_ne!(once.reconstruction, often.reconstruction);
    assert!((once.reconstruction - often.reconstruction).abs() < 5.0);
    // The divergence is analytic, but for dynamic binarisation the images differ.
    assert!((once.kl - often.kl).abs() < 0.05, "{} {}", once.kl, often.kl);
    // An untrained decoder is unsure of every pixel: about log 2 nats each.
    assert!((often.reconstruction - 784.0 * 2.0_f64.ln()).abs() < 15.0, "{}", often.reconstruction);
}

#[test]
fn decoding_more_latents_than_a_minibatch_gives_each_its_image() {
    let dataset = digits(40, 21, 1).unwrap();
    let config = Config::default().with("model.hidden = [12]\nrun.batch-size = 8").unwrap();
    let mut session = Session::open(OpenDevice::Cpu, &config.task(dataset.shape), None, &dataset).unwrap();
    let start = Initialisation::FanIn.values(session.table(), 3);
    session.write_flat("parameters", &start).unwrap();
    let latents: Vec<f32> = (0..38).map(|i| i as f32 / 10.0 - 1.9).collect();
    let all = session.decode(&latents).unwrap();
    assert_eq!(all.len(), 19 * 784);
    let one = session.decode(&latents[34..36]).unwrap();
    assert_eq!(all[17 * 784..18 * 784], one);
    assert!(all.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
}

/// With all parameters 0 the expected image is grey for Bernoulli pixels, and black for Gaussian means.
#[test]
fn the_squared_error_is_that_of_expected_images() {
    let dataset = digits(40, 21, 1).unwrap();
    let base = "model.hidden = [12]\nrun.batch-size = 8\nobjective.noise-samples = 2";
    let squared = |settings: &str| {
        let config = Config::default().with(base).unwrap().with(settings).unwrap().resolve().unwrap();
        let task = config.task(dataset.shape);
        let mut session = Session::open(OpenDevice::Cpu, &task, None, &dataset).unwrap();
        session.evaluate(21, 1).unwrap().squared_error.unwrap()
    };
    // Pixels are 0 or 1.
    assert!((squared("data.binarize = 'dynamic'") - 784.0 * 0.25).abs() < 1e-3);
    let bytes = dataset.test.pixels();
    let exact: f64 = bytes.iter().map(|&pixel| (f64::from(pixel) / 255.0).powi(2)).sum::<f64>() / 21.0;
    for likelihood in ["gaussian", "gaussian-learned"] {
        let found = squared(&format!("model.likelihood = '{likelihood}'"));
        assert!((found - exact).abs() < 1e-5 * exact, "{likelihood}: {found} instead of {exact}");
    }
}

/// In training an image is as it is or mirrored, anew in each step; held-out images are as they are.
#[test]
fn training_images_are_mirrored() {
    let dataset = digits(16, 8, 1).unwrap();
    let settings = "model = { hidden = [4], likelihood = 'gaussian' }\nrun.batch-size = 8\ndata.flip = true";
    let config = Config::default().with(settings).unwrap().resolve().unwrap();
    let (task, optimizers) = (config.task(dataset.shape), config.optimizers());
    let mut session =
        Session::open_for_inspection(OpenDevice::Cpu, &task, Some(&optimizers), &dataset).unwrap();
    let numbers: Vec<u32> = (0..8).collect();
    let mut seen = |program: &str, which: Which, part: &crate::data::Part, step: u64| -> Vec<bool> {
        let step = Step::seeded(1, 0).at(step);
        session.submit(program, which, &[&numbers], vec![step]).unwrap();
        session.receive(0).unwrap();
        let values = session.read_flat("images").unwrap().unwrap();
        let mirrored = |(row, values): (usize, &[f32])| {
            let image = part.image(row);
            let found: Vec<u8> = values.iter().map(|value| (255.0 * value).round() as u8).collect();
            let turned: Vec<u8> = image.chunks(28).flat_map(|line| line.iter().rev().copied()).collect();
            assert!(found == *image || found == turned, "image {row}");
            found != *image
        };
        values.chunks(784).enumerate().map(mirrored).collect()
    };
    let [first, again, second] = [0, 0, 1].map(|step| seen("train", Which::Train, &dataset.train, step));
    assert_eq!(first, again);
    assert_ne!(first, second);
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_eq!(seen("evaluate", Which::Test, &dataset.test, 0), [false; 8]);
}
