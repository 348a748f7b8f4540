// Gaussian pixels of which the decoder gives the means; all have one log-variance, which optimal_variance.wgsl computes.
// shared/gaussian.wgsl has the formula. At the optimum of a minibatch the derivative by the log-variance is 0, so that the
// gradient of the decoder's output is the same with the log-variance as a constant.
//
// import: gaussian, likelihood_entries
// kernels: likelihood = gaussian_optimal

@group(0) @binding(3) var<storage, read> log_variance: array<f32>; // [1]

const SECTIONS = 1u;

fn terms(at: u32, x: vec4<f32>) -> Terms {
    return gaussian_terms(decoded[at], x, vec4<f32>(log_variance[0]));
}
