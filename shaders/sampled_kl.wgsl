// import: step, layout
//
// The KL divergence of a Gaussian posterior q = N(m, exp(v)) estimated from its samples z = m + exp(v / 2) * noise, and its
// gradients. The prior p is N(0, I), or with PRIOR a Gaussian N(pm, exp(pv)) for each row.
//
//   sampled_kl              divergence = log q(z) - log p(z) of a row, with BEFORE plus that of other groups of latents:
//                           sum (z^2 - v - noise^2) / 2 over dimensions; with PRIOR
//                           sum (pv - v - noise^2 + (z - pm)^2 exp(-pv)) / 2
//   sampled_kl_dimensions   the same of each dimension
//   sampled_kl_gradient     d z = u * z, where u is the gradient of the row's divergence
//   sampled_kl_prior_gradient  with r = (z - pm) exp(-pv):  d z = u * r,  d pm = -u * r,  d pv = u * (1 - (z - pm) r) / 2
//   sampled_kl_posterior_gradient  d v = -(sum of u over the samples) / 2: the gradients of log q(z) through z and through
//                           the posterior's parameters cancel but for this
//
// With GATED the gradient of each dimension is multiplied by its gate (gate.wgsl). Bindings that a flag leaves unread hold
// any buffer. A row of `posterior` and `prior` holds means, then log-variances, each padded to COLUMNS vec4. Row
// l * BATCH + r belongs to sample l of image r; rows past the minibatch are 0.
// Source: Burda et al., "Importance weighted autoencoders" (arXiv 1509.00519), section 5.

override BATCH: u32; // images
override SAMPLES: u32; // samples per image
override COLUMNS: u32; // vec4 in a row of `z`
override WIDTH: u32; // latent dimensions
override POSTERIOR_ROWS: u32; // row r of `z` is drawn from posterior r % POSTERIOR_ROWS
override PRIOR: bool;
override BEFORE: bool;
override GATED: bool;
override ACCUMULATE: bool; // add to the gradient

@group(0) @binding(1) var<storage, read> posterior: array<vec4<f32>>; // [POSTERIOR_ROWS, 2, COLUMNS]
@group(0) @binding(2) var<storage, read> prior: array<vec4<f32>>; // [SAMPLES * BATCH, 2, COLUMNS]
@group(0) @binding(3) var<storage, read> z: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(4) var<storage, read> noise: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(5) var<storage, read> before: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(6) var<storage, read_write> divergence: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(7) var<storage, read_write> dimensions: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(8) var<storage, read> upstream: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(9) var<storage, read> gate: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(10) var<storage, read_write> z_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(11) var<storage, read_write> prior_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, 2, COLUMNS]
@group(0) @binding(12) var<storage, read_write> posterior_gradient: array<vec4<f32>>; // [POSTERIOR_ROWS, 2, COLUMNS]

// The divergence of the four dimensions at `column` of a row. In the padding everything is 0.
fn divergence_at(row: u32, column: u32) -> vec4<f32> {
    let log_variance = posterior[row % POSTERIOR_ROWS * 2u * COLUMNS + COLUMNS + column];
    let drawn = z[row * COLUMNS + column];
    let draw = noise[row * COLUMNS + column];
    if PRIOR {
        let prior_log_variance = prior[row * 2u * COLUMNS + COLUMNS + column];
        let away = drawn - prior[row * 2u * COLUMNS + column];
        return 0.5 * (prior_log_variance - log_variance - draw * draw + away * away * exp(-prior_log_variance));
    }
    return 0.5 * (drawn * drawn - log_variance - draw * draw);
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
    if BEFORE {
        sum = before[row] + sum;
    }
    divergence[row] = sum;
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

// The gradient of each dimension's divergence.
fn share(row: u32, column: u32) -> vec4<f32> {
    if row % BATCH >= step.rows {
        return vec4<f32>(0.0);
    }
    if GATED {
        return upstream[row] * gate[column];
    }
    return vec4<f32>(upstream[row]);
}

fn add_to_z(i: u32, change: vec4<f32>) {
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
        add_to_z(i, share(i / COLUMNS, i % COLUMNS) * z[i]);
    }
}

@compute @workgroup_size(64)
fn sampled_kl_prior_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= SAMPLES * BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    let column = i % COLUMNS;
    let at = row * 2u * COLUMNS + column;
    let weight = share(row, column);
    let away = z[i] - prior[at];
    let slope = away * exp(-prior[at + COLUMNS]);
    add_to_z(i, weight * slope);
    prior_gradient[at] = -weight * slope;
    prior_gradient[at + COLUMNS] = 0.5 * weight * (1.0 - away * slope) * column_mask(column, WIDTH);
}

@compute @workgroup_size(64)
fn sampled_kl_posterior_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= POSTERIOR_ROWS * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    var sum = 0.0;
    for (var row = i / COLUMNS; row < SAMPLES * BATCH; row += POSTERIOR_ROWS) {
        if row % BATCH < step.rows {
            sum += upstream[row];
        }
    }
    var change = -0.5 * sum * column_mask(column, WIDTH);
    if GATED {
        change *= gate[column];
    }
    let at = i / COLUMNS * 2u * COLUMNS + column;
    if ACCUMULATE {
        posterior_gradient[at + COLUMNS] += change;
    } else {
        posterior_gradient[at] = vec4<f32>(0.0);
        posterior_gradient[at + COLUMNS] = change;
    }
}
