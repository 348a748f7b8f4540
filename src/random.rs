//! Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011).
//!
//! The generator is a pure function of a counter and a key, so any draw can be made again, in any order, on any
//! device: `shaders/shared/philox.wgsl` computes the same integers.

use rand::rand_core::TryRng;
use std::convert::Infallible;

/// Families of draws: the last word of the counter keeps each apart from the others.
pub mod stream {
    /// Noise of the reparametrized samples in training steps.
    pub const TRAIN_NOISE: u32 = 0;
    /// Noise of the reparametrized samples in evaluation.
    pub const EVALUATION_NOISE: u32 = 1;
    /// Noise of the samples that an importance-weighted bound is estimated with.
    pub const IMPORTANCE_NOISE: u32 = 2;
    /// Added to a noise stream: the noise of the second stochastic layer.
    const SECOND_LAYER: u32 = 4;
    /// Momenta of Hamiltonian Monte Carlo; what it accepts follows from the draws of `HMC + 16`.
    pub const HMC: u32 = 8;
    /// Added to a noise stream: the draws that binarise pixels.
    pub const BINARIZE: u32 = 16;
    /// Which images of a minibatch are mirrored.
    pub const MIRROR: u32 = 24;
    /// Initial values of parameters.
    pub const INITIALISATION: u32 = 32;
    /// Order of the images in an epoch.
    pub const SHUFFLE: u32 = 33;
    /// Choice of the held-out images.
    pub const SPLIT: u32 = 34;
    /// The procedural digits.
    pub const DIGITS: u32 = 35;
    /// Latents drawn from the prior for pictures.
    pub const PRIOR: u32 = 36;
    /// Latents drawn from posteriors, to estimate the aggregate posterior q(z).
    pub const AGGREGATE: u32 = 37;
    /// Latents drawn from the stochastic layers of a hierarchy.
    pub const LAYERS: u32 = 38;
    /// Starting points of chains, and images simulated from a model.
    pub const CHAINS: u32 = 40;
    /// Draws of the metrics of disentanglement.
    pub const DISENTANGLE: u32 = 70;
    /// Candidates of evolution strategies.
    pub const EVOLUTION: u32 = 80;
    /// Tracks that controllers are evolved on.
    pub const TRACKS: u32 = 82;
    /// Draws from known distributions, for figures.
    pub const FIGURES: u32 = 64;
    /// Noise of the samples in the figure that compares gradient estimators.
    pub const GRADIENTS: u32 = 65;

    /// Added to a noise stream: draws of the prior that latents are compared with.
    pub const DISCREPANCY: u32 = 1 << 28;
    /// Added to a noise stream: the orders of permuted columns.
    pub const PERMUTATION: u32 = 1 << 29;
    /// Added to a noise stream: the corruption of images.
    pub const CORRUPTION: u32 = 72;

    /// Added to a noise stream: draws of mixtures of Gaussians.
    pub const MIXTURE: u32 = 84;

    /// Weights and noise of the random policy of world models.
    pub const RANDOM_POLICY: u32 = 81;

    /// Added to a noise stream: what is dropped.
    const DROPOUT: u32 = 1 << 24;

    /// The number to add to a noise stream for operation number `number` of those that drop values.
    pub const fn of_dropout(number: u32) -> u32 {
        DROPOUT + (number << 8)
    }

    /// The number to add to a noise stream for group `group` of latents; 0 is the group nearest to the data. From group 2
    /// on the number is a multiple of 256, above every stream here, so that no two streams are equal.
    pub const fn of_group(group: usize) -> u32 {
        match group {
            0 => 0,
            1 => SECOND_LAYER,
            group => (group as u32) << 8,
        }
    }
}

/// The ten-round Philox4x32 bijection of `counter` under `key`.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let first = u64::from(counter[0]) * 0xD251_1F53;
        let second = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
    }
    counter
}

/// A sequence of Philox words for the host's own draws (shuffling, initial values, digits).
///
/// Two generators with the same seed, `item` and `stream` yield the same sequence; items are independent, so
/// that image 17 of a dataset looks the same whichever thread makes it.
#[derive(Clone, Debug)]
pub struct Philox {
    key: [u32; 2],
    counter: [u32; 4],
    words: [u32; 4],
    used: usize,
}

impl Philox {
    /// The generator for `item` of `stream` (see [`stream`]) under `seed`.
    pub fn new(seed: u64, stream: u32, item: u64) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, item as u32, (item >> 32) as u32, stream],
            words: [0; 4],
            used: 4,
        }
    }

    /// The next 32 random bits.
    pub(crate) fn next_word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox4x32(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A standard normal number, by the Box-Muller transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * ((f64::from(self.next_word()) + 0.5) / 4_294_967_296.0).ln()).sqrt();
        radius * (std::f64::consts::TAU * f64::from(self.next_word()) / 4_294_967_296.0).cos()
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.next_word()) | u64::from(self.next_word()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next_word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kat_vectors` of the Random123 distribution, philox4x32 with 10 rounds.
    #[test]
    fn philox_matches_its_published_vectors() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut generator = Philox::new(7, stream::PRIOR, 0);
        let draws: Vec<f64> = (0..100_000).map(|_| generator.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }
}
