//! A model on a device: its plan, its buffers, and the questions one asks of it.

mod hierarchy;
mod inference;
#[cfg(test)]
mod tests;

pub use inference::{Evaluation, Posteriors};

use crate::data::{Dataset, ImageShape, Part};
use crate::device::OpenDevice;
use crate::graph::{Stage, Tensor};
use crate::model::{MlpVae, Vae};
use crate::plan::{self, BufferId, Executor, Metrics, Plan, Setting, Step};
use crate::train::Optimizer;
use crate::tuning::{self, Matmul, Record};
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
    /// Put `spec` and the images of `dataset` on `device`, with all parameters 0. On a GPU, variants of
    /// matrix products are chosen by measurement.
    ///
    /// # Errors
    /// If a tensor is larger than the device allows ([`Error::Limit`]) or the device fails.
    pub fn open(
        device: OpenDevice,
        spec: &MlpVae,
        optimizer: Option<&Optimizer>,
        dataset: &Dataset,
    ) -> Result<Self> {
        Self::open_tuned(device, &Matmul::default(), spec, optimizer, dataset)
    }

    /// The same, with variants of matrix products chosen as `matmul` says.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_tuned(
        device: OpenDevice,
        matmul: &Matmul,
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
        Self::open_with(device, matmul, spec, optimizer, dataset, Memory { streamed, shared: true })
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
        let memory = Memory { streamed: false, shared: false };
        Self::open_with(device, &Matmul::default(), spec, optimizer, dataset, memory)
    }

    fn open_with(
        device: OpenDevice,
        matmul: &Matmul,
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
        let choices = tuning::choose(&device, matmul, &plan, spec.batch)?;
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
