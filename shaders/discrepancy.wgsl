// The maximum mean discrepancy between latents z_r of a minibatch of B images and as many draws p_r of the prior N(0, I), by
// inverse multiquadratic kernels of seven widths:
//
//   k(x, y) = sum over s of C / (C + |x - y|^2), C = 2 WIDTH s, s = 0.1, 0.2, 0.5, 1, 2, 5, 10
//
//   prior_samples                 p
//   kernel_discrepancy            of image r: sum_{j != r} (k(z_r, z_j) + k(p_r, p_j)) / (B - 1) - 2 sum_j k(z_r, p_j) / B. The mean
//                                 over the images is the unbiased estimate.
//   kernel_discrepancy_gradient   d z_r = sum_{j != r} (u_r + u_j) k'(z_r, z_j) / (B - 1) - 2 u_r sum_j k'(z_r, p_j) / B, with
//                                 k' the derivative by the first argument
//
// In a minibatch of one image no latents can be compared with each other, and these terms are 0. Rows past the minibatch are 0.
// Source: Tolstikhin et al., "Wasserstein auto-encoders" (arXiv 1711.01558), algorithm 2 and section 4.
//
// import: step, layout, philox

override BATCH: u32; // images
override COLUMNS: u32; // vec4 in a row
override WIDTH: u32; // latent dimensions
override STREAM: u32; // added to the step's stream
override ACCUMULATE: bool; // add to the gradient

@group(0) @binding(1) var<storage, read> z: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(2) var<storage, read_write> prior: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(3) var<storage, read> prior_used: array<vec4<f32>>; // the same
@group(0) @binding(4) var<storage, read_write> discrepancy: array<f32>; // [BATCH]
@group(0) @binding(5) var<storage, read> upstream: array<f32>; // [BATCH]
@group(0) @binding(6) var<storage, read_write> z_gradient: array<vec4<f32>>; // [BATCH, COLUMNS]

@compute @workgroup_size(64)
fn prior_samples(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM);
    let draws = normals(philox(counter, vec2<u32>(step.seed_low, step.seed_high)));
    prior[i] = draws * column_mask(i % COLUMNS, WIDTH);
}

// One width of the kernel.
fn one_width(scale: f32, square: f32) -> f32 {
    let c = 2.0 * f32(WIDTH) * scale;
    return c / (c + square);
}

fn kernel(square: f32) -> f32 {
    return one_width(0.1, square) + one_width(0.2, square) + one_width(0.5, square) + one_width(1.0, square)
        + one_width(2.0, square) + one_width(5.0, square) + one_width(10.0, square);
}

// The derivative of one width by the square of the distance.
fn one_slope(scale: f32, square: f32) -> f32 {
    let c = 2.0 * f32(WIDTH) * scale;
    let part = 1.0 / (c + square);
    return -c * part * part;
}

fn kernel_slope(square: f32) -> f32 {
    return one_slope(0.1, square) + one_slope(0.2, square) + one_slope(0.5, square) + one_slope(1.0, square)
        + one_slope(2.0, square) + one_slope(5.0, square) + one_slope(10.0, square);
}

fn distance_of_latents(r: u32, j: u32) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let away = z[r * COLUMNS + c] - z[j * COLUMNS + c];
        sum += dot(away, away);
    }
    return sum;
}

fn distance_of_draws(r: u32, j: u32) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let away = prior_used[r * COLUMNS + c] - prior_used[j * COLUMNS + c];
        sum += dot(away, away);
    }
    return sum;
}

fn distance_to_draw(r: u32, j: u32) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let away = z[r * COLUMNS + c] - prior_used[j * COLUMNS + c];
        sum += dot(away, away);
    }
    return sum;
}

@compute @workgroup_size(64)
fn kernel_discrepancy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= BATCH {
        return;
    }
    var same = 0.0;
    var across = 0.0;
    if row < step.rows {
        for (var j = 0u; j < step.rows; j++) {
            if j != row {
                same += kernel(distance_of_latents(row, j)) + kernel(distance_of_draws(row, j));
            }
            across += kernel(distance_to_draw(row, j));
        }
    }
    discrepancy[row] = same / max(f32(step.rows) - 1.0, 1.0) - 2.0 * across / f32(step.rows);
}

@compute @workgroup_size(64)
fn kernel_discrepancy_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    let column = i % COLUMNS;
    var sum = vec4<f32>(0.0);
    if row < step.rows {
        let own = upstream[row];
        let share = 1.0 / max(f32(step.rows) - 1.0, 1.0);
        for (var j = 0u; j < step.rows; j++) {
            // The latents of the row itself are no distance away, and add nothing.
            let same = 2.0 * (own + upstream[j]) * share * kernel_slope(distance_of_latents(row, j));
            let across = 4.0 * own / f32(step.rows) * kernel_slope(distance_to_draw(row, j));
            sum += same * (z[i] - z[j * COLUMNS + column]) - across * (z[i] - prior_used[j * COLUMNS + column]);
        }
    }
    if ACCUMULATE {
        sum += z_gradient[i];
    }
    z_gradient[i] = sum;
}
