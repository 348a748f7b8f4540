//! Twins of the likelihoods of grey pixels in `shaders/likelihood.wgsl`: discretized logistic, continuous Bernoulli.

use super::Real;
use super::activation::{activated, derivative, sigmoid, softplus};
use super::call::{Call, by_rows};
use super::likelihood::{Sizes, chunk_sums, chunk_sums_and_gradient};

const SCALE_FLOOR: f64 = -7.0;
const HALF_LEVEL: f64 = 1.0 / 510.0;

/// Below this a series is taken: its error is then smaller than what subtracting loses.
const NEAR: f64 = 0.5;

/// `c[0] + t (c[1] + t (c[2] + ..))`
#[inline(always)]
fn series<T: Real>(t: T, coefficients: &[f64]) -> T {
    coefficients.iter().rev().fold(T::zero(), |sum, &c| sum * t + T::of(c))
}

/// log(1 - exp(-d)) for d > 0, given log d.
fn log_one_minus_exp<T: Real>(d: T, log_d: T) -> T {
    if d < T::of(NEAR) {
        let square = d * d;
        let rest = series(square, &[1.0 / 24.0, -1.0 / 2880.0, 1.0 / 181_440.0, -1.0 / 9_676_800.0]);
        log_d - T::of(0.5) * d + square * rest
    } else {
        (-(-d).exp()).ln_1p()
    }
}

/// d / (exp(d) - 1) for d > 0.
fn over_exp_minus_one<T: Real>(d: T) -> T {
    if d < T::of(1e-5) { T::one() - T::of(0.5) * d } else { d / d.exp_m1() }
}

/// The negative log-likelihood of a grey level, and its derivatives by mean and log-scale.
fn logistic<T: Real>(x: T, mean: T, log_scale: T) -> [T; 3] {
    let (inverse, half) = ((-log_scale).exp(), T::of(HALF_LEVEL));
    let a = (x - mean + half) * inverse;
    let b = (x - mean - half) * inverse;
    let d = T::of(2.0) * half * inverse;
    let is = |yes: bool| if yes { T::one() } else { T::zero() };
    let (above, below) = (is(x < T::one() - half), is(x > half));
    let (p, q, width) = (above * sigmoid(-a), below * sigmoid(b), above * below);
    let log_d = T::of((2.0 * HALF_LEVEL).ln()) - log_scale;
    [
        above * softplus(-a) + below * softplus(b) - width * log_one_minus_exp(d, log_d),
        (p - q) * inverse,
        p * a - q * b + width * over_exp_minus_one(d),
    ]
}

pub(super) fn discretized_logistic<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (kind, columns) = (call.count("MEAN_ACTIVATION"), sizes.columns);
    let floor = T::of(SCALE_FLOOR);
    chunk_sums(sizes, call.write("value"), |row, image, pixel| {
        let mean = activated(kind, decoded[2 * row * columns + pixel]);
        let raw = decoded[(2 * row + 1) * columns + pixel] - floor;
        logistic(images[image * columns + pixel], mean, floor + softplus(raw))[0]
    });
}

pub(super) fn discretized_logistic_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (kind, columns) = (call.count("MEAN_ACTIVATION"), sizes.columns);
    let floor = T::of(SCALE_FLOOR);
    by_rows(call.write("decoded_gradient"), 2 * columns, |row, gradient| {
        gradient.fill(T::zero());
        let Some(image) = sizes.image(row) else { return };
        let (means, scales) = gradient.split_at_mut(columns);
        for pixel in 0..sizes.width {
            let mean = activated(kind, decoded[2 * row * columns + pixel]);
            let raw = decoded[(2 * row + 1) * columns + pixel] - floor;
            let [_, by_mean, by_scale] =
                logistic(images[image * columns + pixel], mean, floor + softplus(raw));
            means[pixel] = by_mean * derivative(kind, mean) * sizes.scale();
            scales[pixel] = by_scale * sigmoid(raw) * sizes.scale();
        }
    });
}

pub(super) fn discretized_logistic_with_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (kind, columns) = (call.count("MEAN_ACTIVATION"), sizes.columns);
    let floor = T::of(SCALE_FLOOR);
    let (gradient, value) = (call.write("decoded_gradient"), call.write("value"));
    chunk_sums_and_gradient(sizes, gradient, value, |row, image, pixel| {
        let mean = activated(kind, decoded[2 * row * columns + pixel]);
        let raw = decoded[(2 * row + 1) * columns + pixel] - floor;
        let [value, by_mean, by_scale] =
            logistic(images[image * columns + pixel], mean, floor + softplus(raw));
        (value, [by_mean * derivative(kind, mean), by_scale * sigmoid(raw)])
    });
}

/// log C(s) = log(s / tanh(s / 2)).
fn log_normaliser<T: Real>(s: T) -> T {
    let (size, t) = (s.abs(), s * s);
    if size < T::of(NEAR) {
        series(t, &LOG_NORMALISER)
    } else {
        let e = (-size).exp();
        size.ln() + e.ln_1p() - (-e).ln_1p()
    }
}

/// Its derivative, 1/s - 1/sinh(s).
fn log_normaliser_slope<T: Real>(s: T) -> T {
    if s.abs() < T::of(NEAR) { s * series(s * s, &SLOPE) } else { T::one() / s - T::one() / s.sinh() }
}

/// Powers of s^2 in log C(s): (-1)^(n+1) (2^(2n) - 2) |B_2n| / (2n (2n)!), B Bernoulli numbers.
const LOG_NORMALISER: [f64; 8] = [
    std::f64::consts::LN_2,
    1.0 / 12.0,
    -7.0 / 1440.0,
    31.0 / 90_720.0,
    -127.0 / 4_838_400.0,
    73.0 / 34_214_400.0,
    -1_414_477.0 / 7_846_046_208_000.0,
    8191.0 / 523_069_747_200.0,
];
/// Powers of s^2 in its derivative, divided by s.
const SLOPE: [f64; 7] = [
    1.0 / 6.0,
    -7.0 / 360.0,
    31.0 / 15_120.0,
    -127.0 / 604_800.0,
    73.0 / 3_421_440.0,
    -1_414_477.0 / 653_837_184_000.0,
    8191.0 / 37_362_124_800.0,
];

pub(super) fn continuous_bernoulli<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    chunk_sums(sizes, call.write("value"), |row, image, pixel| {
        let s = decoded[row * sizes.columns + pixel];
        softplus(s) - s * images[image * sizes.columns + pixel] - log_normaliser(s)
    });
}

pub(super) fn continuous_bernoulli_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let columns = sizes.columns;
    by_rows(call.write("decoded_gradient"), columns, |row, gradient| {
        gradient.fill(T::zero());
        let Some(image) = sizes.image(row) else { return };
        for (pixel, g) in gradient.iter_mut().enumerate().take(sizes.width) {
            let s = decoded[row * columns + pixel];
            let mean = sigmoid(s) - log_normaliser_slope(s);
            *g = (mean - images[image * columns + pixel]) * sizes.scale();
        }
    });
}

pub(super) fn continuous_bernoulli_with_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, decoded, images) = (Sizes::of(call), call.read("decoded"), call.read("images"));
    let (gradient, value) = (call.write("decoded_gradient"), call.write("value"));
    chunk_sums_and_gradient(sizes, gradient, value, |row, image, pixel| {
        let s = decoded[row * sizes.columns + pixel];
        let x = images[image * sizes.columns + pixel];
        let mean = sigmoid(s) - log_normaliser_slope(s);
        (softplus(s) - s * x - log_normaliser(s), [mean - x])
    });
}

pub(super) fn continuous_bernoulli_mean<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width, decoded) = (4 * call.count("COLUMNS"), call.count("WIDTH"), call.read("decoded"));
    by_rows(call.write("expected"), columns, |row, expected| {
        for (pixel, expected) in expected.iter_mut().enumerate() {
            let s = decoded[row * columns + pixel];
            *expected = if pixel < width { sigmoid(s) - log_normaliser_slope(s) } else { T::zero() };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the series end, they agree with the formulas they stand for.
    #[test]
    fn series_meet_the_formulas() {
        for s in [0.05_f64, 0.2, 0.4999] {
            let exact = (s / (s / 2.0).tanh()).ln();
            assert!((log_normaliser(s) - exact).abs() < 1e-13, "{s}: {} {exact}", log_normaliser(s));
            assert_eq!(log_normaliser(-s), log_normaliser(s));
            let exact = 1.0 / s - 1.0 / s.sinh();
            assert!(
                (log_normaliser_slope(s) - exact).abs() < 1e-12,
                "{s}: {} {exact}",
                log_normaliser_slope(s)
            );
            assert_eq!(log_normaliser_slope(-s), -log_normaliser_slope(s));
            let exact = (-(-s).exp_m1()).ln();
            assert!((log_one_minus_exp(s, s.ln()) - exact).abs() < 1e-11, "{s}");
        }
        assert_eq!(log_normaliser(0.0), 2.0_f64.ln());
        assert_eq!(log_normaliser_slope(0.0), 0.0);
    }
}
