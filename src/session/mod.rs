//! A model on a device: its plan, its buffers, and the questions one asks of it.

pub(crate) mod columns;
#[cfg(test)]
mod deterministic_tests;
mod host;
mod inference;
mod layers;
#[cfg(test)]
mod tests;

pub use inference::{Evaluation, Posteriors};
pub use layers::LayerDraw;

use crate::data::{Column, Dataset, ImageShape, Part, SENT};
use crate::device::OpenDevice;
use crate::graph::{Setting, State, Tensor, Tensors, lower};
use crate::model::Task;
use crate::optimizer::Optimizers;
use crate::pace::{Pace, SUBMIT};
use crate::plan::{Buffer, BufferId, MetricRows, Plan, Role, Step};
use crate::text::thousands;
use crate::tuning::{self, Matmul, Record};
use crate::{Error, Result};
pub(crate) use host::Host;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most steps in one submit.
pub const MAX_STEPS: usize = 64;

/// Evaluation draws its noise under this seed, whatever seed the model was trained with.
pub(crate) const EVALUATION_SEED: u64 = 0;

/// Which part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Images trained on.
    Train,
    /// Images held out.
    Test,
}

/// The plan of a task: with gradients and the training step if `optimizers` are given.
///
/// # Errors
/// [`Error::Shape`] if the model's sizes do not fit together; [`Error::Setting`] if it has more parameters than a kernel
/// can count.
pub fn plan_task(
    task: &Task,
    tensors: &Tensors,
    optimizers: Option<&Optimizers>,
    setting: Setting,
) -> Result<Plan> {
    let built = task.model.build(tensors, task, optimizers)?;
    let most = u32::MAX as usize;
    if tensors.length() > most {
        let count = thousands(tensors.length());
        let problem =
            format!("{count} parameters are more than the {} that a kernel can count", thousands(most));
        return Err(Error::setting("model", problem, "use smaller layers"));
    }
    Ok(lower(&built.graph, &built.programs, setting)?.with_shared_memory())
}

/// States by name: shape and numbers.
pub type States = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// How a session lays out its memory.
#[derive(Clone, Copy)]
struct Memory {
    /// The items are sent with each submit, and do not all lie on the device. `None`: where a column does not fit into
    /// one buffer, or is large and kept as bits.
    streamed: Option<bool>,
    /// Values that are never needed at once share memory.
    shared: bool,
}

/// A model on a device.
#[derive(Debug)]
pub struct Session {
    host: Host,
    task: Task,
    tensors: Tensors,
    /// Those of `tensors`, with their places.
    all: Vec<Tensor>,
    shape: ImageShape,
    record: Option<Record>,
    /// Of evaluation.
    pace: Pace,
    /// Host copies of the columns that are sent with each submit, with their buffers; none where all lie on the device.
    streamed: [Vec<(BufferId, Column)>; 2],
}

pub(crate) fn bits(values: &[f32]) -> &[u32] {
    bytemuck::cast_slice(values)
}

pub(crate) fn floats(words: Vec<u32>) -> Vec<f32> {
    bytemuck::allocation::cast_vec(words)
}

/// `error` with the largest minibatch that fits, if a value of the minibatches is larger than the device allows. Such values
/// grow with the minibatch.
fn with_largest_batch(error: Error, plan: &Plan, batch: usize) -> Error {
    let Error::Limit { tensor, needed, device, limit, limit_name, others, .. } = error else { return error };
    let grows = |buffer: &&Buffer| buffer.bytes() > limit && buffer.role != Role::State;
    let over: Vec<&Buffer> = plan.buffers.iter().filter(grows).collect();
    let fits = match over.iter().all(|buffer| matches!(buffer.role, Role::Activation | Role::Dataset)) {
        true => over.iter().map(|buffer| (batch as u64 * limit / buffer.bytes()) as usize).min(),
        false => None,
    };
    let batch = fits.filter(|&batch| batch > 0);
    Error::Limit { tensor, needed, device, limit, limit_name, batch, others }
}

impl Session {
    /// Put the model of `task` and the columns of `dataset` that it reads on `device`, with all parameters 0; with `optimizers` to be
    /// trained. On a GPU, variants of matrix products are chosen by measurement.
    ///
    /// # Errors
    /// [`Error::Column`] if the dataset lacks a column that the model reads, or has it with another type or shape;
    /// [`Error::Limit`] if a tensor is larger than the device allows; else if the device fails.
    pub fn open(
        device: OpenDevice,
        task: &Task,
        optimizers: Option<&Optimizers>,
        dataset: &Dataset,
    ) -> Result<Self> {
        Self::open_tuned(device, &Matmul::default(), task, optimizers, dataset)
    }

    /// The same, with variants of matrix products chosen as `matmul` says.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_tuned(
        device: OpenDevice,
        matmul: &Matmul,
        task: &Task,
        optimizers: Option<&Optimizers>,
        dataset: &Dataset,
    ) -> Result<Self> {
        let memory = Memory { streamed: None, shared: true };
        Self::open_with(device, matmul, task, optimizers, dataset, memory)
    }

    /// The same with every value in memory of its own, so that [`Session::read_flat`] finds what the last step
    /// computed: for looking into a model. Takes more memory, and the dataset must fit on the device.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_for_inspection(
        device: OpenDevice,
        task: &Task,
        optimizers: Option<&Optimizers>,
        dataset: &Dataset,
    ) -> Result<Self> {
        let memory = Memory { streamed: Some(false), shared: false };
        Self::open_with(device, &Matmul::default(), task, optimizers, dataset, memory)
    }

    fn open_with(
        device: OpenDevice,
        matmul: &Matmul,
        task: &Task,
        optimizers: Option<&Optimizers>,
        dataset: &Dataset,
        Memory { streamed, shared }: Memory,
    ) -> Result<Self> {
        let setting = Setting {
            train_images: if optimizers.is_some() { dataset.train.count } else { 0 },
            test_images: dataset.test.count,
            max_steps: MAX_STEPS,
            streamed: streamed == Some(true),
        };
        let tensors = Tensors::default();
        let plan = plan_task(task, &tensors, optimizers, setting)?;
        let of_columns = |plan: &Plan| {
            let columns = plan.buffers.iter().filter(|buffer| buffer.role == Role::Dataset);
            columns.map(Buffer::bytes).max().unwrap_or_default()
        };
        let (largest, limit) = (of_columns(&plan), device.binding_limit().unwrap_or(u64::MAX));
        let as_bits = dataset.train.bits().or(dataset.test.bits()).is_some();
        if streamed.is_none() && (largest > limit || as_bits && largest > SENT) {
            let why = if largest > limit { "exceeds the device's largest buffer" } else { "is kept as bits" };
            log::info!("a column ({largest} bytes) {why}: streaming the dataset");
            return Self::open_with(
                device,
                matmul,
                task,
                optimizers,
                dataset,
                Memory { streamed: Some(true), shared },
            );
        }
        // A submit carries as many minibatches as the device's largest buffer holds.
        let (plan, max_steps) = if setting.streamed && largest > limit {
            let max_steps = ((limit / (largest / MAX_STEPS as u64)) as usize).max(1);
            (plan_task(task, &tensors, optimizers, Setting { max_steps, ..setting })?, max_steps)
        } else {
            (plan, MAX_STEPS)
        };
        let choices = tuning::choose(&device, matmul, &plan, task.batch)?;
        let record = Record::of(&device, &choices);
        let mut plan = choices.apply(plan);
        if !shared {
            plan.memory.clear();
        }
        let host = Host::open(&device, plan.clone(), max_steps)
            .map_err(|error| with_largest_batch(error, &plan, task.batch))?;
        let mut session = Self {
            pace: host.pace(SUBMIT),
            host,
            task: task.clone(),
            all: tensors.all(),
            tensors,
            shape: dataset.shape,
            record,
            streamed: [Vec::new(), Vec::new()],
        };
        for which in [Which::Train, Which::Test] {
            let part = which.part(dataset);
            for (buffer, column) in columns::gathered(session.plan(), &dataset.name, which, part)? {
                if setting.streamed {
                    session.streamed[which as usize].push((buffer, column.clone()));
                } else {
                    session.host.write_words(buffer, &columns::words(column, 0..part.count))?;
                }
            }
        }
        session.begin_states()?;
        Ok(session)
    }

    /// Give every state its first value.
    fn begin_states(&mut self) -> Result<()> {
        for (name, values) in self.tensors.first_states() {
            if let Some(buffer) = self.plan().buffer(&name) {
                self.host.write_flat(buffer, &values)?;
            }
        }
        Ok(())
    }

    /// The device's name.
    pub fn device_name(&self) -> String {
        self.host.device_name()
    }

    /// The plan that is run.
    pub fn plan(&self) -> &Plan {
        self.host.plan()
    }

    /// The variants of matrix products that were chosen, where there was a choice.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// The model, and what it is trained or evaluated for.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The table of the model's parameters and states.
    pub fn table(&self) -> &Tensors {
        &self.tensors
    }

    /// The images' size.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// All named tensors of parameters.
    pub fn tensors(&self) -> &[Tensor] {
        &self.all
    }

    /// Most steps one call of [`Session::submit`] takes.
    pub fn max_steps(&self) -> usize {
        self.host.max_steps().min(MAX_STEPS)
    }

    /// The pace of submits of about `wanted`.
    pub(crate) fn pace(&self, wanted: Duration) -> Pace {
        self.host.pace(wanted)
    }

    /// Exchange the parameters and their moving averages, if the plan keeps these: before an evaluation and after it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn exchange_averages(&mut self) -> Result<()> {
        if let Some(averages) = self.read_flat("averages")?
            && let Some(parameters) = self.read_flat("parameters")?
        {
            self.write_flat("parameters", &averages)?;
            self.write_flat("averages", &parameters)?;
        }
        Ok(())
    }

    /// A flat buffer (`parameters`, `moments.first`, `moments.second`, `averages`), padding included; `None` if the plan has
    /// none of that name. Values of the last step can be read too, of a session for inspection.
    ///
    /// # Errors
    /// If the device fails; [`Error::Internal`] for a value whose memory others have taken since.
    pub fn read_flat(&mut self, name: &str) -> Result<Option<Vec<f32>>> {
        match self.plan().buffer(name) {
            None => Ok(None),
            Some(id) => self.host.read_flat(id).map(Some),
        }
    }

    /// Write a flat buffer; a name the plan does not have is passed over.
    ///
    /// # Errors
    /// If the device fails.
    pub fn write_flat(&mut self, name: &str, values: &[f32]) -> Result<()> {
        match self.plan().buffer(name) {
            Some(id) => self.host.write_flat(id, values),
            None => Ok(()),
        }
    }

    /// The states of the plan.
    fn states(&self) -> Vec<State> {
        let names = self.plan().buffers.iter().filter(|buffer| buffer.role == Role::State);
        let names: Vec<&str> = names.map(|buffer| buffer.name.as_str()).collect();
        self.tensors.states().into_iter().filter(|state| names.contains(&state.name.as_str())).collect()
    }

    /// What training keeps beside parameters and moments: by name as in checkpoints the shape and the numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read_states(&mut self) -> Result<States> {
        let mut states = BTreeMap::new();
        for state in self.states() {
            let (dimensions, State { name, shape, .. }) = (state.dimensions(), state);
            let buffer = self.host.buffer(&name)?;
            let flat = self.host.read_flat(buffer)?;
            let sections = flat[..shape.length()].chunks(shape.section_stride());
            let values = sections.flat_map(|section| section[..shape.columns].to_vec()).collect();
            states.insert(name, (dimensions, values));
        }
        Ok(states)
    }

    /// Set a state that [`Session::read_states`] gave.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is none of this name and size; else if the device fails.
    pub fn write_state(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let state = self.states().into_iter().find(|state| state.name == name);
        let Some(flat) = state.and_then(|state| state.padded(values)) else {
            return Err(Error::Internal(format!("there is no state '{name}' of {} numbers", values.len())));
        };
        let buffer = self.host.buffer(name)?;
        self.host.write_flat(buffer, &flat)
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
        steps: Vec<Step>,
    ) -> Result<()> {
        let steps = self.prepare(which, batches, steps)?;
        self.host.submit(program, &steps)
    }

    /// The same at `pace`, which is to have as many steps: wait for them, and return their metrics.
    pub(crate) fn run_at_pace(
        &mut self,
        pace: &mut Pace,
        program: &str,
        which: Which,
        batches: &[&[u32]],
        steps: Vec<Step>,
    ) -> Result<Vec<MetricRows>> {
        let steps = self.prepare(which, batches, steps)?;
        self.host.paced(pace, program, &steps)
    }

    /// Send what `steps` read.
    fn prepare(&mut self, which: Which, batches: &[&[u32]], mut steps: Vec<Step>) -> Result<Vec<Step>> {
        let batch = self.task.batch;
        let mut indices = vec![0; batches.len() * batch];
        for (slot, (numbers, step)) in batches.iter().zip(&mut steps).enumerate() {
            indices[slot * batch..slot * batch + numbers.len()].copy_from_slice(numbers);
            step.slot = slot as u32;
            step.rows = numbers.len() as u32;
            step.first_index = (slot * batch) as u32;
        }
        for (buffer, column) in &self.streamed[which as usize] {
            let numbers = indices.iter().map(|&number| number as usize);
            self.host.write_words(*buffer, &columns::words(column, numbers))?;
        }
        let buffer = self.host.buffer("indices")?;
        self.host.write_words(buffer, &indices)?;
        Ok(steps)
    }

    /// See [`crate::plan::Executor::receive`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn receive(&mut self, pending: usize) -> Result<Vec<MetricRows>> {
        self.host.receive(pending)
    }
}

impl Which {
    fn part(self, dataset: &Dataset) -> &Part {
        match self {
            Self::Train => &dataset.train,
            Self::Test => &dataset.test,
        }
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}
