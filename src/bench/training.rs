//! Whole training steps.

use super::presets::{Measured, PRESETS};
use super::{Bench, Progress};
use crate::config::Config;
use crate::data::{Dataset, ImageShape, Part};
use crate::device::OpenDevice;
use crate::model::Initialisation;
use crate::plan::{Buffer, Role};
use crate::probe::Spread;
use crate::random::{Philox, stream};
use crate::session::Session;
use crate::train::{Feed, Steps};
use crate::{Error, Result};
use rand::RngExt;
use serde::Serialize;
use std::time::{Duration, Instant};

/// A model that is trained by Adam.
#[derive(Clone, Copy)]
enum Model {
    /// A multilayer perceptron for images of 28 by 28 pixels, drawn black or white at random in each step.
    Perceptron {
        /// `784-500-20-tanh`
        name: &'static str,
        /// The settings that differ from the defaults, as a configuration file.
        settings: &'static str,
    },
    /// A preset on grey or coloured images.
    Preset(Measured),
}

/// The multilayer perceptrons whose training steps are timed.
const PERCEPTRONS: [Model; 4] = [
    Model::Perceptron { name: "784-500-20-tanh", settings: "model.latent = 20" },
    Model::Perceptron {
        name: "784-400-20-relu",
        settings: "model = { hidden = [400], latent = 20, activation = 'relu' }",
    },
    Model::Perceptron { name: "784-500-2-tanh", settings: "model.latent = 2" },
    Model::Perceptron {
        name: "784-200-200-50-tanh",
        settings: "model = { hidden = [200, 200], latent = 50 }",
    },
];
const BATCHES: [usize; 4] = [100, 128, 512, 1024];

/// Pixels of the dataset: enough that minibatches come from all over the memory.
const PIXELS: usize = 8192 * 784;
/// Fewest images of the dataset.
const LEAST_IMAGES: usize = 2000;
/// Steps that are compared with the processor before any is timed.
const CHECKED: u64 = 3;
/// Seconds of a sample.
const SAMPLE: f64 = 0.2;
/// Seconds of a step from which three samples do.
const SLOW: f64 = 0.5;
/// Steps that are compared where one is slow.
const CHECKED_IF_SLOW: u64 = 2;
/// Work in one submit.
const SUBMIT: Duration = Duration::from_millis(100);

/// Training steps of one model with one size of minibatches.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// The model.
    pub model: String,
    /// Images in a minibatch.
    pub batch: usize,
    /// Images trained on in a second: the median.
    pub images_per_second: Option<f64>,
    /// Time of a step.
    #[serde(flatten)]
    pub time: Option<Spread>,
    /// Dispatches in a step.
    pub dispatches: usize,
    /// Bytes of the plan's buffers, without the images.
    pub device_bytes: u64,
    /// Why it was not timed: its losses are not those of the processor.
    pub problem: Option<String>,
}

/// Reconstruction and KL divergence of a step.
type Losses = [f32; 2];

/// A model on a device, with random images to train on.
struct TrainingStep {
    session: Session,
    steps: Steps,
    /// Images of the minibatches, again and again.
    order: Vec<u32>,
    /// Steps taken.
    taken: u64,
    feed: Feed,
}

impl TrainingStep {
    /// Put a model on `device`.
    ///
    /// # Errors
    /// If the device cannot hold it, or fails.
    fn open(device: &OpenDevice, model: &Model, batch: usize) -> Result<Self> {
        let (mut config, shape) = model.config(batch)?;
        config.run.seed = 7;
        let images = (PIXELS / shape.pixels()).max(LEAST_IMAGES);
        let dataset = noise(shape, images);
        let task = config.task(dataset.shape);
        let mut session = Session::open(device.clone(), &task, Some(&config.optimizers()), &dataset)?;
        let start = Initialisation::FanIn.values(session.table(), 3);
        session.write_flat("parameters", &start)?;
        let mut random = Philox::new(4, stream::PRIOR, 0);
        let whole = images / batch * batch;
        let order = (0..whole).map(|_| random.random_range(0..images as u32)).collect();
        let (steps, feed) = (Steps::of(&config, images), Feed::new(&session, SUBMIT));
        Ok(Self { session, steps, order, taken: 0, feed })
    }

    /// Take `count` steps and wait for the last one.
    fn take(&mut self, count: u64) -> Result<Vec<Losses>> {
        let columns = ["reconstruction", "kl"].map(|name| self.session.plan().metric(name).unwrap_or(0));
        let mut losses = Vec::with_capacity(count as usize);
        let mut left = self.taken..self.taken + count;
        self.taken = left.end;
        while !left.is_empty() {
            let finished = self.feed.turn(&mut self.session, &mut left, &self.order, &self.steps)?;
            losses.extend(finished.steps.iter().map(|(_, row)| columns.map(|column| row[column])));
        }
        Ok(losses)
    }

    /// Take the first steps, compare their losses with those on the CPU, and describe the difference, if there is one.
    ///
    /// # Errors
    /// If the device fails.
    fn check(&mut self, model: &Model) -> Result<Option<String>> {
        // The first step prepares the device, and is slow in any case.
        let mut actual = self.take(1)?;
        let start = Instant::now();
        actual.extend(self.take(1)?);
        let checked = if start.elapsed().as_secs_f64() > SLOW { CHECKED_IF_SLOW } else { CHECKED };
        actual.extend(self.take(checked - 2)?);
        let expected = Self::open(&OpenDevice::Cpu, model, self.steps.batch())?.take(checked)?;
        Ok(differing(&actual, &expected))
    }

    /// Take `count` steps, and wait for them.
    fn timed(&mut self, count: u64) -> Result<Duration> {
        let start = Instant::now();
        self.take(count)?;
        Ok(start.elapsed())
    }

    /// Take steps until submits have the wanted length; returns seconds a step.
    ///
    /// # Errors
    /// If the device fails.
    fn warm_up(&mut self) -> Result<f64> {
        loop {
            let steps = self.feed.steps();
            let time = self.timed(steps as u64)?;
            if self.feed.steps() <= steps {
                return Ok((time.as_secs_f64() / steps as f64).max(1e-9));
            }
        }
    }

    fn time(&mut self, samples: usize) -> Result<Spread> {
        let seconds = self.warm_up()?;
        let count = ((SAMPLE / seconds) as u64).max(1);
        let samples = if seconds > SLOW { 3 } else { samples };
        let times = (0..samples).map(|_| Ok(self.timed(count)?.as_secs_f64() / count as f64));
        Ok(Spread::of(times.collect::<Result<_>>()?))
    }

    fn dispatches(&self) -> usize {
        self.session.plan().program("train").map_or(0, |program| program.dispatches.len())
    }

    fn device_bytes(&self) -> u64 {
        let plan = self.session.plan();
        let images = plan.buffers.iter().filter(|buffer| buffer.role == Role::Dataset);
        plan.memory_bytes() - images.map(Buffer::bytes).sum::<u64>()
    }
}

/// What is wrong with the losses of the first steps.
fn differing(actual: &[Losses], expected: &[Losses]) -> Option<String> {
    for (step, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        for (name, actual, expected) in
            [("reconstruction", actual[0], expected[0]), ("KL divergence", actual[1], expected[1])]
        {
            // Roundings grow from step to step: where a gradient is nearly 0, they decide to which side Adam goes, and its
            // first steps are all of one length.
            let share = 1e-3 * ((step + 1) as f32).powi(2);
            let near = (actual - expected).abs() <= share * expected.abs() + 1e-4;
            if !near {
                return Some(format!(
                    "the step is wrong: {name} of step {} is {actual}, should be {expected}",
                    step + 1
                ));
            }
        }
    }
    (actual.len() != expected.len()).then(|| format!("{} steps, not {}", actual.len(), expected.len()))
}

/// Images of noise: their contents do not change what a step costs.
fn noise(shape: ImageShape, images: usize) -> Dataset {
    let mut random = Philox::new(3, stream::PRIOR, 0);
    let mut part = |count: usize| {
        let words = (0..(count * shape.pixels()).div_ceil(4)).map(|_| random.random::<u32>());
        let mut pixels: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        pixels.truncate(count * shape.pixels());
        Part::of_images(pixels, shape)
    };
    let (train, test) = (part(images), part(1));
    Dataset::new("noise", shape, train, test)
}

impl Model {
    fn name(&self) -> &'static str {
        match self {
            Self::Perceptron { name, .. } | Self::Preset(Measured { name, .. }) => name,
        }
    }

    /// The settings for minibatches of `batch` images, and the size of the images.
    fn config(&self, batch: usize) -> Result<(Config, ImageShape)> {
        match self {
            Self::Perceptron { settings, .. } => {
                let mut config = Config::default().with(settings)?;
                config.run.batch_size = Some(batch);
                Ok((config.resolve()?, ImageShape { width: 28, height: 28, channels: 1 }))
            }
            Self::Preset(preset) => preset.config(batch),
        }
    }
}

impl Bench {
    /// Models with sizes of minibatches and names of rows.
    fn training(&self) -> Vec<(Model, usize, String)> {
        // In a hurry: every perceptron at the usual size, the first at a large one too.
        let quick = |number: usize, batch: usize| batch == 128 || (number == 0 && batch == 1024);
        let perceptrons = PERCEPTRONS
            .into_iter()
            .enumerate()
            .flat_map(|(number, model)| BATCHES.map(|batch| (number, model, batch)))
            .filter(|&(number, _, batch)| !self.options.quick || quick(number, batch))
            .map(|(_, model, batch)| (model, batch));
        let presets = PRESETS.into_iter().flat_map(|preset| {
            preset.batches(&self.device).into_iter().map(move |batch| (Model::Preset(preset), batch))
        });
        perceptrons
            .chain(presets)
            .map(|(model, batch)| (model, batch, format!("train_step/{}/{batch}", model.name())))
            .filter(|(_, _, name)| self.options.wants(name))
            .collect()
    }

    pub(super) fn training_names(&self) -> Vec<String> {
        self.training().into_iter().map(|(_, _, name)| name).collect()
    }

    /// Check and time training steps.
    ///
    /// # Errors
    /// If the device fails.
    pub fn training_steps(&self, progress: Progress<'_>) -> Result<Vec<StepRow>> {
        let mut rows = Vec::new();
        for (model, batch, name) in self.training() {
            progress(&name);
            let mut steps = match TrainingStep::open(&self.device, &model, batch) {
                // A device that is too small for one model may do for another.
                Err(Error::Limit { .. }) => continue,
                other => other?,
            };
            let problem = steps.check(&model)?;
            let samples = if self.options.quick { 5 } else { 7 };
            let time = if problem.is_none() { Some(steps.time(samples)?) } else { None };
            rows.push(StepRow {
                model: model.name().to_string(),
                batch,
                images_per_second: time.map(|time| batch as f64 / time.ms * 1e3),
                time,
                dispatches: steps.dispatches(),
                device_bytes: steps.device_bytes(),
                problem,
            });
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_differ_are_told() {
        let row = |reconstruction| [reconstruction, 1.0];
        assert_eq!(differing(&[row(500.0)], &[row(500.1)]), None);
        assert!(differing(&[row(500.0)], &[row(502.0)]).unwrap().contains("reconstruction of step 1"));
        assert!(differing(&[row(f32::NAN)], &[row(500.0)]).is_some());
        assert!(differing(&[], &[row(500.0)]).is_some());
    }
}
