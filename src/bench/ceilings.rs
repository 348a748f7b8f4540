//! What a device can do at most.

use super::{Bench, Layout, Progress, matmul};
use crate::device::OpenDevice;
use crate::plan::{Grid, Program, Step, constants};
use crate::probe::{Case, Runner, Spread};
use crate::{Error, Result};
use serde::Serialize;
use std::time::Instant;

/// Measured ceilings of a device.
#[derive(Clone, Debug, Serialize)]
pub struct Ceilings {
    /// Single-precision multiply-adds: billions of operations a second, two for each.
    pub gflops: f64,
    /// What was run to measure it.
    pub gflops_of: String,
    /// Billions of bytes a second, read and written, of a copy from buffer to buffer.
    pub gigabytes_per_second: f64,
    /// Bytes of each of these two buffers.
    pub copied_bytes: u64,
    /// Microseconds that one more dispatch costs in a submit, when it waits for the one before.
    pub dispatch_microseconds: f64,
    /// Microseconds from the submit of one small dispatch until the host knows that it is done.
    pub submit_microseconds: f64,
}

/// Iterations of the multiply-add kernel, 8 links of 3 chains of vec4 each.
const ITERATIONS: usize = 256;
/// Operations of one invocation of it.
const INVOCATION: usize = ITERATIONS * 8 * 12 * 2;
/// Invocations that are tried: more and more, until they take [`LONG_ENOUGH`].
const INVOCATIONS: [usize; 6] = [1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
/// Milliseconds after which the start of a dispatch no longer counts.
const LONG_ENOUGH: f64 = 4.0;
/// Dispatches in the submit that shows what one costs.
const DISPATCHES: usize = 512;

impl Ceilings {
    /// The share of the device's ceiling that work of so many operations and bytes reached, and which ceiling that
    /// is. Above 1 where operands were in a cache.
    pub(super) fn share(&self, flops: u64, bytes: u64, time: &Spread) -> Option<(f64, &'static str)> {
        let compute = time.billions_per_second(flops)? / self.gflops;
        let memory = time.billions_per_second(bytes)? / self.gigabytes_per_second;
        Some(if compute > memory { (compute, "compute") } else { (memory, "memory") })
    }
}

impl Bench {
    /// Measure the ceilings; `None` if nothing that needs them is wanted.
    ///
    /// # Errors
    /// If the device fails, or is wrong: no other number would mean anything.
    pub fn ceilings(&self, progress: Progress<'_>) -> Result<Option<Ceilings>> {
        if !self.wants_ceilings() {
            return Ok(None);
        }
        progress("ceilings");
        let (gflops, gflops_of) = match &self.device {
            OpenDevice::Cpu => self.product_peak()?,
            OpenDevice::Gpu(_) => self.multiply_add_peak()?,
        };
        let software = match &self.device {
            OpenDevice::Cpu => true,
            OpenDevice::Gpu(gpu) => gpu.info().is_software(),
        };
        let copied_bytes: usize = if software { 64 << 20 } else { 128 << 20 };
        let (dispatch_microseconds, submit_microseconds) = self.overheads()?;
        Ok(Some(Ceilings {
            gflops,
            gflops_of,
            gigabytes_per_second: rate(&self.copy(copied_bytes / 16)?, 2 * copied_bytes)?,
            copied_bytes: copied_bytes as u64,
            dispatch_microseconds,
            submit_microseconds,
        }))
    }

    fn multiply_add_peak(&self) -> Result<(f64, String)> {
        let mut best: f64 = 0.0;
        for (number, length) in INVOCATIONS.into_iter().enumerate() {
            let operations = length * INVOCATION;
            let case = Case::new(
                "multiply_add",
                constants! { LENGTH: length, ITERATIONS: ITERATIONS },
                &[("input", 4), ("output", 4 * length)],
                Grid::Elements(length),
                operations as u64,
            );
            let mut runner = Runner::new(&self.device, &case)?;
            // The twin on the processor would take long for the larger ones, which do the same.
            if number == 0 {
                self.demand(&mut runner)?;
            }
            let time = runner.time(self.patience() / 2.0)?;
            best = best.max(rate(&time, operations)?);
            if time.ms >= LONG_ENOUGH {
                break;
            }
        }
        Ok((best, "fma in registers".to_string()))
    }

    /// On the processor the twin of the multiply-add kernel is no ceiling: Rust compiles it for any processor of its
    /// family. The matrix product chooses its instructions when it runs.
    fn product_peak(&self) -> Result<(f64, String)> {
        let size = 1024;
        let case = matmul::case(Layout::Nn, [size; 3]);
        let mut runner = Runner::new(&self.device, &case)?;
        self.demand(&mut runner)?;
        let best = rate(&runner.time(4.0 * self.patience())?, 2 * size.pow(3))?;
        Ok((best, format!("matrix product {size}x{size}x{size}")))
    }

    fn copy(&self, length: usize) -> Result<Spread> {
        let mut runner = Runner::new(&self.device, &copy_case(length))?;
        self.demand(&mut runner)?;
        runner.time(self.patience())
    }

    /// Without a correct result the measurement is meaningless.
    fn demand(&self, runner: &mut Runner) -> Result<()> {
        match runner.check(self.near)? {
            None => Ok(()),
            Some(problem) => Err(Error::device(
                self.describe().name,
                problem,
                "run 'vae selftest' to see what else this device gets wrong",
            )),
        }
    }

    /// Microseconds of a dispatch, and of a submit.
    fn overheads(&self) -> Result<(f64, f64)> {
        let mut plan = copy_case(1).plan;
        plan.programs = vec![
            Program { name: "one", dispatches: vec![0] },
            Program { name: "all", dispatches: vec![0; DISPATCHES] },
        ];
        let mut executor = self.device.executor(&plan, 1)?;
        let mut clock = |name: &str, count: usize| -> Result<f64> {
            let mut times = Vec::new();
            // The first one is to warm up.
            for _ in 0..=count {
                let start = Instant::now();
                executor.submit(name, &[Step::default()])?;
                executor.receive(0)?;
                times.push(start.elapsed().as_secs_f64());
            }
            Ok(Spread::of(times.split_off(1)).ms * 1e3)
        };
        let (one, all) = (clock("one", 50)?, clock("all", 15)?);
        Ok(((all - one).max(0.0) / (DISPATCHES - 1) as f64, one))
    }
}

fn copy_case(length: usize) -> Case {
    let lengths = [("input", 4 * length), ("output", 4 * length)];
    Case::new("copy", constants! { LENGTH: length }, &lengths, Grid::Elements(length), 0)
}

fn rate(time: &Spread, amount: usize) -> Result<f64> {
    time.billions_per_second(amount as u64)
        .ok_or_else(|| Error::Internal("a measurement took no time at all".to_string()))
}
