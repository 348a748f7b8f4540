//! One kernel on a device: figures that need no model are computed by it.

use crate::device::OpenDevice;
use crate::plan::{Executor, Grid, Plan, Step};
pub(super) use crate::probe::Content;
use crate::probe::{ONCE, single};
use crate::random::stream;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// A kernel on a device.
pub(super) struct KernelRun {
    plan: Plan,
    executor: Box<dyn Executor>,
}

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
        let plan = single(kernel, constants, contents, grid);
        let executor = device.executor(&plan, 1)?;
        let mut run = Self { plan, executor };
        for (name, content) in contents {
            run.write_words(name, &content.words(0, 0))?;
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
