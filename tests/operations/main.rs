//! The derivative rule of each operation, alone, against finite differences in f64.
//!
//! A test names the operation that it checks: `Check::of("Linear", ..)`. `list.rs` fails where an operation with a
//! derivative rule has no such test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accumulate;
mod attention;
mod codes;
mod columns;
#[path = "../common/mod.rs"]
mod common;
mod convolution;
mod dense;
mod dropout;
mod gaussian;
mod harness;
mod importance;
mod likelihood;
mod linear;
mod list;
mod lstm;
mod maps;
mod mixture;
mod norm;
mod penalties;
mod pytorch;
mod sampled_kl;
mod state;
mod torch_layers;
mod values;
