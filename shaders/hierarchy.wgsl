// Latents of a lower stochastic layer, whose prior depends on the layer above: z ~ q = N(mean, exp(v)) given the data,
// p = N(prior mean, exp(prior v)) given a sample of the upper layer. z = mean + exp(v / 2) * noise.
//
//   conditional_kl           divergence = log q(z) - log p(z)
//                            = sum (prior v - v - noise^2 + (z - prior mean)^2 exp(-prior v)) / 2 over dimensions
//   conditional_kl_dimensions  the same of each dimension
//   conditional_kl_gradient  with r = (z - prior mean) exp(-prior v) and weight w of the row,
//                            d z = beta w r,  d prior mean = -beta w r,
//                            d prior v = beta w (1 - (z - prior mean) r) / 2
//   conditional_kl_gradient_gated  the same, each dimension times its gate (gate.wgsl)
//
// The gradient that goes to q's log-variance through its density is `sampled_kl_posterior_gradient` (importance.wgsl).
// A row of `posterior` and `prior` holds means, then log-variances, each padded to COLUMNS vec4. Row l * BATCH + r belongs
// to sample l of image r; rows past the minibatch count for nothing.
// Source: Burda et al., "Importance weighted autoencoders" (arXiv 1509.00519), section 5.
//
// import: step, layout

override BATCH: u32; // images
override SAMPLES: u32; // samples per image
override COLUMNS: u32; // vec4 in a row of `z`
override WIDTH: u32; // latent dimensions
override ACCUMULATE: bool; // add to what `z_gradient` holds

@group(0) @binding(1) var<storage, read> posterior: array<vec4<f32>>; // [BATCH, 2, COLUMNS]
@group(0) @binding(2) var<storage, read> prior: array<vec4<f32>>; // [SAMPLES * BATCH, 2, COLUMNS]
@group(0) @binding(3) var<storage, read> z: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(4) var<storage, read> noise: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(5) var<storage, read> weights_read: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(6) var<storage, read_write> divergence: array<f32>; // [SAMPLES * BATCH]
@group(0) @binding(7) var<storage, read_write> z_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(8) var<storage, read_write> prior_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, 2, COLUMNS]
@group(0) @binding(9) var<storage, read_write> dimensions: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(10) var<storage, read> gate: array<vec4<f32>>; // [COLUMNS]

// The divergence of the four dimensions at `column` of a row.
fn divergence_at(row: u32, column: u32) -> vec4<f32> {
    // In the padding all of these are 0.
    let log_variance = posterior[row % BATCH * 2u * COLUMNS + COLUMNS + column];
    let prior_log_variance = prior[row * 2u * COLUMNS + COLUMNS + column];
    let away = z[row * COLUMNS + column] - prior[row * 2u * COLUMNS + column];
    let draw = noise[row * COLUMNS + column];
    return 0.5 * (prior_log_variance - log_variance - draw * draw + away * away * exp(-prior_log_variance));
}

@compute @workgroup_size(64)
fn conditional_kl(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
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
    divergence[row] = sum;
}

@compute @workgroup_size(64)
fn conditional_kl_dimensions(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
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

fn change(i: u32, share: vec4<f32>) {
    let row = i / COLUMNS;
    let column = i % COLUMNS;
    let at = row * 2u * COLUMNS + column;
    let weight = step.beta * weights_read[row] * share;
    let away = z[i] - prior[at];
    let slope = away * exp(-prior[at + COLUMNS]);
    if ACCUMULATE {
        z_gradient[i] += weight * slope;
    } else {
        z_gradient[i] = weight * slope;
    }
    prior_gradient[at] = -weight * slope;
    prior_gradient[at + COLUMNS] = 0.5 * weight * (1.0 - away * slope) * column_mask(column, WIDTH);
}

@compute @workgroup_size(64)
fn conditional_kl_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        change(i, vec4<f32>(1.0));
    }
}

@compute @workgroup_size(64)
fn conditional_kl_gradient_gated(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        change(i, gate[i % COLUMNS]);
    }
}
