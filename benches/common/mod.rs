//! What the benchmarks share.

use criterion::Criterion;
use std::time::Duration;
use vae::device::OpenDevice;
use vae::gpu::{Gpu, adapters};

/// The processor, and the first adapter if there is one.
pub(crate) fn devices() -> Vec<(String, OpenDevice)> {
    let mut devices = vec![("cpu".to_string(), OpenDevice::Cpu)];
    if let Some(info) = adapters().unwrap().into_iter().find(|info| info.unusable.is_none()) {
        devices.push((info.to_string(), OpenDevice::Gpu(Box::new(Gpu::open(info.index).unwrap()))));
    }
    devices
}

/// Seconds, not minutes, for each.
pub(crate) fn brief() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}
