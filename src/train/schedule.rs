//! Numbers that change from step to step, as pure functions of the step: nothing has to be stored to resume.

use crate::random::{Philox, stream};

/// Place of `step` in its cycle of `cycle` epochs, counted from 0; `step` itself without cycles
/// (`cycle` 0). With [`crate::config::Warmup::weight`] of it, the weight rises anew in each cycle (Fu et al., "Cyclical annealing schedule",
/// NAACL 2019).
pub fn step_of_cycle(cycle: f64, step: u64, steps_per_epoch: u64) -> u64 {
    let steps = (cycle * steps_per_epoch as f64).round() as u64;
    if cycle > 0.0 { step % steps.max(1) } else { step }
}

/// The order of `images` in `epoch`: a different shuffle for each epoch. `version` 2 is the algorithm of Fisher and Yates,
/// version 1 that of older runs.
pub fn epoch_order(images: usize, seed: u64, epoch: u64, version: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..images as u32).collect();
    let mut random = Philox::new(seed, stream::SHUFFLE, epoch);
    if version == 1 {
        shuffle_first_version(&mut order, &mut random);
    } else {
        for last in (1..images).rev() {
            order.swap(last, below(last as u32 + 1, random.next_word()) as usize);
        }
    }
    order
}

/// A number from 0 to `bound` - 1 from a random word: the high half of their product. No number is more likely than
/// another by more than `bound` in 2^32.
fn below(bound: u32, word: u32) -> u32 {
    ((u64::from(bound) * u64::from(word)) >> 32) as u32
}

/// What `shuffle` of the crate `rand` 0.10 does, written out: a later version of that crate may do otherwise.
///
/// Element i, from the first on, is swapped with one of those up to itself. One random number below the product of several
/// bounds, as many as 32 bits hold, gives the choices for as many elements.
fn shuffle_first_version(order: &mut [u32], random: &mut Philox) {
    // Choices that are left in `choices`. The first element has none to make.
    let (mut choices, mut left) = (0, 1);
    for i in 0..order.len() {
        let bound = i as u32 + 1;
        if left == 0 {
            let mut product = bound;
            left = 1;
            while let Some(more) = product.checked_mul(bound + left) {
                (product, left) = (more, left + 1);
            }
            let wide = u64::from(product) * u64::from(random.next_word());
            choices = (wide >> 32) as u32;
            // Where the low half could carry, a second word decides: this makes the choices all but equally likely.
            if wide as u32 > product.wrapping_neg() {
                let carry = below(product, random.next_word());
                choices += u32::from((wide as u32).checked_add(carry).is_none());
            }
        }
        left -= 1;
        let choice = if left == 0 { choices } else { choices % bound };
        choices /= bound;
        order.swap(i, choice as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Warmup;
    use rand::seq::SliceRandom;

    #[test]
    fn cycles_begin_anew() {
        for warmup in [Warmup::Epochs(2.0), Warmup::Steps(20)] {
            let at = |step| warmup.weight(4.0, step_of_cycle(5.0, step, 10), 10);
            assert_eq!((at(0), at(5), at(20), at(49)), (0.0, 1.0, 4.0, 4.0));
            assert_eq!((at(50), at(55), at(70), at(105)), (0.0, 1.0, 4.0, 1.0));
        }
        assert_eq!(step_of_cycle(0.0, 123, 10), 123);
    }

    #[test]
    fn an_epoch_is_a_permutation_and_epochs_differ() {
        for version in [1, 2] {
            let mut first = epoch_order(1000, 1, 0, version);
            assert_ne!(first, epoch_order(1000, 1, 1, version));
            assert_ne!(first, epoch_order(1000, 2, 0, version));
            assert_eq!(first, epoch_order(1000, 1, 0, version));
            first.sort_unstable();
            assert!(first.into_iter().eq(0..1000));
        }
        assert_ne!(epoch_order(1000, 1, 0, 1), epoch_order(1000, 1, 0, 2));
        for images in [0, 1] {
            assert_eq!(epoch_order(images, 1, 0, 2).len(), images);
        }
    }

    /// Orders of old runs are those of `rand`.
    #[test]
    fn the_first_version_is_the_shuffle_of_rand() {
        for images in (0..40).chain([1000, 60_000, 200_000]) {
            for epoch in 0..5 {
                let mut expected: Vec<u32> = (0..images as u32).collect();
                expected.shuffle(&mut Philox::new(9, stream::SHUFFLE, epoch));
                assert_eq!(epoch_order(images, 9, epoch, 1), expected, "{images} images, epoch {epoch}");
            }
        }
    }

    /// Neither version may change: saved runs go on with them.
    #[test]
    fn both_versions_stay_as_they_are() {
        assert_eq!(epoch_order(8, 1, 0, 1), [5, 2, 6, 4, 0, 1, 7, 3]);
        assert_eq!(epoch_order(8, 1, 0, 2), [6, 3, 4, 1, 2, 0, 5, 7]);
    }

    /// Each image comes at each place as often as at any other.
    #[test]
    fn the_second_version_prefers_no_place() {
        let (images, epochs) = (12, 12_000);
        let mut counts = vec![vec![0_u32; images]; images];
        for epoch in 0..epochs {
            for (place, image) in epoch_order(images, 5, epoch, 2).into_iter().enumerate() {
                counts[place][image as usize] += 1;
            }
        }
        let mean = epochs as f64 / images as f64;
        let squares: f64 =
            counts.iter().flatten().map(|&count| (f64::from(count) - mean).powi(2) / mean).sum();
        // Chi squared with 11 * 11 degrees of freedom: within 4 standard deviations.
        assert!((squares - 121.0).abs() < 4.0 * (2.0 * 121.0_f64).sqrt(), "{squares}");
    }
}
