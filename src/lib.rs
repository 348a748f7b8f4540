//! Variational autoencoders trained by hand-written WGSL compute kernels.
pub mod data;
pub mod device;
pub mod error;
pub mod gpu;
pub mod kernels;
pub mod plan;
pub mod random;

pub use error::{Error, Result};
