//! M, the memory of a world model: a recurrent network that says how likely the next latents are.
//!
//! From the latents z and the action a of each step a long short-term memory computes h, and a linear layer of h gives a
//! mixture of Gaussians for each of the next latents (Ha and Schmidhuber 2018, arXiv 1803.10122, section 2.2).
//!
//! * [`Memory`] builds it as a model, and [`Memory::network`] as a part of other graphs.
//! * [`Episodes`] are encoded frames and actions, [`windows`] makes a dataset of them, and [`train`] trains on it.
//! * [`Parameters`] are what training leaves, and a [`Dreamer`] runs M on its own draws.

mod dream;
mod episodes;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod train;
mod windows;

pub use dream::{Dream, Dreamer, Dreaming, Policy};
pub use episodes::{Episode, Episodes};
pub use settings::MemoryConfig;
pub use store::Parameters;
pub use train::{MemoryProgress, MemoryState, train};
pub use windows::windows;

use crate::Result;
use crate::graph::{
    Binarize, ColumnKind, Graph, Lstm, Mode, ProgramSpec, Samples, Shape, Source, Target, Tensors, ValueId,
    Weight,
};
use crate::model::{Built, Model, Objective, Task};
use crate::optimizer::Optimizers;
use crate::random::{Philox, stream};
use rand::RngExt;
use std::rc::Rc;

/// The group of M's parameters.
pub const GROUP: &str = "memory";
/// The metric of training and of evaluation: nats for each latent dimension and step.
pub const NATS: &str = "nats";
/// The column of means and log-variances of a window's frames, `[steps + 1, 2, latent]`.
pub const POSTERIOR: &str = "posterior";
/// The column of a window's actions, `[steps, actions]`.
pub const ACTIONS: &str = "actions";

/// M as a model: its data are [`windows`] of episodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Its sizes.
    pub config: MemoryConfig,
}

/// What [`Memory::network`] has appended.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOutput {
    /// h after each step, `[batch * steps, hidden]`.
    pub h: ValueId,
    /// h and c after the last step, `[batch, 2, hidden]`.
    pub carry: ValueId,
    /// Parameters of the mixtures of the next latents, `[batch * steps, latent * components * 3]`.
    pub mixture: ValueId,
}

impl Memory {
    /// Append M to `graph`: latents `z`, `[batch * steps, latent]`, and `actions`, `[batch * steps, actions]`, to the mixtures of
    /// the next latents. `carry` is h and c before the first step, `[batch, 2, hidden]`; without it they are 0. The parameters are
    /// `memory.lstm.input.weight`, `memory.lstm.recurrent.weight`, `memory.lstm.bias`, `memory.output.weight` and
    /// `memory.output.bias`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the sizes do not fit together.
    pub fn network(
        &self,
        graph: &mut Graph,
        [z, actions]: [ValueId; 2],
        steps: usize,
        carry: Option<ValueId>,
    ) -> Result<MemoryOutput> {
        let MemoryConfig { hidden, latent, components, .. } = self.config;
        let inputs = graph.concat("memory.inputs", &[z, actions])?;
        let lstm = graph.lstm("memory.lstm", inputs, Lstm { hidden, steps, carry })?;
        let mixture = graph.linear(&["memory.output"], lstm.h, latent * components * 3)?;
        Ok(MemoryOutput { h: lstm.h, carry: lstm.carry, mixture })
    }

    /// The task of training and evaluating M.
    pub fn task(&self) -> Task {
        Task {
            model: Rc::new(*self),
            batch: self.config.batch_size,
            binarize: Binarize::None,
            mirror: None,
            objective: Objective::default(),
        }
    }

    /// First values of all M's parameters in `tensors`, in the layout of the flat buffer; other parameters and padding are 0. Weights
    /// and biases are uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); input and recurrent weights are one
    /// matrix, and both fans of a bias are its length.
    pub fn first_parameters(&self, tensors: &Tensors, seed: u64) -> Vec<f32> {
        let MemoryConfig { hidden, latent, actions, components, .. } = self.config;
        let outputs = latent * components * 3;
        let fans = |name: &str| match name {
            "memory.lstm.input.weight" | "memory.lstm.recurrent.weight" => {
                Some(latent + actions + hidden + 4 * hidden)
            }
            "memory.lstm.bias" => Some(8 * hidden),
            "memory.output.weight" => Some(hidden + outputs),
            "memory.output.bias" => Some(2 * outputs),
            _ => None,
        };
        let mut flat = vec![0.0; tensors.length()];
        let own = tensors.all();
        let own = own.iter().filter_map(|tensor| fans(&tensor.name).map(|fans| (tensor, fans)));
        for (number, (tensor, fans)) in own.enumerate() {
            let bound = (6.0 / fans as f64).sqrt();
            let mut random = Philox::new(seed, stream::INITIALISATION, number as u64);
            let draw = |_| (bound * (2.0 * random.random::<f64>() - 1.0)) as f32;
            let values: Vec<f32> = (0..tensor.count()).map(draw).collect();
            tensor.put(&mut flat, &values);
        }
        flat
    }
}

impl Model for Memory {
    /// Programs `train` (with optimizers) and `evaluate`: both draw latents anew from the posteriors of all frames of a window, and
    /// report the metric [`NATS`].
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> Result<Built> {
        let MemoryConfig { latent, actions, steps, components, .. } = self.config;
        let (batch, frames) = (task.batch, steps + 1);
        let group = tensors.group(GROUP);
        let mode = if optimizers.is_some() { Mode::Train } else { Mode::Evaluate };
        let mut graph = Graph::new(tensors, mode);
        let posterior = graph.column(POSTERIOR, batch, frames * 2 * latent, ColumnKind::Reals);
        let of_frames = Shape::with_sections(batch * frames, 2, latent);
        let posterior = graph.reshape("frames", posterior, of_frames)?;
        let samples = Samples { posterior, below: None, samples: 1, group: 0, weights: None };
        let z = graph.reparametrize(&samples)?.z;
        let z = graph.reshape("latents", z, Shape::matrix(batch, frames * latent))?;
        let rows = |width: usize| Shape::matrix(batch * steps, width);
        let mut part = |name: &str, from: usize| {
            let columns = graph.take_columns(name, z, from * latent, steps * latent)?;
            graph.reshape(&format!("{name}.rows"), columns, rows(latent))
        };
        let (now, next) = (part("now", 0)?, part("next", 1)?);
        let acted = graph.column(ACTIONS, batch, steps * actions, ColumnKind::Reals);
        let acted = graph.reshape("actions.rows", acted, rows(actions))?;
        let mixture = self.network(&mut graph, [now, acted], steps, None)?.mixture;
        let nats = graph.mixture_negative_log_likelihood(mixture, next, batch, components)?;
        let loss = graph.loss(NATS, nats, steps * latent, Weight::Constant(1.0));
        let metrics: Vec<ValueId> = graph.reported(mode).collect();
        let mut programs = Vec::new();
        if let Some(optimizers) = optimizers {
            graph.differentiate(&[loss], &[Target::Group(group)])?;
            graph.step(group, optimizers.of_group(GROUP))?;
            programs.push(ProgramSpec::new("train", &[], &graph.training()).from_source(Source::Train));
        }
        programs.push(ProgramSpec::new("evaluate", &[], &metrics).from_source(Source::Test));
        Ok(Built { graph, programs })
    }

    /// Latents of all frames of a window.
    fn pixels(&self) -> usize {
        (self.config.steps + 1) * self.config.latent
    }
}
