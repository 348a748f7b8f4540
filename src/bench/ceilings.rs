//! What a device can do at most.
//!
//! A ceiling is the best of many runs. What is above one by more than the clock's error is a wrong measurement, and fails.

use super::{Bench, Progress};
use crate::cpu::peak;
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
    /// Billions of bytes a second of the memory: the larger rate of the largest buffers in `bandwidths`.
    pub gigabytes_per_second: f64,
    /// Rates by size of the buffers, the smallest first: small ones stay in caches.
    pub bandwidths: Vec<Bandwidth>,
    /// Microseconds that one more dispatch costs in a submit, when it waits for the one before.
    pub dispatch_microseconds: f64,
    /// Microseconds from the submit of one small dispatch until the host knows that it is done.
    pub submit_microseconds: f64,
    /// Times that they were measured again.
    #[serde(skip)]
    raised: usize,
}

/// Bytes a second of buffers of one size, again and again.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bandwidth {
    /// Bytes of all buffers together.
    pub bytes: u64,
    /// Billions of bytes a second, read and written, of a copy from one half of them to the other.
    pub copied: f64,
    /// Billions of bytes a second of sums, which read much and write little.
    pub read: f64,
}

impl Bandwidth {
    /// The larger rate.
    pub fn best(&self) -> f64 {
        self.copied.max(self.read)
    }
}

/// Bytes of the buffers whose bandwidth is measured, from caches to memory.
const SIZES: [usize; 6] = [32 << 10, 128 << 10, 512 << 10, 2 << 20, 8 << 20, 32 << 20];
/// The last size on a processor, and on a GPU, whose caches are larger.
const MEMORY: [usize; 2] = [128 << 20, 256 << 20];
/// Vectors of `add_up` that are read for one that is written.
const READ: usize = 16;

/// Iterations of the multiply-add kernel, 8 links of 3 chains of vec4 each.
const ITERATIONS: usize = 256;
/// Operations of one invocation of it.
const INVOCATION: usize = ITERATIONS * 8 * 12 * 2;
/// Invocations that are tried: more and more, until they take [`LONG_ENOUGH`].
const INVOCATIONS: [usize; 6] = [1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
/// Seconds after which the start of a dispatch no longer counts.
const LONG_ENOUGH: f64 = 4e-3;
/// Most times that ceilings are measured again. What is still above them fails.
const MOST_RAISES: usize = 4;
/// Dispatches in the submit that shows what one costs.
const DISPATCHES: usize = 512;

impl Ceilings {
    /// Billions of bytes a second that no work on operands of `bytes` bytes exceeds: the best of all measured buffers that are
    /// not smaller than the largest that is no larger than they. Smaller operands are never slower, except to begin.
    fn bandwidth(&self, bytes: u64) -> f64 {
        let fits = |it: &&Bandwidth| it.bytes <= bytes;
        let floor = self.bandwidths.iter().filter(fits).map(|it| it.bytes).max().unwrap_or(0);
        let rates = self.bandwidths.iter().filter(|it| it.bytes >= floor).map(Bandwidth::best);
        rates.fold(0.0, f64::max)
    }

    /// The share of the nearer ceiling that work of `flops` operations on `bytes` bytes reached in `time`, and which ceiling
    /// that is.
    pub(super) fn share(&self, flops: u64, bytes: u64, time: &Spread) -> Option<(f64, &'static str)> {
        let compute = time.billions_per_second(flops)? / self.gflops;
        let memory = time.billions_per_second(bytes)? / self.bandwidth(bytes);
        Some(if compute > memory { (compute, "compute") } else { (memory, "memory") })
    }

    /// Keep the higher of two measurements of each ceiling.
    fn raise(&mut self, other: &Self) {
        self.raised += 1;
        self.gflops = self.gflops.max(other.gflops);
        for (own, other) in self.bandwidths.iter_mut().zip(&other.bandwidths) {
            own.copied = own.copied.max(other.copied);
            own.read = own.read.max(other.read);
        }
        self.gigabytes_per_second = self.bandwidths.last().map_or(0.0, Bandwidth::best);
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
        Ok(Some(self.measure_ceilings()?))
    }

    /// Measure again, and keep what is higher, unless that was done often enough.
    pub(super) fn raise(&self, ceilings: &mut Ceilings, progress: Progress<'_>) -> Result<()> {
        if ceilings.raised < MOST_RAISES {
            progress("ceilings again");
            ceilings.raise(&self.measure_ceilings()?);
        }
        Ok(())
    }

    /// Whether kernels run on the processor, with or without a driver. No kernel is a ceiling of it: other instructions do
    /// more, and a driver adds its own.
    fn is_processor(&self) -> bool {
        match &self.device {
            OpenDevice::Cpu => true,
            OpenDevice::Gpu(gpu) => gpu.info().is_software(),
        }
    }

    fn measure_ceilings(&self) -> Result<Ceilings> {
        let processor = self.is_processor();
        let (gflops, gflops_of) = if processor {
            (peak::multiply_adds(), "fma in registers, on all threads of the processor")
        } else {
            (self.multiply_add_peak()?, "fma in registers")
        };
        let limit = if processor { u64::MAX } else { self.device.binding_limit().unwrap_or(u64::MAX) };
        let memory = if processor { MEMORY[0] } else { MEMORY[1] };
        let sizes = SIZES.into_iter().chain([memory]).filter(|&size| size as u64 <= limit);
        let bandwidths = sizes.map(|bytes| self.bandwidth(bytes)).collect::<Result<Vec<_>>>()?;
        let (dispatch_microseconds, submit_microseconds) = self.overheads()?;
        Ok(Ceilings {
            gflops,
            gflops_of: gflops_of.to_string(),
            gigabytes_per_second: bandwidths.last().map_or(0.0, Bandwidth::best),
            bandwidths,
            dispatch_microseconds,
            submit_microseconds,
            raised: 0,
        })
    }

    fn bandwidth(&self, bytes: usize) -> Result<Bandwidth> {
        let (copied, read) = if self.is_processor() {
            (peak::copied(bytes), peak::read(bytes))
        } else {
            (self.rate(&copy_case(bytes / 32))?, self.rate(&add_up_case(bytes / (READ + 1) / 16))?)
        };
        Ok(Bandwidth { bytes: bytes as u64, copied, read })
    }

    /// Billions of bytes a second in the fastest run.
    fn rate(&self, case: &Case) -> Result<f64> {
        let mut runner = Runner::new(&self.device, case)?;
        self.demand(&mut runner)?;
        Ok(case.bytes as f64 / runner.fastest(self.patience() / 2.0)? * 1e-9)
    }

    fn multiply_add_peak(&self) -> Result<f64> {
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
            let seconds = runner.fastest(self.patience() / 2.0)?;
            best = best.max(operations as f64 / seconds * 1e-9);
            if seconds >= LONG_ENOUGH {
                break;
            }
        }
        Ok(best)
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
            Program { name: "one".into(), dispatches: vec![0], ..Program::default() },
            Program { name: "all".into(), dispatches: vec![0; DISPATCHES], ..Program::default() },
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

fn add_up_case(length: usize) -> Case {
    let lengths = [("input", 4 * READ * length), ("output", 4 * length)];
    let flops = (4 * READ * length) as u64;
    Case::new("add_up", constants! { LENGTH: length }, &lengths, Grid::Elements(length), flops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceilings() -> Ceilings {
        let bandwidth = |bytes, copied, read| Bandwidth { bytes, copied, read };
        Ceilings {
            gflops: 100.0,
            gflops_of: "nothing".into(),
            gigabytes_per_second: 10.0,
            bandwidths: vec![
                bandwidth(1000, 20.0, 30.0),
                bandwidth(10_000, 40.0, 35.0),
                bandwidth(100_000, 9.0, 10.0),
            ],
            dispatch_microseconds: 1.0,
            submit_microseconds: 1.0,
            raised: 0,
        }
    }

    #[test]
    fn operands_are_compared_with_buffers_that_are_no_larger() {
        let ceilings = ceilings();
        // The smallest buffers are slow, since a copy must begin.
        assert_eq!([10, 1000, 9999, 99_999].map(|bytes| ceilings.bandwidth(bytes)), [40.0; 4]);
        assert_eq!([100_000, 1 << 40].map(|bytes| ceilings.bandwidth(bytes)), [10.0; 2]);
        let second = Spread::of(vec![1.0]);
        assert_eq!(ceilings.share(50_000_000_000, 1_000_000, &second), Some((0.5, "compute")));
        assert_eq!(ceilings.share(50, 9_000_000_000, &second), Some((0.9, "memory")));
    }

    #[test]
    fn a_device_that_is_wrong_has_no_ceilings() {
        let mut bench = Bench::new(OpenDevice::Cpu, super::super::Options::default()).unwrap();
        assert!(bench.rate(&copy_case(100)).unwrap() > 0.0 && bench.rate(&add_up_case(100)).unwrap() > 0.0);
        bench.near = |_, _, _| 2.0;
        assert!(bench.rate(&copy_case(100)).unwrap_err().to_string().contains("copy is wrong"));
    }

    #[test]
    fn the_higher_of_two_measurements_counts() {
        let (mut first, mut second) = (ceilings(), ceilings());
        (second.gflops, second.bandwidths[0].read, second.bandwidths[2].copied) = (90.0, 31.0, 12.0);
        first.raise(&second);
        assert_eq!((first.gflops, first.bandwidths[0].read, first.gigabytes_per_second), (100.0, 31.0, 12.0));
    }
}
