//! Sequences of equal length out of episodes, as a dataset.

use super::{ACTIONS, Episode, Episodes, MemoryConfig, POSTERIOR};
use crate::data::{Column, Dataset, ImageShape, Part, Values};
use crate::{Error, Result};

/// Sequences of `steps` steps: `steps + 1` frames, and the actions of all but the last. Those to train on begin every `stride` frames
/// of an episode, those that are held out follow each other; in both a last one ends with the episode. Every
/// [`MemoryConfig::held_out`]-th episode is held out; where there are fewer, the last one is. Episodes with fewer frames are left out.
///
/// # Errors
/// [`Error::Data`] if no episode is long enough to train on or to hold out; [`Error::Setting`] if the sizes are not those of M.
pub fn windows(episodes: &Episodes, config: &MemoryConfig) -> Result<Dataset> {
    for (key, own, given) in
        [("latent", config.latent, episodes.latent), ("actions", config.actions, episodes.actions)]
    {
        if own != given {
            let (key, problem) = (format!("memory.{key}"), format!("{own}, but the episodes have {given}"));
            return Err(Error::setting(key, problem, format!("give {given}")));
        }
    }
    let long = |episode: &&Episode| episodes.frames(episode) > config.steps;
    let long: Vec<&Episode> = episodes.episodes.iter().filter(long).collect();
    let held_out = config.held_out.min(long.len());
    let is_held_out = |number: usize| held_out > 1 && number % held_out == held_out - 1;
    let of = |wanted: bool, stride: usize| {
        let own = long.iter().enumerate().filter(|(number, _)| is_held_out(*number) == wanted);
        part(own.map(|(_, episode)| *episode), episodes, config, stride)
    };
    let (train, test) = (of(false, config.stride), of(true, config.steps));
    if train.count == 0 || test.count == 0 {
        let count = long.len();
        let problem = format!(
            "{count} of {} episodes have the {} frames of a sequence, and two are needed",
            episodes.episodes.len(),
            config.steps + 1
        );
        return Err(Error::data("episodes", problem, "collect more episodes, or use fewer memory.steps"));
    }
    let shape = ImageShape { width: config.latent, height: config.steps + 1, channels: 1 };
    Ok(Dataset::new("episodes", shape, train, test))
}

fn part<'a>(
    chosen: impl Iterator<Item = &'a Episode>,
    episodes: &Episodes,
    config: &MemoryConfig,
    stride: usize,
) -> Part {
    let MemoryConfig { latent, actions, steps, .. } = *config;
    let (mut posteriors, mut acted, mut count) = (Vec::new(), Vec::new(), 0);
    for episode in chosen {
        let last = episodes.frames(episode) - steps - 1;
        let starts = (0..last).step_by(stride).chain([last]);
        for start in starts {
            for frame in start..=start + steps {
                let range = frame * latent..(frame + 1) * latent;
                posteriors.extend_from_slice(&episode.means[range.clone()]);
                posteriors.extend_from_slice(&episode.log_variances[range]);
            }
            acted.extend_from_slice(&episode.actions[start * actions..(start + steps) * actions]);
            count += 1;
        }
    }
    let column =
        |name: &str, size: usize, values: Vec<f32>| Column::new(name, &[size], Values::Reals(values));
    Part {
        columns: vec![
            column(POSTERIOR, (steps + 1) * 2 * latent, posteriors),
            column(ACTIONS, steps * actions, acted),
        ],
        count,
        names: Vec::new(),
        places: Vec::new(),
    }
}
