//! `vae world collect`.

use super::flags::{DeviceFlag, FrameFlags, OutsideFlags, by_flags};
use super::stages;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::Result;
use vae::world::environment::Environment;
use vae::world::{WorldFolder, WorldSettings};

/// Drive by the random policy of the paper, or by a trained controller, and keep the frames
///
/// V and M learn from what was seen.
#[derive(Debug, Args)]
#[command(after_help = "\
The frames go to OUT/frames.npz, with actions, rewards and the numbers of episodes: NumPy reads it, and so does every command that \
takes pictures.

Examples:
  vae world collect --out runs/world
  vae world collect --out runs/world --frames 20000 --camera velocity
  vae world collect --out runs/second --controller runs/world     # the paper's iteration
  vae data runs/world/frames.npz:frames     # look at the pictures")]
pub(super) struct Collect {
    /// The folder of the new world
    #[arg(long, value_name = "FOLDER", default_value = "runs/world")]
    out: PathBuf,
    /// Let the controller of this world drive, not the random policy: its frames are of more of the road
    #[arg(long, value_name = "RUN")]
    controller: Option<PathBuf>,
    #[command(flatten)]
    frames: FrameFlags,
    #[command(flatten)]
    outside: OutsideFlags,
    #[command(flatten)]
    device: DeviceFlag,
}

impl Collect {
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut settings = WorldSettings::default();
        self.frames.over(&mut settings);
        let teacher = self.controller.as_deref().map(WorldFolder::open).transpose()?;
        let outside = self.outside.start()?;
        settings.environment.outside = outside.as_ref().map(|it| it.version().to_string());
        let folder = begun(&self.out, settings)?;
        let environment: Box<dyn Environment> = match outside {
            Some(outside) => Box::new(outside),
            None => stages::native(&folder),
        };
        let policy = stages::policy(teacher.as_ref(), &self.device.device, environment.count())?;
        stages::exit(stages::collect_in(&folder, environment, policy)?)
    }
}

/// The folder of a new world, or of one that was stopped before it had frames.
fn begun(out: &Path, settings: WorldSettings) -> Result<WorldFolder> {
    if WorldFolder::is_at(out) {
        let mut folder = WorldFolder::open(out)?;
        if !folder.frames().exists() {
            folder.change(settings).map_err(by_flags)?;
            return Ok(folder);
        }
    }
    WorldFolder::create(out, settings).map_err(by_flags)
}
