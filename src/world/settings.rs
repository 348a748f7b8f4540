//! What decides a world run: `world.toml` in its folder.

use super::controller::Inputs;
use super::racing::Camera;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EnvironmentSettings {
    /// From where the car is seen; an environment from outside sees as it does.
    pub camera: Camera,
    /// The environment from outside that the frames are of: its names and versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<String>,
}

/// The frames that V and M learn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FrameSettings {
    /// Frames.
    pub count: usize,
    /// Decides tracks and policies.
    pub seed: u64,
}

/// V.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct VisionSettings {
    /// Training steps, of 100 frames each.
    pub steps: u64,
}

/// M.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MemorySettings {
    /// Training steps; 0 leaves M as it was drawn, the ablation of the paper's readers.
    pub steps: u64,
    /// Sequences in a minibatch.
    pub batch: usize,
    /// Time steps that gradients go back through.
    pub sequence: usize,
    /// Width of the LSTM.
    pub hidden: usize,
    /// Decides initial parameters and all draws.
    pub seed: u64,
}

/// C and its evolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ControllerSettings {
    /// What the controller sees.
    pub inputs: Inputs,
    /// Generations of the evolution strategy.
    pub generations: usize,
    /// Candidates in a generation.
    pub population: usize,
    /// Episodes of each candidate.
    pub episodes: usize,
    /// The deviation of the first candidates.
    pub sigma: f64,
    /// Steps after which an episode without a new tile ends; 0 for none.
    pub patience: usize,
    /// Longest episode.
    pub longest: usize,
    /// Decides tracks, candidates and all draws.
    pub seed: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldSettings {
    /// The environment.
    pub environment: EnvironmentSettings,
    /// The frames that V and M learn from.
    pub frames: FrameSettings,
    /// V.
    pub vision: VisionSettings,
    /// M.
    pub memory: MemorySettings,
    /// C.
    pub controller: ControllerSettings,
}

impl Default for FrameSettings {
    fn default() -> Self {
        Self { count: 100_000, seed: 0 }
    }
}

impl Default for VisionSettings {
    fn default() -> Self {
        Self { steps: 5000 }
    }
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self { steps: 1500, batch: 100, sequence: 128, hidden: 256, seed: 0 }
    }
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            inputs: Inputs::default(),
            generations: 50,
            population: 32,
            episodes: 4,
            sigma: 0.1,
            patience: 0,
            longest: 1000,
            seed: 0,
        }
    }
}

impl WorldSettings {
    /// Settings for a look at the whole within minutes: fewer frames and steps, and episodes that end after 100 steps
    /// without a new tile.
    pub fn quick() -> Self {
        Self {
            frames: FrameSettings { count: 20_000, ..Default::default() },
            vision: VisionSettings { steps: 1000 },
            memory: MemorySettings { steps: 300, ..Default::default() },
            controller: ControllerSettings {
                generations: 20,
                episodes: 2,
                patience: 100,
                ..Default::default()
            },
            ..Default::default()
        }
    }

    /// Read `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Checkpoint`] if it holds no such settings.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        let settings: Self = toml::from_str(&text).map_err(|problem| {
            let hint = "mend the file, or begin a new world with vae world collect";
            Error::checkpoint(path, problem.to_string().trim(), hint)
        })?;
        settings.check()?;
        Ok(settings)
    }

    /// Write `path`, replacing what is there only when all is written.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|problem| Error::Internal(problem.to_string()))?;
        crate::files::write_atomically(path, text.as_bytes())
    }

    /// Refuse numbers that make no sense.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key.
    pub fn check(&self) -> Result<()> {
        let (memory, controller) = (&self.memory, &self.controller);
        let ranges = [
            ("frames.count", self.frames.count, 200..=MOST_FRAMES),
            ("memory.batch", memory.batch, 1..=100_000),
            ("memory.sequence", memory.sequence, 1..=100_000),
            ("memory.hidden", memory.hidden, 1..=512),
            ("controller.population", controller.population, 4..=100_000),
            ("controller.episodes", controller.episodes, 1..=100_000),
            ("controller.longest", controller.longest, 1..=1_000_000),
        ];
        for (key, is, range) in ranges {
            if !range.contains(&is) {
                let few = if is < *range.start() { "few" } else { "many" };
                let hint = format!("give {} to {}", range.start(), range.end());
                return Err(Error::setting(key, format!("{is} is too {few}"), hint));
            }
        }
        if !(controller.sigma.is_finite() && controller.sigma > 0.0) {
            let problem = format!("{} is not above 0", controller.sigma);
            return Err(Error::setting("controller.sigma", problem, "the paper's is 0.1"));
        }
        Ok(())
    }
}

/// Frames of an archive of 4 GiB.
pub(super) const MOST_FRAMES: usize = 340_000;
