//! Runs a plan through wgpu: on Vulkan, Metal, DX12 or GL. The only module that imports wgpu.
//!
//! [`adapters`] lists the adapters, [`Gpu::open`] opens one, and [`GpuExecutor::new`] compiles a
//! [`crate::plan::Plan`] for it: buffers, pipelines and bind groups are created once, and a submit only
//! replays them.

mod adapter;
mod buffers;
mod execute;
mod kept;
mod limits;
mod listing;
mod pipelines;
mod readback;
mod timing;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use adapter::tests::info as test_adapter;

pub use adapter::{AdapterInfo, AdapterKind, Limits};
pub use execute::GpuExecutor;
pub(crate) use limits::check as check_limits;
pub(crate) use listing::built_in;
pub use listing::{GL, NATIVE, adapters, in_order, list};

use crate::{Error, Result};
use kept::KeptPipelines;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest time of one submit, after which the device counts as hung. It is long because software adapters are slow.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long one call into the driver may block.
const POLL: Duration = Duration::from_secs(5);

/// An open device. Cheap to clone; clones share the device.
#[derive(Clone, Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: AdapterInfo,
    kept: Option<KeptPipelines>,
    fault: Arc<Mutex<Option<Fault>>>,
}

/// Why a device can no longer be used.
#[derive(Clone, Debug)]
enum Fault {
    Lost(String),
    OutOfMemory,
    /// wgpu refused a call: a mistake in this crate.
    Refused(String),
}

impl Fault {
    fn into_error(self, device: &str) -> Error {
        match self {
            Self::Lost(problem) => Error::device(
                device,
                format!("the device was lost: {problem}"),
                "its driver stopped it, or it ran out of memory; go on from the last checkpoint, with a smaller \
                 --batch-size or --device cpu if it happens again",
            ),
            Self::OutOfMemory => Error::device(
                device,
                "the device is out of memory",
                "use a smaller --batch-size, --hidden or image size, or --device cpu",
            ),
            Self::Refused(problem) => Error::Internal(format!("{device}: {problem}")),
        }
    }
}

impl From<wgpu::Error> for Fault {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                Self::Refused(description.trim().to_string())
            }
        }
    }
}

impl Gpu {
    /// Open `adapter`, one of a list such as [`adapters`], with all its limits and the features this crate uses. No other
    /// backend is opened.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no such adapter any more, or if it cannot be used or opened.
    pub fn open(adapter: &AdapterInfo) -> Result<Self> {
        Self::open_with(adapter, None)
    }

    /// The same with the default limits of WebGPU 1.0, which every browser offers, whatever else the adapter allows.
    ///
    /// # Errors
    /// See [`Gpu::open`].
    pub fn open_with_default_limits(adapter: &AdapterInfo) -> Result<Self> {
        Self::open_with(adapter, Some(wgpu::Limits::default()))
    }

    fn open_with(info: &AdapterInfo, limits: Option<wgpu::Limits>) -> Result<Self> {
        let (mut info, adapter) = (info.clone(), listing::find(info)?);
        let limits = limits.unwrap_or_else(|| adapter.limits());
        info.limits = Limits::of(&limits);
        let name = info.to_string();
        if let Some(reason) = &info.unusable {
            return Err(Error::device(
                name,
                format!("cannot be used: {reason}"),
                "choose another adapter, or --device cpu",
            ));
        }
        let used = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("vae"),
            required_features: adapter.features() & used,
            required_limits: limits,
            ..Default::default()
        }))
        .map_err(|error| {
            Error::device(
                name.clone(),
                format!("could not be opened: {error}"),
                "another program may hold it; try again, another adapter, or --device cpu",
            )
        })?;
        let fault = Arc::new(Mutex::new(None));
        device.set_device_lost_callback({
            let fault = Arc::clone(&fault);
            move |reason, message| note(&fault, Fault::Lost(describe_loss(reason, &message)))
        });
        device.on_uncaptured_error({
            let fault = Arc::clone(&fault);
            Arc::new(move |error: wgpu::Error| note(&fault, error.into()))
        });
        log::debug!("opened {name}, driver {}", info.driver);
        let kept = KeptPipelines::open(&device, &info);
        Ok(Self { device, queue, info, kept, fault })
    }

    /// The adapter that was opened.
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// The name for logs and errors: `NAME (Backend)`.
    fn name(&self) -> String {
        self.info.to_string()
    }

    /// The error of a device that was lost or misused, if it was.
    fn check(&self) -> Result<()> {
        match self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Some(fault) => Err(fault.into_error(&self.name())),
            None => Ok(()),
        }
    }

    /// Run `create`, and return the first error that wgpu found in it.
    ///
    /// Error scopes belong to a thread, so this may be used from several at once.
    fn scoped<T>(&self, create: impl FnOnce() -> T) -> Result<T, Fault> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let created = create();
        let errors = [validation.pop(), internal.pop(), memory.pop()].map(pollster::block_on);
        match errors.into_iter().flatten().next() {
            Some(error) => Err(error.into()),
            None => Ok(created),
        }
    }

    /// Wait until `submission` and all before it are done; callbacks of finished mappings run in here.
    fn wait(&self, submission: &wgpu::SubmissionIndex) -> Result<()> {
        let start = Instant::now();
        loop {
            self.check()?;
            match self.poll(submission) {
                Ok(()) => return self.check(),
                Err(wgpu::PollError::Timeout) if start.elapsed() < PATIENCE => {
                    log::debug!("{} still works after {:.0?}", self.info, start.elapsed());
                }
                Err(wgpu::PollError::Timeout) => {
                    return Err(Error::device(
                        self.name(),
                        format!("the device did not finish its work within {} s", PATIENCE.as_secs()),
                        "its driver may hang; use a smaller --batch-size, another adapter, or --device cpu",
                    ));
                }
                Err(error) => return Err(Error::Internal(error.to_string())),
            }
        }
    }

    fn poll(&self, submission: &wgpu::SubmissionIndex) -> Result<(), wgpu::PollError> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(POLL) };
        // wgpu 30 panics here when the device is lost, after it has called the callbacks; it holds no lock
        // then. The next `check` reports the loss.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(wait))) {
            Ok(result) => result.map(|_| ()),
            Err(_) => {
                note(&self.fault, Fault::Lost("it stopped answering".to_string()));
                Ok(())
            }
        }
    }
}

/// Keep the first fault: those that follow are its consequences.
fn note(slot: &Mutex<Option<Fault>>, fault: Fault) {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        *slot = Some(fault);
    }
}

fn describe_loss(reason: wgpu::DeviceLostReason, message: &str) -> String {
    match (reason, message) {
        (wgpu::DeviceLostReason::Destroyed, _) => "it was closed".to_string(),
        (_, "") => "its driver gave no reason".to_string(),
        (_, message) => message.to_string(),
    }
}
