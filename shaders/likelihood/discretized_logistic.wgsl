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
const FAR = 1e10; // means from here on: a scale in f32 can be 0 before a product with it is

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

// p x for a share p that falls to 0 as x grows to +-infinity.
fn share(p: vec4<f32>, x: vec4<f32>) -> vec4<f32> {
    return select(p * x, vec4<f32>(0.0), p == vec4<f32>(0.0));
}

// x exp(exponent) for a large x, also where exp(exponent) is 0 in f32. Not x r r with r = exp(exponent / 2): compilers may
// multiply r by itself first, and NVIDIA's does.
fn times_exp(x: vec4<f32>, exponent: vec4<f32>) -> vec4<f32> {
    return sign(x) * exp(log(abs(x)) + exponent);
}

fn terms(at: u32, x: vec4<f32>) -> Terms {
    let mean = activation(MEAN_ACTIVATION, decoded[at]);
    let raw = decoded[at + COLUMNS] - SCALE_FLOOR;
    let log_scale = SCALE_FLOOR + softplus(raw);
    let inverse = exp(-log_scale);
    let upper = x - mean + HALF_LEVEL;
    let lower = x - mean - HALF_LEVEL;
    var a = upper * inverse;
    var b = lower * inverse;
    let far = abs(mean) > vec4<f32>(FAR);
    if any(far) {
        a = select(a, times_exp(upper, -log_scale), far);
        b = select(b, times_exp(lower, -log_scale), far);
    }
    let d = 2.0 * HALF_LEVEL * inverse;
    // The lowest level has all below it, the highest all above it.
    let zero = vec4<f32>(0.0);
    let above = x < vec4<f32>(1.0 - HALF_LEVEL);
    let below = x > vec4<f32>(HALF_LEVEL);
    let p = select(zero, sigmoid(-a), above);
    let q = select(zero, sigmoid(b), below);
    let width = select(zero, vec4<f32>(1.0), above & below);
    var t: Terms;
    t.value = select(zero, softplus(-a), above) + select(zero, softplus(b), below)
        - width * log_one_minus_exp(d, log(2.0 * HALF_LEVEL) - log_scale);
    t.first = (p - q) * inverse * activation_derivative(MEAN_ACTIVATION, mean);
    t.second = (share(p, a) - share(q, b) + width * over_exp_minus_one(d)) * sigmoid(raw);
    if any(far) {
        // a and b may be infinite and the sigmoid 0, and the product neither.
        let exponent = -log_scale - softplus(-raw);
        let edges = share(p, times_exp(upper, exponent)) - share(q, times_exp(lower, exponent));
        t.second = select(t.second, edges + width * over_exp_minus_one(d) * sigmoid(raw), far);
    }
    return t;
}
