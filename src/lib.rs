//! Variational autoencoders trained by hand-written WGSL compute kernels, on a GPU or on the CPU.
//!
//! # The flow
//!
//! ```text
//! data ──► model ──► graph ──► plan ──► device ──► trainer ──► report
//!          (spec)   (ops with  (list of  gpu | cpu             pictures, metrics,
//!                   gradients) dispatches)                     checkpoints
//! ```
//!
//! * [`data`] reads images as bytes: IDX files, folders of pictures, or digits drawn by the program.
//! * [`model`] says which layers there are, and builds them as a [`graph`]: typed operations of known shape, each with
//!   its derivative rule beside it. Gradients are appended to the graph; no model has a backward pass of its own.
//! * [`plan`] is the graph lowered to plain data: buffers, and a list of dispatches for each program (train, evaluate,
//!   encode, decode). It names kernels of [`kernels`], which reads their bindings and constants from the WGSL.
//! * [`gpu`] runs a plan through wgpu, [`cpu`] with one twin for each kernel. In `f64` the twins are what the shaders
//!   are checked against ([`selftest`]); in `f32` they are a device of their own. [`device`] chooses among them.
//! * [`probe`] checks and times one dispatch on a device; [`tuning`] chooses among variants of the matrix products by it.
//! * [`session`] is a model on a device: train steps, evaluate, encode, decode. [`run`] is what is kept of a run: its
//!   folder, its checkpoints, the trained model. [`train`] holds the optimisers and the loop, [`eval`] measures trained
//!   models, [`report`] draws and writes.
//! * [`reproduce`] holds published settings against ours, [`deck`] computes the figures of a talk, and [`mod@bench`] times
//!   kernels and training steps.
//! * [`world`] holds world models: an environment, and what learns to act in it from pictures.
//! * [`config`] is everything that decides a run, [`random`] the counter-based random numbers that all devices share,
//!   [`text`] tables and numbers for people.
//!
//! Each module uses only those below it; `tests/layers.rs` holds the order.
//!
//! # Example
//!
//! Two steps on the digits that the program draws itself, then the evidence lower bound on the images held out:
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use vae::report::EpochRecord;
//! use vae::{Config, DeviceChoice, Observer, OpenDevice, Outcome, RunFolder, Session, Snapshot, Start, Trainer};
//!
//! struct Quiet;
//!
//! impl Observer for Quiet {
//!     fn progress(&mut self, _: &Snapshot) {}
//!     fn epoch(&mut self, _: &EpochRecord) {}
//! }
//!
//! # fn main() -> vae::Result<()> {
//! let mut config = Config::default().with("model.hidden = [32]")?;
//! config.data.images = Some(128);
//! config.run.batch_size = Some(32);
//! config.run.steps = Some(2);
//! config.run.device = DeviceChoice::Cpu;
//! let config = config.resolve()?;
//! let dataset = config.open_dataset()?;
//! let device = OpenDevice::open(&config.run.device)?;
//! let session = Session::open(device, &config.task(dataset.shape), Some(&config.optimizers()), &dataset)?;
//!
//! let folder = std::env::temp_dir().join("vae-example");
//! let run = RunFolder::create(&folder, &config, true)?;
//! let mut trainer = Trainer::new(session, &config, &dataset, &run, Start::Drawn)?;
//! assert_eq!(trainer.train(&AtomicBool::new(false), &mut Quiet)?, Outcome::Finished);
//!
//! let mut session = trainer.into_session()?;
//! let evaluation = session.evaluate(dataset.test.count, 1)?;
//! assert!(evaluation.elbo().is_finite());
//! let images = session.decode(&[0.0, 0.0])?; // the image at the middle of the latent space
//! assert_eq!(images.len(), dataset.shape.pixels());
//! # Ok(())
//! # }
//! ```
//!
//! # Conventions
//!
//! Terms of the objective are in nats, summed over an image's pixels and averaged over images. Tensors have the same
//! name in Rust, WGSL, labels and checkpoints (`encoder.0.weight`, `gradient.encoder.0.weight`); weights are
//! `[out, in]`. The library prints nothing; it logs through [`log`](https://docs.rs/log), and every error is an
//! [`Error`] that says what to do about it.

mod activation;
pub mod bench;
mod checks;
pub mod config;
pub mod cpu;
pub mod data;
pub mod deck;
pub mod device;
pub mod disentangle;
pub mod error;
pub mod eval;
mod files;
pub mod gpu;
pub mod graph;
pub mod kernels;
mod likelihood;
pub mod model;
pub mod optimizer;
mod pace;
pub mod plan;
pub mod probe;
pub mod random;
pub mod report;
pub mod reproduce;
pub mod run;
mod scene;
pub mod selftest;
pub mod session;
pub mod text;
pub mod train;
pub mod tuning;
pub mod web;
pub mod world;

pub use config::Config;
pub use data::Dataset;
pub use device::{DeviceChoice, OpenDevice};
pub use error::{Error, Result};
pub use model::{Model, Task};
pub use run::{Checkpoint, RunFolder, TrainedModel};
pub use session::{Evaluation, Posteriors, Session, Which};
pub use train::{Observer, Outcome, Snapshot, Start, Trainer};
