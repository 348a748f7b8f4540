// Gaussian pixels with the log-variance v: the terms of three likelihoods.
//
//   (v + log 2 pi + (x - mean)^2 exp(-v)) / 2
//
// import: likelihood

const LOG_TWO_PI = 1.8378770664093453;

// `parameter` is the derivative by v.
fn gaussian_terms(output: vec4<f32>, x: vec4<f32>, v: vec4<f32>) -> Terms {
    let mean = activation(MEAN_ACTIVATION, output);
    let inverse_variance = exp(-v);
    let d = mean - x;
    var t: Terms;
    t.value = 0.5 * (v + LOG_TWO_PI + d * d * inverse_variance);
    t.first = d * inverse_variance * activation_derivative(MEAN_ACTIVATION, mean);
    t.parameter = 0.5 * (1.0 - d * d * inverse_variance);
    return t;
}
