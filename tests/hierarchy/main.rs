//! Several stochastic layers: against an evidence in closed form, against their own densities, and from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod commands;
#[path = "../common/mod.rs"]
mod common;
mod densities;
mod estimates;
mod linear;
