//! Twins of `shaders/likelihood.wgsl`.

use super::Real;
use super::activation::{activated, derivative, sigmoid, softplus, softplus_and_sigmoid};
use super::call::{Call, by_rows, by_rows_of_two};

/// Elements that one entry of `value` adds: 4 vec4.
const CHUNK: usize = 16;
const FLOOR: f64 = -11.082527; // 2 log(1/255)

/// Sizes every likelihood kernel is given.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    batch: usize,
    samples: usize,
    pub(super) columns: usize,
    pub(super) width: usize,
    rows: usize,
}

impl Sizes {
    pub(super) fn of<T: Real>(call: &Call<'_, T>) -> Self {
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

    /// The row of `images` for a row of the decoder's output; `None` past the minibatch.
    pub(super) fn image(&self, row: usize) -> Option<usize> {
        Some(row % self.batch).filter(|image| *image < self.rows)
    }

    pub(super) fn scale<T: Real>(&self) -> T {
        T::one() / T::of((self.samples * self.rows) as f64)
    }
}

/// Fill `value` with chunk sums of `term(row of decoded, row of images, pixel)`.
pub(super) fn chunk_sums<T: Real>(
    sizes: Sizes,
    value: &mut [T],
    term: impl Fn(usize, usize, usize) -> T + Sync + Send,
) {
    let total = sizes.samples * sizes.batch * sizes.chunks();
    by_rows(&mut value[..total], sizes.chunks(), |row, sums| {
        for (chunk, sum) in sums.iter_mut().enumerate() {
            let pixels = chunk * CHUNK..((chunk + 1) * CHUNK).min(sizes.width);
            *sum =
                sizes.image(row).map_or(T::zero(), |image| pixels.map(|pixel| term(row, image, pixel)).sum());
        }
    });
}

/// Fill `gradient`, of `sections * columns` a row, and `value` with chunk sums, of `term(row of decoded, row of images,
/// pixel)`: the value and its derivatives by each section of the decoder's output.
pub(super) fn chunk_sums_and_gradient<T: Real, const SECTIONS: usize>(
    sizes: Sizes,
    gradient: &mut [T],
    value: &mut [T],
    term: impl Fn(usize, usize, usize) -> (T, [T; SECTIONS]) + Sync + Send,
) {
    let chunks = sizes.chunks();
    let total = sizes.samples * sizes.batch * chunks;
    by_rows_of_two(
        (gradient, SECTIONS * sizes.columns),
        (&mut value[..total], chunks),
        |row, gradient, sums| {
            gradient.fill(T::zero());
            sums.fill(T::zero());
            let Some(image) = sizes.image(row) else { return };
            for pixel in 0..sizes.width {
                let (value, slopes) = term(row, image, pixel);
                sums[pixel / CHUNK] += value;
                for (section, slope) in slopes.into_iter().enumerate() {
                    gradient[section * sizes.columns + pixel] = slope * sizes.scale();
                }
            }
        },
    );
}

pub(super) fn bernoulli<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (columns, chunks) = (sizes.columns, sizes.chunks());
    let total = sizes.samples * sizes.batch * chunks;
    by_rows(&mut call.write("value")[..total], chunks, |row, sums| {
        let Some(image) = sizes.image(row) else {
            sums.fill(T::zero());
            return;
        };
        let logits = &decoded[row * columns..row * columns + columns];
        let pixels = &images[image * columns..image * columns + columns];
        for (chunk, sum) in sums.iter_mut().enumerate() {
            let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(columns);
            // First the terms, in vector code, then their sum.
            let mut terms = [T::zero(); CHUNK];
            for ((term, &s), &x) in terms.iter_mut().zip(&logits[range.clone()]).zip(&pixels[range.clone()]) {
                *term = softplus(s) - s * x;
            }
            let real = sizes.width.saturating_sub(range.start).min(range.len());
            *sum = terms[..real].iter().copied().sum();
        }
    });
}

pub(super) fn bernoulli_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let columns = sizes.columns;
    by_rows(call.write("decoded_gradient"), columns, |row, gradient| {
        gradient.fill(T::zero());
        let Some(image) = sizes.image(row) else { return };
        for (pixel, g) in gradient.iter_mut().enumerate().take(sizes.width) {
            *g = (sigmoid(decoded[row * columns + pixel]) - images[image * columns + pixel]) * sizes.scale();
        }
    });
}

/// (v + log 2 pi + d^2 exp(-v)) / 2
fn gaussian_term<T: Real>(d: T, v: T) -> T {
    T::of(0.5) * (v + T::of(std::f64::consts::TAU.ln()) + d * d * (-v).exponential())
}

fn gaussian_value<T: Real>(call: &mut Call<'_, T>, v: T) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let kind = call.count("MEAN_ACTIVATION");
    chunk_sums(sizes, call.write("value"), |row, image, pixel| {
        let mean = activated(kind, decoded[row * sizes.columns + pixel]);
        gaussian_term(mean - images[image * sizes.columns + pixel], v)
    });
}

fn gaussian_change<T: Real>(call: &mut Call<'_, T>, v: T) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (kind, columns) = (call.count("MEAN_ACTIVATION"), sizes.columns);
    by_rows(call.write("decoded_gradient"), columns, |row, gradient| {
        gradient.fill(T::zero());
        let Some(image) = sizes.image(row) else { return };
        for (pixel, g) in gradient.iter_mut().enumerate().take(sizes.width) {
            let mean = activated(kind, decoded[row * columns + pixel]);
            let d = mean - images[image * columns + pixel];
            *g = d * (-v).exponential() * derivative(kind, mean) * sizes.scale();
        }
    });
}

pub(super) fn gaussian<T: Real>(call: &mut Call<'_, T>) {
    gaussian_value(call, call.number("LOG_VARIANCE"));
}

pub(super) fn gaussian_gradient<T: Real>(call: &mut Call<'_, T>) {
    gaussian_change(call, call.number("LOG_VARIANCE"));
}

pub(super) fn gaussian_shared<T: Real>(call: &mut Call<'_, T>) {
    gaussian_value(call, call.read("log_variance")[0]);
}

pub(super) fn gaussian_shared_gradient<T: Real>(call: &mut Call<'_, T>) {
    let v = call.read("log_variance")[0];
    gaussian_change(call, v);
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let kind = call.count("MEAN_ACTIVATION");
    let terms = call.write("log_variance_terms");
    chunk_sums(sizes, terms, |row, image, pixel| {
        let d = activated(kind, decoded[row * sizes.columns + pixel]) - images[image * sizes.columns + pixel];
        T::of(0.5) * (T::one() - d * d * (-v).exponential()) * sizes.scale()
    });
}

pub(super) fn gaussian_learned<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (kind, columns) = (call.count("MEAN_ACTIVATION"), sizes.columns);
    chunk_sums(sizes, call.write("value"), |row, image, pixel| {
        let mean = activated(kind, decoded[2 * row * columns + pixel]);
        let raw = decoded[(2 * row + 1) * columns + pixel] - T::of(FLOOR);
        gaussian_term(mean - images[image * columns + pixel], T::of(FLOOR) + softplus(raw))
    });
}

pub(super) fn gaussian_learned_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (kind, columns) = (call.count("MEAN_ACTIVATION"), sizes.columns);
    by_rows(call.write("decoded_gradient"), 2 * columns, |row, gradient| {
        gradient.fill(T::zero());
        let Some(image) = sizes.image(row) else { return };
        let (means, variances) = gradient.split_at_mut(columns);
        for pixel in 0..sizes.width {
            let mean = activated(kind, decoded[2 * row * columns + pixel]);
            let raw = decoded[(2 * row + 1) * columns + pixel] - T::of(FLOOR);
            let inverse_variance = (T::of(-FLOOR) - softplus(raw)).exponential();
            let d = mean - images[image * columns + pixel];
            means[pixel] = d * inverse_variance * derivative(kind, mean) * sizes.scale();
            let slope = T::one() - d * d * inverse_variance;
            variances[pixel] = T::of(0.5) * slope * sigmoid(raw) * sizes.scale();
        }
    });
}

pub(super) fn bernoulli_with_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (columns, chunks, scale) = (sizes.columns, sizes.chunks(), sizes.scale::<T>());
    let total = sizes.samples * sizes.batch * chunks;
    let value = call.write("value");
    // Each row's gradient and chunk sums are made together, by one thread.
    by_rows_of_two(
        (call.write("decoded_gradient"), columns),
        (&mut value[..total], chunks),
        |row, gradient, sums| {
            let Some(image) = sizes.image(row) else {
                gradient.fill(T::zero());
                sums.fill(T::zero());
                return;
            };
            let logits = &decoded[row * columns..row * columns + columns];
            let pixels = &images[image * columns..image * columns + columns];
            for (chunk, sum) in sums.iter_mut().enumerate() {
                let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(columns);
                let mut terms = [T::zero(); CHUNK];
                let lanes = gradient[range.clone()].iter_mut().zip(&mut terms);
                for (((g, term), &s), &x) in lanes.zip(&logits[range.clone()]).zip(&pixels[range.clone()]) {
                    let (softplus, sigmoid) = softplus_and_sigmoid(s);
                    *g = (sigmoid - x) * scale;
                    *term = softplus - s * x;
                }
                let real = sizes.width.saturating_sub(range.start).min(range.len());
                gradient[range.start + real..range.end].fill(T::zero());
                *sum = terms[..real].iter().copied().sum();
            }
        },
    );
}

pub(super) fn gaussian_with_gradient<T: Real>(call: &mut Call<'_, T>) {
    gaussian(call);
    gaussian_gradient(call);
}

pub(super) fn gaussian_shared_with_gradient<T: Real>(call: &mut Call<'_, T>) {
    gaussian_shared(call);
    gaussian_shared_gradient(call);
}

pub(super) fn gaussian_learned_with_gradient<T: Real>(call: &mut Call<'_, T>) {
    gaussian_learned(call);
    gaussian_learned_gradient(call);
}
