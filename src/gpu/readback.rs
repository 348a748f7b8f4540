//! The submits in flight, and the metrics that come back from them.

use super::Gpu;
use super::buffers::{Mapping, create};
use crate::Result;
use crate::plan::Metrics;
use std::collections::VecDeque;
use wgpu::BufferUsages;

/// Submits that may be unfinished at once. Two keep a device busy while the host prepares the next one.
const SLOTS: usize = 4;

const ROW: u64 = size_of::<Metrics>() as u64;

/// A ring of host-visible buffers, one a submit.
#[derive(Debug)]
pub(super) struct Readback {
    slots: Vec<Slot>,
    next: usize,
    in_flight: VecDeque<InFlight>,
    finished: Vec<Vec<Metrics>>,
}

#[derive(Debug)]
struct Slot {
    buffer: wgpu::Buffer,
    mapping: Mapping,
}

#[derive(Debug)]
struct InFlight {
    submission: wgpu::SubmissionIndex,
    slot: usize,
    bytes: u64,
}

impl Readback {
    /// A ring for submits of up to `max_steps` steps.
    pub(super) fn new(gpu: &Gpu, max_steps: usize) -> Result<Self> {
        let bytes = max_steps as u64 * ROW;
        let usage = BufferUsages::COPY_DST | BufferUsages::MAP_READ;
        let slots = (0..SLOTS)
            .map(|number| {
                let buffer = create(gpu, &format!("metrics readback {number}"), bytes, usage, bytes)?;
                Ok(Slot { buffer, mapping: Mapping::default() })
            })
            .collect::<Result<_>>()?;
        Ok(Self { slots, next: 0, in_flight: VecDeque::with_capacity(SLOTS), finished: Vec::new() })
    }

    /// Wait until a slot is free.
    pub(super) fn make_room(&mut self, gpu: &Gpu) -> Result<()> {
        self.wait(gpu, SLOTS - 1)
    }

    /// Submit `encoder`, after a copy of the first `rows` rows of `metrics`. Needs a free slot.
    pub(super) fn submit(
        &mut self,
        gpu: &Gpu,
        mut encoder: wgpu::CommandEncoder,
        metrics: Option<&wgpu::Buffer>,
        rows: usize,
    ) {
        let slot = self.next;
        self.next = (self.next + 1) % self.slots.len();
        let bytes = if metrics.is_some() { rows as u64 * ROW } else { 0 };
        let Slot { buffer, mapping } = &self.slots[slot];
        if let (Some(metrics), 1..) = (metrics, bytes) {
            encoder.copy_buffer_to_buffer(metrics, 0, buffer, 0, bytes);
            mapping.request(&encoder, buffer, bytes);
        }
        let submission = gpu.queue.submit([encoder.finish()]);
        self.in_flight.push_back(InFlight { submission, slot, bytes });
    }

    /// Wait until at most `pending` submits are unfinished, and collect the metrics of the finished ones.
    pub(super) fn receive(&mut self, gpu: &Gpu, pending: usize) -> Result<Vec<Vec<Metrics>>> {
        self.wait(gpu, pending)?;
        Ok(std::mem::take(&mut self.finished))
    }

    fn wait(&mut self, gpu: &Gpu, pending: usize) -> Result<()> {
        while self.in_flight.len() > pending {
            let Some(oldest) = self.in_flight.front() else { break };
            gpu.wait(&oldest.submission)?;
            let Slot { buffer, mapping } = &self.slots[oldest.slot];
            let mut metrics = Vec::new();
            if oldest.bytes > 0 {
                mapping.take(gpu, buffer, oldest.bytes, |words| {
                    metrics.extend_from_slice(bytemuck::cast_slice(words));
                })?;
            }
            self.finished.push(metrics);
            self.in_flight.pop_front();
        }
        Ok(())
    }
}
