//! `vae world`: one file a subcommand.

mod check;
mod env_server;

use clap::{Args, Subcommand};
use std::process::ExitCode;
use vae::Result;

#[derive(Debug, Args)]
#[command(after_help = "\
The environment is a car on a random track, seen from above: CarRacing-v3 of gymnasium, rebuilt in this program. Tracks, \
rewards and positions are those of gymnasium's seeds.

Examples:
  vae world check golden.json
  vae world check pictures/mine.json
  vae world check one.json two.json")]
pub(crate) struct World {
    #[command(subcommand)]
    command: WorldCommand,
}

#[derive(Debug, Subcommand)]
enum WorldCommand {
    /// Replay recorded episodes of gymnasium, and print the greatest error of each column
    Check(check::Check),
    /// Print a server of gymnasium's CarRacing-v3, in Python
    EnvServer(env_server::EnvServer),
}

impl World {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            WorldCommand::Check(command) => command.run(),
            WorldCommand::EnvServer(command) => command.run(),
        }
    }
}
