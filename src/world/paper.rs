//! The scores of the paper, and its settings at a fraction of their budget.

use super::controller::Inputs;
use super::settings::{
    ControllerSettings, FrameSettings, MOST_FRAMES, MemorySettings, VisionSettings, WorldSettings,
};

/// A published score over 100 tracks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// What the controller sees.
    pub inputs: Inputs,
    /// The mean return.
    pub mean: f64,
    /// The standard deviation of the returns.
    pub deviation: f64,
    /// Where the score is from.
    pub source: &'static str,
}

/// The variants of the paper, and the one with an untrained M of a reproduction of it.
pub const PUBLISHED: [Published; 4] = [
    Published { inputs: Inputs::Z, mean: 632.0, deviation: 251.0, source: "paper" },
    Published { inputs: Inputs::ZHidden, mean: 788.0, deviation: 141.0, source: "paper" },
    Published { inputs: Inputs::ZH, mean: 906.0, deviation: 21.0, source: "paper" },
    Published { inputs: Inputs::ZHUntrained, mean: 870.0, deviation: 120.0, source: "ctallec/world-models" },
];

/// `count` times `factor`, and at least `least`.
fn part(count: usize, factor: f64, least: usize) -> usize {
    ((count as f64 * factor).round() as usize).clamp(least, count.max(least))
}

impl WorldSettings {
    /// The settings of the paper's code at `scale`, above 0 and at most 1: 100,000 steps of V, 4000 of M on whole episodes, 1800
    /// generations of 64 candidates with 16 episodes each; all of the one file of frames that this program takes, where the paper
    /// has 10 million. A fraction of the budget has the same fraction of V's and M's steps; the episodes of C are split between
    /// fewer generations and fewer episodes of each candidate, by the square root of the fraction each. Episodes then end after
    /// 100 steps without a new tile.
    pub fn of_paper(scale: f64, seed: u64) -> Self {
        let root = scale.sqrt();
        let whole = scale >= 1.0;
        Self {
            frames: FrameSettings { count: part(MOST_FRAMES, scale * 100.0, 20_000), seed },
            vision: VisionSettings { steps: part(100_000, scale, 500) as u64 },
            memory: MemorySettings {
                steps: part(4000, scale, 100) as u64,
                sequence: if whole { 999 } else { 128 },
                seed,
                ..Default::default()
            },
            controller: ControllerSettings {
                generations: part(1800, root, 4),
                population: if scale >= 0.1 { 64 } else { 32 },
                episodes: part(16, root, 1),
                patience: if whole { 0 } else { 100 },
                seed,
                ..Default::default()
            },
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_the_papers_and_a_part_is_sound() {
        let whole = WorldSettings::of_paper(1.0, 1);
        let of = &whole.controller;
        assert_eq!((of.generations, of.population, of.episodes, of.patience), (1800, 64, 16, 0));
        assert_eq!((whole.vision.steps, whole.memory.steps, whole.memory.sequence), (100_000, 4000, 999));
        for scale in [1e-9, 1e-4, 0.01, 0.5, 1.0] {
            WorldSettings::of_paper(scale, 0).check().unwrap();
        }
        let small = WorldSettings::of_paper(0.001, 0);
        assert_eq!((small.controller.generations, small.controller.episodes), (57, 1));
    }
}
