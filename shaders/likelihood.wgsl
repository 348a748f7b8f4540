// Negative log-likelihood of the images under the decoder's output, and its gradient.
//
//   bernoulli          output holds logits s:  max(s, 0) - s x + log(1 + exp(-|s|))
//   gaussian           output holds means, one fixed log-variance v:  (v + log 2 pi + (x - mean)^2 exp(-v)) / 2
//   gaussian_shared    the same, v a parameter
//   gaussian_learned   the same, a v per pixel beside the means: v = FLOOR + softplus(raw - FLOOR), so that no
//                      deviation falls below one grey level (1/255), finer than which bytes do not tell
//
// and `.._gradient`: d output, scaled by 1 / (SAMPLES * step.rows). With MEAN_ACTIVATION the means are
// activation(output). Values are summed over chunks of 4 vec4 of a row; `sum_metric` adds the chunks.
// Row l * BATCH + r of the output belongs to image r; rows past the minibatch count for nothing.
// Source: Kingma and Welling (arXiv 1312.6114), appendix C.

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

const CHUNK = 4u; // vec4 that an invocation adds
const LOG_TWO_PI = 1.8378770664093453;
const FLOOR = -11.082527; // 2 log(1/255)

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

@compute @workgroup_size(64)
fn bernoulli(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if !p.inside {
        return;
    }
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            let s = decoded[p.row * COLUMNS + c];
            sum += masked_sum(softplus(s) - s * images[p.image * COLUMNS + c], c);
        }
    }
    value[i] = sum;
}

@compute @workgroup_size(64)
fn bernoulli_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let p = place(flat_index(id, workgroups, 64u));
    if !p.inside {
        return;
    }
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * COLUMNS + c;
        var g = vec4<f32>(0.0);
        if p.counts {
            g = (sigmoid(decoded[at]) - images[p.image * COLUMNS + c]) * scale() * column_mask(c, WIDTH);
        }
        decoded_gradient[at] = g;
    }
}

// (mean - x) and the squared error's share, for a row of `stride` vec4.
fn difference(p: Place, stride: u32, c: u32) -> vec4<f32> {
    return activation(MEAN_ACTIVATION, decoded[p.row * stride + c]) - images[p.image * COLUMNS + c];
}

fn gaussian_sum(p: Place, v: f32) -> f32 {
    var sum = 0.0;
    if p.counts {
        let inverse_variance = exp(-v);
        for (var c = p.column; c < p.end; c++) {
            let d = difference(p, COLUMNS, c);
            sum += masked_sum(0.5 * (v + LOG_TWO_PI + d * d * inverse_variance), c);
        }
    }
    return sum;
}

// Writes the gradient of the means; returns the chunk's share of the gradient of the log-variance.
fn gaussian_gradient_chunk(p: Place, v: f32) -> f32 {
    let inverse_variance = exp(-v);
    var terms = 0.0;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * COLUMNS + c;
        var g = vec4<f32>(0.0);
        if p.counts {
            let mean = activation(MEAN_ACTIVATION, decoded[at]);
            let d = mean - images[p.image * COLUMNS + c];
            g = d * inverse_variance * activation_derivative(MEAN_ACTIVATION, mean) * scale() * column_mask(c, WIDTH);
            terms += masked_sum(0.5 * (1.0 - d * d * inverse_variance), c);
        }
        decoded_gradient[at] = g;
    }
    return terms * scale();
}

@compute @workgroup_size(64)
fn gaussian(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = gaussian_sum(p, LOG_VARIANCE);
    }
}

@compute @workgroup_size(64)
fn gaussian_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let p = place(flat_index(id, workgroups, 64u));
    if p.inside {
        _ = gaussian_gradient_chunk(p, LOG_VARIANCE);
    }
}

@compute @workgroup_size(64)
fn gaussian_shared(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = gaussian_sum(p, log_variance[0]);
    }
}

@compute @workgroup_size(64)
fn gaussian_shared_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        log_variance_terms[i] = gaussian_gradient_chunk(p, log_variance[0]);
    }
}

@compute @workgroup_size(64)
fn gaussian_learned(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if !p.inside {
        return;
    }
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            let d = difference(p, 2u * COLUMNS, c);
            let v = FLOOR + softplus(decoded[p.row * 2u * COLUMNS + COLUMNS + c] - FLOOR);
            sum += masked_sum(0.5 * (v + LOG_TWO_PI + d * d * exp(-v)), c);
        }
    }
    value[i] = sum;
}

@compute @workgroup_size(64)
fn gaussian_learned_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let p = place(flat_index(id, workgroups, 64u));
    if !p.inside {
        return;
    }
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * 2u * COLUMNS + c;
        var mean_gradient = vec4<f32>(0.0);
        var variance_gradient = vec4<f32>(0.0);
        if p.counts {
            let mean = activation(MEAN_ACTIVATION, decoded[at]);
            let raw = decoded[at + COLUMNS] - FLOOR;
            let inverse_variance = exp(-FLOOR - softplus(raw));
            let d = mean - images[p.image * COLUMNS + c];
            let weight = scale() * column_mask(c, WIDTH);
            mean_gradient = d * inverse_variance * activation_derivative(MEAN_ACTIVATION, mean) * weight;
            variance_gradient = 0.5 * (1.0 - d * d * inverse_variance) * sigmoid(raw) * weight;
        }
        decoded_gradient[at] = mean_gradient;
        decoded_gradient[at + COLUMNS] = variance_gradient;
    }
}
