//! One kernel on a device, with buffers of its own: what the figures that need no model are computed by.

use crate::device::OpenDevice;
use crate::kernels;
use crate::plan::{Binding, Buffer, BufferId, Dispatch, Element, Executor, Grid, Plan, Program, Role, Step};
use crate::random::stream;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What a storage variable holds before the kernel runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    /// Numbers.
    Reals(&'a [f32]),
    /// Words.
    Words(&'a [u32]),
    /// So many zeros, to be written.
    Room(usize),
}

/// A kernel on a device.
pub(super) struct KernelRun {
    plan: Plan,
    executor: Box<dyn Executor>,
}

/// The name of the only program.
const ONCE: &str = "once";

impl KernelRun {
    /// Put `kernel` on `device`, with the contents of all its storage variables.
    ///
    /// # Errors
    /// If a buffer is larger than the device allows, or the device fails.
    pub(super) fn new(
        device: &OpenDevice,
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        contents: &[(&str, Content<'_>)],
        grid: Grid,
    ) -> Result<Self> {
        let description = kernels::kernel(kernel);
        let mut plan = Plan::default();
        let mut bindings = Vec::new();
        for (variable, access) in description.storage() {
            let found = contents.iter().find(|(name, _)| *name == variable.name);
            let (length, element) = match found.map(|(_, content)| *content) {
                Some(Content::Reals(values)) => (values.len(), Element::Real),
                Some(Content::Words(words)) => (words.len(), Element::Word),
                Some(Content::Room(length)) => (length, Element::Real),
                None => (0, Element::Real),
            };
            let (name, buffer) = (variable.name.clone(), BufferId(plan.buffers.len()));
            let shape = vec![length];
            plan.buffers.push(Buffer { name: name.clone(), shape, length, element, role: Role::Activation });
            bindings.push(Binding { variable: name, buffer, offset: 0, length, access });
        }
        let (label, grid) = (kernel.to_string(), grid.workgroups(description));
        plan.dispatches.push(Dispatch { label, kernel, constants, bindings, grid, flops: 0, bytes: 0 });
        plan.programs.push(Program { name: ONCE, dispatches: vec![0] });
        let executor = device.executor(&plan, 1)?;
        let mut run = Self { plan, executor };
        for (name, content) in contents {
            match content {
                Content::Reals(values) => run.write(name, values)?,
                Content::Words(words) => run.write_words(name, words)?,
                Content::Room(_) => {}
            }
        }
        Ok(run)
    }

    /// Change what variable `name` holds.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn write(&mut self, name: &str, values: &[f32]) -> Result<()> {
        self.write_words(name, bytemuck::cast_slice(values))
    }

    fn write_words(&mut self, name: &str, words: &[u32]) -> Result<()> {
        match self.plan.buffer(name) {
            Some(buffer) => self.executor.write(buffer, 0, words),
            None => Err(Error::Internal(format!("the kernel has no variable '{name}'"))),
        }
    }

    /// Run the kernel, with the random numbers of `seed` and `draw`, and read what variable `output` holds then.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn run(&mut self, output: &str, seed: u64, draw: u32) -> Result<Vec<f32>> {
        let step = Step {
            seed_low: seed as u32,
            seed_high: (seed >> 32) as u32,
            counter_low: draw,
            stream: stream::FIGURES,
            rows: 1,
            ..Step::default()
        };
        self.executor.submit(ONCE, &[step])?;
        self.executor.receive(0)?;
        match self.plan.buffer(output) {
            Some(buffer) => {
                let length = self.plan.buffers[buffer.0].length;
                Ok(bytemuck::allocation::cast_vec(self.executor.read(buffer, 0, length)?))
            }
            None => Ok(Vec::new()),
        }
    }
}
