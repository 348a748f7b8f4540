// The covariance of the latents over a minibatch of B images, and its distance from the identity matrix.
//
//   column_means         means_d = sum_r m_rd / B, of the posteriors' means m
//   covariance           C_ab = sum_r (m_ra - means_a) (m_rb - means_b) / B; with VARIANCES plus sum_r exp(v_ra) / B for a = b
//   covariance_penalty   of each image R = sum_{a != b} C_ab^2 + DIAGONAL sum_a (C_aa - 1)^2
//   covariance_gradient  with U the sum of the upstream gradients of all images, and G_ab = 2 C_ab, or 2 DIAGONAL (C_aa - 1):
//                        d m_rc = 2 U / B sum_b G_cb (m_rb - means_b); with VARIANCES d v_rc = U / B G_cc exp(v_rc)
//
// Source: Kumar et al., "Variational inference of disentangled latent concepts" (arXiv 1711.00848): DIP-VAE-I, and with VARIANCES
// DIP-VAE-II.
//
// import: step

override BATCH: u32; // images
override COLUMNS: u32; // vec4 in a row of means
override WIDTH: u32; // latent dimensions
override DIAGONAL: f32; // weight of the diagonal
override VARIANCES: bool;
override ACCUMULATE: bool; // add to the gradient

@group(0) @binding(1) var<storage, read> posterior: array<f32>; // [BATCH, 2, 4 * COLUMNS]: means, log-variances
@group(0) @binding(2) var<storage, read_write> means: array<f32>; // [WIDTH]
@group(0) @binding(3) var<storage, read> means_used: array<f32>; // the same
@group(0) @binding(4) var<storage, read_write> matrix: array<f32>; // [WIDTH, WIDTH]
@group(0) @binding(5) var<storage, read> matrix_used: array<f32>; // the same
@group(0) @binding(6) var<storage, read_write> penalty: array<f32>; // [BATCH]
@group(0) @binding(7) var<storage, read> upstream: array<f32>; // [BATCH]
@group(0) @binding(8) var<storage, read_write> posterior_gradient: array<f32>; // [BATCH, 2, 4 * COLUMNS]

@compute @workgroup_size(64)
fn column_means(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let d = flat_index(id, workgroups, 64u);
    if d >= WIDTH {
        return;
    }
    var sum = 0.0;
    for (var r = 0u; r < step.rows; r++) {
        sum += posterior[8u * COLUMNS * r + d];
    }
    means[d] = sum / f32(step.rows);
}

@compute @workgroup_size(64)
fn covariance(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let index = flat_index(id, workgroups, 64u);
    if index >= WIDTH * WIDTH {
        return;
    }
    let a = index / WIDTH;
    let b = index % WIDTH;
    var sum = 0.0;
    for (var r = 0u; r < step.rows; r++) {
        let at = 8u * COLUMNS * r;
        sum += (posterior[at + a] - means_used[a]) * (posterior[at + b] - means_used[b]);
        if VARIANCES && a == b {
            sum += exp(posterior[at + 4u * COLUMNS + a]);
        }
    }
    matrix[index] = sum / f32(step.rows);
}

@compute @workgroup_size(64)
fn covariance_penalty(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= BATCH {
        return;
    }
    var sum = 0.0;
    if row < step.rows {
        for (var index = 0u; index < WIDTH * WIDTH; index++) {
            let value = matrix_used[index];
            if index / WIDTH == index % WIDTH {
                sum += DIAGONAL * (value - 1.0) * (value - 1.0);
            } else {
                sum += value * value;
            }
        }
    }
    penalty[row] = sum;
}

// G_ab.
fn slope(a: u32, b: u32) -> f32 {
    let value = matrix_used[a * WIDTH + b];
    if a == b {
        return 2.0 * DIAGONAL * (value - 1.0);
    }
    return 2.0 * value;
}

@compute @workgroup_size(64)
fn covariance_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let index = flat_index(id, workgroups, 64u);
    if index >= 4u * COLUMNS * BATCH {
        return;
    }
    let row = index / (4u * COLUMNS);
    let c = index % (4u * COLUMNS);
    let at = 8u * COLUMNS * row;
    var of_mean = 0.0;
    var of_log_variance = 0.0;
    if c < WIDTH && row < step.rows {
        var weight = 0.0;
        for (var r = 0u; r < step.rows; r++) {
            weight += upstream[r];
        }
        weight /= f32(step.rows);
        for (var b = 0u; b < WIDTH; b++) {
            of_mean += slope(c, b) * (posterior[at + b] - means_used[b]);
        }
        of_mean *= 2.0 * weight;
        if VARIANCES {
            of_log_variance = weight * slope(c, c) * exp(posterior[at + 4u * COLUMNS + c]);
        }
    }
    if ACCUMULATE {
        of_mean += posterior_gradient[at + c];
        of_log_variance += posterior_gradient[at + 4u * COLUMNS + c];
    }
    posterior_gradient[at + c] = of_mean;
    posterior_gradient[at + 4u * COLUMNS + c] = of_log_variance;
}
