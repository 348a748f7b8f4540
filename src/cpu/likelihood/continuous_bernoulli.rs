//! Twins of `shaders/likelihood/continuous_bernoulli.wgsl`.

use super::{Call, NEAR, OneByOne, Pixels, Real, chunk_sums_and_gradient, series};
use crate::cpu::activation::{sigmoid, softplus};
use crate::cpu::call::by_rows;

pub(super) fn continuous_bernoulli<T: Real>(call: &mut Call<'_, T>) {
    chunk_sums_and_gradient(call, &OneByOne(ContinuousBernoulli));
}

struct ContinuousBernoulli;

impl<T: Real> Pixels<T, 1> for ContinuousBernoulli {
    #[inline(always)]
    fn terms(&self, [s]: [T; 1], x: T) -> (T, [T; 1]) {
        (softplus(s) - s * x - log_normaliser(s), [sigmoid(s) - log_normaliser_slope(s) - x])
    }
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
            let slope = log_normaliser_slope(s);
            assert!((slope - exact).abs() < 1e-12, "{s}: {slope} {exact}");
            assert_eq!(log_normaliser_slope(-s), -slope);
        }
        assert_eq!(log_normaliser(0.0), 2.0_f64.ln());
        assert_eq!(log_normaliser_slope(0.0), 0.0);
    }
}
