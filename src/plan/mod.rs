//! The plan: a model's work as plain data.
//!
//! A [`Plan`] names every buffer and lists every dispatch of a model, in order, with no type of any
//! GPU library in it. It can be printed, written as JSON, compared, and run by any [`Executor`].

mod describe;
mod executor;
mod fusion;
mod lowering;
mod memory;
mod variants;

pub use crate::kernels::Access;
pub use describe::describe;
pub use executor::{Executor, Metrics, Step};
pub(crate) use lowering::{Constant, Grid, Lowering, constants};
pub use lowering::{Setting, lower, lower_unfused};
pub use variants::{Product, Variant};

use serde::Serialize;
use std::collections::BTreeMap;

/// Index of a [`Buffer`] in [`Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct BufferId(pub usize);

/// What a 4-byte element of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// A floating-point number (`f32` on a GPU; `f32` or `f64` on the CPU).
    Real,
    /// A `u32`: an index, or four bytes of pixels, lowest first.
    Word,
}

/// Why a buffer exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Images as bytes, four a word.
    Dataset,
    /// Written by the host: indices of a minibatch's images.
    Input,
    /// All parameters, one after the other.
    Parameter,
    /// Gradients, laid out as the parameters are.
    Gradient,
    /// State of the optimiser, laid out as the parameters are.
    Moment,
    /// A value computed in a step and used within it.
    Activation,
    /// A value that a step finds as the step before left it.
    State,
    /// Loss terms, a row a step.
    Metric,
}

/// A device buffer.
#[derive(Clone, Debug, Serialize)]
pub struct Buffer {
    /// Name, as in the graph: `encoder.0`, `gradient.encoder.0`, `parameters`.
    pub name: String,
    /// Shape for people, `[rows, columns]` without padding.
    pub shape: Vec<usize>,
    /// Elements it holds, padding included; 4 bytes each on a GPU.
    pub length: usize,
    /// What an element holds.
    pub element: Element,
    /// Why it exists.
    pub role: Role,
}

impl Buffer {
    /// Size in bytes on a GPU.
    pub fn bytes(&self) -> u64 {
        self.length as u64 * 4
    }
}

/// A range of a buffer, bound to one of a kernel's variables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binding {
    /// The WGSL variable.
    pub variable: String,
    /// The buffer.
    pub buffer: BufferId,
    /// First element bound; a multiple of 64, since adapters ask for up to 256 bytes.
    pub offset: usize,
    /// Elements bound.
    pub length: usize,
    /// How the kernel uses it (read from the WGSL).
    pub access: Access,
}

/// One run of one kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dispatch {
    /// What it computes, for people and profilers: `encoder.0`, `gradient of decoder.output.weight`.
    pub label: String,
    /// The kernel's name in [`crate::kernels`].
    pub kernel: &'static str,
    /// Values of the kernel's WGSL `override` constants, all of them.
    pub constants: BTreeMap<&'static str, f64>,
    /// One entry for each storage variable of the kernel, in the order of the WGSL.
    pub bindings: Vec<Binding>,
    /// Workgroups along x, y and z.
    pub grid: [u32; 3],
    /// Floating-point operations, a multiply-add counted as two, a transcendental as one.
    pub flops: u64,
    /// Bytes read and written at least, each operand counted once.
    pub bytes: u64,
}

/// A named sequence of dispatches: a training step, an evaluation, a decoding.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// `train`, `evaluate`, `encode`, `decode`, ..
    pub name: &'static str,
    /// Indices into [`Plan::dispatches`], in order. Programs share dispatches, and so pipelines.
    pub dispatches: Vec<usize>,
}

/// Everything a device has to hold and to do for a model.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// All dispatches, in the order in which they were lowered.
    pub dispatches: Vec<Dispatch>,
    /// Named sequences of dispatches.
    pub programs: Vec<Program>,
    /// For each buffer the number of the block of memory that holds it; empty where each has its own.
    pub memory: Vec<usize>,
}

impl Plan {
    /// The buffer called `name`.
    pub fn buffer(&self, name: &str) -> Option<BufferId> {
        self.buffers.iter().position(|buffer| buffer.name == name).map(BufferId)
    }

    /// The program called `name`.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.name == name)
    }
}
