//! A model on a device: its plan, its buffers, and the questions one asks of it.

mod hierarchy;

use crate::data::{Dataset, ImageShape, Part};
use crate::device::OpenDevice;
use crate::graph::{Shape, Stage, Tensor, ValueId};
use crate::model::{MlpVae, Vae};
use crate::plan::{self, BufferId, Executor, Metrics, Plan, Setting, Step};
use crate::random::stream;
use crate::train::Optimizer;
use crate::tuning::{self, Record};
use crate::{Error, Result};

/// Most steps in one submit.
pub const MAX_STEPS: usize = 64;

/// Evaluation draws its noise under this seed, whatever seed the model was trained with.
pub(crate) const EVALUATION_SEED: u64 = 0;

const EVALUATE: &[Stage] = &[
    Stage::TestInput,
    Stage::Encode,
    Stage::Sample,
    Stage::Upper,
    Stage::Prior,
    Stage::Decode,
    Stage::Objective,
];
const TRAIN: &[Stage] = &[
    Stage::TrainInput,
    Stage::Encode,
    Stage::Sample,
    Stage::Upper,
    Stage::Prior,
    Stage::Decode,
    Stage::Objective,
    Stage::Backward,
    Stage::Update,
];
const ENCODE: &[Stage] = &[Stage::TestInput, Stage::Encode];
const DECODE: &[Stage] = &[Stage::Decode, Stage::Picture];

/// The programs of a model's plan; `train` only with an optimiser.
pub const PROGRAMS: [(&str, &[Stage]); 4] =
    [("train", TRAIN), ("evaluate", EVALUATE), ("encode", ENCODE), ("decode", DECODE)];

/// Further programs of a model with two stochastic layers. Each begins with reading what the host has written.
pub const UPPER_PROGRAMS: [(&str, &[Stage]); 2] =
    [("encode-upper", &[Stage::Upper]), ("prior", &[Stage::Prior])];

/// Which part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Images trained on.
    Train,
    /// Images held out.
    Test,
}

/// Averages over images, in nats per image. The evidence lower bound is `-(reconstruction + kl)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Negative log-likelihood given the latents.
    pub reconstruction: f64,
    /// KL divergence from posterior to prior.
    pub kl: f64,
    /// The bound that the model's objective is the negative of, where it weighs samples. Else 0, or the evidence lower
    /// bound of two stochastic layers.
    pub bound: f64,
    /// Images averaged over.
    pub images: usize,
    /// Noise samples per image.
    pub samples: usize,
}

impl Evaluation {
    /// Evidence lower bound, nats per image.
    pub fn elbo(&self) -> f64 {
        -(self.reconstruction + self.kl)
    }
}

/// Posteriors of some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posteriors {
    /// `[images, latent]`
    pub means: Vec<f32>,
    /// `[images, latent]`
    pub log_variances: Vec<f32>,
}

/// The plan of a model: with gradients and the optimiser's step if `optimizer` is given.
///
/// # Errors
/// [`Error::Shape`] if the model's sizes do not fit together.
pub fn plan_model(spec: &MlpVae, optimizer: Option<&Optimizer>, setting: Setting) -> Result<(Vae, Plan)> {
    let mut model = spec.build()?;
    let mut programs = PROGRAMS[usize::from(optimizer.is_none())..].to_vec();
    if optimizer.is_some() {
        model.graph.differentiate()?;
    }
    if spec.upper.is_some() {
        programs.extend(UPPER_PROGRAMS);
    }
    let plan = plan::lower(&model.graph, optimizer, &programs, setting).with_shared_memory();
    Ok((model, plan))
}

/// How a session lays out its memory.
#[derive(Clone, Copy)]
struct Memory {
    /// The images are sent with each submit, and do not all lie on the device.
    streamed: bool,
    /// Values that are never needed at once share memory.
    shared: bool,
}

/// A model on a device.
pub struct Session {
    model: Vae,
    spec: MlpVae,
    shape: ImageShape,
    plan: Plan,
    record: Option<Record>,
    executor: Box<dyn Executor>,
    streamed: bool,
    /// Host copies of streamed parts.
    parts: [Part; 2],
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("device", &self.executor.device_name()).finish_non_exhaustive()
    }
}

/// Images as words: four pixels each, every image padded to whole words.
pub(crate) fn image_words(pixels: &[u8], image: usize) -> Vec<u32> {
    pixels
        .chunks(image.max(1))
        .flat_map(|image| {
            image.chunks(4).map(|four| {
                let mut bytes = [0; 4];
                bytes[..four.len()].copy_from_slice(four);
                u32::from_le_bytes(bytes)
            })
        })
        .collect()
}

pub(crate) fn bits(values: &[f32]) -> &[u32] {
    bytemuck::cast_slice(values)
}

pub(crate) fn floats(words: Vec<u32>) -> Vec<f32> {
    bytemuck::allocation::cast_vec(words)
}

impl Session {
    /// Put `spec` and the images of `dataset` on `device`, with all parameters 0.
    ///
    /// # Errors
    /// If a tensor is larger than the device allows ([`Error::Limit`]) or the device fails.
    pub fn open(
        device: OpenDevice,
        spec: &MlpVae,
        optimizer: Option<&Optimizer>,
        dataset: &Dataset,
    ) -> Result<Self> {
        let words = spec.pixels.div_ceil(4) as u64;
        let largest = dataset.train.count.max(dataset.test.count) as u64 * words * 4;
        let streamed = device.binding_limit().is_some_and(|limit| largest > limit);
        if streamed {
            log::info!("the images ({largest} bytes) exceed the device's largest buffer: streaming them");
        }
        Self::open_with(device, spec, optimizer, dataset, Memory { streamed, shared: true })
    }

    /// The same with every value in memory of its own, so that [`Session::read_flat`] finds what the last step
    /// computed: for looking into a model. Takes more memory, and the images must fit on the device.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_for_inspection(
        device: OpenDevice,
        spec: &MlpVae,
        optimizer: Option<&Optimizer>,
        dataset: &Dataset,
    ) -> Result<Self> {
        Self::open_with(device, spec, optimizer, dataset, Memory { streamed: false, shared: false })
    }

    fn open_with(
        device: OpenDevice,
        spec: &MlpVae,
        optimizer: Option<&Optimizer>,
        dataset: &Dataset,
        Memory { streamed, shared }: Memory,
    ) -> Result<Self> {
        let setting = Setting {
            train_images: if optimizer.is_some() { dataset.train.count } else { 0 },
            test_images: dataset.test.count,
            max_steps: MAX_STEPS,
            streamed,
        };
        let (model, plan) = plan_model(spec, optimizer, setting)?;
        let choices = tuning::choose(&device, &plan, spec.batch)?;
        let record = Record::of(&device, &choices);
        let mut plan = choices.apply(plan);
        if !shared {
            plan.memory.clear();
        }
        let executor = device.executor(&plan, MAX_STEPS)?;
        let mut session = Self {
            model,
            spec: spec.clone(),
            shape: dataset.shape,
            plan,
            record,
            executor,
            streamed,
            parts: [Part::default(), Part::default()],
        };
        for (which, part) in [(Which::Train, &dataset.train), (Which::Test, &dataset.test)] {
            if streamed {
                session.parts[which as usize] = part.clone();
            } else if let Some(buffer) = session.plan.buffer(which.buffer()) {
                session.executor.write(buffer, 0, &image_words(&part.pixels, spec.pixels))?;
            }
        }
        Ok(session)
    }

    /// The device's name.
    pub fn device_name(&self) -> String {
        self.executor.device_name()
    }

    /// The plan that is run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The variants of matrix products that were chosen, where there was a choice.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// The model's sizes and choices.
    pub fn spec(&self) -> &MlpVae {
        &self.spec
    }

    /// The model as a graph.
    pub fn model(&self) -> &Vae {
        &self.model
    }

    /// The size of the images.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// All named tensors.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.model.graph.tensors()
    }

    /// Most steps one call of [`Session::submit`] takes.
    pub fn max_steps(&self) -> usize {
        self.executor.max_steps().min(MAX_STEPS)
    }

    fn buffer(&self, name: &str) -> Result<BufferId> {
        self.plan.buffer(name).ok_or_else(|| Error::Internal(format!("the plan has no buffer '{name}'")))
    }

    /// A flat buffer (`parameters`, `moments.first`, `moments.second`), padding included; `None` if the plan has
    /// none of that name. Values of the last step can be read too, of a session for inspection.
    ///
    /// # Errors
    /// If the device fails; [`Error::Internal`] for a value whose memory others have taken since.
    pub fn read_flat(&mut self, name: &str) -> Result<Option<Vec<f32>>> {
        match self.plan.buffer(name) {
            None => Ok(None),
            Some(id) => {
                if self.plan.shares_memory(id) {
                    let hint = "open the session for inspection";
                    return Err(Error::Internal(format!(
                        "'{name}' shares its memory with other values; {hint}"
                    )));
                }
                let length = self.plan.buffers[id.0].length;
                Ok(Some(floats(self.executor.read(id, 0, length)?)))
            }
        }
    }

    /// Write a flat buffer; a name the plan does not have is passed over.
    ///
    /// # Errors
    /// If the device fails.
    pub fn write_flat(&mut self, name: &str, values: &[f32]) -> Result<()> {
        match self.plan.buffer(name) {
            Some(id) => self.executor.write(id, 0, bits(values)),
            None => Ok(()),
        }
    }

    /// Queue a program once for each minibatch. `batches[i]` holds the image numbers of minibatch `i`; of `steps[i]`
    /// the slot, the rows and the place in the list of indices are filled in here.
    ///
    /// # Errors
    /// If the device fails.
    pub fn submit(
        &mut self,
        program: &str,
        which: Which,
        batches: &[&[u32]],
        mut steps: Vec<Step>,
    ) -> Result<()> {
        let batch = self.spec.batch;
        let mut indices = vec![0; batches.len() * batch];
        for (slot, (numbers, step)) in batches.iter().zip(&mut steps).enumerate() {
            indices[slot * batch..slot * batch + numbers.len()].copy_from_slice(numbers);
            step.slot = slot as u32;
            step.rows = numbers.len() as u32;
            step.first_index = (slot * batch) as u32;
        }
        if self.streamed {
            let part = &self.parts[which as usize];
            let words: Vec<u32> = indices
                .iter()
                .flat_map(|&number| image_words(part.image(number as usize), self.spec.pixels))
                .collect();
            let buffer = self.buffer(which.buffer())?;
            self.executor.write(buffer, 0, &words)?;
        }
        let buffer = self.buffer("indices")?;
        self.executor.write(buffer, 0, &indices)?;
        self.executor.submit(program, &steps)
    }

    /// See [`Executor::receive`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn receive(&mut self, pending: usize) -> Result<Vec<Vec<Metrics>>> {
        self.executor.receive(pending)
    }

    fn evaluation_step(batch: usize, sample: usize) -> Step {
        Step {
            seed_low: EVALUATION_SEED as u32,
            seed_high: (EVALUATION_SEED >> 32) as u32,
            counter_low: batch as u32,
            counter_high: sample as u32,
            stream: stream::EVALUATION_NOISE,
            beta: 1.0,
            ..Step::default()
        }
    }

    /// The evidence lower bound and its terms on the first `count` held-out images, averaged over `samples` noise
    /// samples (rounded up to a multiple of the model's own number). The noise is fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn evaluate(&mut self, count: usize, samples: usize) -> Result<Evaluation> {
        let passes = samples.div_ceil(self.spec.noise_samples).max(1);
        let numbers: Vec<u32> = (0..count as u32).collect();
        let batches: Vec<&[u32]> = numbers.chunks(self.spec.batch).collect();
        let work: Vec<(usize, &[u32], usize)> = (0..passes)
            .flat_map(|pass| batches.iter().enumerate().map(move |(i, batch)| (i, *batch, pass)))
            .collect();
        let (mut reconstruction, mut kl, mut bound) = (0.0, 0.0, 0.0);
        for group in work.chunks(self.max_steps()) {
            let steps = group.iter().map(|&(batch, _, pass)| Self::evaluation_step(batch, pass)).collect();
            let images: Vec<&[u32]> = group.iter().map(|(_, batch, _)| *batch).collect();
            self.submit("evaluate", Which::Test, &images, steps)?;
            for (metrics, (_, batch, _)) in self.receive(0)?.into_iter().flatten().zip(group) {
                reconstruction += f64::from(metrics.reconstruction) * batch.len() as f64;
                kl += f64::from(metrics.kl) * batch.len() as f64;
                bound += f64::from(metrics.bound()) * batch.len() as f64;
            }
        }
        let total = (count * passes) as f64;
        Ok(Evaluation {
            reconstruction: reconstruction / total,
            kl: kl / total,
            bound: bound / total,
            images: count,
            samples: passes * self.spec.noise_samples,
        })
    }

    /// Read a value of the last step, without padding: one `Vec` a section.
    fn read_value(&mut self, id: ValueId, rows: usize) -> Result<Vec<Vec<f32>>> {
        let value = self.model.graph.value(id);
        let shape = value.shape;
        let buffer = self.buffer(&value.name.clone())?;
        let flat = floats(self.executor.read(buffer, 0, rows * shape.stride())?);
        Ok((0..shape.sections).map(|section| unpadded(&flat, shape, section)).collect())
    }

    /// Posteriors of the held-out images with these numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(&mut self, numbers: &[u32]) -> Result<Posteriors> {
        let mut all = Posteriors::default();
        for (i, batch) in numbers.chunks(self.spec.batch).enumerate() {
            self.submit("encode", Which::Test, &[batch], vec![Self::evaluation_step(i, 0)])?;
            self.receive(0)?;
            let sections = self.read_value(self.model.posterior, batch.len())?;
            all.means.extend(&sections[0]);
            all.log_variances.extend(&sections[1]);
        }
        Ok(all)
    }

    /// Expected images of `latents` `[count, latent]` of the first layer, as `[count, pixels]` in [0, 1] for a Bernoulli
    /// likelihood.
    ///
    /// # Errors
    /// If the device fails.
    pub fn decode(&mut self, latents: &[f32]) -> Result<Vec<f32>> {
        Ok(self.through("decode", self.model.latent, self.model.picture, latents)?.swap_remove(0))
    }

    /// Write rows (without padding) to `input`, a few at a time, run `program`, and read as many rows of `output`: one
    /// `Vec` a section.
    fn through(
        &mut self,
        program: &str,
        input: ValueId,
        output: ValueId,
        rows: &[f32],
    ) -> Result<Vec<Vec<f32>>> {
        let value = self.model.graph.value(input).clone();
        let (shape, width, buffer) = (value.shape, value.shape.columns, self.buffer(&value.name)?);
        let mut all = vec![Vec::new(); self.model.graph.value(output).shape.sections];
        for group in rows.chunks(width * shape.rows) {
            let mut padded = vec![0.0; shape.length()];
            for (to, from) in padded.chunks_mut(shape.stride()).zip(group.chunks(width)) {
                to[..width].copy_from_slice(from);
            }
            self.executor.write(buffer, 0, bits(&padded))?;
            let step = Step { rows: self.spec.batch as u32, ..Self::evaluation_step(0, 0) };
            self.executor.submit(program, &[step])?;
            self.receive(0)?;
            for (all, section) in all.iter_mut().zip(self.read_value(output, group.len() / width)?) {
                all.extend(section);
            }
        }
        Ok(all)
    }

    /// Whether the likelihood's pictures are numbers that may leave [0, 1].
    pub fn pictures_unbounded(&self) -> bool {
        !self.spec.likelihood.kind.takes_logits()
    }
}

impl Which {
    fn buffer(self) -> &'static str {
        match self {
            Self::Train => "dataset.train",
            Self::Test => "dataset.test",
        }
    }
}

fn unpadded(flat: &[f32], shape: Shape, section: usize) -> Vec<f32> {
    let start = section * shape.section_stride();
    flat.chunks(shape.stride()).flat_map(|row| row[start..start + shape.columns].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::digits::digits;
    use crate::graph::Binarize;
    use crate::model::Initialisation;

    /// A dataset that is larger than the device's buffers gives the same bits as one that fits.
    #[test]
    fn streaming_changes_nothing() {
        let dataset = digits(70, 20, 1).unwrap();
        for binarize in [Binarize::None, Binarize::Static, Binarize::Dynamic] {
            let config =
                Config { binarize: Some(binarize), hidden: vec![12], batch_size: 16, ..Config::default() };
            let spec = config.model(dataset.shape);
            let [resident, streamed] = [false, true].map(|streamed| {
                let optimizer = config.optimizer();
                let device = OpenDevice::Cpu;
                let mut session = Session::open_with(
                    device,
                    &spec,
                    Some(&optimizer),
                    &dataset,
                    Memory { streamed, shared: true },
                )
                .unwrap();
                let start = Initialisation::FanIn.values(&session.model.graph, 3, 1.0);
                session.write_flat("parameters", &start).unwrap();
                let numbers: Vec<u32> = (0..70).rev().collect();
                let batches: Vec<&[u32]> = numbers.chunks(16).collect();
                let steps = (1..=batches.len() as u64)
                    .map(|t| {
                        let mut step =
                            Step { learning_rate: 0.01, counter_low: t as u32, beta: 1.0, ..Step::default() };
                        optimizer.prepare(t, &mut step);
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

    #[test]
    fn values_of_a_step_are_read_where_nothing_has_taken_their_memory() {
        let dataset = digits(20, 5, 1).unwrap();
        let config = Config { hidden: vec![12], batch_size: 8, ..Config::default() };
        let (model, optimizer) = (config.model(dataset.shape), config.optimizer());
        let batch: Vec<u32> = (0..8).collect();
        let read = |mut session: Session| {
            let step = Step { first_correction: 1.0, second_correction: 1.0, ..Step::default() };
            session.submit("train", Which::Train, &[&batch], vec![step]).unwrap();
            session.receive(0).unwrap();
            session.read_flat("gradient.latent")
        };
        let shared = Session::open(OpenDevice::Cpu, &model, Some(&optimizer), &dataset).unwrap();
        assert!(read(shared).unwrap_err().to_string().contains("inspection"));
        let apart =
            Session::open_for_inspection(OpenDevice::Cpu, &model, Some(&optimizer), &dataset).unwrap();
        assert_eq!(read(apart).unwrap().unwrap().len(), 8 * 4);
    }

    #[test]
    fn evaluation_averages_over_images_and_samples() {
        let dataset = digits(40, 21, 1).unwrap();
        let config = Config { hidden: vec![12], batch_size: 8, ..Config::default() };
        let mut session =
            Session::open(OpenDevice::Cpu, &config.model(dataset.shape), None, &dataset).unwrap();
        let start = Initialisation::FanIn.values(&session.model.graph, 3, 1.0);
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
        let config = Config { hidden: vec![12], batch_size: 8, ..Config::default() };
        let mut session =
            Session::open(OpenDevice::Cpu, &config.model(dataset.shape), None, &dataset).unwrap();
        let start = Initialisation::FanIn.values(&session.model.graph, 3, 1.0);
        session.write_flat("parameters", &start).unwrap();
        let latents: Vec<f32> = (0..38).map(|i| i as f32 / 10.0 - 1.9).collect();
        let all = session.decode(&latents).unwrap();
        assert_eq!(all.len(), 19 * 784);
        let one = session.decode(&latents[34..36]).unwrap();
        assert_eq!(all[17 * 784..18 * 784], one);
        assert!(all.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }
}
