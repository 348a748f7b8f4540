//! V and M of a world, read from its folder.

use super::agent::Mind;
use super::collect::Actions;
use super::controller::Inputs;
use super::folder::WorldFolder;
use super::memory::{Episode, Episodes, MemoryConfig, Parameters};
use super::racing::FRAME_VALUES;
use super::settings::MemorySettings;
use crate::data::{Arrays, Dataset, ImageShape, Part};
use crate::device::OpenDevice;
use crate::run::{Checkpoint, RunFolder, Weights};
use crate::session::Session;
use crate::{Error, Result};

/// The encoded frames, in the folder of M.
pub const EPISODES: &str = "episodes.safetensors";
/// The frames' size.
pub const SHAPE: ImageShape = ImageShape { width: 64, height: 64, channels: 3 };

impl WorldFolder {
    /// V, as it was trained last, and a session on it with these frames, `[count, 64, 64, 3]`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if V is not there, is broken, or is of other images; else if the device fails.
    pub fn see(&self, device: &OpenDevice, frames: Vec<u8>) -> Result<Session> {
        let file = self.needed(self.vision().join("checkpoint.safetensors"), "train-v")?;
        let (_, config) = RunFolder::open(&self.vision())?;
        let checkpoint = Checkpoint::load(&file)?;
        if checkpoint.shape != SHAPE {
            let problem = format!("V is of images of {}, and the frames are {SHAPE}", checkpoint.shape);
            return Err(Error::checkpoint(file, problem, "train it with vae world train-v"));
        }
        let task = config.task(SHAPE).for_evaluation();
        let none = Part::of_images(Vec::new(), SHAPE);
        let blank = if frames.is_empty() { vec![0; FRAME_VALUES] } else { frames };
        let dataset = Dataset::new("frames", SHAPE, none, Part::of_images(blank, SHAPE));
        let mut session = Session::open(device.clone(), &task, None, &dataset)?;
        checkpoint.restore(&mut session, &file)?;
        Ok(session)
    }

    /// All frames of the world encoded by V, episode by episode.
    ///
    /// # Errors
    /// [`Error::Data`] if the frames are not as [`super::collect::Recording::write`] writes them; as [`WorldFolder::see`].
    pub fn encode(&self, device: &OpenDevice, progress: &mut dyn FnMut(usize, usize)) -> Result<Episodes> {
        let path = self.needed(self.frames(), "collect --out")?;
        let Actions { actions, lengths } = Actions::read(&path)?;
        let count = actions.len() / 3;
        let frames = Arrays::open(&path)?.bytes("frames")?.map(|(_, frames)| frames).unwrap_or_default();
        if frames.len() != count * FRAME_VALUES {
            let problem = format!("there are {count} actions, and not as many frames of {SHAPE}");
            return Err(Error::data(path, problem, "collect the frames again with vae world collect"));
        }
        let mut session = self.see(device, frames)?;
        let latent = self.mind(Inputs::Z)?.latent()?;
        let (mut episodes, mut first) = (Episodes::new(latent, 3), 0);
        for length in lengths {
            let numbers: Vec<u32> = (first..first + length).map(|number| number as u32).collect();
            let found = session.encode(&numbers)?;
            let own = actions[3 * first..3 * (first + length)].to_vec();
            episodes.push(Episode::new(found.means, found.log_variances, own))?;
            first += length;
            progress(first, count);
        }
        Ok(episodes)
    }

    /// V and M, for a controller that sees `inputs`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if one of them is not there, or is broken.
    pub fn mind(&self, inputs: Inputs) -> Result<Mind> {
        let vision = self.needed(self.vision().join("checkpoint.safetensors"), "train-v")?;
        let (_, config) = RunFolder::open(&self.vision())?;
        let (task, weights) = (config.task(SHAPE).for_evaluation(), Weights::read(&vision)?);
        let mut mind = Mind { vision: task, weights, memory: None, inputs };
        mind.memory = match inputs {
            Inputs::Z | Inputs::ZHidden => None,
            Inputs::ZH => Some(self.trained_memory()?),
            Inputs::ZHUntrained => Some(Parameters::untrained(&self.memory_settings(mind.latent()?))?),
        };
        Ok(mind)
    }

    /// The parameters of M.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if M is not there, or is broken.
    pub fn trained_memory(&self) -> Result<Parameters> {
        Parameters::load(&self.needed(self.memory().join("checkpoint.safetensors"), "train-m")?)
    }

    /// How M is trained, for `latent` dimensions of V.
    pub fn memory_settings(&self, latent: usize) -> MemoryConfig {
        let MemorySettings { steps, batch, sequence, hidden, seed } = self.settings().memory;
        MemoryConfig {
            latent,
            hidden,
            seed,
            steps: sequence,
            stride: sequence.div_ceil(2),
            batch_size: batch,
            train_steps: steps,
            ..MemoryConfig::default()
        }
    }
}
