//! `vae world dream`.

use super::drive::{check_film, write_film};
use super::flags::DeviceFlag;
use crate::cli::output::{check_json, print, write_json};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::device::OpenDevice;
use vae::world::WorldFolder;
use vae::{Error, Result};

/// Let M dream by itself, and film its dreams through V
#[derive(Debug, Args)]
#[command(after_help = "\
Each dream begins at the first frame of a collected episode; then every frame is one that M expects, and in the film C acts on it. \
The numbers are of dreams with the actions of these episodes, and so can be compared with their frames. A higher temperature draws \
what is less likely.

Examples:
  vae world dream runs/world
  vae world dream runs/world --temperature 0.7 --steps 1000 --json dream.json
  vae world dream runs/world --out pictures.png")]
pub(super) struct DreamCommand {
    /// The folder of the world
    run: PathBuf,
    /// Steps of each dream
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = crate::cli::settings::count)]
    steps: usize,
    /// Temperature of the draws, above 0
    #[arg(long, value_name = "TAU", default_value_t = 1.0)]
    temperature: f64,
    /// Seed of all draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The film to write: an animated GIF, or a PNG of some moments [default: RUN/dream.gif]
    #[arg(long, value_name = "GIF|PNG")]
    out: Option<PathBuf>,
    /// Write the numbers as JSON to this file, or to standard output with -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceFlag,
}

impl DreamCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        check_film(self.out.as_deref())?;
        check_json(self.json.as_deref())?;
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            let problem = format!("{} is not above 0", self.temperature);
            return Err(Error::setting("--temperature", problem, "the paper's for this car is 0.7"));
        }
        let folder = WorldFolder::open(&self.run)?;
        let out = self.out.clone().unwrap_or_else(|| folder.file("dream.gif"));
        let device = OpenDevice::open(&self.device.device)?;
        let (numbers, film) = folder.dream(&device, self.steps, self.temperature, self.seed)?;
        write_film(&film, "M dreams", &out)?;
        if let Some(path) = &self.json {
            write_json(&numbers, path)?;
        }
        if self.json.as_deref() != Some(Path::new("-")) {
            print(&format!("{numbers}\n{}\n", out.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
