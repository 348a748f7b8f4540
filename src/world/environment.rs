//! Environments that step side by side and show pictures.

use super::frame;
use crate::Result;

/// What an environment answers to a reset or an action.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The environment's number.
    pub number: usize,
    /// The reward of the action; 0 after a reset.
    pub reward: f64,
    /// Whether the episode has ended by the rules of the environment.
    pub terminated: bool,
    /// Whether it was cut off, as by a limit on steps.
    pub truncated: bool,
    /// What is seen, as the environment gives it: bytes, row by row, of gymnasium's frame ([`frame::RAW`]) or of a picture of
    /// 64 by 64 pixels ([`frame::FRAME`]).
    pub pixels: Vec<u8>,
}

impl View {
    /// The picture that models see, `[64, 64, 3]`: gymnasium's frame without its bar and resized, or the picture as it is.
    pub fn frame(&self) -> Vec<u8> {
        if self.pixels.len() == frame::RAW_BYTES { frame::resize(&self.pixels) } else { self.pixels.clone() }
    }

    /// Whether the episode has ended.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// Environments of one kind, numbered from 0, that step side by side. An action is steering from -1 to 1, then gas and brake
/// from 0 to 1.
pub trait Environment {
    /// How many there are.
    fn count(&self) -> usize;

    /// The names and versions of what runs, to be kept beside results.
    fn version(&self) -> &str;

    /// Begin an episode in each of these environments, from its seed. The views come in the same order.
    ///
    /// # Errors
    /// If an environment fails.
    fn reset(&mut self, starts: &[(usize, u64)]) -> Result<Vec<View>>;

    /// Take one action in each of these environments, none of them twice. The views come in the same order.
    ///
    /// # Errors
    /// If an environment fails.
    fn step(&mut self, actions: &[(usize, [f32; 3])]) -> Result<Vec<View>>;
}
