//! Runs one dispatch on a device: once to check it, then many times to time it.

use super::case::{Case, MANY, REPEATS};
use super::{Near, ONCE, Spread};
use crate::cpu::{CpuExecutor, Real};
use crate::device::OpenDevice;
use crate::gpu::GpuExecutor;
use crate::pace::Pace;
use crate::plan::{Access, BufferId, Executor, GROUPS, NUMBERS, Step};
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// Most steps in a submit.
const MAX_STEPS: usize = 64;
/// Fewest samples, unless one takes very long.
const LEAST_SAMPLES: usize = 7;
/// Most samples.
const MOST_SAMPLES: usize = 1000;
/// Seconds of a sample that the wall clock takes.
const SAMPLE: f64 = 2e-3;
/// Floating-point operations above which the twin runs in single precision, as double would take long.
const LARGE: u64 = 200_000_000;

/// What the twin of a case writes: the numbers of each variable. Variants of one product share it.
pub(crate) type Expected = Vec<(String, Vec<f64>)>;

/// How time is measured on a device.
enum Machine {
    /// By timestamps around every dispatch.
    Stamped(Box<GpuExecutor>),
    /// By the host's clock.
    Clocked(Box<dyn Executor>),
}

/// A dispatch of a kernel, ready to run on a device.
pub(crate) struct Runner {
    case: Case,
    machine: Machine,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("dispatch", self.case.dispatch()).finish_non_exhaustive()
    }
}

impl Machine {
    fn executor(&mut self) -> &mut dyn Executor {
        match self {
            Self::Stamped(executor) => executor.as_mut(),
            Self::Clocked(executor) => executor.as_mut(),
        }
    }
}

impl Runner {
    /// Put `case` on `device`.
    pub(crate) fn new(device: &OpenDevice, case: &Case) -> Result<Self> {
        let machine = match device {
            OpenDevice::Gpu(gpu) if gpu.info().timestamps => {
                Machine::Stamped(Box::new(GpuExecutor::new(gpu, &case.plan, MAX_STEPS)?))
            }
            device => Machine::Clocked(device.executor(&case.plan, MAX_STEPS)?),
        };
        Ok(Self { case: case.clone(), machine })
    }

    fn steps(&self, count: usize) -> Vec<Step> {
        let step = Step {
            rows: self.case.rows as u32,
            numbers: [0.75; NUMBERS],
            groups: [[0.001, 1.5, 3.0, 0.0]; GROUPS],
            ..Step::seeded(5, 1)
        };
        (0..count).map(|slot| Step { slot: slot as u32, ..step }).collect()
    }

    /// What the twin writes, from the buffers that [`Runner::check`] begins with.
    ///
    /// # Errors
    /// If there is too little memory.
    pub(crate) fn expected(&self) -> Result<Expected> {
        if self.case.flops < LARGE { self.expected_in::<f64>() } else { self.expected_in::<f32>() }
    }

    fn expected_in<T: Real>(&self) -> Result<Expected>
    where
        CpuExecutor<T>: Executor,
    {
        let mut oracle = CpuExecutor::<T>::new(&self.case.plan, 1)?;
        for index in 0..self.case.plan.buffers.len() {
            oracle.write(BufferId(index), 0, &self.case.words(index))?;
        }
        oracle.submit(ONCE, &self.steps(1))?;
        let written = self.case.dispatch().bindings.iter().filter(|it| it.access == Access::ReadWrite);
        let numbers = |buffer| oracle.real(buffer).iter().map(|number| number.double()).collect();
        Ok(written.map(|it| (it.variable.clone(), numbers(it.buffer))).collect())
    }

    /// Run once on the device and on its twin, and describe the difference, if there is one.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn check(&mut self, near: Near) -> Result<Option<String>> {
        let expected = self.expected()?;
        self.check_against(near, &expected)
    }

    /// The same where it is known what the twin writes.
    fn check_against(&mut self, near: Near, expected: &Expected) -> Result<Option<String>> {
        let executor = self.machine.executor();
        for index in 0..self.case.plan.buffers.len() {
            executor.write(BufferId(index), 0, &self.case.words(index))?;
        }
        let steps = self.steps(1);
        self.submit(ONCE, &steps)?;
        let tolerance = self.case.tolerance();
        let (mut wrong, mut values, mut worst) = (0, 0, (0.0, String::new()));
        let written = self.case.dispatch().bindings.iter().filter(|it| it.access == Access::ReadWrite);
        for binding in written {
            let actual = self.machine.executor().read(binding.buffer, 0, binding.length)?;
            let Some((_, expected)) = expected.iter().find(|(name, _)| *name == binding.variable) else {
                return Err(Error::Internal(format!("nothing is expected of {}", binding.variable)));
            };
            for (i, (word, &expected)) in actual.iter().zip(expected).enumerate() {
                let actual = f64::from(f32::from_bits(*word));
                let ratio = near(actual, expected, tolerance);
                values += 1;
                if ratio > 1.0 {
                    wrong += 1;
                    if ratio > worst.0 {
                        let what = &binding.variable;
                        worst = (ratio, format!("{what}[{i}] is {actual:e}, should be {expected:e}"));
                    }
                }
            }
        }
        let kernel = &self.case.dispatch().kernel;
        Ok((wrong > 0).then(|| format!("{kernel} is wrong: {wrong} of {values} numbers; {}", worst.1)))
    }

    fn submit(&mut self, program: &str, steps: &[Step]) -> Result<f64> {
        let executor = self.machine.executor();
        let start = Instant::now();
        executor.submit(program, steps)?;
        executor.receive(0)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Run `program` for `steps` steps: seconds a run, one or several samples of it, and how many runs there were.
    fn sample(&mut self, program: &str, steps: usize) -> Result<(Vec<f64>, u64)> {
        let steps = self.steps(steps);
        let dispatches = if program == MANY { REPEATS } else { 1 };
        if let Machine::Stamped(executor) = &mut self.machine {
            let times = executor.profile(program, steps[0])?;
            let runs = times.chunks(self.case.dispatches());
            return Ok((
                runs.map(|run| run.iter().map(|(_, nanoseconds)| nanoseconds * 1e-9).sum()).collect(),
                dispatches as u64,
            ));
        }
        let runs = dispatches * steps.len();
        let seconds = self.submit(program, &steps)?;
        Ok((vec![seconds / runs as f64], runs as u64))
    }

    /// Check it, and time it for about `patience` seconds if it is right. The inner error describes a
    /// wrong result.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn measure(
        &mut self,
        near: Near,
        patience: f64,
    ) -> Result<std::result::Result<Spread, String>> {
        let expected = self.expected()?;
        self.measure_against(near, &expected, patience)
    }

    /// The same where it is known what the twin writes.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn measure_against(
        &mut self,
        near: Near,
        expected: &Expected,
        patience: f64,
    ) -> Result<std::result::Result<Spread, String>> {
        match self.check_against(near, expected)? {
            Some(problem) => Ok(Err(problem)),
            None => Ok(Ok(self.time(patience)?)),
        }
    }

    /// Warm up, then time for about `patience` seconds.
    pub(crate) fn time(&mut self, patience: f64) -> Result<Spread> {
        Ok(Spread::of(self.samples(patience)?.concat()))
    }

    /// Warm up, then run for about `patience` seconds: seconds of a run in the fastest submit.
    pub(crate) fn fastest(&mut self, patience: f64) -> Result<f64> {
        // A mean over a submit: one dispatch may be shorter than the clock's unit.
        let means =
            self.samples(patience)?.into_iter().map(|runs| runs.iter().sum::<f64>() / runs.len() as f64);
        Ok(means.fold(f64::INFINITY, f64::min))
    }

    /// Seconds of runs, those of each submit together.
    fn samples(&mut self, patience: f64) -> Result<Vec<Vec<f64>>> {
        let steps = self.steps(1);
        let once = self.submit(ONCE, &steps)?.min(self.submit(ONCE, &steps)?);
        let (program, steps) = match &self.machine {
            _ if once > 10.0 * SAMPLE => (ONCE, 1),
            Machine::Stamped(_) => (MANY, 1),
            Machine::Clocked(_) => {
                let mut pace = Pace::new(Duration::from_secs_f64(SAMPLE), MAX_STEPS);
                pace.settle(|steps| self.submit(MANY, &self.steps(steps)).map(Duration::from_secs_f64))?;
                (MANY, pace.steps())
            }
        };
        // A few runs of the slowest are all that is waited for.
        let least = if once > patience { 3 } else { LEAST_SAMPLES };
        let start = Instant::now();
        let (mut samples, mut count) = (Vec::new(), 0);
        while count < least || (start.elapsed().as_secs_f64() < patience && count < MOST_SAMPLES) {
            let runs = self.sample(program, steps)?.0;
            count += runs.len();
            samples.push(runs);
        }
        Ok(samples)
    }
}
