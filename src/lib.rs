//! Variational autoencoders trained by hand-written WGSL compute kernels.
pub mod data;
pub mod error;
pub mod kernels;
pub mod plan;
pub mod random;
pub mod report;

pub use error::{Error, Result};
