//! Looking at trained models: the evidence and the posteriors of their images, and the pictures that
//! show what they have learned.

pub mod ais;
pub mod average;
pub mod density;
mod encoder_draws;
pub mod gap;
pub mod gaussian;
pub mod importance;
pub mod latents;
pub mod layers;
pub mod pictures;
pub mod posterior;
pub mod quadrature;
