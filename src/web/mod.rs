//! Pages: a trained model as a folder of static files, or as one HTML file, in which a browser explores and trains it.
//!
//! [`Bundle::of`] takes a run apart into plain data: a manifest with plans, WGSL and settings, and files of numbers.
//! `web/runtime.js` runs any bundle through WebGPU, `web/cpu.js` without it. docs/web.md describes the format.

mod assets;
mod bundle;
mod manifest;
mod page;
mod plans;
mod serve;

pub use bundle::{Bundle, Options};
pub use manifest::{FORMAT, Manifest};
pub use page::{check_folder, write_folder, write_single};
pub use serve::Server;
