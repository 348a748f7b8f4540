//! A plan on a device, and access to the values of its programs without their padding.

use super::{States, bits, floats};
use crate::device::OpenDevice;
use crate::graph::Tensors;
use crate::pace::{Pace, SUBMIT};
use crate::plan::{BufferId, Executor, MetricRows, Plan, Port, Step};
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// A plan and the executor that holds its buffers.
pub(crate) struct Host {
    plan: Plan,
    pub(super) executor: Box<dyn Executor>,
    /// Of programs that are run once.
    single: Pace,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("device", &self.executor.device_name()).finish_non_exhaustive()
    }
}

impl Host {
    /// Put `plan` on `device`, for submits of up to `max_steps` steps.
    ///
    /// # Errors
    /// [`Error::Limit`] if a tensor is larger than the device allows; else if the device fails.
    pub(crate) fn open(device: &OpenDevice, plan: Plan, max_steps: usize) -> Result<Self> {
        let executor = device.executor(&plan, max_steps)?;
        let single = Pace::new(SUBMIT, 1).below(executor.longest_submit());
        Ok(Self { plan, executor, single })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn device_name(&self) -> String {
        self.executor.device_name()
    }

    pub(crate) fn max_steps(&self) -> usize {
        self.executor.max_steps()
    }

    /// The pace of submits of about `wanted`.
    pub(crate) fn pace(&self, wanted: Duration) -> Pace {
        Pace::new(wanted, self.max_steps()).below(self.executor.longest_submit())
    }

    /// The buffer called `name`.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is none.
    pub(crate) fn buffer(&self, name: &str) -> Result<BufferId> {
        self.plan.buffer(name).ok_or_else(|| Error::Internal(format!("the plan has no buffer '{name}'")))
    }

    /// Give each state of `tensors` that the plan has the values of `states`, or its first ones.
    ///
    /// # Errors
    /// [`Error::Internal`] if a state has another size; else if the device fails.
    pub(crate) fn write_states(&mut self, tensors: &Tensors, states: &States) -> Result<()> {
        for (name, values) in tensors.first_states() {
            if let Some(buffer) = self.plan.buffer(&name) {
                self.write_flat(buffer, &values)?;
            }
        }
        for state in tensors.states() {
            let (Some(buffer), Some((_, values))) = (self.plan.buffer(&state.name), states.get(&state.name))
            else {
                continue;
            };
            let flat = state.padded(values);
            let flat =
                flat.ok_or_else(|| Error::Internal(format!("the state '{}' does not fit", state.name)))?;
            self.write_flat(buffer, &flat)?;
        }
        Ok(())
    }

    /// The value called `name`, which a program is given or leaves.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is none.
    pub(crate) fn port(&self, name: &str) -> Result<Port> {
        let ports = self.plan.programs.iter().flat_map(|program| program.given.iter().chain(&program.wanted));
        let found = ports.into_iter().find(|port| port.name == name);
        found.cloned().ok_or_else(|| Error::Internal(format!("no program has a value '{name}'")))
    }

    /// The one value that `program` is given, and the one it leaves.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such program, or if it has other ports.
    pub(crate) fn ends(&self, program: &str) -> Result<(Port, Port)> {
        match self.plan.program(program).map(|it| (&it.given[..], &it.wanted[..])) {
            Some(([given], [wanted])) => Ok((given.clone(), wanted.clone())),
            _ => Err(Error::Internal(format!("there is no program '{program}' from one value to one value"))),
        }
    }

    /// The one value that `program` leaves.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such program, or if it leaves others.
    pub(crate) fn result(&self, program: &str) -> Result<Port> {
        match self.plan.program(program).map(|it| &it.wanted[..]) {
            Some([wanted]) => Ok(wanted.clone()),
            _ => Err(Error::Internal(format!("there is no program '{program}' that leaves one value"))),
        }
    }

    /// Write words from the start of a buffer.
    pub(crate) fn write_words(&mut self, buffer: BufferId, words: &[u32]) -> Result<()> {
        self.executor.write(buffer, 0, words)
    }

    /// Write words from element `offset` of a buffer on.
    pub(crate) fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()> {
        self.executor.write(buffer, offset, words)
    }

    /// Read `length` elements of a buffer from `offset` on.
    pub(crate) fn read_at(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
        self.executor.read(buffer, offset, length)
    }

    /// Write numbers from the start of a buffer.
    pub(crate) fn write_flat(&mut self, buffer: BufferId, values: &[f32]) -> Result<()> {
        self.executor.write(buffer, 0, bits(values))
    }

    /// Read a whole buffer of numbers, padding included.
    ///
    /// # Errors
    /// [`Error::Internal`] for a value whose memory others have taken since; else if the device fails.
    pub(crate) fn read_flat(&mut self, buffer: BufferId) -> Result<Vec<f32>> {
        let name = &self.plan.buffers[buffer.0].name;
        if self.plan.shares_memory(buffer) {
            let hint = "open the session for inspection";
            return Err(Error::Internal(format!("'{name}' shares its memory with other values; {hint}")));
        }
        let length = self.plan.buffers[buffer.0].length;
        Ok(floats(self.executor.read(buffer, 0, length)?))
    }

    /// Write the first rows of a value of one section, without padding.
    pub(crate) fn write_rows(&mut self, port: &Port, rows: &[f32]) -> Result<()> {
        let ([_, _, columns], [stride, _]) = (port.shape, port.strides);
        let mut padded = vec![0.0; rows.len().div_ceil(columns) * stride];
        for (to, from) in padded.chunks_mut(stride).zip(rows.chunks(columns)) {
            to[..from.len()].copy_from_slice(from);
        }
        self.executor.write(port.buffer, 0, bits(&padded))
    }

    /// Read the first `rows` rows of a value, without padding: one `Vec` a section.
    pub(crate) fn read_rows(&mut self, port: &Port, rows: usize) -> Result<Vec<Vec<f32>>> {
        let ([_, sections, columns], [stride, section_stride]) = (port.shape, port.strides);
        let flat = floats(self.executor.read(port.buffer, 0, rows * stride)?);
        let section = |section: usize| {
            let start = section * section_stride;
            flat.chunks(stride).flat_map(|row| row[start..start + columns].iter().copied()).collect()
        };
        Ok((0..sections).map(section).collect())
    }

    /// Run `program` once, and wait for it.
    pub(crate) fn run(&mut self, program: &str, step: Step) -> Result<()> {
        let mut single = self.single;
        self.paced(&mut single, program, &[step])?;
        self.single = single;
        Ok(())
    }

    /// Run `program` for `steps`, as many as `pace` says, wait for it, and let `pace` learn how long it took.
    pub(crate) fn paced(
        &mut self,
        pace: &mut Pace,
        program: &str,
        steps: &[Step],
    ) -> Result<Vec<MetricRows>> {
        let start = Instant::now();
        self.submit(program, steps)?;
        let rows = self.receive(0)?;
        pace.learn(steps.len(), start.elapsed());
        Ok(rows)
    }

    /// See [`Executor::submit`].
    pub(crate) fn submit(&mut self, program: &str, steps: &[Step]) -> Result<()> {
        self.executor.submit(program, steps)
    }

    /// See [`Executor::receive`].
    pub(crate) fn receive(&mut self, pending: usize) -> Result<Vec<MetricRows>> {
        self.executor.receive(pending)
    }
}
