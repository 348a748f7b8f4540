//! Twins of `shaders/likelihood/gaussian.wgsl`, `gaussian_optimal.wgsl`, `gaussian_shared.wgsl` and `gaussian_learned.wgsl`.

use super::{CHUNK, Call, Chunks, Kernel, OneByOne, Pixels, Real, Sizes, Terms, chunk_sums_and_gradient};
use crate::cpu::activation::{
    activated, activation, derivative, multiply_derivative, sigmoid, sigmoid_root, softplus,
};
use crate::kernels::kernel;

pub(super) fn gaussian<T: Real>(call: &mut Call<'_, T>) {
    let v = call.number("LOG_VARIANCE");
    chunk_sums_and_gradient(call, &Gaussian::new(call.count("MEAN_ACTIVATION"), v));
}

pub(super) fn gaussian_optimal<T: Real>(call: &mut Call<'_, T>) {
    let v = call.read("log_variance")[0];
    chunk_sums_and_gradient(call, &Gaussian::new(call.count("MEAN_ACTIVATION"), v));
}

pub(super) fn gaussian_shared<T: Real>(call: &mut Call<'_, T>) {
    let (activation, v) = (call.count("MEAN_ACTIVATION"), call.read("log_variance")[0]);
    let gaussian = Gaussian::new(activation, v);
    chunk_sums_and_gradient(call, &gaussian);
    let (terms, scale) = (call.write_bound("log_variance_terms"), Sizes::of(call).scale());
    Kernel::of(call, &ByLogVariance(gaussian, scale)).write(terms, None);
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
    /// exp(-v)
    inverse_variance: T,
    /// exp(-v / 2)
    inverse_deviation: T,
}

impl<T: Real> Gaussian<T> {
    #[inline(always)]
    fn new(activation: usize, v: T) -> Self {
        let inverse_deviation = (T::of(-0.5) * v).exponential();
        Self { activation, v, inverse_variance: (-v).exponential(), inverse_deviation }
    }

    /// (v + log 2 pi + d^2 exp(-v)) / 2, and its derivatives by the mean and by v.
    #[inline(always)]
    fn terms(&self, mean: T, x: T) -> [T; 3] {
        let (half, d) = (T::of(0.5), mean - x);
        let scaled = d * self.inverse_deviation;
        let far = d.abs() > T::of(FAR);
        let square = if far { scaled * scaled } else { d * d * self.inverse_variance };
        let slope = if far { scaled * self.inverse_deviation } else { d * self.inverse_variance };
        [half * (self.v + T::of(std::f64::consts::TAU.ln()) + square), slope, half * (T::one() - square)]
    }

    /// The same for a chunk of the decoder's outputs; the second by the output.
    #[inline(always)]
    fn all_terms(&self, mut outputs: [T; CHUNK], image: [T; CHUNK]) -> [[T; CHUNK]; 3] {
        activation(self.activation, &mut outputs);
        let mut terms = [[T::zero(); CHUNK]; 3];
        for pixel in 0..CHUNK {
            [terms[0][pixel], terms[1][pixel], terms[2][pixel]] = self.terms(outputs[pixel], image[pixel]);
        }
        multiply_derivative(self.activation, &mut terms[1], &outputs);
        terms
    }
}

impl<T: Real> Chunks<T, 1> for Gaussian<T> {
    #[inline(always)]
    fn chunk(&self, [outputs]: [[T; CHUNK]; 1], image: [T; CHUNK]) -> Terms<T, 1> {
        let [terms, slopes, _] = self.all_terms(outputs, image);
        (terms, [slopes])
    }
}

/// What pixels add to the gradient of the log-variance, as if those were their values.
struct ByLogVariance<T>(Gaussian<T>, T);

impl<T: Real> Chunks<T, 1> for ByLogVariance<T> {
    #[inline(always)]
    fn chunk(&self, [outputs]: [[T; CHUNK]; 1], image: [T; CHUNK]) -> Terms<T, 1> {
        let [_, _, slopes] = self.0.all_terms(outputs, image);
        (slopes.map(|slope| slope * self.1), [outputs])
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
        let gaussian = Gaussian::new(self.activation, self.floor + softplus(raw));
        let mean = activated(self.activation, output);
        let [value, by_mean, by_v] = gaussian.terms(mean, x);
        let by_output = by_mean * derivative(self.activation, mean);
        if by_v < T::of(-FAR) {
            // One factor may be infinite and the other 0, and the product neither.
            let root = (mean - x) * ((T::of(-0.5) * gaussian.v).exponential() * sigmoid_root(raw));
            return (value, [by_output, T::of(-0.5) * root * root]);
        }
        (value, [by_output, by_v * sigmoid(raw)])
    }
}
