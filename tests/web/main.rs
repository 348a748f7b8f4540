//! The page in real browsers: Chromium (with VAE_REQUIRE_BROWSER=1 it must be there) and, where it is, Firefox.
//!
//! VAE_CHROMIUM and VAE_FIREFOX name other programs than those of `PATH`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod chromium;
mod firefox;
mod fixture;
mod page;
mod process;
mod remote;
mod selftest;
mod server;
mod simd;

use std::time::Duration;

/// How long a browser may take to start and to open its first page.
const START: Duration = Duration::from_secs(60);
