//! Times the single dispatches of a program.

use super::GpuExecutor;
use super::buffers::{Mapping, create};
use crate::plan::{Executor, Step};
use crate::{Error, Result};
use wgpu::BufferUsages;

/// Two timestamps a dispatch, in sets of [`wgpu::QUERY_SET_MAX_QUERIES`] at most.
const DISPATCHES_PER_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl GpuExecutor {
    /// Run one step of program `name` and time each dispatch: its index in the plan, and nanoseconds.
    ///
    /// Each dispatch runs in a separate pass, so the sum is more than the step takes in a submit.
    ///
    /// # Errors
    /// [`Error::Device`] if the adapter has no timestamps ([`super::AdapterInfo::timestamps`]).
    pub fn profile(&mut self, name: &str, step: Step) -> Result<Vec<(usize, f64)>> {
        if !self.gpu.info.timestamps {
            return Err(Error::device(
                self.gpu.name(),
                "the adapter cannot time single dispatches (no timestamp queries)",
                "time whole steps instead",
            ));
        }
        self.receive(0)?;
        self.write_steps(&[step])?;
        let dispatches = self.program(name)?.to_vec();
        let mut times = Vec::with_capacity(dispatches.len());
        for part in dispatches.chunks(DISPATCHES_PER_SET) {
            self.profile_part(part, &mut times)?;
        }
        Ok(times)
    }

    fn profile_part(&self, dispatches: &[usize], times: &mut Vec<(usize, f64)>) -> Result<()> {
        let gpu = &self.gpu;
        let count = 2 * dispatches.len() as u32;
        let bytes = u64::from(count) * u64::from(wgpu::QUERY_SIZE);
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let usage = BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC;
        let resolved = create(gpu, "timestamps", bytes, usage, bytes)?;
        let usage = BufferUsages::COPY_DST | BufferUsages::MAP_READ;
        let staging = create(gpu, "timestamps staging", bytes, usage, bytes)?;
        let mut encoder =
            gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("profile") });
        for (number, &dispatch) in dispatches.iter().enumerate() {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("profile"),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(2 * number as u32),
                    end_of_pass_write_index: Some(2 * number as u32 + 1),
                }),
            });
            self.record(&mut pass, dispatch, 0, &mut None);
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, bytes);
        let mapping = Mapping::default();
        mapping.request(&encoder, &staging, bytes);
        let submission = gpu.queue.submit([encoder.finish()]);
        gpu.wait(&submission)?;
        let period = f64::from(gpu.queue.get_timestamp_period());
        mapping.take(gpu, &staging, bytes, |words| {
            let stamps: Vec<u64> =
                words.chunks_exact(2).map(|pair| u64::from(pair[0]) | (u64::from(pair[1]) << 32)).collect();
            for (&dispatch, pair) in dispatches.iter().zip(stamps.chunks_exact(2)) {
                times.push((dispatch, pair[1].saturating_sub(pair[0]) as f64 * period));
            }
        })
    }
}
