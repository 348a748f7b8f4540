//! The flags of world runs: each sets one key of `world.toml`.

use crate::cli::settings;
use clap::Args;
use vae::device::DeviceChoice;
use vae::world::child::{Children, Limits};
use vae::world::controller::Inputs;
use vae::world::racing::Camera;
use vae::world::{WorldFolder, WorldSettings};
use vae::{Error, Result};

/// Where to compute.
#[derive(Clone, Debug, Args)]
pub(super) struct DeviceFlag {
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices')
    #[arg(long, value_name = "DEVICE", value_parser = settings::device, default_value = "auto")]
    pub(super) device: DeviceChoice,
}

/// An environment from outside.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Environment")]
pub(super) struct OutsideFlags {
    /// Drive in an environment from outside: the command of a program that speaks the protocol of 'vae world env-server'
    #[arg(long, value_name = "COMMAND")]
    env: Option<String>,
    /// Processes of that program, each with its own environments [default: one for each processor core]
    #[arg(long, value_name = "N", requires = "env", value_parser = settings::count)]
    processes: Option<usize>,
}

impl OutsideFlags {
    /// The environment, if one is asked for.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn start(&self) -> Result<Option<Children>> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let processes = self.processes.unwrap_or_else(cores);
        self.env.as_deref().map(|command| Children::start(command, processes, Limits::default())).transpose()
    }
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Frames")]
pub(super) struct FrameFlags {
    /// Frames to collect [default: 100000]
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// From where the car is seen: hull, as in gymnasium's CarRacing-v3, or velocity, as in gym 0.9.4, which the paper used [default: hull]
    #[arg(long, value_name = "CAMERA", value_enum, hide_possible_values = true)]
    camera: Option<Camera>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1 << 31))]
    seed: Option<u64>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "V, the vision model")]
pub(super) struct VisionFlags {
    /// Training steps of V, of 100 frames each [default: 5000]
    #[arg(long, value_name = "N")]
    vision_steps: Option<u64>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "M, the memory")]
pub(super) struct MemoryFlags {
    /// Training steps of M; 0 leaves it as it was drawn [default: 1500]
    #[arg(long, value_name = "N")]
    memory_steps: Option<u64>,
    /// Time steps that M's gradients go back through [default: 128]
    #[arg(long, value_name = "N")]
    sequence: Option<usize>,
    /// Sequences in a minibatch of M [default: 100]
    #[arg(long, value_name = "N")]
    sequences: Option<usize>,
    /// Units of M's LSTM [default: 256]
    #[arg(long, value_name = "N")]
    memory_units: Option<usize>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "C, the controller")]
pub(super) struct ControllerFlags {
    /// What the controller sees: z-h, the latents and M's state; z-h-untrained, the same with M as it is drawn; z, the latents alone; z-hidden, the latents through a hidden layer [default: z-h]
    #[arg(long, value_name = "INPUTS", value_enum, hide_possible_values = true)]
    inputs: Option<Inputs>,
    /// Generations of CMA-ES [default: 50]
    #[arg(long, value_name = "N")]
    generations: Option<usize>,
    /// Candidates in a generation [default: 32; the paper's 64]
    #[arg(long, value_name = "N")]
    population: Option<usize>,
    /// Episodes of each candidate [default: 4; the paper's 16]
    #[arg(long, value_name = "N")]
    episodes: Option<usize>,
    /// Deviation of the first candidates [default: 0.1]
    #[arg(long, value_name = "S")]
    sigma: Option<f64>,
    /// End an episode after N steps without a new tile, to save time; 0 for never [default: 0, as in the paper]
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
}

fn set<T: Copy>(key: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *key = value;
    }
}

impl FrameFlags {
    pub(super) fn over(&self, settings: &mut WorldSettings) {
        set(&mut settings.frames.count, self.frames);
        set(&mut settings.environment.camera, self.camera);
        for seed in [&mut settings.frames.seed, &mut settings.memory.seed, &mut settings.controller.seed] {
            set(seed, self.seed);
        }
    }
}

impl VisionFlags {
    pub(super) fn over(&self, settings: &mut WorldSettings) {
        set(&mut settings.vision.steps, self.vision_steps);
    }
}

impl MemoryFlags {
    pub(super) fn over(&self, settings: &mut WorldSettings) {
        let memory = &mut settings.memory;
        set(&mut memory.steps, self.memory_steps);
        set(&mut memory.sequence, self.sequence);
        set(&mut memory.batch, self.sequences);
        set(&mut memory.hidden, self.memory_units);
    }
}

impl ControllerFlags {
    pub(super) fn over(&self, settings: &mut WorldSettings) {
        let controller = &mut settings.controller;
        set(&mut controller.inputs, self.inputs);
        set(&mut controller.generations, self.generations);
        set(&mut controller.population, self.population);
        set(&mut controller.episodes, self.episodes);
        set(&mut controller.sigma, self.sigma);
        set(&mut controller.patience, self.patience);
    }
}

/// A key of `world.toml`, as the library names it, by the flag that sets it.
pub(super) fn by_flags(error: Error) -> Error {
    let Error::Setting { setting, problem, hint } = error else { return error };
    let flag = match setting.as_str() {
        "frames.count" => "--frames",
        "frames.seed" => "--seed",
        "environment.camera" => "--camera",
        "memory.batch" | "memory.batch-size" => "--sequences",
        "memory.sequence" | "memory.steps" => "--sequence",
        "memory.hidden" => "--memory-units",
        "controller.population" => "--population",
        "controller.episodes" => "--episodes",
        "controller.sigma" => "--sigma",
        other => other,
    };
    Error::setting(flag, problem, hint)
}

/// Change the settings of a world that exists.
///
/// # Errors
/// [`Error::Setting`] if one of them makes no sense.
pub(super) fn changed(folder: &mut WorldFolder, over: impl FnOnce(&mut WorldSettings)) -> Result<()> {
    let mut settings = folder.settings().clone();
    over(&mut settings);
    folder.change(settings).map_err(by_flags)
}
