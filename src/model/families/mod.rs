//! The families of models, a folder each.

pub mod auto;
pub mod conv;
pub mod mlp;
mod pixels;
