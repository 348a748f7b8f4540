//! Twins of `shaders/shared/philox.wgsl` and of `shaders/selftest.wgsl`.

use super::Real;
use super::call::Call;
use crate::plan::Step;
use crate::random::philox4x32;

/// Four words for element `index` of this step's draws.
pub(super) fn words(step: &Step, index: usize, stream: u32) -> [u32; 4] {
    let counter = [index as u32, step.counter_low, step.counter_high, step.stream + stream];
    philox4x32(counter, [step.seed_low, step.seed_high])
}

/// Elements that [`words_of_many`] draws for: as many as the widest vector units take.
pub(super) const TOGETHER: usize = 16;

/// The words of elements `first`, `first + 1`, .. of this step's draws: word number w of element number i at `[w][i]`.
///
/// The same rounds as [`philox4x32`], but each round is done for all elements before the next round, so that vector
/// instructions process a whole row of elements at once.
#[inline(always)]
pub(super) fn words_of_many(step: &Step, first: usize, stream: u32) -> [[u32; TOGETHER]; 4] {
    let index = std::array::from_fn(|i| (first as u32).wrapping_add(i as u32));
    let mut counter = [
        index,
        [step.counter_low; TOGETHER],
        [step.counter_high; TOGETHER],
        [step.stream + stream; TOGETHER],
    ];
    let mut key = [step.seed_low, step.seed_high];
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        for i in 0..TOGETHER {
            let (low, high) = (u64::from(a[i]) * 0xD251_1F53, u64::from(c[i]) * 0xCD9E_8D57);
            counter[0][i] = (high >> 32) as u32 ^ b[i] ^ key[0];
            counter[1][i] = high as u32;
            counter[2][i] = (low >> 32) as u32 ^ d[i] ^ key[1];
            counter[3][i] = low as u32;
        }
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Uniform in (0, 1), never at an end.
pub(super) fn open_uniform<T: Real>(word: u32) -> T {
    T::of((f64::from(word >> 9) + 0.5) / f64::from(1 << 23))
}

/// Four standard normal numbers, by Box and Muller.
pub(super) fn normals<T: Real>(words: [u32; 4]) -> [T; 4] {
    let [a, b, c, d] = words;
    let pair = |radius: u32, angle: u32| {
        let radius = (T::of(-2.0) * open_uniform::<T>(radius).ln()).max(T::zero()).sqrt();
        let (sin, cos) = (T::of(std::f64::consts::TAU) * open_uniform::<T>(angle)).sin_cos();
        (radius * cos, radius * sin)
    };
    let ((x0, y0), (x1, y1)) = (pair(a, c), pair(b, d));
    [x0, x1, y0, y1]
}

pub(super) fn box_muller<T: Real>(call: &mut Call<'_, T>) {
    let (words, count) = (call.words("words"), call.count("COUNT"));
    for (words, numbers) in words.chunks_exact(4).zip(call.write("numbers").chunks_exact_mut(4)).take(count) {
        numbers.copy_from_slice(&normals::<T>([words[0], words[1], words[2], words[3]]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of the uniform draw give the largest and the smallest radius, and no NaN.
    #[test]
    fn normals_at_the_ends_of_the_uniform_draw() {
        for (word, radius) in [(0, 5.768_108_f64), (u32::MAX, 3.452_669e-4)] {
            let single = normals::<f32>([word; 4]).map(f64::from);
            let double = normals::<f64>([word; 4]);
            for values in [single, double] {
                let [x0, x1, y0, y1] = values;
                assert_eq!((x0, y0), (x1, y1));
                assert!((x0.hypot(y0) / radius - 1.0).abs() < 1e-6, "{values:?}");
            }
        }
    }

    #[test]
    fn many_words_are_the_words_of_each() {
        let step =
            Step { seed_low: 5, seed_high: 6, counter_low: 7, counter_high: 8, stream: 1, ..Step::default() };
        for first in [0, 3, u32::MAX as usize - 4] {
            let many = words_of_many(&step, first, 16);
            for i in 0..TOGETHER {
                assert_eq!(words(&step, first + i, 16), many.map(|words| words[i]), "{first} + {i}");
            }
        }
    }
}
