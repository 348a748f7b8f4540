//! Evidence and posteriors against closed forms: a linear VAE with a Gaussian likelihood is a Gaussian (probabilistic
//! PCA, Tipping and Bishop 1999), so that p(x), p(z|x) and the best parameters are known.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod commands;
#[path = "../common/mod.rs"]
mod common;
mod estimates;
mod gradient;
mod linear;
mod training;

use common::devices;
