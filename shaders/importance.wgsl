// Importance weights of latents drawn from the posterior, w = p(x|z) (p(z) / q(z|x))^beta, the bound they give on the
// evidence, and the gradients of that bound.
//
//   log_weights             log w = -(sum of the likelihood's terms) - beta * divergence
//   log_weights_gradient    d terms = -u,  d divergence = -beta * u, where u is the gradient of the row's log w
//   importance_weights      bound = -(log sum_l w_l - log SAMPLES),  weights = w_l / sum_l w_l / step.rows; with
//                           UNIFORM bound = -(mean of log w_l), weights = 1 / SAMPLES / step.rows
//   importance_gradient     d log w = -WEIGHT * number * weights for a loss of this weight (number is the step's number
//                           NUMBER); with GIVEN -u * step.rows * weights, where u is the gradient of the image's bound
//   weigh_chunks            values *= u * FACTOR * step.rows, where u is the gradient of the likelihood's term that the
//                           value's chunk belongs to
//   doubly_reparametrize    d z = (d z - beta * weight * noise * exp(-v / 2)) * (1 - beta + beta * weight * step.rows): what
//                           passes along log q(z|x) too, through z alone, weighed once more for the encoder. With
//                           normalised weights W the path gives W dlog w; the score of q, times -beta W, is on average
//                           -beta W (1 - W) times the path: W (1 - beta + beta W) together, equation 8 for beta = 1
//   begin_log_sum           the log-sum-exp of no weights
//   add_to_log_sum          one pass's log w into the log-sum-exp of each image
//
// A log-sum-exp is (largest log w, sum of exp(log w - largest), sum of the squares of these, sum of log w); beta is the
// step's number BETA. Row l * BATCH + r belongs to sample l of image r; rows past the minibatch count for nothing.
// Sources: Burda et al., "Importance weighted autoencoders" (arXiv 1509.00519), equations 8 and 14; Tucker et al.,
// "Doubly reparameterized gradient estimators for Monte Carlo objectives" (arXiv 1810.04152), equation 8.
//
// import: step, layout

override BATCH: u32; // images
override SAMPLES: u32; // samples per image
override ROWS: u32; // samples of all images
override COLUMNS: u32; // vec4 in a row of `z`
override POSTERIOR_ROWS: u32; // posteriors: row r of `z` is drawn from posterior r % POSTERIOR_ROWS
override CHUNKS: u32; // terms of the likelihood in a row
override ROW: u32; // elements in a row of `values`
override SECTION: u32; // elements in a section of such a row
override CHUNK: u32; // elements that belong to one term
override LENGTH: u32; // elements of `values`
override FACTOR: f32;
override UNIFORM: bool;
override GIVEN: bool;
override WEIGHT: f32;
override NUMBER: u32; // index of a number of the step
override BETA: u32; // index of the step's weight of the divergence

@group(0) @binding(1) var<storage, read> posterior: array<vec4<f32>>; // [POSTERIOR_ROWS, 2, COLUMNS]
@group(0) @binding(2) var<storage, read> noise: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(3) var<storage, read> likelihood_terms: array<f32>; // [SAMPLES * BATCH, CHUNKS]
@group(0) @binding(4) var<storage, read> divergence_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(5) var<storage, read_write> log_weight: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(6) var<storage, read> log_weight_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(7) var<storage, read_write> weights: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(8) var<storage, read> weights_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(9) var<storage, read_write> bound: array<f32>; // [BATCH]
@group(0) @binding(10) var<storage, read> upstream: array<f32>; // [SAMPLES * BATCH], [BATCH] or [terms of the likelihood]
@group(0) @binding(11) var<storage, read_write> terms_gradient: array<f32>; // [ROWS, CHUNKS]
@group(0) @binding(12) var<storage, read_write> divergence_gradient: array<f32>; // [ROWS]
@group(0) @binding(13) var<storage, read_write> log_weight_gradient: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(14) var<storage, read_write> values: array<f32>; // [SAMPLES * BATCH, ROW]
@group(0) @binding(15) var<storage, read_write> z_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(16) var<storage, read_write> running: array<vec4<f32>>; // [BATCH]

const LOWEST = -3.4e38;

@compute @workgroup_size(64)
fn log_weights(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= SAMPLES * BATCH {
        return;
    }
    var sum = 0.0;
    for (var c = 0u; c < CHUNKS; c++) {
        sum += likelihood_terms[row * CHUNKS + c];
    }
    log_weight[row] = -sum - step_number(BETA) * divergence_read[row];
}

@compute @workgroup_size(64)
fn log_weights_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= ROWS {
        return;
    }
    for (var c = 0u; c < CHUNKS; c++) {
        terms_gradient[row * CHUNKS + c] = -upstream[row];
    }
    divergence_gradient[row] = -step_number(BETA) * upstream[row];
}

@compute @workgroup_size(64)
fn importance_weights(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let image = flat_index(id, workgroups, 64u);
    if image >= BATCH {
        return;
    }
    if image >= step.rows {
        for (var l = 0u; l < SAMPLES; l++) {
            weights[l * BATCH + image] = 0.0;
        }
        bound[image] = 0.0;
        return;
    }
    var largest = LOWEST;
    var mean = 0.0;
    for (var l = 0u; l < SAMPLES; l++) {
        largest = max(largest, log_weight_read[l * BATCH + image]);
        mean += log_weight_read[l * BATCH + image] / f32(SAMPLES);
    }
    var sum = 0.0;
    for (var l = 0u; l < SAMPLES; l++) {
        sum += exp(log_weight_read[l * BATCH + image] - largest);
    }
    for (var l = 0u; l < SAMPLES; l++) {
        if UNIFORM {
            weights[l * BATCH + image] = 1.0 / f32(SAMPLES * step.rows);
        } else {
            weights[l * BATCH + image] = exp(log_weight_read[l * BATCH + image] - largest) / (sum * f32(step.rows));
        }
    }
    if UNIFORM {
        bound[image] = -mean;
    } else {
        bound[image] = log(f32(SAMPLES)) - largest - log(sum);
    }
}

@compute @workgroup_size(64)
fn importance_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= SAMPLES * BATCH {
        return;
    }
    var share = WEIGHT * step_number(NUMBER);
    if GIVEN {
        share = upstream[row % BATCH] * f32(step.rows);
    }
    log_weight_gradient[row] = -share * weights_read[row];
}

@compute @workgroup_size(64)
fn weigh_chunks(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        let term = i / ROW * CHUNKS + i % ROW % SECTION / CHUNK;
        values[i] *= upstream[term] * FACTOR * f32(step.rows);
    }
}

@compute @workgroup_size(64)
fn doubly_reparametrize(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        let beta = step_number(BETA);
        let weight = beta * weights_read[i / COLUMNS];
        let log_variance = posterior[i / COLUMNS % POSTERIOR_ROWS * 2u * COLUMNS + COLUMNS + i % COLUMNS];
        let path = z_gradient[i] - weight * noise[i] * exp(-0.5 * log_variance);
        z_gradient[i] = path * (1.0 - beta + weight * f32(step.rows));
    }
}

@compute @workgroup_size(64)
fn begin_log_sum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let image = flat_index(id, workgroups, 64u);
    if image < BATCH {
        running[image] = vec4<f32>(LOWEST, 0.0, 0.0, 0.0);
    }
}

@compute @workgroup_size(64)
fn add_to_log_sum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let image = flat_index(id, workgroups, 64u);
    if image >= BATCH {
        return;
    }
    let before = running[image];
    var largest = before.x;
    for (var l = 0u; l < SAMPLES; l++) {
        largest = max(largest, log_weight_read[l * BATCH + image]);
    }
    let shrink = exp(before.x - largest);
    var sum = before.y * shrink;
    var squares = before.z * shrink * shrink;
    var total = 0.0;
    for (var l = 0u; l < SAMPLES; l++) {
        let log_w = log_weight_read[l * BATCH + image];
        let w = exp(log_w - largest);
        sum += w;
        squares += w * w;
        total += log_w;
    }
    running[image] = vec4<f32>(largest, sum, squares, before.w + total);
}
