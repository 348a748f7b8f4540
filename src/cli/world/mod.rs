//! `vae world`: one file a subcommand.

mod check;
mod collect;
mod dream;
mod drive;
mod env_server;
mod flags;
mod run;
pub(super) mod stages;
mod train;

pub(super) use drive::on_tracks as drive;

use clap::{Args, Subcommand};
use std::process::ExitCode;
use vae::Result;

#[derive(Debug, Args)]
#[command(after_help = "\
The environment is a car on a random track, seen from above: CarRacing-v3 of gymnasium, rebuilt in this program. Tracks, \
rewards and positions are those of gymnasium's seeds.

Examples:
  vae world run --out runs/world --quick          # all of it, within minutes
  vae world drive runs/world --out pictures.gif   # what it has learned
  vae world dream runs/world
  vae world check golden.json")]
pub(crate) struct World {
    #[command(subcommand)]
    command: WorldCommand,
}

#[derive(Debug, Subcommand)]
enum WorldCommand {
    Run(Box<run::Run>),
    Collect(collect::Collect),
    #[command(name = "train-v")]
    TrainVision(train::TrainVision),
    #[command(name = "train-m")]
    TrainMemory(train::TrainMemory),
    #[command(name = "train-c")]
    TrainController(train::TrainController),
    Drive(drive::Drive),
    Dream(dream::DreamCommand),
    /// Replay recorded episodes of gymnasium, and print the greatest error of each column
    Check(check::Check),
    /// Print a server of gymnasium's CarRacing-v3, in Python
    EnvServer(env_server::EnvServer),
}

impl World {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            WorldCommand::Run(command) => command.run(),
            WorldCommand::Collect(command) => command.run(),
            WorldCommand::TrainVision(command) => command.run(),
            WorldCommand::TrainMemory(command) => command.run(),
            WorldCommand::TrainController(command) => command.run(),
            WorldCommand::Drive(command) => command.run(),
            WorldCommand::Dream(command) => command.run(),
            WorldCommand::Check(command) => command.run(),
            WorldCommand::EnvServer(command) => command.run(),
        }
    }
}
