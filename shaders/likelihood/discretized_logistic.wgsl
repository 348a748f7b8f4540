// Grey levels of a logistic distribution, of which the decoder gives the means m and raw log-scales: a byte's mass is that
// between the levels' edges. There are 256 levels; the outer ones have all mass beyond them too.
//
//   log(1 + exp(-a)) + log(1 + exp(b)) - log(1 - exp(b - a)),  a, b = (x +- 1/510 - m) / scale
//   log scale = SCALE_FLOOR + softplus(raw - SCALE_FLOOR)
//
// Source: Salimans et al., "PixelCNN++" (arXiv 1701.05517), section 2.1.
//
// import: likelihood_entries
// kernels: likelihood = discretized_logistic

const SECTIONS = 2u;
const SCALE_FLOOR: f32 = -7.0; // scales stay above exp(-7), some 0.23 grey levels
const HALF_LEVEL = 0.00196078431; // 1/510

// log(1 - exp(-d)) for d > 0, given log d.
fn log_one_minus_exp(d: vec4<f32>, log_d: vec4<f32>) -> vec4<f32> {
    let square = d * d;
    let near = log_d - 0.5 * d + square * (1.0 / 24.0 - square * (1.0 / 2880.0 - square * (1.0 / 181440.0)));
    let far = log(1.0 - exp(-max(d, vec4<f32>(0.5))));
    return select(far, near, d < vec4<f32>(0.5));
}

// d / (exp(d) - 1) for d > 0.
fn over_exp_minus_one(d: vec4<f32>) -> vec4<f32> {
    let square = d * d;
    let near = 1.0 - 0.5 * d + square * (1.0 / 12.0 - square * (1.0 / 720.0 - square * (1.0 / 30240.0)));
    let e = exp(-max(d, vec4<f32>(0.5)));
    return select(d * e / (1.0 - e), near, d < vec4<f32>(0.5));
}

fn terms(at: u32, x: vec4<f32>) -> Terms {
    let mean = activation(MEAN_ACTIVATION, decoded[at]);
    let raw = decoded[at + COLUMNS] - SCALE_FLOOR;
    let log_scale = SCALE_FLOOR + softplus(raw);
    let inverse = exp(-log_scale);
    let a = (x - mean + HALF_LEVEL) * inverse;
    let b = (x - mean - HALF_LEVEL) * inverse;
    let d = 2.0 * HALF_LEVEL * inverse;
    // The lowest level has all below it, the highest all above it.
    let zero = vec4<f32>(0.0);
    let above = select(zero, vec4<f32>(1.0), x < vec4<f32>(1.0 - HALF_LEVEL));
    let below = select(zero, vec4<f32>(1.0), x > vec4<f32>(HALF_LEVEL));
    let p = above * sigmoid(-a);
    let q = below * sigmoid(b);
    let width = above * below;
    var t: Terms;
    t.value =
        above * softplus(-a) + below * softplus(b) - width * log_one_minus_exp(d, log(2.0 * HALF_LEVEL) - log_scale);
    t.first = (p - q) * inverse * activation_derivative(MEAN_ACTIVATION, mean);
    t.second = (p * a - q * b + width * over_exp_minus_one(d)) * sigmoid(raw);
    return t;
}
