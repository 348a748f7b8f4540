// The Gaussian posterior q(z|x) = N(mean, exp(log_variance)): samples, and its KL divergence to N(0, I).
// A row of `posterior` holds the means, then the log-variances, each padded to COLUMNS vec4.
//
//   reparametrize            z = mean + exp(log_variance / 2) * noise, noise ~ N(0, I)
//   reparametrize_gradient   d mean = sum_l dz,  d log_variance = sum_l dz * noise * exp(log_variance / 2) / 2
//   gaussian_kl              divergence = (mean^2 + exp(log_variance) - 1 - log_variance) / 2
//   gaussian_kl_gradient     d mean = weight * mean,  d log_variance = weight * (exp(log_variance) - 1) / 2,
//                            weight = WEIGHT * number / step.rows, number is the step's number NUMBER
//   gaussian_kl_pull_back    the same with a weight for each element, from `divergence_gradient`
//   batch_mean               the divergence of each dimension, averaged over the minibatch, for free bits
//   gaussian_kl_gradient_free_bits   the same gradient where that average is above FREE_BITS, else 0
//   gaussian_kl_gradient_floor       the same gradient for images whose divergence, summed over dimensions, is FLOOR or more
//   gaussian_kl_gradient_capacity    the same gradient times the sign of (sum of that average - the step's number CAPACITY)
//
//   reparametrize_kl, reparametrize_kl_gradient   the first and the third, the second and the fourth, in one
//
// Source: Kingma and Welling, "Auto-encoding variational Bayes" (arXiv 1312.6114), section 2.4 and appendix B;
// free bits: Kingma et al., "Improving variational inference with inverse autoregressive flow" (arXiv 1606.04934);
// floor: Ha and Schmidhuber, "Recurrent world models facilitate policy evolution" (arXiv 1809.01999), of V;
// capacity: Burgess et al., "Understanding disentangling in beta-VAE" (arXiv 1804.03599), equation 8.
// Sample l of image r is row l * BATCH + r of `z`.
//
// import: step, philox, layout

override BATCH: u32; // images
override SAMPLES: u32; // noise samples per image
override COLUMNS: u32; // vec4 in a row of `z`
override WIDTH: u32; // latent dimensions
override ACCUMULATE: bool;
override FREE_BITS: f32; // nats per dimension
override FLOOR: f32; // nats per image
override WEIGHT: f32; // of the divergence in the objective
override NUMBER: u32; // index of the step's number that multiplies it
override CAPACITY: u32; // index of the step's capacity
override STREAM: u32; // added to the step's stream: each layer of latents has noise of its own

@group(0) @binding(1) var<storage, read> posterior: array<vec4<f32>>; // [BATCH, 2, COLUMNS]
@group(0) @binding(2) var<storage, read> z_gradient: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(3) var<storage, read> noise_used: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(4) var<storage, read> average: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(5) var<storage, read_write> z: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(6) var<storage, read_write> noise: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]
@group(0) @binding(7) var<storage, read_write> posterior_gradient: array<vec4<f32>>; // [BATCH, 2, COLUMNS]
@group(0) @binding(8) var<storage, read_write> divergence: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(9) var<storage, read> divergence_read: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(10) var<storage, read_write> batch_average: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(11) var<storage, read> divergence_gradient: array<vec4<f32>>; // [BATCH, COLUMNS]

fn position(i: u32) -> u32 {
    return i / COLUMNS * 2u * COLUMNS + i % COLUMNS;
}

fn sample(i: u32) {
    let column = i % COLUMNS;
    let at = (i / COLUMNS) % BATCH * 2u * COLUMNS + column;
    let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM);
    let draw = normals(philox(counter, vec2<u32>(step.seed_low, step.seed_high))) * column_mask(column, WIDTH);
    noise[i] = draw;
    z[i] = posterior[at] + exp(0.5 * posterior[at + COLUMNS]) * draw;
}

fn kl(i: u32) {
    let mean = posterior[position(i)];
    let log_variance = posterior[position(i) + COLUMNS];
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        // In the padding mean and log-variance are 0, and so is this.
        value = 0.5 * (mean * mean + exp(log_variance) - 1.0 - log_variance);
    }
    divergence[i] = value;
}

@compute @workgroup_size(64)
fn reparametrize(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        sample(i);
    }
}

@compute @workgroup_size(64)
fn gaussian_kl(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < BATCH * COLUMNS {
        kl(i);
    }
}

@compute @workgroup_size(64)
fn reparametrize_kl(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        sample(i);
    }
    if i < BATCH * COLUMNS {
        kl(i);
    }
}

fn add_gradient(at: u32, mean: vec4<f32>, log_variance: vec4<f32>) {
    if ACCUMULATE {
        posterior_gradient[at] += mean;
        posterior_gradient[at + COLUMNS] += log_variance;
    } else {
        posterior_gradient[at] = mean;
        posterior_gradient[at + COLUMNS] = log_variance;
    }
}

// Gradients of mean and log-variance.
struct Change {
    mean: vec4<f32>,
    log_variance: vec4<f32>,
}

fn change_by_samples(i: u32) -> Change {
    var mean = vec4<f32>(0.0);
    var scale = vec4<f32>(0.0);
    for (var l = 0u; l < SAMPLES; l++) {
        let g = z_gradient[l * BATCH * COLUMNS + i];
        mean += g;
        scale += g * noise_used[l * BATCH * COLUMNS + i];
    }
    return Change(mean, scale * 0.5 * exp(0.5 * posterior[position(i) + COLUMNS]));
}

fn change_by_kl(i: u32, weight: vec4<f32>) -> Change {
    let at = position(i);
    return Change(weight * posterior[at], weight * 0.5 * (exp(posterior[at + COLUMNS]) - 1.0));
}

// Rows past the minibatch have no weight.
fn kl_weight(i: u32) -> f32 {
    if i / COLUMNS < step.rows {
        return WEIGHT * step_number(NUMBER) / f32(step.rows);
    }
    return 0.0;
}

@compute @workgroup_size(64)
fn reparametrize_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < BATCH * COLUMNS {
        let change = change_by_samples(i);
        add_gradient(position(i), change.mean, change.log_variance);
    }
}

@compute @workgroup_size(64)
fn gaussian_kl_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < BATCH * COLUMNS {
        let change = change_by_kl(i, vec4<f32>(kl_weight(i)));
        add_gradient(position(i), change.mean, change.log_variance);
    }
}

@compute @workgroup_size(64)
fn gaussian_kl_pull_back(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    var weight = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        weight = divergence_gradient[i];
    }
    let change = change_by_kl(i, weight);
    add_gradient(position(i), change.mean, change.log_variance);
}

@compute @workgroup_size(64)
fn reparametrize_kl_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < BATCH * COLUMNS {
        let first = change_by_kl(i, vec4<f32>(kl_weight(i)));
        let second = change_by_samples(i);
        add_gradient(position(i), first.mean + second.mean, first.log_variance + second.log_variance);
    }
}

@compute @workgroup_size(64)
fn gaussian_kl_gradient_free_bits(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < BATCH * COLUMNS {
        let open = average[i % COLUMNS] > vec4<f32>(FREE_BITS);
        let change = change_by_kl(i, select(vec4<f32>(0.0), vec4<f32>(kl_weight(i)), open));
        add_gradient(position(i), change.mean, change.log_variance);
    }
}

@compute @workgroup_size(64)
fn gaussian_kl_gradient_floor(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var column = 0u; column < COLUMNS; column++) {
        sum += divergence_read[i / COLUMNS * COLUMNS + column];
    }
    var weight = 0.0;
    if dot(sum, vec4<f32>(1.0)) >= FLOOR {
        weight = kl_weight(i);
    }
    let change = change_by_kl(i, vec4<f32>(weight));
    add_gradient(position(i), change.mean, change.log_variance);
}

// The derivative of |KL - capacity| with respect to KL, the divergence of all dimensions together.
fn side_of_capacity() -> f32 {
    var sum = vec4<f32>(0.0);
    for (var column = 0u; column < COLUMNS; column++) {
        sum += average[column];
    }
    return sign(dot(sum, vec4<f32>(1.0)) - step_number(CAPACITY));
}

@compute @workgroup_size(64)
fn gaussian_kl_gradient_capacity(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < BATCH * COLUMNS {
        let change = change_by_kl(i, vec4<f32>(kl_weight(i) * side_of_capacity()));
        add_gradient(position(i), change.mean, change.log_variance);
    }
}

@compute @workgroup_size(64)
fn batch_mean(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if column >= COLUMNS {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var row = 0u; row < step.rows; row++) {
        sum += divergence_read[row * COLUMNS + column];
    }
    batch_average[column] = sum / f32(step.rows);
}
