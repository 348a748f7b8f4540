//! What several test files need.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

pub(crate) mod program;

pub(crate) mod spec;

use std::path::PathBuf;
use vae::device::OpenDevice;
use vae::gpu::{Gpu, adapters as list};
use vae::graph::{Activation, Likelihood, LikelihoodKind};

/// A likelihood whose decoder gives means as they are.
pub(crate) fn likelihood(kind: LikelihoodKind, sigma: f64) -> Likelihood {
    Likelihood { kind, sigma, mean_activation: Activation::Identity }
}

/// Every adapter, and the CPU.
pub(crate) fn devices() -> Vec<(String, OpenDevice)> {
    let mut devices = adapters();
    devices.push(("CPU".into(), OpenDevice::Cpu));
    devices
}

/// Every usable adapter, opened. Without one the test is skipped, visibly, or fails where one is required.
pub(crate) fn adapters() -> Vec<(String, OpenDevice)> {
    let usable: Vec<_> = list()
        .into_iter()
        // One device may be offered by several backends; each is tested once.
        .filter(|info| info.unusable.is_none() && info.same_as.is_none())
        .map(|info| (info.to_string(), OpenDevice::Gpu(Box::new(Gpu::open(&info).unwrap()))))
        .collect();
    if usable.is_empty() {
        assert!(
            std::env::var_os("VAE_REQUIRE_GPU").is_none_or(|v| v != "1"),
            "no adapter, but VAE_REQUIRE_GPU=1"
        );
        println!("SKIPPED: no usable adapter");
    }
    usable
}

/// A folder of real data, such as `mnist`. Without it the test is skipped, visibly, or fails where it is required.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("VAE_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("VAE_REQUIRE_DATA").is_none_or(|v| v != "1"),
        "{} is missing, but VAE_REQUIRE_DATA=1",
        folder.display()
    );
    println!("SKIPPED: no {}", folder.display());
    None
}
