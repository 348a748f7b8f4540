// The KL divergence of posteriors q(z|x_i) = N(m_i, exp(v_i)) to the prior, taken apart by the aggregate posterior q(z) = E_x
// q(z|x), which is estimated from a minibatch z_j ~ q(z|x_j) of B out of N images:
//
//   information   log q(z_j|x_j) - log q(z_j)             the mutual information of image and latents
//   correlation   log q(z_j) - sum_d log q(z_jd)          the total correlation of the latents
//   dimensions    sum_d log q(z_jd) - log p(z_jd)         the divergence of each dimension for itself
//
//   l_jid = log N(z_jd; m_id, exp(v_id))
//   log q(z_j) = log sum_i exp(sum_d l_jid + log w_ji),  log q(z_jd) = log sum_i exp(l_jid + log w_ji)
//
// Weights w_ji: 1 / (N B) in minibatch-weighted sampling; in stratified sampling 1 / N for i = j, (N - M) / (N M) for the image
// after j, and 1 / M for the others, with M = B - 1. A row of these sums to 1.
//
//   pair_log_densities           joint_ji = sum_d l_jid + log w_ji
//   pair_log_sums                sums_jd = log q(z_jd); the last one of a row is log q(z_j)
//   total_correlation            the three terms of each image
//   total_correlation_z_gradient          with a = exp(joint_ji - log q(z_j)), b = exp(l_jid + log w_ji - log q(z_jd)), u_j the
//                                gradient of the correlation:  d z_jd = -u_j sum_i (a - b) (z_jd - m_id) exp(-v_id)
//   total_correlation_posterior_gradient  d m_id = sum_j u_j (a - b) (z_jd - m_id) exp(-v_id),
//                                d v_id = sum_j u_j (a - b) ((z_jd - m_id)^2 exp(-v_id) - 1) / 2
//
// Source: Chen et al., "Isolating sources of disentanglement in VAEs" (arXiv 1802.04942), section 3 and appendix C. The weights
// of the authors' program differ from the paper's (rtqichen/beta-tcvae#1); these are the paper's.
//
// import: step

override BATCH: u32; // images
override COLUMNS: u32; // vec4 in a row of `z`
override WIDTH: u32; // latent dimensions
override IMAGES: u32; // the number of a step that is N
override STRATIFIED: bool;
override ACCUMULATE: bool; // add to the gradient

@group(0) @binding(1) var<storage, read> posterior: array<f32>; // [BATCH, 2, 4 * COLUMNS]: means, log-variances
@group(0) @binding(2) var<storage, read> z: array<f32>; // [BATCH, 4 * COLUMNS]
@group(0) @binding(3) var<storage, read_write> joint: array<f32>; // [BATCH, BATCH]
@group(0) @binding(4) var<storage, read> joint_used: array<f32>; // the same
@group(0) @binding(5) var<storage, read_write> sums: array<f32>; // [BATCH, WIDTH + 1]
@group(0) @binding(6) var<storage, read> sums_used: array<f32>; // the same
@group(0) @binding(7) var<storage, read_write> information: array<f32>; // [BATCH]
@group(0) @binding(8) var<storage, read_write> correlation: array<f32>; // [BATCH]
@group(0) @binding(9) var<storage, read_write> dimensions: array<f32>; // [BATCH]
@group(0) @binding(10) var<storage, read> upstream: array<f32>; // [BATCH]
@group(0) @binding(11) var<storage, read_write> z_gradient: array<f32>; // [BATCH, 4 * COLUMNS]
@group(0) @binding(12) var<storage, read_write> posterior_gradient: array<f32>; // [BATCH, 2, 4 * COLUMNS]

const LOG_TWO_PI: f32 = 1.8378770664;
const LOWEST: f32 = -3e38;

// log w_ji. A minibatch of one image is all there is.
fn log_weight(j: u32, i: u32) -> f32 {
    let rows = f32(step.rows);
    let images = max(step_number(IMAGES), rows);
    let others = max(rows - 1.0, 1.0);
    var weight = 1.0 / others;
    if i == j {
        weight = 1.0 / images;
    } else if i == (j + 1u) % step.rows {
        weight = (images - others) / (images * others);
    }
    if !STRATIFIED {
        weight = 1.0 / (images * rows);
    }
    if step.rows == 1u {
        weight = 1.0;
    }
    return log(weight);
}

// l_jid.
fn log_density(j: u32, i: u32, d: u32) -> f32 {
    let at = 8u * COLUMNS * i + d;
    let v = posterior[at + 4u * COLUMNS];
    let away = z[4u * COLUMNS * j + d] - posterior[at];
    return -0.5 * (LOG_TWO_PI + v + away * away * exp(-v));
}

@compute @workgroup_size(64)
fn pair_log_densities(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let index = flat_index(id, workgroups, 64u);
    if index >= BATCH * BATCH {
        return;
    }
    let j = index / BATCH;
    let i = index % BATCH;
    var sum = 0.0;
    if max(i, j) < step.rows {
        for (var d = 0u; d < WIDTH; d++) {
            sum += log_density(j, i, d);
        }
        sum += log_weight(j, i);
    }
    joint[index] = sum;
}

// What is summed in sum d of row j: the joint density where d is WIDTH.
fn term(j: u32, i: u32, d: u32) -> f32 {
    if d == WIDTH {
        return joint_used[j * BATCH + i];
    }
    return log_density(j, i, d) + log_weight(j, i);
}

@compute @workgroup_size(64)
fn pair_log_sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let index = flat_index(id, workgroups, 64u);
    if index >= BATCH * (WIDTH + 1u) {
        return;
    }
    let j = index / (WIDTH + 1u);
    let d = index % (WIDTH + 1u);
    var value = 0.0;
    if j < step.rows {
        var largest = LOWEST;
        for (var i = 0u; i < step.rows; i++) {
            largest = max(largest, term(j, i, d));
        }
        var sum = 0.0;
        for (var i = 0u; i < step.rows; i++) {
            sum += exp(term(j, i, d) - largest);
        }
        value = largest + log(sum);
    }
    sums[index] = value;
}

@compute @workgroup_size(64)
fn total_correlation(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let j = flat_index(id, workgroups, 64u);
    if j >= BATCH {
        return;
    }
    var own = 0.0;
    var single = 0.0;
    var prior = 0.0;
    var all = 0.0;
    if j < step.rows {
        for (var d = 0u; d < WIDTH; d++) {
            let drawn = z[4u * COLUMNS * j + d];
            own += log_density(j, j, d);
            single += sums_used[(WIDTH + 1u) * j + d];
            prior -= 0.5 * (LOG_TWO_PI + drawn * drawn);
        }
        all = sums_used[(WIDTH + 1u) * j + WIDTH];
    }
    information[j] = own - all;
    correlation[j] = all - single;
    dimensions[j] = single - prior;
}

// u_j (a - b) of pair (j, i) and dimension d.
fn share(j: u32, i: u32, d: u32) -> f32 {
    let a = exp(joint_used[j * BATCH + i] - sums_used[(WIDTH + 1u) * j + WIDTH]);
    let b = exp(log_density(j, i, d) + log_weight(j, i) - sums_used[(WIDTH + 1u) * j + d]);
    return upstream[j] * (a - b);
}

@compute @workgroup_size(64)
fn total_correlation_z_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let index = flat_index(id, workgroups, 64u);
    if index >= 4u * COLUMNS * BATCH {
        return;
    }
    let j = index / (4u * COLUMNS);
    let d = index % (4u * COLUMNS);
    var sum = 0.0;
    if d < WIDTH && j < step.rows {
        for (var i = 0u; i < step.rows; i++) {
            let at = 8u * COLUMNS * i + d;
            sum -= share(j, i, d) * (z[index] - posterior[at]) * exp(-posterior[at + 4u * COLUMNS]);
        }
    }
    if ACCUMULATE {
        sum += z_gradient[index];
    }
    z_gradient[index] = sum;
}

@compute @workgroup_size(64)
fn total_correlation_posterior_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let index = flat_index(id, workgroups, 64u);
    if index >= 4u * COLUMNS * BATCH {
        return;
    }
    let i = index / (4u * COLUMNS);
    let d = index % (4u * COLUMNS);
    let at = 8u * COLUMNS * i + d;
    var of_mean = 0.0;
    var of_log_variance = 0.0;
    if d < WIDTH && i < step.rows {
        let inverse = exp(-posterior[at + 4u * COLUMNS]);
        for (var j = 0u; j < step.rows; j++) {
            let away = z[4u * COLUMNS * j + d] - posterior[at];
            let weight = share(j, i, d);
            of_mean += weight * away * inverse;
            of_log_variance += 0.5 * weight * (away * away * inverse - 1.0);
        }
    }
    if ACCUMULATE {
        of_mean += posterior_gradient[at];
        of_log_variance += posterior_gradient[at + 4u * COLUMNS];
    }
    posterior_gradient[at] = of_mean;
    posterior_gradient[at + 4u * COLUMNS] = of_log_variance;
}
