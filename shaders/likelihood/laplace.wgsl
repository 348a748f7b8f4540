// Laplace pixels of which the decoder gives the means m; all have one fixed scale b.
//
//   -log p(x) = |x - m| / SCALE + log(2 SCALE)
//
// Its derivative by m is sign(m - x) / SCALE, and 0 at x = m. With scale 1 the value is the absolute error, plus log 2.
//
// import: likelihood_entries
// kernels: likelihood = laplace

override SCALE: f32;

const SECTIONS = 1u;

fn terms(at: u32, x: vec4<f32>) -> Terms {
    let mean = activation(MEAN_ACTIVATION, decoded[at]);
    let difference = mean - x;
    var t: Terms;
    t.value = abs(difference) / SCALE + log(2.0 * SCALE);
    t.first = sign(difference) / SCALE * activation_derivative(MEAN_ACTIVATION, mean);
    return t;
}
