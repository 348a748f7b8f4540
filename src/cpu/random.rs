//! Twin of `shaders/shared/philox.wgsl`.

use super::Real;
use crate::plan::Step;
use crate::random::philox4x32;

/// Four words for element `index` of this step's draws.
pub(super) fn words(step: &Step, index: usize, stream: u32) -> [u32; 4] {
    let counter = [index as u32, step.counter_low, step.counter_high, step.stream + stream];
    philox4x32(counter, [step.seed_low, step.seed_high])
}

/// Uniform in (0, 1), never at an end.
pub(super) fn open_uniform<T: Real>(word: u32) -> T {
    T::of((f64::from(word >> 9) + 0.5) / f64::from(1 << 23))
}

/// Four standard normal numbers, by Box and Muller.
pub(super) fn normals<T: Real>(words: [u32; 4]) -> [T; 4] {
    let [a, b, c, d] = words;
    let pair = |radius: u32, angle: u32| {
        let radius = (T::of(-2.0) * open_uniform::<T>(radius).ln()).sqrt();
        let (sin, cos) = (T::of(std::f64::consts::TAU) * open_uniform::<T>(angle)).sin_cos();
        (radius * cos, radius * sin)
    };
    let ((x0, y0), (x1, y1)) = (pair(a, c), pair(b, d));
    [x0, x1, y0, y1]
}
