//! `vae world env-server`.

use crate::cli::output;
use clap::Args;
use std::process::ExitCode;
use vae::Result;
use vae::world::child::GYMNASIUM_SERVER;

/// Print a program in Python that serves gymnasium's CarRacing-v3 to vae, as an example of an environment from outside. It
/// needs Python 3.8 or newer, and gymnasium: pip install "gymnasium[box2d]==1.4.0".
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae world env-server > car_racing_server.py
  vae world env-server > my_environment.py      # to serve another environment
  vae world env-server | less")]
pub(crate) struct EnvServer {}

impl EnvServer {
    pub(crate) fn run(self) -> Result<ExitCode> {
        output::print(GYMNASIUM_SERVER)?;
        Ok(ExitCode::SUCCESS)
    }
}
