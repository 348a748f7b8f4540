//! Dreams of a world, seen through V, and how like its frames they are.

use super::folder::WorldFolder;
use super::memory::{Dream, Dreamer, Dreaming, Episode, Episodes};
use super::mind::EPISODES;
use crate::device::OpenDevice;
use crate::random::{Philox, stream};
use crate::report::Film;
use crate::{Error, Result};
use rand::RngExt;
use serde::Serialize;

/// Dreams that are measured.
pub const DREAMS: usize = 64;
/// Of these, those that are filmed.
const FILMED: usize = 3;
/// One step in four is filmed.
const EVERY: usize = 4;

/// Latents in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DreamNumbers {
    /// Steps of each dream.
    pub steps: usize,
    /// Dreams.
    pub dreams: usize,
    /// The temperature.
    pub temperature: f64,
    /// The largest |z| of all dreams.
    pub largest: f64,
    /// The share of latents with |z| above 6.
    pub beyond_six: f64,
    /// KL divergence to N(0, I) of the normal distribution with the means and variances of the dreamt latents, nats.
    pub dreamt_divergence: f64,
    /// The same of latents drawn for the frames of all episodes that are as long, up to that step.
    pub encoded_divergence: f64,
}

impl std::fmt::Display for DreamNumbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { steps, dreams, temperature, largest, beyond_six, dreamt_divergence, encoded_divergence } =
            self;
        let ratio = dreamt_divergence / encoded_divergence;
        write!(
            f,
            "{dreams} dreams of {steps} steps at temperature {temperature}: |z| up to {largest:.2}, {:.4} % above 6; KL of all latents to N(0, I): \
             {dreamt_divergence:.2} nats dreamt, {encoded_divergence:.2} of frames ({ratio:.2} times)",
            100.0 * beyond_six
        )
    }
}

/// KL divergence from N(m, v) to N(0, I) of `latent` dimensions, with the means and variances of `rows`.
fn divergence(rows: impl Iterator<Item = f64>, latent: usize) -> f64 {
    let mut sums = vec![[0.0; 2]; latent];
    let mut count = 0;
    for (index, value) in rows.enumerate() {
        let [sum, squares] = &mut sums[index % latent];
        *sum += value;
        *squares += value * value;
        count = index / latent + 1;
    }
    let count = count as f64;
    let of = |[sum, squares]: [f64; 2]| {
        let mean = sum / count;
        let variance = (squares / count - mean * mean).max(1e-12);
        0.5 * (mean * mean + variance - variance.ln() - 1.0)
    };
    sums.into_iter().map(of).sum()
}

/// Latents drawn for the frames of `episode`, `[frames, latent]`.
fn drawn(episode: &Episode, random: &mut Philox) -> Vec<f32> {
    let pairs = episode.means.iter().zip(&episode.log_variances);
    pairs.map(|(mean, variance)| mean + (variance / 2.0).exp() * random.normal() as f32).collect()
}

impl WorldFolder {
    /// Let M dream [`DREAMS`] times for `steps` steps at `temperature`, from first frames of collected episodes. The dreams that are
    /// measured take the actions that were taken in these episodes, so that they can be compared with them; where no episode is
    /// as long, they have as many steps as the longest. In the dreams that are filmed through V, C is at the wheel.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if V, M or C is missing; else if the device fails.
    pub fn dream(
        &self,
        device: &OpenDevice,
        steps: usize,
        temperature: f64,
        seed: u64,
    ) -> Result<(DreamNumbers, Film)> {
        let (weights, inputs) = self.evolved(false)?;
        let parameters = match self.mind(inputs)?.memory {
            Some(memory) => memory,
            None => self.trained_memory()?,
        };
        let latent = parameters.config.latent;
        let file = self.needed(self.memory().join(EPISODES), "train-m")?;
        let Episodes { episodes, actions: width, .. } = Episodes::load(&file)?;
        let longest = episodes.iter().map(|it| it.actions.len() / width).max().unwrap_or(0);
        if longest < 2 {
            let hint = "encode the frames again with vae world train-m";
            return Err(Error::checkpoint(file, "it holds no episodes", hint));
        }
        let measured = steps.min(longest - 1);
        let long: Vec<&Episode> = episodes.iter().filter(|it| it.actions.len() > measured * width).collect();
        let mut random = Philox::new(seed, stream::AGGREGATE, 0);
        let drawn: Vec<Vec<f32>> = long.iter().map(|episode| drawn(episode, &mut random)).collect();
        let chosen: Vec<usize> = (0..DREAMS).map(|_| random.random_range(0..long.len())).collect();
        let first: Vec<f32> = chosen.iter().flat_map(|&number| drawn[number][..latent].to_vec()).collect();

        let mut dreamer = Dreamer::open(device, &parameters, DREAMS)?;
        let mut recorded = |step: usize, _: &[f32], _: &[f32]| {
            let of = |number: &usize| long[*number].actions[step * width..(step + 1) * width].to_vec();
            chosen.iter().flat_map(of).collect()
        };
        let how = Dreaming { steps: measured, temperature, seed };
        let Dream { latents, .. } = dreamer.dream(&first, &how, &mut recorded)?;
        let all = || latents.iter().flatten().map(|value| f64::from(*value));
        let frames = drawn.iter().flat_map(|it| &it[latent..(measured + 1) * latent]);
        let numbers = DreamNumbers {
            steps: measured,
            dreams: DREAMS,
            temperature,
            largest: all().fold(0.0, |most, value| f64::max(most, value.abs())),
            beyond_six: all().filter(|value| value.abs() > 6.0).count() as f64 / all().count() as f64,
            dreamt_divergence: divergence(all(), latent),
            encoded_divergence: divergence(frames.map(|value| f64::from(*value)), latent),
        };

        let hidden = parameters.config.hidden;
        let mut driven = |_: usize, z: &[f32], h: &[f32]| {
            let dreams = z.chunks(latent).zip(h.chunks(hidden));
            dreams.flat_map(|(z, h)| inputs.act(&weights, z, h)).collect()
        };
        let how = Dreaming { steps, temperature, seed };
        let Dream { latents, .. } = dreamer.dream(&first, &how, &mut driven)?;
        let shown: Vec<&Vec<f32>> = latents.iter().step_by(EVERY).collect();
        let mut vision = self.see(device, Vec::new())?;
        let mut tracks = Vec::new();
        for dream in 0..FILMED {
            let own = |step: &&Vec<f32>| step[dream * latent..(dream + 1) * latent].to_vec();
            let path: Vec<f32> = shown.iter().flat_map(own).collect();
            tracks.push((format!("dream {}", dream + 1), vision.decode(&path)?));
        }
        let captions = (0..shown.len()).map(|number| format!("step {}", number * EVERY + 1)).collect();
        Ok((numbers, Film { tracks, captions }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divergence_of_standard_normal_numbers_is_zero() {
        let mut random = Philox::new(1, stream::AGGREGATE, 0);
        let values: Vec<f64> = (0..40_000).map(|_| random.normal()).collect();
        assert!(divergence(values.iter().copied(), 4) < 1e-3);
        // KL(N(1, 4) || N(0, 1)) = (1 + 4 - ln 4 - 1) / 2.
        let moved = divergence(values.iter().map(|value| 1.0 + 2.0 * value), 1);
        assert!((moved - 1.306_85).abs() < 0.05, "{moved}");
    }
}
