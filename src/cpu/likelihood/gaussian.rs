//! Twins of `shaders/likelihood/gaussian.wgsl`, `gaussian_shared.wgsl` and `gaussian_learned.wgsl`.

use super::{Call, Kernel, OneByOne, Pixels, Real, Sizes, chunk_sums_and_gradient};
use crate::cpu::activation::{activated, derivative, sigmoid, sigmoid_root, softplus};
use crate::kernels::kernel;

pub(super) fn gaussian<T: Real>(call: &mut Call<'_, T>) {
    let v = call.number("LOG_VARIANCE");
    chunk_sums_and_gradient(call, &OneByOne(Gaussian { activation: call.count("MEAN_ACTIVATION"), v }));
}

pub(super) fn gaussian_shared<T: Real>(call: &mut Call<'_, T>) {
    let (activation, v) = (call.count("MEAN_ACTIVATION"), call.read("log_variance")[0]);
    chunk_sums_and_gradient(call, &OneByOne(Gaussian { activation, v }));
    let (terms, scale) = (call.write_bound("log_variance_terms"), Sizes::of(call).scale());
    Kernel::of(call, &OneByOne(ByLogVariance(Gaussian { activation, v }, scale))).write(terms, None);
}

pub(super) fn gaussian_learned<T: Real>(call: &mut Call<'_, T>) {
    let floor = T::of(kernel("gaussian_learned").real("FLOOR"));
    chunk_sums_and_gradient(call, &OneByOne(Learned { activation: call.count("MEAN_ACTIVATION"), floor }));
}

/// From this deviation d on, d * d leaves the range of f32, or exp(-v) does before d * exp(-v).
const FAR: f64 = 1e10;

/// Pixels with one log-variance.
struct Gaussian<T> {
    activation: usize,
    v: T,
}

impl<T: Real> Gaussian<T> {
    /// (v + log 2 pi + d^2 exp(-v)) / 2, and its derivatives by the decoder's output and by v.
    #[inline(always)]
    fn terms(&self, output: T, x: T) -> [T; 3] {
        let (half, mean) = (T::of(0.5), activated(self.activation, output));
        let (d, inverse_variance) = (mean - x, (-self.v).exponential());
        let (mut square, mut slope) = (d * d * inverse_variance, d * inverse_variance);
        if d.abs() > T::of(FAR) {
            let inverse_deviation = (-half * self.v).exponential();
            let scaled = d * inverse_deviation;
            (square, slope) = (scaled * scaled, scaled * inverse_deviation);
        }
        [
            half * (self.v + T::of(std::f64::consts::TAU.ln()) + square),
            slope * derivative(self.activation, mean),
            half * (T::one() - square),
        ]
    }
}

impl<T: Real> Pixels<T, 1> for Gaussian<T> {
    #[inline(always)]
    fn terms(&self, [output]: [T; 1], x: T) -> (T, [T; 1]) {
        let [value, slope, _] = self.terms(output, x);
        (value, [slope])
    }
}

/// What a pixel adds to the gradient of the log-variance, as if that were its value.
struct ByLogVariance<T>(Gaussian<T>, T);

impl<T: Real> Pixels<T, 1> for ByLogVariance<T> {
    #[inline(always)]
    fn terms(&self, [output]: [T; 1], x: T) -> (T, [T; 1]) {
        let [_, _, slope] = self.0.terms(output, x);
        (slope * self.1, [T::zero()])
    }
}

/// Pixels with a log-variance each, above a floor.
struct Learned<T> {
    activation: usize,
    floor: T,
}

impl<T: Real> Pixels<T, 2> for Learned<T> {
    #[inline(always)]
    fn terms(&self, [output, raw]: [T; 2], x: T) -> (T, [T; 2]) {
        let raw = raw - self.floor;
        let gaussian = Gaussian { activation: self.activation, v: self.floor + softplus(raw) };
        let [value, by_output, by_v] = gaussian.terms(output, x);
        if by_v < T::of(-FAR) {
            // One factor may be infinite and the other 0, and the product neither.
            let d = activated(self.activation, output) - x;
            let root = d * ((T::of(-0.5) * gaussian.v).exponential() * sigmoid_root(raw));
            return (value, [by_output, T::of(-0.5) * root * root]);
        }
        (value, [by_output, by_v * sigmoid(raw)])
    }
}
