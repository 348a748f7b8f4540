//! Which device to train on: an adapter, or the processor.

mod check;
mod choice;
mod drivers;
mod helper;
mod kept;
mod listing;
mod overview;
mod pick;

pub use check::Outcome;
pub use choice::DeviceChoice;
pub use helper::{COMMAND, answer, ask_drivers_by};
pub use listing::{Listing, listing};
pub use overview::{Overview, overview};

use crate::cpu::{self, CpuExecutor};
use crate::files::cache_folder;
use crate::gpu::{self, AdapterInfo, Gpu, GpuExecutor};
use crate::plan::{Executor, Plan};
use crate::{Error, Result};
use helper::Silence;
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long the start-up check may take. The compiler of an old driver may take half a minute.
const LIMIT: Duration = Duration::from_secs(60);

/// The device that a [`DeviceChoice`] means on this machine.
#[derive(Clone, Debug)]
pub enum Chosen {
    /// The processor.
    Cpu,
    /// An adapter.
    Gpu(Box<AdapterInfo>),
}

/// A device that is open and holds no plan yet.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a program holds one or two of them")]
pub enum OpenDevice {
    /// The processor.
    Cpu,
    /// An adapter.
    Gpu(Box<Gpu>),
}

impl OpenDevice {
    /// Choose a device and open it.
    ///
    /// # Errors
    /// If `choice` fits none or several devices, or the device cannot be opened.
    pub fn open(choice: &DeviceChoice) -> Result<Self> {
        Ok(match choose(choice)? {
            Chosen::Cpu => Self::Cpu,
            Chosen::Gpu(info) => Self::Gpu(Box::new(Gpu::open(&info)?)),
        })
    }

    /// The device's name.
    pub fn name(&self) -> String {
        match self {
            Self::Cpu => cpu::device_name(),
            Self::Gpu(gpu) => gpu.info().to_string(),
        }
    }

    /// Bytes of the largest buffer a kernel can see; `None` for no limit but memory.
    pub fn binding_limit(&self) -> Option<u64> {
        match self {
            Self::Cpu => None,
            Self::Gpu(gpu) => {
                let limits = &gpu.info().limits;
                Some(limits.max_storage_buffer_binding_size.min(limits.max_buffer_size))
            }
        }
    }

    /// Allocate `plan`'s buffers and prepare its kernels.
    ///
    /// # Errors
    /// [`Error::Limit`] if a tensor is larger than the device allows; else if the device fails.
    pub fn executor(&self, plan: &Plan, max_steps: usize) -> Result<Box<dyn Executor>> {
        Ok(match self {
            Self::Cpu => Box::new(CpuExecutor::<f32>::new(plan, max_steps)?),
            Self::Gpu(gpu) => Box::new(
                GpuExecutor::new(gpu, plan, max_steps)
                    .map_err(|error| with_others(error, plan, gpu.info(), &listing::known()))?,
            ),
        })
    }
}

/// `error` with the adapters of `list` that take `plan`, if it is one of the limits of `refusing`.
fn with_others(error: Error, plan: &Plan, refusing: &AdapterInfo, list: &[AdapterInfo]) -> Error {
    let Error::Limit { tensor, needed, device, limit, limit_name, batch, .. } = error else { return error };
    let takes = |info: &&AdapterInfo| {
        info.unusable.is_none()
            && info.same_as.is_none()
            && info.index != refusing.index
            && gpu::check_limits(plan, &info.limits, &info.name).is_ok()
    };
    let others = list.iter().filter(takes).map(|info| format!("--device {} ({info})", info.index)).collect();
    Error::Limit { tensor, needed, device, limit, limit_name, batch, others }
}

/// Find the device that `choice` means. A GPU that `auto` takes has passed the start-up check; a device that is named and
/// has not passed it is taken with a warning.
///
/// # Errors
/// [`Error::Setting`] for `--device`, with a list of what there is, if nothing or more than one device fits.
pub fn choose(choice: &DeviceChoice) -> Result<Chosen> {
    // No driver is touched for the processor.
    if *choice == DeviceChoice::Cpu {
        return Ok(Chosen::Cpu);
    }
    let listing = listing(choice.names_gl());
    if *choice != DeviceChoice::Auto {
        let info = pick::named(choice, &listing)?;
        if let Outcome::Failed(problem) = outcome(&info, false) {
            log::warn!(
                "{info} failed the start-up check: {problem}. Its results may be wrong; --device cpu always works"
            );
        }
        return Ok(Chosen::Gpu(Box::new(info)));
    }
    for problem in &listing.problems {
        log::warn!("{problem}; --device cpu asks no driver");
    }
    let found = pick::automatic(&listing.adapters, &mut |info| outcome(info, false));
    for line in &found.passed_over {
        log::warn!("{line}");
    }
    if matches!(found.chosen, Chosen::Cpu) {
        let missing = !drivers::missing_here(&listing.adapters).is_empty();
        let more = if missing { "; 'vae devices' says which driver is missing" } else { "" };
        log::info!("no GPU was found; using the CPU{more}");
    }
    Ok(found.chosen)
}

/// The outcome of the start-up check of `info`, from an earlier one if there is one; `again`: only if it was passed.
fn outcome(info: &AdapterInfo, again: bool) -> Outcome {
    let file = cache_folder().map(|folder| folder.join("checks.json"));
    let kept = file.as_deref().and_then(|file| kept::load(file, info));
    if let Some(kept) = kept.filter(|kept| !again || *kept == Outcome::Passed) {
        return kept;
    }
    let outcome = match helper::check(info, LIMIT) {
        Ok(outcome) => outcome,
        Err(Silence::Failed(problem)) => Outcome::Failed(format!("its driver {problem}")),
        Err(Silence::NoProgram) => check_within(LIMIT, info),
    };
    log::debug!("start-up check of {info}: {outcome:?}");
    // What another program's load may have caused is not kept.
    if let (Some(file), Outcome::Passed | Outcome::Failed(_)) = (&file, &outcome) {
        kept::save(file, info, &outcome);
    }
    outcome
}

/// Check `info` in this process. A thread whose driver hangs is left behind.
fn check_within(limit: Duration, info: &AdapterInfo) -> Outcome {
    let (sender, receiver) = channel();
    let info = info.clone();
    std::thread::spawn(move || sender.send(check::run(&info)));
    receiver.recv_timeout(limit).unwrap_or_else(|_| {
        Outcome::Failed(format!("its driver did not answer within {} s", limit.as_secs()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{AdapterKind, Limits, test_adapter};
    use crate::plan::{Element, Grid, append, constants};

    #[test]
    fn this_machine_has_a_device() {
        choose(&DeviceChoice::Auto).unwrap();
        assert!(matches!(choose(&DeviceChoice::Cpu), Ok(Chosen::Cpu)));
    }

    #[test]
    fn a_refused_model_is_told_who_takes_it() {
        let mut plan = Plan::default();
        let sizes = [("values", 1 << 26, Element::Real), ("total", 4, Element::Real)];
        append(&mut plan, "", "sum", constants! { LENGTH: 1 << 26 }, &sizes, Grid::Workgroups(1));
        let small = test_adapter(0, "UHD", "Vulkan", AdapterKind::Integrated);
        let mut large = test_adapter(1, "RTX", "Vulkan", AdapterKind::Discrete);
        large.limits =
            Limits { max_buffer_size: 1 << 30, max_storage_buffer_binding_size: 1 << 30, ..Limits::REQUIRED };
        let refused = gpu::check_limits(&plan, &small.limits, "UHD (Vulkan)").unwrap_err();
        let text = |list: &[AdapterInfo]| {
            let refused = gpu::check_limits(&plan, &small.limits, "UHD (Vulkan)").unwrap_err();
            with_others(refused, &plan, &small, list).to_string()
        };
        assert!(refused.to_string().ends_with("or a device that takes it: --device cpu"), "{refused}");
        assert!(text(std::slice::from_ref(&small)).ends_with("or a device that takes it: --device cpu"));
        let both = text(&[small.clone(), large]);
        assert!(
            both.ends_with("or a device that takes it: --device cpu, --device 1 (RTX (Vulkan))"),
            "{both}"
        );
    }
}
