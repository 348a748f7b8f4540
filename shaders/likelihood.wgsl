// Negative log-likelihood of the images under the decoder's output, and its gradient.
//
//   bernoulli          output holds logits s:  max(s, 0) - s x + log(1 + exp(-|s|))
//   gaussian           output holds means, one fixed log-variance v:  (v + log 2 pi + (x - mean)^2 exp(-v)) / 2
//   gaussian_shared    the same, v a parameter
//   gaussian_learned   the same, a v per pixel beside the means: v = FLOOR + softplus(raw - FLOOR), so that no
//                      deviation falls below one grey level (1/255), finer than which bytes do not tell
//
//   discretized_logistic  output holds means m and raw log-scales of a logistic distribution whose mass between the
//                      levels is that of the byte (256 levels, the outer ones with all beyond them):
//                      log(1 + exp(-a)) + log(1 + exp(b)) - log(1 - exp(b - a)),  a, b = (x +- 1/510 - m) / scale
//                      log scale = SCALE_FLOOR + softplus(raw - SCALE_FLOOR)
//   continuous_bernoulli  output holds logits s: the Bernoulli term less log C(s), C(s) = s / tanh(s / 2), so that it
//                      integrates to one over x in [0, 1]. Near s = 0 log C by its series.
//   continuous_bernoulli_mean  expected x: sigmoid(s) - 1/s + 1/sinh(s), for pictures
//
// and `.._gradient`: d output, scaled by 1 / (SAMPLES * step.rows). With MEAN_ACTIVATION the means are
// activation(output). `.._with_gradient` does both. Values are summed over chunks of 4 vec4 of a row; `sum_metric` adds the chunks.
// Row l * BATCH + r of the output belongs to image r; rows past the minibatch count for nothing.
// Source: Kingma and Welling (arXiv 1312.6114), appendix C; discretized logistic: Salimans et al., "PixelCNN++" (arXiv
// 1701.05517), section 2.1; continuous Bernoulli: Loaiza-Ganem and Cunningham (arXiv 1907.06845), equations 5 and 8.
//
// import: step, layout, activation

override BATCH: u32;
override SAMPLES: u32;
override COLUMNS: u32; // vec4 in an image
override WIDTH: u32; // pixels of an image
override MEAN_ACTIVATION: u32;
override LOG_VARIANCE: f32;

@group(0) @binding(1) var<storage, read> decoded: array<vec4<f32>>; // [SAMPLES * BATCH, sections, COLUMNS]
@group(0) @binding(2) var<storage, read> images: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(3) var<storage, read> log_variance: array<f32>; // [1]
@group(0) @binding(4) var<storage, read_write> value: array<f32>; // [SAMPLES * BATCH, chunks]
@group(0) @binding(5) var<storage, read_write> decoded_gradient: array<vec4<f32>>; // like decoded
@group(0) @binding(6) var<storage, read_write> log_variance_terms: array<f32>; // [SAMPLES * BATCH, chunks]
@group(0) @binding(7) var<storage, read_write> expected: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]

const CHUNK = 4u; // vec4 that an invocation adds
const LOG_TWO_PI = 1.8378770664093453;
const FLOOR = -11.082527; // 2 log(1/255)

const SCALE_FLOOR = -7.0; // scales stay above exp(-7), some 0.23 grey levels
const HALF_LEVEL = 0.00196078431; // 1/510

struct Place {
    row: u32, // of `decoded`
    column: u32, // first vec4
    end: u32, // past the last vec4
    image: u32, // row of `images`
    inside: bool,
    counts: bool, // false past the minibatch
}

fn place(i: u32) -> Place {
    let chunks = (COLUMNS + CHUNK - 1u) / CHUNK;
    let row = i / chunks;
    let column = i % chunks * CHUNK;
    let image = row % BATCH;
    return Place(row, column, min(column + CHUNK, COLUMNS), image, row < SAMPLES * BATCH, image < step.rows);
}

fn scale() -> f32 {
    return 1.0 / f32(SAMPLES * step.rows);
}

// Sum over the real columns of a vec4.
fn masked_sum(x: vec4<f32>, column: u32) -> f32 {
    return dot(x, column_mask(column, WIDTH));
}

// A chunk's value, and its share of the gradient of a shared log-variance.
struct Chunk {
    value: f32,
    log_variance: f32,
}

fn bernoulli_value(p: Place) -> f32 {
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            let s = decoded[p.row * COLUMNS + c];
            sum += masked_sum(softplus(s) - s * images[p.image * COLUMNS + c], c);
        }
    }
    return sum;
}

fn bernoulli_change(p: Place) -> f32 {
    var sum = 0.0;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * COLUMNS + c;
        var g = vec4<f32>(0.0);
        if p.counts {
            let s = decoded[at];
            let x = images[p.image * COLUMNS + c];
            let mask = column_mask(c, WIDTH);
            // softplus(s) and sigmoid(s) share the exponential.
            let e = exp(-abs(s));
            sum += dot(max(s, vec4<f32>(0.0)) + log(1.0 + e) - s * x, mask);
            g = (select(e, vec4<f32>(1.0), s >= vec4<f32>(0.0)) / (1.0 + e) - x) * scale() * mask;
        }
        decoded_gradient[at] = g;
    }
    return sum;
}

fn gaussian_value(p: Place, v: f32) -> f32 {
    var sum = 0.0;
    if p.counts {
        let inverse_variance = exp(-v);
        for (var c = p.column; c < p.end; c++) {
            let mean = activation(MEAN_ACTIVATION, decoded[p.row * COLUMNS + c]);
            let d = mean - images[p.image * COLUMNS + c];
            sum += masked_sum(0.5 * (v + LOG_TWO_PI + d * d * inverse_variance), c);
        }
    }
    return sum;
}

fn gaussian_change(p: Place, v: f32) -> Chunk {
    let inverse_variance = exp(-v);
    var chunk: Chunk;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * COLUMNS + c;
        var g = vec4<f32>(0.0);
        if p.counts {
            let mean = activation(MEAN_ACTIVATION, decoded[at]);
            let d = mean - images[p.image * COLUMNS + c];
            g = d * inverse_variance * activation_derivative(MEAN_ACTIVATION, mean) * scale() * column_mask(c, WIDTH);
            chunk.value += masked_sum(0.5 * (v + LOG_TWO_PI + d * d * inverse_variance), c);
            chunk.log_variance += masked_sum(0.5 * (1.0 - d * d * inverse_variance), c) * scale();
        }
        decoded_gradient[at] = g;
    }
    return chunk;
}

fn learned_value(p: Place) -> f32 {
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            let at = p.row * 2u * COLUMNS + c;
            let d = activation(MEAN_ACTIVATION, decoded[at]) - images[p.image * COLUMNS + c];
            let v = FLOOR + softplus(decoded[at + COLUMNS] - FLOOR);
            sum += masked_sum(0.5 * (v + LOG_TWO_PI + d * d * exp(-v)), c);
        }
    }
    return sum;
}

fn learned_change(p: Place) -> f32 {
    var sum = 0.0;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * 2u * COLUMNS + c;
        var mean_gradient = vec4<f32>(0.0);
        var variance_gradient = vec4<f32>(0.0);
        if p.counts {
            let mean = activation(MEAN_ACTIVATION, decoded[at]);
            let raw = decoded[at + COLUMNS] - FLOOR;
            let v = FLOOR + softplus(raw);
            let inverse_variance = exp(-v);
            let d = mean - images[p.image * COLUMNS + c];
            let weight = scale() * column_mask(c, WIDTH);
            sum += masked_sum(0.5 * (v + LOG_TWO_PI + d * d * inverse_variance), c);
            mean_gradient = d * inverse_variance * activation_derivative(MEAN_ACTIVATION, mean) * weight;
            variance_gradient = 0.5 * (1.0 - d * d * inverse_variance) * sigmoid(raw) * weight;
        }
        decoded_gradient[at] = mean_gradient;
        decoded_gradient[at + COLUMNS] = variance_gradient;
    }
    return sum;
}

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

// A logistic's ends of a grey level, and what they add to the negative log-likelihood and its gradients.
struct Logistic {
    value: vec4<f32>,
    mean: vec4<f32>, // derivative by the mean
    scale: vec4<f32>, // derivative by the log-scale
}

fn logistic(x: vec4<f32>, mean: vec4<f32>, log_scale: vec4<f32>) -> Logistic {
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
    return Logistic(
        above * softplus(-a) + below * softplus(b) - width * log_one_minus_exp(d, log(2.0 * HALF_LEVEL) - log_scale),
        (p - q) * inverse,
        p * a - q * b + width * over_exp_minus_one(d),
    );
}

fn discretized_value(p: Place) -> f32 {
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            let at = p.row * 2u * COLUMNS + c;
            let mean = activation(MEAN_ACTIVATION, decoded[at]);
            let log_scale = SCALE_FLOOR + softplus(decoded[at + COLUMNS] - SCALE_FLOOR);
            sum += masked_sum(logistic(images[p.image * COLUMNS + c], mean, log_scale).value, c);
        }
    }
    return sum;
}

fn discretized_change(p: Place) -> f32 {
    var sum = 0.0;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * 2u * COLUMNS + c;
        var mean_gradient = vec4<f32>(0.0);
        var scale_gradient = vec4<f32>(0.0);
        if p.counts {
            let mean = activation(MEAN_ACTIVATION, decoded[at]);
            let raw = decoded[at + COLUMNS] - SCALE_FLOOR;
            let terms = logistic(images[p.image * COLUMNS + c], mean, SCALE_FLOOR + softplus(raw));
            let weight = scale() * column_mask(c, WIDTH);
            sum += masked_sum(terms.value, c);
            mean_gradient = terms.mean * activation_derivative(MEAN_ACTIVATION, mean) * weight;
            scale_gradient = terms.scale * sigmoid(raw) * weight;
        }
        decoded_gradient[at] = mean_gradient;
        decoded_gradient[at + COLUMNS] = scale_gradient;
    }
    return sum;
}

// log C(s) = log(s / tanh(s / 2)).
fn log_normaliser(s: vec4<f32>) -> vec4<f32> {
    let t = s * s;
    let near = 0.6931472 + t * (1.0 / 12.0 - t * (7.0 / 1440.0 - t * (31.0 / 90720.0 - t * (127.0 / 4838400.0))));
    let size = max(abs(s), vec4<f32>(0.5));
    let e = exp(-size);
    return select(log(size * (1.0 + e) / (1.0 - e)), near, abs(s) < vec4<f32>(0.5));
}

// Its derivative, 1/s - 1/sinh(s).
fn log_normaliser_slope(s: vec4<f32>) -> vec4<f32> {
    let t = s * s;
    let near = s * (1.0 / 6.0 - t * (7.0 / 360.0 - t * (31.0 / 15120.0 - t * (127.0 / 604800.0))));
    let size = max(abs(s), vec4<f32>(0.5));
    let e = exp(-size);
    let far = sign(s) * (1.0 / size - 2.0 * e / (1.0 - e * e));
    return select(far, near, abs(s) < vec4<f32>(0.5));
}

fn continuous_value(p: Place) -> f32 {
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            let s = decoded[p.row * COLUMNS + c];
            sum += masked_sum(softplus(s) - s * images[p.image * COLUMNS + c] - log_normaliser(s), c);
        }
    }
    return sum;
}

fn continuous_change(p: Place) -> f32 {
    var sum = 0.0;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * COLUMNS + c;
        var g = vec4<f32>(0.0);
        if p.counts {
            let s = decoded[at];
            let x = images[p.image * COLUMNS + c];
            let mean = sigmoid(s) - log_normaliser_slope(s);
            sum += masked_sum(softplus(s) - s * x - log_normaliser(s), c);
            g = (mean - x) * scale() * column_mask(c, WIDTH);
        }
        decoded_gradient[at] = g;
    }
    return sum;
}

@compute @workgroup_size(64)
fn discretized_logistic(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = discretized_value(p);
    }
}

@compute @workgroup_size(64)
fn discretized_logistic_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let p = place(flat_index(id, workgroups, 64u));
    if p.inside {
        _ = discretized_change(p);
    }
}

@compute @workgroup_size(64)
fn discretized_logistic_with_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = discretized_change(p);
    }
}

@compute @workgroup_size(64)
fn continuous_bernoulli(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = continuous_value(p);
    }
}

@compute @workgroup_size(64)
fn continuous_bernoulli_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let p = place(flat_index(id, workgroups, 64u));
    if p.inside {
        _ = continuous_change(p);
    }
}

@compute @workgroup_size(64)
fn continuous_bernoulli_with_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = continuous_change(p);
    }
}

@compute @workgroup_size(64)
fn continuous_bernoulli_mean(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        let s = decoded[i];
        expected[i] = (sigmoid(s) - log_normaliser_slope(s)) * column_mask(i % COLUMNS, WIDTH);
    }
}

@compute @workgroup_size(64)
fn bernoulli(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = bernoulli_value(p);
    }
}

@compute @workgroup_size(64)
fn bernoulli_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        _ = bernoulli_change(p);
    }
}

@compute @workgroup_size(64)
fn bernoulli_with_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = bernoulli_change(p);
    }
}

@compute @workgroup_size(64)
fn gaussian(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = gaussian_value(p, LOG_VARIANCE);
    }
}

@compute @workgroup_size(64)
fn gaussian_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        _ = gaussian_change(p, LOG_VARIANCE);
    }
}

@compute @workgroup_size(64)
fn gaussian_with_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = gaussian_change(p, LOG_VARIANCE).value;
    }
}

@compute @workgroup_size(64)
fn gaussian_shared(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = gaussian_value(p, log_variance[0]);
    }
}

@compute @workgroup_size(64)
fn gaussian_shared_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        log_variance_terms[i] = gaussian_change(p, log_variance[0]).log_variance;
    }
}

@compute @workgroup_size(64)
fn gaussian_shared_with_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        let chunk = gaussian_change(p, log_variance[0]);
        value[i] = chunk.value;
        log_variance_terms[i] = chunk.log_variance;
    }
}

@compute @workgroup_size(64)
fn gaussian_learned(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = learned_value(p);
    }
}

@compute @workgroup_size(64)
fn gaussian_learned_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        _ = learned_change(p);
    }
}

@compute @workgroup_size(64)
fn gaussian_learned_with_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = learned_change(p);
    }
}
