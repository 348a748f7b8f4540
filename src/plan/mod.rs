//! The plan: a model's work as plain data.
//!
//! A [`Plan`] names every buffer and lists every dispatch of a model, in order, with no type of any
//! GPU library in it. It can be printed, written as JSON, compared, and run by any [`Executor`].

mod describe;
mod executor;
pub(crate) mod fusion;
mod grid;
mod memory;
mod product;
mod single;
mod split;
mod step;
mod validate;
mod variants;
mod window;

pub use crate::kernels::Access;
pub use describe::describe;
pub use executor::{Executor, MetricRows};
pub(crate) use grid::{Constant, Grid, constants};
pub use product::Product;
pub(crate) use single::append;
pub(crate) use split::split_long_sums;
pub use step::{GROUPS, NUMBERS, Step, WITHOUT_NUMBER};
pub use variants::Variant;
pub use window::Window;

use crate::kernels;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A name: a literal where this program made the plan, owned where it was read from a file.
pub type Name = Cow<'static, str>;

/// Index of a [`Buffer`] in [`Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BufferId(pub usize);

/// What a 4-byte element of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// A floating-point number (`f32` on a GPU; `f32` or `f64` on the CPU).
    Real,
    /// A `u32`: an index or a whole number.
    Word,
    /// Four bytes, lowest first.
    Bytes,
}

/// Why a buffer exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A column of the dataset.
    Dataset,
    /// Written by the host: indices of a minibatch's items.
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// What it computes, for people and profilers: `encoder.0`, `gradient of decoder.output.weight`.
    pub label: String,
    /// The kernel's name in [`crate::kernels`].
    pub kernel: Name,
    /// Values of the kernel's WGSL `override` constants, all of them.
    pub constants: BTreeMap<Name, f64>,
    /// One entry for each storage variable of the kernel, in the order of the WGSL.
    pub bindings: Vec<Binding>,
    /// Workgroups along x, y and z.
    pub grid: [u32; 3],
    /// Floating-point operations, a multiply-add counted as two, a transcendental as one.
    pub flops: u64,
    /// Bytes read and written at least, each operand counted once.
    pub bytes: u64,
}

/// A value that a program is given by the host, or leaves for it to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Name of the value.
    pub name: String,
    /// The buffer that holds it.
    pub buffer: BufferId,
    /// Rows, sections of a row, and columns of a section.
    pub shape: [usize; 3],
    /// Elements from one row to the next, and from one section to the next: both are padded to whole vec4.
    pub strides: [usize; 2],
}

/// A named sequence of dispatches: a training step, an evaluation, a decoding.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Program {
    /// `train`, `evaluate`, `encode`, `decode`, ..
    pub name: Name,
    /// Indices into [`Plan::dispatches`], in order. Programs share dispatches, and so pipelines.
    pub dispatches: Vec<usize>,
    /// Values the host writes before the program runs.
    pub given: Vec<Port>,
    /// Values the host may read afterwards. Parameters, states and metrics are not among them: they have buffers of
    /// their role.
    pub wanted: Vec<Port>,
}

/// Where the WGSL of a kernel stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelSource {
    /// The file, relative to `shaders/`.
    pub file: Name,
    /// Its entry point.
    pub entry: String,
    /// The files in `shaders/shared/` that come before it, in order, without `.wgsl`.
    pub imports: Vec<Name>,
}

/// Everything a device has to hold and to do for a model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// All dispatches, in the order in which they were lowered.
    pub dispatches: Vec<Dispatch>,
    /// Named sequences of dispatches.
    pub programs: Vec<Program>,
    /// For each buffer the number of the block of memory that holds it; empty where each has its own.
    pub memory: Vec<usize>,
    /// Names of the columns of the buffer `metrics`.
    pub metrics: Vec<String>,
    /// Names of the numbers that a step carries ([`Step::numbers`]), such as `beta`.
    pub numbers: Vec<String>,
    /// Names of the groups of parameters, in the order of [`Step::groups`].
    pub groups: Vec<String>,
    /// Every kernel that a dispatch runs, by name.
    pub kernels: BTreeMap<Name, KernelSource>,
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

    /// The column of the metric called `name`.
    pub fn metric(&self, name: &str) -> Option<usize> {
        self.metrics.iter().position(|own| own == name)
    }

    /// Set number `name` of `step`; a plan without it ignores it.
    pub fn set_number(&self, step: &mut Step, name: &str, value: f64) {
        if let Some(index) = self.numbers.iter().position(|own| own == name) {
            step.numbers[index] = value as f32;
        }
    }

    /// Append a program that runs the dispatches of others one after the other: `parts` names them, each with the
    /// number of its repetitions. Its ports are those of all parts.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such part.
    pub fn compose(&mut self, name: impl Into<Name>, parts: &[(&str, usize)]) -> Result<()> {
        let mut whole = Program { name: name.into(), ..Program::default() };
        for &(part, times) in parts {
            let program = self
                .program(part)
                .ok_or_else(|| Error::Internal(format!("the plan has no program '{part}'")))?;
            for _ in 0..times {
                whole.dispatches.extend(&program.dispatches);
            }
            for (to, from) in [(&mut whole.given, &program.given), (&mut whole.wanted, &program.wanted)] {
                for port in from {
                    if !to.contains(port) {
                        to.push(port.clone());
                    }
                }
            }
        }
        self.programs.push(whole);
        Ok(())
    }

    /// The same with no other programs than `names`, and with memory for these alone.
    #[must_use]
    pub(crate) fn only(mut self, names: &[&str]) -> Self {
        self.programs.retain(|program| names.contains(&program.name.as_ref()));
        let mut kept = Vec::new();
        let mut number = vec![None; self.dispatches.len()];
        for index in self.programs.iter_mut().flat_map(|program| &mut program.dispatches) {
            *index = *number[*index].get_or_insert_with(|| {
                kept.push(self.dispatches[*index].clone());
                kept.len() - 1
            });
        }
        self.dispatches = kept;
        self.drop_unused_buffers();
        self.name_kernels();
        self.with_shared_memory()
    }

    /// The different pipelines that a device compiles: a kernel with values of its constants.
    pub fn pipelines(&self) -> usize {
        let keys: std::collections::BTreeSet<String> = self
            .dispatches
            .iter()
            .map(|dispatch| format!("{} {:?}", dispatch.kernel, dispatch.constants))
            .collect();
        keys.len()
    }

    /// List the kernels of all dispatches, once these are final.
    pub(crate) fn name_kernels(&mut self) {
        self.kernels = self
            .dispatches
            .iter()
            .map(|dispatch| {
                let kernel = kernels::kernel(&dispatch.kernel);
                let source = KernelSource {
                    file: kernel.file.into(),
                    entry: kernel.entry.clone(),
                    imports: kernels::imports(kernel.file).into_iter().map(Name::from).collect(),
                };
                (dispatch.kernel.clone(), source)
            })
            .collect();
    }
}
