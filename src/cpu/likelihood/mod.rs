//! Twins of the kernels in `shaders/likelihood`: a file for each likelihood, and here the part that all share.
//!
//! A likelihood's three kernels (`gaussian`, `gaussian_gradient`, `gaussian_with_gradient`) have one twin, which writes
//! the outputs that are bound.

mod bernoulli;
mod continuous_bernoulli;
mod discretized_logistic;
mod gaussian;
mod laplace;

use super::call::{Call, GRAIN};
use super::real::vectorised_by;
use super::{Real, Twin};
use rayon::prelude::*;
use std::ops::Range;

/// The twin of the kernel called `name`.
pub(super) fn twin<T: Real>(name: &str) -> Option<Twin<T>> {
    let likelihood = name.strip_suffix("_with_gradient").or_else(|| name.strip_suffix("_gradient"));
    Some(match likelihood.unwrap_or(name) {
        "bernoulli" => bernoulli::bernoulli,
        "gaussian" => gaussian::gaussian,
        "gaussian_optimal" => gaussian::gaussian_optimal,
        "gaussian_shared" => gaussian::gaussian_shared,
        "gaussian_learned" => gaussian::gaussian_learned,
        "laplace" => laplace::laplace,
        "discretized_logistic" => discretized_logistic::discretized_logistic,
        "continuous_bernoulli" => continuous_bernoulli::continuous_bernoulli,
        "continuous_bernoulli_mean" => continuous_bernoulli::continuous_bernoulli_mean,
        _ => return None,
    })
}

/// Pixels that one entry of `value` adds: `CHUNK` vec4 in `shaders/shared/likelihood.wgsl`.
const CHUNK: usize = 16;

/// A likelihood of single pixels, of which the decoder gives `SECTIONS` numbers each.
trait Pixels<T, const SECTIONS: usize>: Sync {
    /// -log p(x), and its derivatives by the decoder's outputs.
    fn terms(&self, outputs: [T; SECTIONS], x: T) -> (T, [T; SECTIONS]);
}

/// A likelihood of 16 pixels at a time: arrays of a fixed length, for vector code.
trait Chunks<T, const SECTIONS: usize>: Sync {
    /// -log p(x) of each pixel, and its derivatives by the decoder's outputs. To be inlined always: the caller has chosen
    /// vector units.
    fn chunk(&self, outputs: [[T; CHUNK]; SECTIONS], image: [T; CHUNK]) -> Terms<T, SECTIONS>;
}

/// Terms of a chunk, and their derivatives by the outputs.
type Terms<T, const SECTIONS: usize> = ([T; CHUNK], [[T; CHUNK]; SECTIONS]);

/// Sizes that every likelihood kernel is given.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    samples: usize,
    columns: usize,
    width: usize,
    rows: usize,
}

impl Sizes {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        Self {
            batch: call.count("BATCH"),
            samples: call.count("SAMPLES"),
            columns: 4 * call.count("COLUMNS"),
            width: call.count("WIDTH"),
            rows: call.rows(),
        }
    }

    fn chunks(&self) -> usize {
        self.columns.div_ceil(CHUNK)
    }

    fn scale<T: Real>(&self) -> T {
        T::one() / T::of((self.samples * self.rows) as f64)
    }
}

/// Write the outputs of a likelihood's kernel that are bound, row by row.
fn chunk_sums_and_gradient<T: Real, const SECTIONS: usize>(
    call: &mut Call<'_, T>,
    likelihood: &impl Chunks<T, SECTIONS>,
) {
    let (value, gradient) = (call.write_bound("value"), call.write_bound("decoded_gradient"));
    Kernel::of(call, likelihood).write(value, gradient);
}

/// A kernel's inputs.
struct Kernel<'a, T, L, const SECTIONS: usize> {
    sizes: Sizes,
    decoded: &'a [T],
    images: &'a [T],
    likelihood: &'a L,
}

impl<'a, T: Real, L: Chunks<T, SECTIONS>, const SECTIONS: usize> Kernel<'a, T, L, SECTIONS> {
    fn of(call: &Call<'a, T>, likelihood: &'a L) -> Self {
        Self {
            sizes: Sizes::of(call),
            decoded: call.read("decoded"),
            images: call.read("images"),
            likelihood,
        }
    }

    /// Fill what is given: the chunk sums and the gradient of every row.
    fn write(&self, value: Option<&mut [T]>, gradient: Option<&mut [T]>) {
        let (columns, chunks) = (SECTIONS * self.sizes.columns, self.sizes.chunks());
        let rows = self.sizes.samples * self.sizes.batch;
        // An array that is not wanted has rows without elements.
        let (sums, chunks) =
            value.map_or((Default::default(), 0), |value| (&mut value[..rows * chunks], chunks));
        let (gradient, columns) = gradient.map_or((Default::default(), 0), |gradient| (gradient, columns));
        let together = GRAIN.div_ceil(self.sizes.columns.max(1));
        let starts: Vec<usize> = (0..rows).step_by(together).collect();
        let parts = starts.par_iter().zip(by(together * columns, gradient, starts.len()));
        let parts = parts.zip(by(together * chunks, sums, starts.len()));
        parts.for_each(|((&first, gradient), sums)| {
            let rows = first..rows.min(first + together);
            vectorised_by(Part { kernel: self, rows, gradient, sums });
        });
    }

    /// Fill a row of the gradient and the row's chunk sums. Either is empty where it is not wanted.
    #[inline(always)]
    fn row(&self, row: usize, gradient: &mut [T], sums: &mut [T]) {
        let (columns, image) = (self.sizes.columns, row % self.sizes.batch);
        if image >= self.sizes.rows {
            gradient.fill(T::zero());
            sums.fill(T::zero());
            return;
        }
        let decoded = &self.decoded[row * SECTIONS * columns..(row + 1) * SECTIONS * columns];
        let image = &self.images[image * columns..(image + 1) * columns];
        let scale = self.sizes.scale::<T>();
        for chunk in 0..self.sizes.chunks() {
            let start = chunk * CHUNK;
            let length = CHUNK.min(columns - start);
            let real = CHUNK.min(self.sizes.width.saturating_sub(start));
            let mut outputs = [[T::zero(); CHUNK]; SECTIONS];
            for (section, outputs) in outputs.iter_mut().enumerate() {
                load(&decoded[section * columns + start..][..length], outputs);
            }
            let mut pixels = [T::zero(); CHUNK];
            load(&image[start..][..length], &mut pixels);
            let (terms, slopes) = self.likelihood.chunk(outputs, pixels);
            if let Some(sum) = sums.get_mut(chunk) {
                *sum = T::zero();
                for &term in &terms[..real] {
                    *sum += term;
                }
            }
            if !gradient.is_empty() {
                for (section, mut slopes) in slopes.into_iter().enumerate() {
                    for slope in &mut slopes {
                        *slope *= scale;
                    }
                    let gradient = &mut gradient[section * columns + start..][..length];
                    gradient.copy_from_slice(&slopes[..length]);
                    gradient[real..].fill(T::zero());
                }
            }
        }
    }
}

/// `count` parts of `values`, of `each` elements but for the last; empty ones where there are no values.
fn by<T>(each: usize, values: &mut [T], count: usize) -> Vec<&mut [T]> {
    let mut parts: Vec<&mut [T]> = values.chunks_mut(each.max(1)).collect();
    parts.resize_with(count, Default::default);
    parts
}

/// The numbers that there are; zeros stay behind them.
#[inline(always)]
fn load<T: Real>(from: &[T], to: &mut [T; CHUNK]) {
    match <&[T; CHUNK]>::try_from(from) {
        Ok(whole) => *to = *whole,
        Err(_) => to[..from.len()].copy_from_slice(from),
    }
}

/// Some rows, and their gradients and sums.
struct Part<'a, 'b, T, L, const SECTIONS: usize> {
    kernel: &'b Kernel<'a, T, L, SECTIONS>,
    rows: Range<usize>,
    gradient: &'b mut [T],
    sums: &'b mut [T],
}

impl<T: Real, L: Chunks<T, SECTIONS>, const SECTIONS: usize> pulp::WithSimd for Part<'_, '_, T, L, SECTIONS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let (columns, chunks) = (self.gradient.len() / self.rows.len(), self.sums.len() / self.rows.len());
        for (i, row) in self.rows.enumerate() {
            let gradient = &mut self.gradient[i * columns..(i + 1) * columns];
            let sums = &mut self.sums[i * chunks..(i + 1) * chunks];
            self.kernel.row(row, gradient, sums);
        }
    }
}

/// Pixels that are taken one by one.
struct OneByOne<L, const SECTIONS: usize>(L);

impl<T: Real, L: Pixels<T, SECTIONS>, const SECTIONS: usize> Chunks<T, SECTIONS> for OneByOne<L, SECTIONS> {
    #[inline(always)]
    fn chunk(&self, outputs: [[T; CHUNK]; SECTIONS], image: [T; CHUNK]) -> Terms<T, SECTIONS> {
        let (mut terms, mut slopes) = ([T::zero(); CHUNK], outputs);
        for pixel in 0..CHUNK {
            let mut own = [T::zero(); SECTIONS];
            for (own, section) in own.iter_mut().zip(&outputs) {
                *own = section[pixel];
            }
            let (value, by_output) = self.0.terms(own, image[pixel]);
            terms[pixel] = value;
            for (slopes, slope) in slopes.iter_mut().zip(by_output) {
                slopes[pixel] = slope;
            }
        }
        (terms, slopes)
    }
}

/// Below this a series is taken: its error is then smaller than what subtracting loses.
const NEAR: f64 = 0.5;

/// `c[0] + t (c[1] + t (c[2] + ..))`
#[inline(always)]
fn series<T: Real>(t: T, coefficients: &[f64]) -> T {
    coefficients.iter().rev().fold(T::zero(), |sum, &c| sum * t + T::of(c))
}

#[cfg(test)]
mod tests {
    #[test]
    fn chunks_are_those_of_the_wgsl() {
        assert_eq!(super::CHUNK, 4 * crate::kernels::kernel("bernoulli").constant("CHUNK") as usize);
    }
}
