//! How latents that were drawn lie to what they were drawn from.

use super::Shape;

/// How latents lie to the posteriors they are drawn from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) samples: usize,
    pub(super) posterior_rows: usize,
    pub(super) width: usize,
}

impl Sizes {
    pub(super) fn rows(&self) -> usize {
        self.batch * self.samples
    }

    pub(super) fn vec4(&self) -> usize {
        self.width.div_ceil(4)
    }
}

/// One number for each row of `z`: a matrix of one row, so that nothing is padded in between. What is behind the last is
/// written by nobody ([`Shape::extent`]).
pub(super) fn one_a_row(rows: usize) -> Shape {
    Shape::matrix(1, rows)
}
