//! Variational autoencoders trained by hand-written WGSL compute kernels.
pub mod bench;
pub mod config;
pub mod cpu;
pub mod data;
pub mod device;
pub mod error;
pub mod eval;
mod files;
pub mod gpu;
pub mod graph;
pub mod kernels;
pub mod model;
pub mod plan;
pub mod random;
pub mod report;
pub mod selftest;
pub mod session;
pub mod train;

pub use error::{Error, Result};
