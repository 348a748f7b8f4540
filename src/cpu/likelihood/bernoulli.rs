//! Twin of `shaders/likelihood/bernoulli.wgsl`.

use super::{CHUNK, Call, Real, Rows, Sizes, by_chunks, chunk_sums_and_gradient};
use crate::cpu::activation::softplus_and_sigmoid;

pub(super) fn bernoulli<T: Real>(call: &mut Call<'_, T>) {
    chunk_sums_and_gradient(call, &Bernoulli);
}

struct Bernoulli;

impl<T: Real> Rows<T> for Bernoulli {
    const SECTIONS: usize = 1;

    #[inline(always)]
    fn row(&self, sizes: Sizes, logits: &[T], image: &[T], gradient: &mut [T], sums: &mut [T]) {
        by_chunks(sizes, [logits, image], gradient, sums, |[logits], image| {
            let (mut terms, mut slopes) = ([T::zero(); CHUNK], [T::zero(); CHUNK]);
            for pixel in 0..CHUNK {
                let (softplus, sigmoid) = softplus_and_sigmoid(logits[pixel]);
                terms[pixel] = softplus - logits[pixel] * image[pixel];
                slopes[pixel] = sigmoid - image[pixel];
            }
            (terms, [slopes])
        });
    }
}
