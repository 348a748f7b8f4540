//! Twins of the kernels in `shaders/likelihood`: a file for each likelihood, and here the part that all share.
//!
//! A likelihood's three kernels (`gaussian`, `gaussian_gradient`, `gaussian_with_gradient`) have one twin, which writes
//! the outputs that are bound.

mod bernoulli;
mod continuous_bernoulli;
mod discretized_logistic;
mod gaussian;
mod laplace;

use super::call::{Call, by_rows, by_rows_of_two};
use super::{Real, Twin};

/// The twin of the kernel called `name`.
pub(super) fn twin<T: Real>(name: &str) -> Option<Twin<T>> {
    let likelihood = name.strip_suffix("_with_gradient").or_else(|| name.strip_suffix("_gradient"));
    Some(match likelihood.unwrap_or(name) {
        "bernoulli" => bernoulli::bernoulli,
        "gaussian" => gaussian::gaussian,
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

/// A likelihood of rows of pixels.
trait Rows<T>: Sync {
    /// Numbers that the decoder gives for a pixel.
    const SECTIONS: usize;

    /// Fill a row of the gradient and the row's chunk sums. Either is empty where it is not wanted.
    fn row(&self, sizes: Sizes, decoded: &[T], image: &[T], gradient: &mut [T], sums: &mut [T]);
}

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
fn chunk_sums_and_gradient<T: Real>(call: &mut Call<'_, T>, likelihood: &impl Rows<T>) {
    let (value, gradient) = (call.write_bound("value"), call.write_bound("decoded_gradient"));
    Kernel::of(call, likelihood).write(value, gradient);
}

/// A kernel's inputs.
struct Kernel<'a, T, L> {
    sizes: Sizes,
    decoded: &'a [T],
    images: &'a [T],
    likelihood: &'a L,
}

impl<'a, T: Real, L: Rows<T>> Kernel<'a, T, L> {
    fn of(call: &Call<'a, T>, likelihood: &'a L) -> Self {
        Self {
            sizes: Sizes::of(call),
            decoded: call.read("decoded"),
            images: call.read("images"),
            likelihood,
        }
    }

    fn write(&self, value: Option<&mut [T]>, gradient: Option<&mut [T]>) {
        let (columns, chunks) = (L::SECTIONS * self.sizes.columns, self.sizes.chunks());
        let value = value.map(|value| &mut value[..self.sizes.samples * self.sizes.batch * chunks]);
        match (gradient, value) {
            (Some(gradient), Some(value)) => {
                by_rows_of_two((gradient, columns), (value, chunks), |i, gradient, sums| {
                    self.row(i, gradient, sums);
                });
            }
            (Some(gradient), None) => by_rows(gradient, columns, |i, gradient| {
                self.row(i, gradient, &mut []);
            }),
            (None, Some(value)) => by_rows(value, chunks, |i, sums| self.row(i, &mut [], sums)),
            (None, None) => {}
        }
    }

    // Inlined, so that it is compiled for the vector units that its caller chose.
    #[inline(always)]
    fn row(&self, row: usize, gradient: &mut [T], sums: &mut [T]) {
        let (columns, image) = (self.sizes.columns, row % self.sizes.batch);
        if image < self.sizes.rows {
            let decoded = &self.decoded[row * L::SECTIONS * columns..(row + 1) * L::SECTIONS * columns];
            let image = &self.images[image * columns..(image + 1) * columns];
            self.likelihood.row(self.sizes, decoded, image, gradient, sums);
        } else {
            gradient.fill(T::zero());
            sums.fill(T::zero());
        }
    }
}

/// Rows of pixels that are taken one by one.
struct OneByOne<L, const SECTIONS: usize>(L);

impl<T: Real, L: Pixels<T, SECTIONS>, const SECTIONS: usize> Rows<T> for OneByOne<L, SECTIONS> {
    const SECTIONS: usize = SECTIONS;

    #[inline(always)]
    fn row(&self, sizes: Sizes, decoded: &[T], image: &[T], gradient: &mut [T], sums: &mut [T]) {
        by_chunks(sizes, [decoded, image], gradient, sums, |outputs: [[T; CHUNK]; SECTIONS], image| {
            let (mut terms, mut slopes) = ([T::zero(); CHUNK], outputs);
            for pixel in 0..CHUNK {
                let (value, by_output) = self.0.terms(outputs.map(|section| section[pixel]), image[pixel]);
                terms[pixel] = value;
                for (slopes, slope) in slopes.iter_mut().zip(by_output) {
                    slopes[pixel] = slope;
                }
            }
            (terms, slopes)
        });
    }
}

/// Fill a row of the gradient and the row's chunk sums, either of which may be empty, from the terms and derivatives that
/// `work` computes for a chunk: arrays of a fixed length, for vector code. They are 0 past the last pixel.
#[inline(always)]
fn by_chunks<T: Real, const SECTIONS: usize>(
    sizes: Sizes,
    [decoded, image]: [&[T]; 2],
    gradient: &mut [T],
    sums: &mut [T],
    work: impl Fn([[T; CHUNK]; SECTIONS], [T; CHUNK]) -> ([T; CHUNK], [[T; CHUNK]; SECTIONS]),
) {
    let scale = sizes.scale::<T>();
    for chunk in 0..sizes.chunks() {
        let start = chunk * CHUNK;
        let (length, real) = (CHUNK.min(sizes.columns - start), CHUNK.min(sizes.width.saturating_sub(start)));
        let load = |values: &[T]| {
            let mut loaded = [T::zero(); CHUNK];
            match values.get(..CHUNK) {
                Some(values) if length == CHUNK => loaded.copy_from_slice(values),
                _ => loaded[..length].copy_from_slice(&values[..length]),
            }
            loaded
        };
        let outputs = std::array::from_fn(|section| load(&decoded[section * sizes.columns + start..]));
        let (terms, slopes) = work(outputs, load(&image[start..]));
        if let Some(sum) = sums.get_mut(chunk) {
            *sum = terms[..real].iter().copied().sum();
        }
        if !gradient.is_empty() {
            for (section, slopes) in slopes.into_iter().enumerate() {
                let gradient = &mut gradient[section * sizes.columns + start..][..length];
                let scaled = slopes.map(|slope| slope * scale);
                gradient.copy_from_slice(&scaled[..length]);
                gradient[real..].fill(T::zero());
            }
        }
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
