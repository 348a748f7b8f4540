// Gaussian pixels with the log-variance v: the terms of three likelihoods.
//
//   (v + log 2 pi + (x - mean)^2 exp(-v)) / 2
//
// import: likelihood

const LOG_TWO_PI = 1.8378770664093453;

// From this deviation on d * d leaves the range of f32, or exp(-v) does before d * exp(-v).
const FAR = 1e10;

// `parameter` is the derivative by v.
fn gaussian_terms(output: vec4<f32>, x: vec4<f32>, v: vec4<f32>) -> Terms {
    let mean = activation(MEAN_ACTIVATION, output);
    let inverse_variance = exp(-v);
    let d = mean - x;
    var square = d * d * inverse_variance;
    var slope = d * inverse_variance;
    let far = abs(d) > vec4<f32>(FAR);
    if any(far) {
        let inverse_deviation = exp(-0.5 * v);
        let scaled = d * inverse_deviation;
        square = select(square, scaled * scaled, far);
        slope = select(slope, scaled * inverse_deviation, far);
    }
    var t: Terms;
    t.value = 0.5 * (v + LOG_TWO_PI + square);
    t.first = slope * activation_derivative(MEAN_ACTIVATION, mean);
    t.parameter = 0.5 * (1.0 - square);
    return t;
}
