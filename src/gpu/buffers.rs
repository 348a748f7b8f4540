//! The plan's buffers on the device, and copies between them and the host.

use super::{Fault, Gpu};
use crate::plan::{Buffer, BufferId, Plan};
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use wgpu::BufferUsages;

/// Most bytes that one copy between host and device carries. wgpu stages a copy in a buffer of its size,
/// so a large data set is sent in pieces.
const PIECE: usize = 64 << 20;

/// The buffers of a plan.
#[derive(Debug)]
pub(super) struct Buffers {
    /// The plan's blocks of memory.
    blocks: Vec<wgpu::Buffer>,
    /// For each buffer of the plan, the index of its block.
    block_of: Vec<usize>,
    /// The plan's descriptions of its buffers.
    plan: Vec<Buffer>,
    /// Where reads are copied to before the host sees them; kept for the next read.
    staging: Option<wgpu::Buffer>,
}

impl Buffers {
    /// Create all buffers; wgpu fills them with zeros before their first use.
    pub(super) fn new(gpu: &Gpu, plan: &Plan) -> Result<Self> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let total = plan.memory_bytes();
        let block_of: Vec<usize> = (0..plan.buffers.len()).map(|index| plan.block(BufferId(index))).collect();
        let mut blocks = Vec::new();
        for (number, (length, _)) in plan.blocks().into_iter().enumerate() {
            let held = plan.buffers.iter().zip(&block_of).filter(|(_, block)| **block == number);
            let names: Vec<&str> = held.map(|(buffer, _)| buffer.name.as_str()).collect();
            blocks.push(create(gpu, &names.join(", "), length as u64 * 4, usage, total)?);
        }
        Ok(Self { blocks, block_of, plan: plan.buffers.clone(), staging: None })
    }

    /// The buffer on the device.
    pub(super) fn get(&self, id: BufferId) -> &wgpu::Buffer {
        &self.blocks[self.block_of[id.0]]
    }

    /// Write `words` from element `offset` on.
    pub(super) fn write(&self, gpu: &Gpu, id: BufferId, offset: usize, words: &[u32]) -> Result<()> {
        self.check_range(id, offset, words.len())?;
        let mut position = offset as u64 * 4;
        let pieces = words.chunks(PIECE / 4);
        let last = pieces.len().saturating_sub(1);
        for (number, piece) in pieces.enumerate() {
            let bytes: &[u8] = bytemuck::cast_slice(piece);
            gpu.queue.write_buffer(self.get(id), position, bytes);
            position += bytes.len() as u64;
            if number != last {
                // Frees the staged piece before the next one is staged.
                gpu.wait(&gpu.queue.submit([]))?;
            }
        }
        gpu.check()
    }

    /// Read `length` elements from `offset` on, after all work that was submitted before.
    pub(super) fn read(&mut self, gpu: &Gpu, id: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
        self.check_range(id, offset, length)?;
        gpu.check()?;
        let mut words = Vec::with_capacity(length);
        while words.len() < length {
            let count = (length - words.len()).min(PIECE / 4);
            let bytes = count as u64 * 4;
            let staging = match self.staging.take() {
                Some(staging) if staging.size() >= bytes => staging,
                _ => {
                    let usage = BufferUsages::COPY_DST | BufferUsages::MAP_READ;
                    create(gpu, "staging", bytes.next_power_of_two(), usage, bytes)?
                }
            };
            let position = (offset + words.len()) as u64 * 4;
            let mut encoder =
                gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("read") });
            encoder.copy_buffer_to_buffer(self.get(id), position, &staging, 0, bytes);
            let mapping = Mapping::default();
            mapping.request(&encoder, &staging, bytes);
            let submission = gpu.queue.submit([encoder.finish()]);
            gpu.wait(&submission)?;
            mapping.take(gpu, &staging, bytes, |mapped| words.extend_from_slice(mapped))?;
            self.staging = Some(staging);
        }
        Ok(words)
    }

    fn check_range(&self, id: BufferId, offset: usize, length: usize) -> Result<()> {
        match self.plan.get(id.0) {
            Some(buffer) if offset.checked_add(length).is_some_and(|end| end <= buffer.length) => Ok(()),
            Some(buffer) => Err(Error::Internal(format!(
                "{length} elements from {offset} on are outside of '{}', which has {}",
                buffer.name, buffer.length
            ))),
            None => Err(Error::Internal(format!("the plan has no buffer {}", id.0))),
        }
    }
}

/// A buffer of at least `bytes`; `total` is how much is being allocated in all, for the message.
pub(super) fn create(
    gpu: &Gpu,
    label: &str,
    bytes: u64,
    usage: BufferUsages,
    total: u64,
) -> Result<wgpu::Buffer> {
    let descriptor = wgpu::BufferDescriptor {
        label: Some(label),
        // A buffer of no bytes cannot be used at all.
        size: bytes.max(4),
        usage,
        mapped_at_creation: false,
    };
    gpu.scoped(|| gpu.device.create_buffer(&descriptor)).map_err(|fault| match fault {
        Fault::OutOfMemory => Error::device(
            gpu.name(),
            format!("no memory for '{label}' ({bytes} bytes, of {total} bytes needed in all)"),
            "use a smaller --batch-size, --hidden or image size, or --device cpu",
        ),
        fault => fault.into_error(&gpu.name()),
    })
}

const WAITING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

/// State of a request to map a buffer, so that the host can read it.
#[derive(Debug, Default)]
pub(super) struct Mapping(Arc<AtomicU8>);

impl Mapping {
    /// Map the first `bytes` of `buffer` once the work in `encoder` is submitted and done.
    pub(super) fn request(&self, encoder: &wgpu::CommandEncoder, buffer: &wgpu::Buffer, bytes: u64) {
        self.0.store(WAITING, Ordering::Release);
        let state = Arc::clone(&self.0);
        encoder.map_buffer_on_submit(buffer, wgpu::MapMode::Read, 0..bytes, move |result| {
            state.store(if result.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
        });
    }

    /// Show the mapped bytes to `see` as 4-byte words, then unmap; the work must be done.
    pub(super) fn take(
        &self,
        gpu: &Gpu,
        buffer: &wgpu::Buffer,
        bytes: u64,
        see: impl FnOnce(&[u32]),
    ) -> Result<()> {
        if self.0.load(Ordering::Acquire) != MAPPED {
            gpu.check()?;
            return Err(Error::Internal(format!("{}: a buffer could not be mapped", gpu.name())));
        }
        let view = buffer
            .get_mapped_range(0..bytes)
            .map_err(|error| Error::Internal(format!("{}: {error}", gpu.name())))?;
        // Mappings are aligned to 8 bytes at least, so the cast holds.
        let words = bytemuck::try_cast_slice(&view)
            .map_err(|error| Error::Internal(format!("{}: a mapped buffer: {error}", gpu.name())))?;
        see(words);
        drop(view);
        buffer.unmap();
        Ok(())
    }
}
