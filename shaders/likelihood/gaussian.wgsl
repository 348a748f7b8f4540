// Gaussian pixels of which the decoder gives the means; all have one fixed log-variance. shared/gaussian.wgsl has the
// formula.
//
// import: gaussian, likelihood_entries
// kernels: likelihood = gaussian

override LOG_VARIANCE: f32;

const SECTIONS = 1u;

fn terms(at: u32, x: vec4<f32>) -> Terms {
    return gaussian_terms(decoded[at], x, vec4<f32>(LOG_VARIANCE));
}
