//! Evaluation of trained models: evidence and posteriors of their images, use of their latent dimensions, pictures; and the
//! records in which commands report these.

pub mod ais;
pub mod average;
pub mod density;
pub mod disentangle;
mod encoder_draws;
pub mod fitted;
pub mod gap;
pub mod gaussian;
pub mod importance;
pub mod latents;
pub mod layers;
pub mod mixture;
pub mod pictures;
pub mod pixels;
pub mod posterior;
pub mod quadrature;
pub mod report;
pub mod score;
pub mod traverse;
