// Hamiltonian Monte Carlo on the latents of many images at once, and annealed importance weights.
//
// A chain explores p(z) p(x|z)^beta: potential energy U(z) = -log p(z) - beta log p(x|z), p(z) = N(0, I), unit masses.
//
//   log_density  density = (log p(x|z), log p(z)), from the chunk sums of the negative log-likelihood
//   hmc_reset    the chain is at `latent`; its weight is 1
//   hmc_start    log weight += change * log p(x|position); momentum ~ N(0, I); half a kick and a drift
//   hmc_leap     a kick and a drift:  p -= size * grad U(latent),  latent += size * p
//   hmc_accept   half a kick; the end is accepted with probability min(1, exp(H(start) - H(end))), else the chain stays
//
// with beta = the step's number BETA, size = sizes[step.slot, image] (the leapfrog's step), change = its number CHANGE (by how
// much the inverse temperature has changed since the last transition; 0 for plain HMC).
// `latent_gradient` holds the gradient of the negative log-likelihood divided by the number of rows.
// Sources: Neal, "MCMC using Hamiltonian dynamics" (arXiv 1206.1901), section 3; Neal, "Annealed importance sampling",
// Statistics and Computing 11 (2001). Row l * BATCH + r is chain l of image r; an invocation has one row.
//
// import: step, philox, layout

override CHAINS: u32; // rows
override COLUMNS: u32; // vec4 in a row of `latent`
override WIDTH: u32; // latent dimensions
override BATCH: u32; // images
override CHUNKS: u32; // chunk sums of a row
override BETA: u32; // index of the step's inverse temperature
override CHANGE: u32; // index of its change

@group(0) @binding(1) var<storage, read> value: array<f32>; // [CHAINS, CHUNKS]
@group(0) @binding(2) var<storage, read> latent_gradient: array<vec4<f32>>; // [CHAINS, COLUMNS]
@group(0) @binding(3) var<storage, read_write> latent: array<vec4<f32>>; // [CHAINS, COLUMNS]
@group(0) @binding(4) var<storage, read_write> density: array<vec4<f32>>; // [CHAINS]: log p(x|z), log p(z), 0, 0
@group(0) @binding(5) var<storage, read_write> position: array<vec4<f32>>; // [CHAINS, COLUMNS]
@group(0) @binding(6) var<storage, read_write> position_gradient: array<vec4<f32>>; // like latent_gradient
@group(0) @binding(7) var<storage, read_write> momentum: array<vec4<f32>>; // [CHAINS, COLUMNS]
@group(0) @binding(8) var<storage, read_write> state: array<vec4<f32>>; // [CHAINS, 2]: log p(x|z), log p(z), log weight, its rounding error;
// kinetic energy at the start, acceptance, sum of it, transitions
@group(0) @binding(9) var<storage, read> sizes: array<f32>; // [steps, BATCH]

const LOG_TWO_PI = 1.8378770664093453;
const STREAM_ACCEPT = 16u;

// The gradient of the potential energy.
fn slope(at: vec4<f32>, likelihood_gradient: vec4<f32>) -> vec4<f32> {
    return at + step_number(BETA) * f32(CHAINS) * likelihood_gradient;
}

fn size_of(i: u32) -> f32 {
    return sizes[step.slot * BATCH + i % BATCH];
}

@compute @workgroup_size(64)
fn log_density(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= CHAINS {
        return;
    }
    // What rounding takes away is carried along (Kahan 1965); a driver that reassociates makes it a plain sum.
    var sum = 0.0;
    var carried = 0.0;
    for (var c = 0u; c < CHUNKS; c++) {
        let term = value[i * CHUNKS + c] - carried;
        let next = sum + term;
        carried = (next - sum) - term;
        sum = next;
    }
    var square = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let z = latent[i * COLUMNS + c];
        square += dot(z, z);
    }
    density[i] = vec4<f32>(-sum, -0.5 * (square + f32(WIDTH) * LOG_TWO_PI), 0.0, 0.0);
}

@compute @workgroup_size(64)
fn hmc_reset(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= CHAINS {
        return;
    }
    for (var c = 0u; c < COLUMNS; c++) {
        position[i * COLUMNS + c] = latent[i * COLUMNS + c];
        position_gradient[i * COLUMNS + c] = latent_gradient[i * COLUMNS + c];
    }
    state[2u * i] = vec4<f32>(density[i].xy, 0.0, 0.0);
    state[2u * i + 1u] = vec4<f32>(0.0);
}

@compute @workgroup_size(64)
fn hmc_start(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= CHAINS {
        return;
    }
    // Thousands of small changes are added: the rounding error is carried along.
    let now = state[2u * i];
    let term = step_number(CHANGE) * now.x - now.w;
    let weight = now.z + term;
    state[2u * i] = vec4<f32>(now.xy, weight, (weight - now.z) - term);
    let size = size_of(i);
    var kinetic = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let at = i * COLUMNS + c;
        let counter = vec4<u32>(at, step.counter_low, step.counter_high, step.stream);
        let draw = normals(philox(counter, vec2<u32>(step.seed_low, step.seed_high))) * column_mask(c, WIDTH);
        kinetic += 0.5 * dot(draw, draw);
        let here = position[at];
        let kicked = draw - 0.5 * size * slope(here, position_gradient[at]);
        momentum[at] = kicked;
        latent[at] = here + size * kicked;
    }
    state[2u * i + 1u].x = kinetic;
}

@compute @workgroup_size(64)
fn hmc_leap(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= CHAINS {
        return;
    }
    let size = size_of(i);
    for (var c = 0u; c < COLUMNS; c++) {
        let at = i * COLUMNS + c;
        let here = latent[at];
        let kicked = momentum[at] - size * slope(here, latent_gradient[at]);
        momentum[at] = kicked;
        latent[at] = here + size * kicked;
    }
}

@compute @workgroup_size(64)
fn hmc_accept(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= CHAINS {
        return;
    }
    let size = size_of(i);
    var kinetic = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let at = i * COLUMNS + c;
        let kicked = momentum[at] - 0.5 * size * slope(latent[at], latent_gradient[at]);
        momentum[at] = kicked;
        kinetic += 0.5 * dot(kicked, kicked);
    }
    let before = state[2u * i];
    let end = density[i];
    let past = state[2u * i + 1u];
    let change = step_number(BETA) * (end.x - before.x) + (end.y - before.y) + (past.x - kinetic);
    // A trajectory that has left all bounds gives NaN, and is rejected.
    var acceptance = 0.0;
    if change > -80.0 {
        acceptance = exp(min(change, 0.0));
    }
    let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM_ACCEPT);
    let draw = open_uniform(philox(counter, vec2<u32>(step.seed_low, step.seed_high)).xy).x;
    if draw < acceptance {
        state[2u * i] = vec4<f32>(end.xy, before.zw);
        for (var c = 0u; c < COLUMNS; c++) {
            position[i * COLUMNS + c] = latent[i * COLUMNS + c];
            position_gradient[i * COLUMNS + c] = latent_gradient[i * COLUMNS + c];
        }
    }
    state[2u * i + 1u] = vec4<f32>(past.x, acceptance, past.z + acceptance, past.w + 1.0);
}
