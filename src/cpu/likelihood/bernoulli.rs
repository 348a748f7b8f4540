//! Twin of `shaders/likelihood/bernoulli.wgsl`: the one likelihood in vector code, as it is the one that is trained most.

use super::{CHUNK, Call, Real, Rows, Sizes, chunk_sums_and_gradient};
use crate::cpu::activation::{softplus, softplus_and_sigmoid};

pub(super) fn bernoulli<T: Real>(call: &mut Call<'_, T>) {
    chunk_sums_and_gradient(call, &Bernoulli);
}

struct Bernoulli;

impl<T: Real> Rows<T> for Bernoulli {
    const SECTIONS: usize = 1;

    #[inline(always)]
    fn row(&self, sizes: Sizes, logits: &[T], image: &[T], gradient: &mut [T], sums: &mut [T]) {
        let scale = sizes.scale::<T>();
        for chunk in 0..sizes.chunks() {
            let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(sizes.columns);
            let pixels = logits[range.clone()].iter().zip(&image[range.clone()]);
            let real = sizes.width.saturating_sub(range.start).min(range.len());
            // First the terms, in vector code, then their sum.
            let mut terms = [T::zero(); CHUNK];
            if gradient.is_empty() {
                for (term, (&s, &x)) in terms.iter_mut().zip(pixels) {
                    *term = softplus(s) - s * x;
                }
            } else {
                let gradient = &mut gradient[range];
                for ((g, term), (&s, &x)) in gradient.iter_mut().zip(&mut terms).zip(pixels) {
                    let (softplus, sigmoid) = softplus_and_sigmoid(s);
                    *g = (sigmoid - x) * scale;
                    *term = softplus - s * x;
                }
                gradient[real..].fill(T::zero());
            }
            if let Some(sum) = sums.get_mut(chunk) {
                *sum = terms[..real].iter().copied().sum();
            }
        }
    }
}
