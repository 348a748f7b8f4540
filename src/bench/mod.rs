//! Benchmarks: what a device can do at most, and how near to it the kernels and the training steps come.
//!
//! Everything is checked against the CPU twin before it is timed, warmed up, and given as a median with quartiles.
//! What fails its check is reported and not timed. Nothing is printed here.

mod ceilings;
mod convolution;
mod kernels;
mod matmul;
mod training;

#[cfg(test)]
mod tests;

pub use crate::probe::Spread;
pub use ceilings::Ceilings;
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
    /// `kernels/adam`, `matmul/nt/128x500x784/tiled-64`, `convolution/tn/64x16x16x32-32x32x32-4x4/registers` or `train_step/784-500-20-tanh/128`.
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
    /// Whole training steps.
    pub train_step: Vec<StepRow>,
}

impl Report {
    /// Problems of everything that was not measured because its result is wrong.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        let kernels = self.kernels.iter().map(|row| &row.problem);
        let products = self.matmul.iter().map(|row| &row.problem);
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
        let ceilings = self.ceilings(progress)?;
        Ok(Report {
            device: self.describe(),
            kernels: self.kernels(ceilings.as_ref(), progress)?,
            matmul: self.matmul(ceilings.as_ref(), progress)?,
            train_step: self.training_steps(progress)?,
            ceilings,
        })
    }

    /// The device.
    pub fn describe(&self) -> DeviceDescription {
        DeviceDescription::of(&self.device)
    }

    /// Ceilings are wanted for themselves or for the shares of others.
    fn wants_ceilings(&self) -> bool {
        self.options.wants("ceilings") || !self.kernel_cases().is_empty() || !self.matmul_names().is_empty()
    }

    /// Seconds a measurement takes, unless a few runs take longer.
    fn patience(&self) -> f64 {
        if self.options.quick { 0.06 } else { 0.25 }
    }

    /// Check `case`, and time it if it is right. The inner error describes a wrong result.
    fn measure(&self, case: &Case) -> Result<std::result::Result<Spread, String>> {
        Runner::new(&self.device, case)?.measure(self.near, self.patience())
    }
}
