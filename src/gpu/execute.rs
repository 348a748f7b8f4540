//! Runs the programs of a plan on a device.

use super::buffers::{Buffers, create};
use super::pipelines::Pipelines;
use super::readback::Readback;
use super::{Gpu, limits};
use crate::plan::{BufferId, Executor, MetricRows, Plan, Program, Role, Step};
use crate::{Error, Result};
use std::time::Duration;
use wgpu::BufferUsages;

/// Half of what Windows allows. Other systems end a submit after 5 to 10 seconds.
const LONGEST_SUBMIT: Duration = Duration::from_secs(1);

/// A plan, compiled for a device.
///
/// Work is submitted ahead of the host: a few submits may be unfinished at once, and a further one waits.
#[derive(Debug)]
pub struct GpuExecutor {
    pub(super) gpu: Gpu,
    pub(super) buffers: Buffers,
    pub(super) pipelines: Pipelines,
    programs: Vec<Program>,
    readback: Readback,
    /// The plan's buffer of loss terms, if it has one.
    metrics: Option<BufferId>,
    /// Uniform records of a submit's steps, `stride` bytes apart.
    steps: wgpu::Buffer,
    stride: usize,
    /// The same records on the host; the memory is reused by the next submit.
    records: Vec<u8>,
    max_steps: usize,
}

impl GpuExecutor {
    /// Compile `plan` for `gpu`, for submits of up to `max_steps` steps.
    ///
    /// # Errors
    /// [`Error::Limit`] before anything is allocated if a tensor is too large for the device;
    /// [`Error::Device`] if memory runs out or the device cannot run a dispatch.
    pub fn new(gpu: &Gpu, plan: &Plan, max_steps: usize) -> Result<Self> {
        gpu.check()?;
        plan.validate()?;
        limits::check(plan, &gpu.info.limits, &gpu.name())?;
        let metrics = plan.buffers.iter().position(|buffer| buffer.role == Role::Metric).map(BufferId);
        check_steps(plan, metrics, max_steps)?;
        let alignment = gpu.info.limits.min_uniform_buffer_offset_alignment as usize;
        let stride = size_of::<Step>().next_multiple_of(alignment.max(256));
        let bytes = (stride * max_steps) as u64;
        let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let steps = create(gpu, "steps", bytes, usage, bytes)?;
        let buffers = Buffers::new(gpu, plan)?;
        let pipelines = Pipelines::new(gpu, plan, &buffers, &steps)?;
        let readback = Readback::new(gpu, max_steps, plan.metrics.len().max(1))?;
        gpu.check()?;
        log::debug!(
            "{}: {} buffers, {} dispatches, {} pipelines",
            gpu.info,
            plan.buffers.len(),
            plan.dispatches.len(),
            pipelines.list.len()
        );
        Ok(Self {
            gpu: gpu.clone(),
            buffers,
            pipelines,
            programs: plan.programs.clone(),
            readback,
            metrics,
            steps,
            stride,
            records: vec![0; stride * max_steps],
            max_steps,
        })
    }

    /// The device it runs on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Indices of the dispatches of program `name`.
    pub(super) fn program(&self, name: &str) -> Result<&[usize]> {
        self.programs
            .iter()
            .find(|program| program.name == name)
            .map(|program| program.dispatches.as_slice())
            .ok_or_else(|| Error::Internal(format!("the plan has no program '{name}'")))
    }

    /// Send the records of `steps`; they take effect before the next submit.
    pub(super) fn write_steps(&mut self, steps: &[Step]) -> Result<()> {
        if steps.len() > self.max_steps {
            return Err(Error::Internal(format!(
                "{} steps in a submit, but at most {} were planned",
                steps.len(),
                self.max_steps
            )));
        }
        for (step, record) in steps.iter().zip(self.records.chunks_exact_mut(self.stride)) {
            record[..size_of::<Step>()].copy_from_slice(bytemuck::bytes_of(step));
        }
        let used = steps.len() * self.stride;
        self.gpu.queue.write_buffer(&self.steps, 0, &self.records[..used]);
        Ok(())
    }

    /// Record one dispatch for step number `step` of the submit. `bound` is the pipeline that is set.
    pub(super) fn record(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        dispatch: usize,
        step: usize,
        bound: &mut Option<usize>,
    ) {
        let prepared = &self.pipelines.dispatches[dispatch];
        if *bound != Some(prepared.pipeline) {
            pass.set_pipeline(&self.pipelines.list[prepared.pipeline]);
            *bound = Some(prepared.pipeline);
        }
        let offset = [(step * self.stride) as u32];
        pass.set_bind_group(0, &prepared.group, if prepared.uses_step { &offset } else { &[] });
        let [x, y, z] = prepared.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Check that a submit's steps fit into the plan's rows of metrics, and that programs name existing dispatches.
fn check_steps(plan: &Plan, metrics: Option<BufferId>, max_steps: usize) -> Result<()> {
    let rows = metrics.map_or(usize::MAX, |id| plan.buffers[id.0].length / plan.metrics.len().max(1));
    if max_steps == 0 || max_steps > rows {
        return Err(Error::Internal(format!("submits of {max_steps} steps, but {rows} rows of metrics")));
    }
    Ok(())
}

impl Executor for GpuExecutor {
    fn device_name(&self) -> String {
        self.gpu.name()
    }

    fn max_steps(&self) -> usize {
        self.max_steps
    }

    fn longest_submit(&self) -> Option<Duration> {
        (!self.gpu.info.is_software()).then_some(LONGEST_SUBMIT)
    }

    fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()> {
        self.gpu.check()?;
        self.buffers.write(&self.gpu, buffer, offset, words)
    }

    fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
        self.buffers.read(&self.gpu, buffer, offset, length)
    }

    fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()> {
        self.gpu.check()?;
        self.program(name)?;
        if let Some(wrong) = steps.iter().enumerate().find(|(i, step)| step.slot as usize != *i) {
            return Err(Error::Internal(format!("step {} of a submit has slot {}", wrong.0, wrong.1.slot)));
        }
        self.readback.make_room(&self.gpu)?;
        self.write_steps(steps)?;
        let label = wgpu::CommandEncoderDescriptor { label: Some(name) };
        let mut encoder = self.gpu.device.create_command_encoder(&label);
        {
            // One pass for all steps: a pass costs up to three native command buffers, and wgpu orders the
            // dispatches in a pass by itself.
            let label = wgpu::ComputePassDescriptor { label: Some(name), timestamp_writes: None };
            let mut pass = encoder.begin_compute_pass(&label);
            let mut bound = None;
            for step in 0..steps.len() {
                for &dispatch in self.program(name)? {
                    self.record(&mut pass, dispatch, step, &mut bound);
                }
            }
        }
        let metrics = self.metrics.map(|id| self.buffers.get(id));
        self.readback.submit(&self.gpu, encoder, metrics, steps.len());
        self.gpu.check()
    }

    fn receive(&mut self, pending: usize) -> Result<Vec<MetricRows>> {
        self.gpu.check()?;
        self.readback.receive(&self.gpu, pending)
    }
}
