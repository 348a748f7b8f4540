//! Settings of M and of its training.

use crate::checks::{counted, not_negative, positive};
use crate::optimizer::{Optimizer, OptimizerKind};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Sizes of M, and how it is trained. The defaults are those of Ha and Schmidhuber (2018), but for sequences of 128 steps in the
/// place of 999.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Latent dimensions of a frame.
    pub latent: usize,
    /// Numbers of an action.
    pub actions: usize,
    /// Units of the long short-term memory.
    pub hidden: usize,
    /// Gaussians of each latent dimension.
    pub components: usize,
    /// Steps of a sequence; the gradient goes through all of them.
    pub steps: usize,
    /// Frames from the start of one training sequence to the next in an episode.
    pub stride: usize,
    /// Sequences in a minibatch.
    pub batch_size: usize,
    /// Training steps.
    pub train_steps: u64,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Largest size of each number of a gradient; 0 for no limit.
    pub clip_value: f64,
    /// One episode in this many is held out.
    pub held_out: usize,
    /// Training steps from one evaluation on held-out sequences to the next.
    pub evaluate_every: u64,
    /// Seed of first parameters, order and noise.
    pub seed: u64,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            latent: 32,
            actions: 3,
            hidden: 256,
            components: 5,
            steps: 128,
            stride: 64,
            batch_size: 100,
            train_steps: 4000,
            learning_rate: 1e-3,
            clip_value: 1.0,
            held_out: 10,
            evaluate_every: 100,
            seed: 0,
        }
    }
}

impl MemoryConfig {
    /// Refuse settings that make no sense.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path.
    pub fn check(&self) -> Result<()> {
        for (key, value) in [
            ("latent", self.latent),
            ("actions", self.actions),
            ("hidden", self.hidden),
            ("components", self.components),
            ("steps", self.steps),
            ("stride", self.stride),
            ("batch-size", self.batch_size),
        ] {
            counted(&format!("memory.{key}"), value as u64)?;
        }
        counted("memory.train-steps", self.train_steps)?;
        counted("memory.evaluate-every", self.evaluate_every)?;
        positive("memory.learning-rate", self.learning_rate)?;
        not_negative("memory.clip-value", self.clip_value)?;
        if self.held_out < 2 {
            let problem = format!("{} leaves no episode to train on", self.held_out);
            return Err(Error::setting("memory.held-out", problem, "give 2 or more, such as 10"));
        }
        Ok(())
    }

    /// Adam, with gradients clipped by value.
    pub fn optimizer(&self) -> Optimizer {
        Optimizer { clip_value: self.clip_value, ..Optimizer::new(OptimizerKind::Adam) }
    }

    /// The key of the first setting in which a run that goes on may not differ from `other`, but does.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("latent", self.latent == other.latent),
            ("actions", self.actions == other.actions),
            ("hidden", self.hidden == other.hidden),
            ("components", self.components == other.components),
            ("steps", self.steps == other.steps),
            ("stride", self.stride == other.stride),
            ("batch-size", self.batch_size == other.batch_size),
            ("learning-rate", self.learning_rate.to_bits() == other.learning_rate.to_bits()),
            ("clip-value", self.clip_value.to_bits() == other.clip_value.to_bits()),
            ("held-out", self.held_out == other.held_out),
            ("seed", self.seed == other.seed),
        ];
        pairs.into_iter().find(|(_, equal)| !equal).map(|(key, _)| key)
    }
}
