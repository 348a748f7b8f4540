//! Looking at trained models: loading them, and the pictures that show what they have learned.

pub mod importance;
pub mod latents;
pub mod pictures;
mod trained;

pub use trained::{TrainedModel, check_same_model};
