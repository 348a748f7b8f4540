//! Twin of `shaders/likelihood/laplace.wgsl`.

use super::{Call, OneByOne, Pixels, Real, chunk_sums_and_gradient};
use crate::cpu::activation::{activated, derivative};

pub(super) fn laplace<T: Real>(call: &mut Call<'_, T>) {
    let (activation, scale) = (call.count("MEAN_ACTIVATION"), call.number("SCALE"));
    chunk_sums_and_gradient(call, &OneByOne(Laplace { activation, scale }));
}

/// Pixels with one scale.
struct Laplace<T> {
    activation: usize,
    scale: T,
}

impl<T: Real> Pixels<T, 1> for Laplace<T> {
    #[inline(always)]
    fn terms(&self, [output]: [T; 1], x: T) -> (T, [T; 1]) {
        let mean = activated(self.activation, output);
        let difference = mean - x;
        let sign = if difference == T::zero() { T::zero() } else { difference.signum() };
        let value = difference.abs() / self.scale + (self.scale + self.scale).ln();
        (value, [sign / self.scale * derivative(self.activation, mean)])
    }
}
