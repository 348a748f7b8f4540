//! Twin of `shaders/likelihood/laplace.wgsl`.

use super::{CHUNK, Call, Chunks, Real, Terms, chunk_sums_and_gradient};
use crate::cpu::activation::{activation, multiply_derivative};

pub(super) fn laplace<T: Real>(call: &mut Call<'_, T>) {
    let scale = call.number("SCALE");
    let (activation, level) = (call.count("MEAN_ACTIVATION"), (scale + scale).ln());
    chunk_sums_and_gradient(call, &Laplace { activation, scale, level });
}

/// Pixels with one scale.
struct Laplace<T> {
    activation: usize,
    scale: T,
    /// log(2 scale)
    level: T,
}

impl<T: Real> Chunks<T, 1> for Laplace<T> {
    #[inline(always)]
    fn chunk(&self, [mut means]: [[T; CHUNK]; 1], image: [T; CHUNK]) -> Terms<T, 1> {
        activation(self.activation, &mut means);
        let (mut terms, mut slopes) = ([T::zero(); CHUNK], [T::zero(); CHUNK]);
        for pixel in 0..CHUNK {
            let difference = means[pixel] - image[pixel];
            let sign = if difference == T::zero() { T::zero() } else { difference.signum() };
            terms[pixel] = difference.abs() / self.scale + self.level;
            slopes[pixel] = sign / self.scale;
        }
        multiply_derivative(self.activation, &mut slopes, &means);
        (terms, [slopes])
    }
}
