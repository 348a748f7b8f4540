// Importance weights of latents drawn from the posterior, w = p(x|z) p(z) / q(z|x), the bound they give on the
// evidence, and the gradients of that bound.
//
//   sampled_kl              divergence = log q(z|x) - log p(z) = sum (z^2 - v - noise^2) / 2 over latent dimensions, with
//                           z = m + exp(v / 2) * noise from the posterior (m, v) and p(z) = N(0, I)
//   sampled_kl_dimensions   the same of each dimension
//   log_weights             log w = -(sum of the likelihood's terms) - beta * divergence
//   importance_weights      bound = -(log sum_l w_l - log SAMPLES),  weights = w_l / sum_l w_l / step.rows; with
//                           UNIFORM bound = -(mean of log w_l), weights = 1 / SAMPLES / step.rows
//   weigh_rows              row of `values` *= weight * FACTOR * step.rows
//   doubly_reparametrize    d z = (d z - beta * weight * noise * exp(-v / 2)) * (1 - beta + beta * weight * step.rows): what
//                           passes along log q(z|x) too, through z alone, weighed once more for the encoder. With
//                           normalised weights W the path gives W dlog w; the score of q, times -beta W, is on average
//                           -beta W (1 - W) times the path: W (1 - beta + beta W) together, equation 8 for beta = 1
//   sampled_kl_gradient     d z = beta * weight * z
//   sampled_kl_posterior_gradient  d v = -beta * (sum of weights) / 2: all that the gradients of log q(z|x) through z and
//                           through its parameters leave of each other
//   sampled_kl_gradient_gated, sampled_kl_posterior_gradient_gated  the same, each dimension times its gate (gate.wgsl)
//   begin_stream            a log-sum-exp of nothing
//   stream_weights          one pass's log w into the running log-sum-exp of each image
//
// A running log-sum-exp is (largest log w, sum of exp(log w - largest), sum of the squares of these, sum of log w).
// Row l * BATCH + r belongs to sample l of image r; rows past the minibatch count for nothing.
// Sources: Burda et al., "Importance weighted autoencoders" (arXiv 1509.00519), equations 8 and 14; Tucker et al.,
// "Doubly reparameterized gradient estimators for Monte Carlo objectives" (arXiv 1810.04152), equation 8.
//
// import: step, layout

override BATCH: u32; // images
override SAMPLES: u32; // samples per image
override COLUMNS: u32; // vec4 in a row of `z`
override WIDTH: u32; // latent dimensions
override POSTERIOR_ROWS: u32; // posteriors: row r of `z` is drawn from posterior r % POSTERIOR_ROWS
override CHUNKS: u32; // terms of the likelihood in a row
override ROW: u32; // elements in a row of `values`
override LENGTH: u32; // elements of `values`
override FACTOR: f32;
override UNIFORM: bool;
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> posterior: array<vec4<f32>>; // [POSTERIOR_ROWS, 2, COLUMNS]
@group(0) @binding(2) var<storage, read> z: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(3) var<storage, read> noise: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(4) var<storage, read_write> divergence: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(5) var<storage, read> likelihood_terms: array<f32>; // [SAMPLES * BATCH, CHUNKS]
@group(0) @binding(6) var<storage, read> divergence_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(7) var<storage, read_write> log_weight: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(8) var<storage, read> log_weight_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(9) var<storage, read_write> weights: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(10) var<storage, read> weights_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(11) var<storage, read_write> bound: array<f32>; // [BATCH]
@group(0) @binding(12) var<storage, read_write> values: array<f32>; // [SAMPLES * BATCH, ROW]
@group(0) @binding(13) var<storage, read_write> z_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(14) var<storage, read_write> posterior_gradient: array<vec4<f32>>; // [POSTERIOR_ROWS, 2, COLUMNS]
@group(0) @binding(15) var<storage, read_write> running: array<vec4<f32>>; // [BATCH]
@group(0) @binding(16) var<storage, read_write> dimensions: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(17) var<storage, read> gate: array<vec4<f32>>; // [COLUMNS]

const LOWEST = -3.4e38;

// Position of the mean of the posterior that row `row` of `z` is drawn from; its log-variance is COLUMNS further.
fn posterior_of(row: u32) -> u32 {
    return row % POSTERIOR_ROWS * 2u * COLUMNS;
}

// The divergence of the four dimensions at `column` of a row.
fn divergence_at(row: u32, column: u32) -> vec4<f32> {
    // In the padding all three are 0.
    let drawn = z[row * COLUMNS + column];
    let draw = noise[row * COLUMNS + column];
    return 0.5 * (drawn * drawn - posterior[posterior_of(row) + COLUMNS + column] - draw * draw);
}

@compute @workgroup_size(64)
fn sampled_kl(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= SAMPLES * BATCH {
        return;
    }
    var sum = 0.0;
    if row % BATCH < step.rows {
        for (var c = 0u; c < COLUMNS; c++) {
            sum += dot(vec4<f32>(1.0), divergence_at(row, c));
        }
    }
    if ACCUMULATE {
        divergence[row] += sum;
    } else {
        divergence[row] = sum;
    }
}

@compute @workgroup_size(64)
fn sampled_kl_dimensions(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= SAMPLES * BATCH * COLUMNS {
        return;
    }
    var value = vec4<f32>(0.0);
    if i / COLUMNS % BATCH < step.rows {
        value = divergence_at(i / COLUMNS, i % COLUMNS);
    }
    dimensions[i] = value;
}

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
    log_weight[row] = -sum - step.beta * divergence_read[row];
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
fn weigh_rows(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        values[i] *= weights_read[i / ROW] * FACTOR * f32(step.rows);
    }
}

fn change_z(i: u32, share: vec4<f32>) {
    let change = step.beta * weights_read[i / COLUMNS] * share * z[i];
    if ACCUMULATE {
        z_gradient[i] += change;
    } else {
        z_gradient[i] = change;
    }
}

@compute @workgroup_size(64)
fn sampled_kl_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        change_z(i, vec4<f32>(1.0));
    }
}

@compute @workgroup_size(64)
fn sampled_kl_gradient_gated(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        change_z(i, gate[i % COLUMNS]);
    }
}

@compute @workgroup_size(64)
fn doubly_reparametrize(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        let weight = step.beta * weights_read[i / COLUMNS];
        let log_variance = posterior[posterior_of(i / COLUMNS) + COLUMNS + i % COLUMNS];
        let path = z_gradient[i] - weight * noise[i] * exp(-0.5 * log_variance);
        z_gradient[i] = path * (1.0 - step.beta + weight * f32(step.rows));
    }
}

fn change_posterior(i: u32, share: vec4<f32>) {
    var sum = 0.0;
    for (var row = i / COLUMNS; row < SAMPLES * BATCH; row += POSTERIOR_ROWS) {
        sum += weights_read[row];
    }
    let change = -0.5 * step.beta * sum * share * column_mask(i % COLUMNS, WIDTH);
    let at = posterior_of(i / COLUMNS) + i % COLUMNS;
    if ACCUMULATE {
        posterior_gradient[at + COLUMNS] += change;
    } else {
        posterior_gradient[at] = vec4<f32>(0.0);
        posterior_gradient[at + COLUMNS] = change;
    }
}

@compute @workgroup_size(64)
fn sampled_kl_posterior_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < POSTERIOR_ROWS * COLUMNS {
        change_posterior(i, vec4<f32>(1.0));
    }
}

@compute @workgroup_size(64)
fn sampled_kl_posterior_gradient_gated(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < POSTERIOR_ROWS * COLUMNS {
        change_posterior(i, gate[i % COLUMNS]);
    }
}

@compute @workgroup_size(64)
fn begin_stream(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let image = flat_index(id, workgroups, 64u);
    if image < BATCH {
        running[image] = vec4<f32>(LOWEST, 0.0, 0.0, 0.0);
    }
}

@compute @workgroup_size(64)
fn stream_weights(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
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
