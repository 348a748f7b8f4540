//! `vae world run`.

use super::flags::{ControllerFlags, DeviceFlag, FrameFlags, MemoryFlags, VisionFlags, by_flags, changed};
use super::{drive, stages};
use crate::cli::output::print;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use vae::train::Outcome;
use vae::world::{WorldFolder, WorldSettings};
use vae::{Error, Result};

/// All of World Models: collect frames, train V and M, evolve C, and drive
#[derive(Debug, Args)]
#[command(after_help = "\
The same command goes on where it was stopped. --quick takes minutes on two cores, and leaves a car that drives, not one that drives \
well: fewer frames, steps and generations, and episodes that end after 100 steps without a new tile.

Examples:
  vae world run --out runs/world --quick
  vae world run --out runs/world --generations 200 --population 64 --episodes 16
  vae world dream runs/world --out pictures.gif")]
pub(super) struct Run {
    /// The folder of the world
    #[arg(long, value_name = "FOLDER", default_value = "runs/world")]
    out: PathBuf,
    /// Take settings for a result within minutes
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    device: DeviceFlag,
    #[command(flatten)]
    frames: FrameFlags,
    #[command(flatten)]
    vision: VisionFlags,
    #[command(flatten)]
    memory: MemoryFlags,
    #[command(flatten)]
    controller: ControllerFlags,
}

impl Run {
    pub(super) fn run(self) -> Result<ExitCode> {
        let over = |settings: &mut WorldSettings| {
            self.frames.over(settings);
            self.vision.over(settings);
            self.memory.over(settings);
            self.controller.over(settings);
        };
        let mut wanted = if self.quick { WorldSettings::quick() } else { WorldSettings::default() };
        over(&mut wanted);
        let folder = if WorldFolder::is_at(&self.out) {
            let mut folder = WorldFolder::open(&self.out)?;
            if self.quick && *folder.settings() != wanted {
                let problem = format!("the world in {} has other settings", self.out.display());
                return Err(Error::setting("--quick", problem, "leave it out to go on with that world"));
            }
            changed(&mut folder, over)?;
            folder
        } else {
            WorldFolder::create(&self.out, wanted).map_err(by_flags)?
        };
        let device = &self.device.device;
        let mut times = Vec::new();
        let stages: [(&str, &dyn Fn() -> Result<Outcome>); 4] = [
            ("frames", &|| stages::collect(&folder)),
            ("V", &|| stages::vision(&folder, device)),
            ("M", &|| stages::memory(&folder, device)),
            ("C", &|| stages::controller(&folder, device)),
        ];
        for (name, stage) in stages {
            let began = Instant::now();
            if stage()? == Outcome::Interrupted {
                return stages::exit(Outcome::Interrupted);
            }
            times.push((name, began.elapsed().as_secs_f64()));
        }
        let began = Instant::now();
        let found = drive::by_itself(&folder, device, 20)?;
        times.push(("20 unseen tracks", began.elapsed().as_secs_f64()));
        let minutes = |(name, seconds): &(&str, f64)| format!("{name} {:.1}", seconds / 60.0);
        let parts: Vec<String> = times.iter().map(minutes).collect();
        print(&format!("{found}\nminutes: {}\n", parts.join(", ")))?;
        Ok(ExitCode::SUCCESS)
    }
}
