//! Twin of `shaders/likelihood/bernoulli.wgsl`.

use super::{CHUNK, Call, Chunks, Real, Terms, chunk_sums_and_gradient};
use crate::cpu::activation::softplus_and_sigmoid;

pub(super) fn bernoulli<T: Real>(call: &mut Call<'_, T>) {
    chunk_sums_and_gradient(call, &Bernoulli);
}

struct Bernoulli;

impl<T: Real> Chunks<T, 1> for Bernoulli {
    #[inline(always)]
    fn chunk(&self, [logits]: [[T; CHUNK]; 1], image: [T; CHUNK]) -> Terms<T, 1> {
        let (mut terms, mut slopes) = ([T::zero(); CHUNK], [T::zero(); CHUNK]);
        for pixel in 0..CHUNK {
            let (softplus, sigmoid) = softplus_and_sigmoid(logits[pixel]);
            terms[pixel] = softplus - logits[pixel] * image[pixel];
            slopes[pixel] = sigmoid - image[pixel];
        }
        (terms, [slopes])
    }
}
