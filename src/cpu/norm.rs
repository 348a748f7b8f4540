//! Rows of a normalisation: what the mean, factor and bias of each channel make of them, and the activation that follows.

use super::Real;
use super::activation::{activation, multiply_slope};
use super::real::vectorised_by;
use super::scratch::with_scratch;

/// `activation((x - mean) * factor + bias)` of whole rows.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a, T> {
    /// The number of the activation.
    pub(super) kind: usize,
    /// Channels that are not padding.
    pub(super) width: usize,
    pub(super) means: &'a [T],
    pub(super) factors: &'a [T],
    pub(super) bias: &'a [T],
}

impl<T: Real> Affine<'_, T> {
    /// The values of the rows `x`; 0 in the padding.
    pub(super) fn values(self, x: &[T], y: &mut [T]) {
        vectorised_by(Values { affine: self, x, y });
    }

    /// Run `work` on the gradients of the activation's arguments, given those `dy` of its values. The arguments are computed
    /// from the rows `x` again; without an activation the gradients are `dy` itself.
    pub(super) fn with_upstream<R>(self, x: &[T], dy: &[T], work: impl FnOnce(&[T]) -> R) -> R {
        if self.kind == 0 {
            return work(dy);
        }
        with_scratch(dy.len() + self.means.len(), |memory| {
            let (gradients, arguments) = memory.split_at_mut(dy.len());
            gradients.copy_from_slice(dy);
            vectorised_by(Slopes { affine: self, x, gradients, arguments });
            work(gradients)
        })
    }

    #[inline(always)]
    fn arguments(self, x: &[T], arguments: &mut [T]) {
        let columns = self.means.len();
        let (x, means, factors, bias) =
            (&x[..columns], &self.means[..columns], &self.factors[..columns], &self.bias[..columns]);
        for (c, argument) in arguments[..columns].iter_mut().enumerate() {
            *argument = (x[c] - means[c]) * factors[c] + bias[c];
        }
    }
}

struct Values<'a, 'b, T> {
    affine: Affine<'a, T>,
    x: &'b [T],
    y: &'b mut [T],
}

impl<T: Real> pulp::WithSimd for Values<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let (affine, columns) = (self.affine, self.affine.means.len());
        for (x, y) in self.x.chunks(columns).zip(self.y.chunks_mut(columns)) {
            affine.arguments(x, y);
            activation(affine.kind, &mut y[..affine.width]);
            y[affine.width..].fill(T::zero());
        }
    }
}

struct Slopes<'a, 'b, T> {
    affine: Affine<'a, T>,
    x: &'b [T],
    gradients: &'b mut [T],
    arguments: &'b mut [T],
}

impl<T: Real> pulp::WithSimd for Slopes<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let columns = self.affine.means.len();
        for (x, gradients) in self.x.chunks(columns).zip(self.gradients.chunks_mut(columns)) {
            self.affine.arguments(x, self.arguments);
            multiply_slope(self.affine.kind, gradients, self.arguments);
        }
    }
}
