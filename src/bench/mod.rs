//! Benchmarks: what a device can do at most, and how near to it the kernels and the training steps come.
//!
//! Everything is checked against the CPU twin before it is timed, warmed up, and given as a median with quartiles.
//! What fails its check is reported and not timed. Nothing is printed here.

mod ceilings;
mod convolution;
mod kernels;
mod matmul;
mod operations;
mod presets;
mod training;

#[cfg(test)]
mod tests;

pub use crate::probe::Spread;
pub use ceilings::{Bandwidth, Ceilings};
pub use kernels::KernelRow;
pub use matmul::{Layout, MatmulRow};
pub use training::StepRow;

use crate::device::OpenDevice;
use crate::probe::{Case, Near, Runner, error_ratio};
use crate::{Error, Result};
use serde::Serialize;

/// What to measure, and for how long.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Measure only what has all these words, separated by spaces, in its name; all that is printed has a name such as
    /// `kernels/adam`, `matmul/nt/128x500x784/tiled-64`, `convolution/tn/100x14x14x64-31x31x32-4x4/registers` or `train_step/784-500-20-tanh/128`.
    pub filter: String,
    /// Fewer shapes and shorter measurements.
    pub quick: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.filter.to_lowercase().split_whitespace().all(|word| name.contains(word))
    }
}

/// The device that is measured.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceDescription {
    /// Its name.
    pub name: String,
    /// `Vulkan`, `Metal`, `DX12`, `GL` or `none`.
    pub backend: String,
    /// The driver and its version; empty for the processor.
    pub driver: String,
    /// `discrete GPU`, `software`, .. or `processor`.
    pub kind: String,
    /// Optional features that are used.
    pub features: Vec<String>,
    /// Smallest and largest subgroup, in invocations; 0 for the processor.
    pub subgroup_size: [u32; 2],
    /// Threads of this program.
    pub threads: usize,
    /// How kernels are timed: `GPU timestamps` or `wall clock`. Training steps are always timed by the wall clock.
    pub timing: String,
}

impl DeviceDescription {
    /// Describe `device`.
    pub fn of(device: &OpenDevice) -> Self {
        let threads = rayon::current_num_threads();
        let wall_clock = "wall clock".to_string();
        match device {
            OpenDevice::Cpu => Self {
                name: format!("CPU ({threads} threads)"),
                backend: "none".into(),
                driver: String::new(),
                kind: "processor".into(),
                features: Vec::new(),
                subgroup_size: [0, 0],
                threads,
                timing: wall_clock,
            },
            OpenDevice::Gpu(gpu) => {
                let info = gpu.info();
                let features = [("timestamps", info.timestamps), ("pipeline cache", info.pipeline_cache)];
                Self {
                    name: info.name.clone(),
                    backend: info.backend.clone(),
                    driver: info.driver.clone(),
                    kind: info.kind.to_string(),
                    features: features
                        .iter()
                        .filter(|(_, has)| *has)
                        .map(|(name, _)| (*name).into())
                        .collect(),
                    subgroup_size: info.subgroup_size,
                    threads,
                    timing: if info.timestamps { "GPU timestamps".into() } else { wall_clock },
                }
            }
        }
    }
}

/// All measurements of a device.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was measured.
    pub device: DeviceDescription,
    /// What it can do at most; `None` where the filter leaves nothing that needs it.
    pub ceilings: Option<Ceilings>,
    /// Every kernel on a shape of a real model.
    pub kernels: Vec<KernelRow>,
    /// Matrix products, in all layouts and variants.
    pub matmul: Vec<MatmulRow>,
    /// Convolutions of the presets, likewise.
    pub convolution: Vec<MatmulRow>,
    /// Whole training steps.
    pub train_step: Vec<StepRow>,
}

impl Report {
    /// Compute all shares of the ceilings as they are in the end: some may have been measured again.
    pub fn settle(&mut self) {
        let Some(ceilings) = &self.ceilings else { return };
        for row in &mut self.kernels {
            let share = row.time.and_then(|time| ceilings.share(row.flops, row.bytes, &time));
            (row.share, row.ceiling) = (share.map(|share| share.0), share.map(|share| share.1));
        }
        for row in self.matmul.iter_mut().chain(&mut self.convolution) {
            let share = row.time.and_then(|time| ceilings.share(row.flops, row.bytes, &time));
            row.share = share.map(|share| share.0);
        }
    }

    /// Problems of everything whose result is wrong, or whose share of a ceiling cannot be.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        let kernels = self.kernels.iter().map(|row| &row.problem);
        let products = self.matmul.iter().chain(&self.convolution).map(|row| &row.problem);
        let steps = self.train_step.iter().map(|row| &row.problem);
        kernels.chain(products).chain(steps).filter_map(Option::as_deref)
    }
}

/// A device, and what to measure on it.
#[derive(Debug)]
pub struct Bench {
    device: OpenDevice,
    options: Options,
    near: Near,
}

/// Called with the name of each measurement before it is made.
pub type Progress<'a> = &'a mut dyn FnMut(&str);

impl Bench {
    /// Prepare to measure `device`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the filter leaves nothing to measure.
    pub fn new(device: OpenDevice, options: Options) -> Result<Self> {
        let bench = Self { device, options, near: error_ratio };
        if bench.wants_ceilings() || !bench.training_names().is_empty() {
            return Ok(bench);
        }
        Err(Error::setting(
            "--filter",
            format!("nothing that is measured has '{}' in its name", bench.options.filter),
            "names are such as ceilings, kernels/adam, matmul/nt/128x500x784/tiled-64, \
             train_step/784-500-20-tanh/128",
        ))
    }

    /// Measure everything.
    ///
    /// # Errors
    /// If the device fails; a wrong result is no error, but stands in the report.
    pub fn run(&self, progress: Progress<'_>) -> Result<Report> {
        let mut ceilings = self.ceilings(progress)?;
        let mut report = Report {
            device: self.describe(),
            kernels: self.kernels(ceilings.as_mut(), progress)?,
            matmul: self.matmul(ceilings.as_mut(), progress)?,
            convolution: self.convolutions(ceilings.as_mut(), progress)?,
            train_step: self.training_steps(progress)?,
            ceilings,
        };
        report.settle();
        Ok(report)
    }

    /// The device.
    pub fn describe(&self) -> DeviceDescription {
        DeviceDescription::of(&self.device)
    }

    /// Ceilings are wanted for themselves or for the shares of others.
    fn wants_ceilings(&self) -> bool {
        self.options.wants("ceilings") || !self.kernel_cases().is_empty() || !self.matmul_names().is_empty()
    }

    /// Items in the minibatches of convolutions. A software adapter would take seconds for a hundred.
    fn items(&self) -> usize {
        match &self.device {
            OpenDevice::Gpu(gpu) if gpu.info().is_software() => 16,
            _ => 100,
        }
    }

    /// Seconds a measurement takes, unless a few runs take longer.
    fn patience(&self) -> f64 {
        if self.options.quick { 0.06 } else { 0.25 }
    }

    /// Check `case`, and time it if it is right. A time that no ceiling allows is measured again, and so are the ceilings.
    ///
    /// # Errors
    /// If the device fails.
    fn measure(
        &self,
        name: &str,
        case: &Case,
        ceilings: Option<&mut Ceilings>,
        progress: Progress<'_>,
    ) -> Result<Measurement> {
        progress(name);
        let mut runner = Runner::new(&self.device, case)?;
        let time = match runner.measure(self.near, self.patience())? {
            Ok(time) => time,
            Err(problem) => return Ok(Measurement { problem: Some(problem), ..Measurement::default() }),
        };
        let measured = Measurement::of(name, case, time, ceilings.as_deref());
        match ceilings {
            Some(ceilings) if measured.problem.is_some() => {
                self.raise(ceilings, progress)?;
                Ok(Measurement::of(name, case, runner.time(self.patience())?, Some(ceilings)))
            }
            _ => Ok(measured),
        }
    }
}

/// What was measured of a case.
#[derive(Clone, Debug, Default)]
struct Measurement {
    /// Time of a run; `None` if its result is wrong.
    time: Option<Spread>,
    /// Share of the nearer ceiling, and which one that is.
    share: Option<(f64, &'static str)>,
    /// A wrong result, or a share that cannot be.
    problem: Option<String>,
}

/// The largest share of a ceiling that the clock's error explains.
const LARGEST_SHARE: f64 = 1.05;

impl Measurement {
    fn of(name: &str, case: &Case, time: Spread, ceilings: Option<&Ceilings>) -> Self {
        let share = ceilings.and_then(|ceilings| ceilings.share(case.flops, case.bytes, &time));
        // Without optimisation the ceilings of the processor are lower than those of the libraries it calls.
        let judged = share.filter(|_| !cfg!(debug_assertions));
        let problem = judged.and_then(|(share, ceiling)| above(name, share, ceiling));
        Self { time: Some(time), share, problem }
    }
}

/// What is wrong with a share of a ceiling.
fn above(name: &str, share: f64, ceiling: &str) -> Option<String> {
    (share > LARGEST_SHARE).then(|| {
        let percent = 100.0 * share;
        format!("{name}: {percent:.0}% of the {ceiling} ceiling; more than 105% is a wrong measurement")
    })
}
