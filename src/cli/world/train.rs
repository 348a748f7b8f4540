//! `vae world train-v`, `train-m` and `train-c`.

use super::flags::{ControllerFlags, DeviceFlag, MemoryFlags, VisionFlags, changed};
use super::stages;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::world::WorldFolder;

/// Train V on the frames of a world, as an ordinary run in RUN/vision
#[derive(Debug, Args)]
#[command(after_help = "\
The run in RUN/vision is one of 'vae train --model world-models'; every other command takes it. The same command goes on where it was \
stopped.

Examples:
  vae world train-v runs/world
  vae world train-v runs/world --vision-steps 20000 --device cpu
  vae reconstruct runs/world/vision --out pictures.png")]
pub(super) struct TrainVision {
    /// The folder of the world
    run: PathBuf,
    #[command(flatten)]
    vision: VisionFlags,
    #[command(flatten)]
    device: DeviceFlag,
}

impl TrainVision {
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut folder = WorldFolder::open(&self.run)?;
        changed(&mut folder, |settings| self.vision.over(settings))?;
        stages::exit(stages::vision(&folder, &self.device.device)?)
    }
}

/// Encode the frames of a world with V, and train M on them
#[derive(Debug, Args)]
#[command(after_help = "\
The loss is in nats for a latent dimension and a time step. The same command goes on where it was stopped.

Examples:
  vae world train-m runs/world
  vae world train-m runs/world --memory-steps 4000 --sequence 999
  vae reconstruct runs/world/vision --out pictures.png   # what V sees, before M is trained on it")]
pub(super) struct TrainMemory {
    /// The folder of the world
    run: PathBuf,
    #[command(flatten)]
    memory: MemoryFlags,
    #[command(flatten)]
    device: DeviceFlag,
}

impl TrainMemory {
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut folder = WorldFolder::open(&self.run)?;
        changed(&mut folder, |settings| self.memory.over(settings))?;
        stages::exit(stages::memory(&folder, &self.device.device)?)
    }
}

/// Evolve C by CMA-ES: cars drive, and the better controllers decide the next ones
#[derive(Debug, Args)]
#[command(after_help = "\
Every generation is saved: the same command goes on where it was stopped, and with more --generations it goes on after the last one. \
Every tenth generation, and after the last, the mean of the candidates drives 16 other tracks.

Examples:
  vae world train-c runs/world
  vae world train-c runs/world --generations 200 --population 64 --episodes 16
  vae world drive runs/world --out pictures.gif")]
pub(super) struct TrainController {
    /// The folder of the world
    run: PathBuf,
    #[command(flatten)]
    controller: ControllerFlags,
    #[command(flatten)]
    device: DeviceFlag,
}

impl TrainController {
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut folder = WorldFolder::open(&self.run)?;
        changed(&mut folder, |settings| self.controller.over(settings))?;
        stages::exit(stages::controller(&folder, &self.device.device)?)
    }
}
