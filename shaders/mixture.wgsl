// Densities that are mixtures of K = COMPONENTS Gaussians, one for each number of a row: "mixture density networks" (Bishop 1994), with
// weights for each latent dimension apart, as in World Models (Ha and Schmidhuber 2018, arXiv 1803.10122).
//
// For each dimension a row of `parameters` holds 3 K numbers: log-weights l, means m and log standard deviations s. With
// w = softmax(l), a target t, e_k = (t - m_k) exp(-s_k) and r_k = w_k N(t; m_k, exp(s_k)) over the sum of these:
//
//   mixture_negative_log_likelihood            for each item the sum over its STEPS rows and WIDTH dimensions of
//                                              -log sum_k w_k N(t; m_k, exp(s_k)); 0 for items past the minibatch
//   mixture_negative_log_likelihood_gradient   u times w_k - r_k, -r_k e_k exp(-s_k) and r_k (1 - e_k^2), where u is the item's upstream
//                                              gradient; with ACCUMULATE added to what is there
//   mixture_draw                               at a temperature tau: m_k + exp(s_k) sqrt(tau) n, where k has the probability
//                                              softmax(l / tau)_k and n is standard normal
//
// Both logarithms are those of sums of exponentials of distances to the largest term.
//
// import: step, philox

override BATCH: u32; // items
override STEPS: u32; // rows of an item
override WIDTH: u32; // latent dimensions
override COMPONENTS: u32;
override PARAMETERS: u32; // elements of a row of parameters, padding included
override STRIDE: u32; // elements of a row of targets or draws, padding included
override ROWS: u32; // rows of draws
override NUMBER: u32; // of the step: the temperature
override STREAM: u32; // added to the step's stream
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [BATCH * STEPS, PARAMETERS], or [ROWS, PARAMETERS]
@group(0) @binding(2) var<storage, read> target_rows: array<f32>; // [BATCH * STEPS, STRIDE]
@group(0) @binding(3) var<storage, read_write> nats: array<f32>; // [BATCH]
@group(0) @binding(4) var<storage, read> upstream: array<f32>; // [BATCH]
@group(0) @binding(5) var<storage, read_write> parameters_gradient: array<f32>; // like `parameters`
@group(0) @binding(6) var<storage, read_write> draws: array<f32>; // [ROWS, STRIDE]

const LANES = 256u;
const LOWEST = -3.4028234e38;
const HALF_LOG_TAU = 0.9189385332046727;

var<workgroup> lanes: array<f32, 256>;

// The largest log-weight and the sum of exponentials of distances to it, and the same of w_k N(t; m_k, exp(s_k)) without the factor
// 1 / sqrt(2 pi).
struct Sums {
    weight: f32,
    weights: f32,
    term: f32,
    terms: f32,
}

// l_k + log N(t; m_k, exp(s_k)) + HALF_LOG_TAU of the component whose log-weight is at `at`.
fn log_term(at: u32, goal: f32) -> f32 {
    let deviation = parameters[at + 2u * COMPONENTS];
    let e = (goal - parameters[at + COMPONENTS]) * exp(-deviation);
    return parameters[at] - 0.5 * e * e - deviation;
}

fn sums_of(begin: u32, goal: f32) -> Sums {
    var weight = LOWEST;
    var term = LOWEST;
    for (var k = 0u; k < COMPONENTS; k++) {
        weight = max(weight, parameters[begin + k]);
        term = max(term, log_term(begin + k, goal));
    }
    var weights = 0.0;
    var terms = 0.0;
    for (var k = 0u; k < COMPONENTS; k++) {
        weights += exp(parameters[begin + k] - weight);
        terms += exp(log_term(begin + k, goal) - term);
    }
    return Sums(weight, weights, term, terms);
}

@compute @workgroup_size(256)
fn mixture_negative_log_likelihood(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let item = workgroup.y * workgroups.x + workgroup.x;
    var own = 0.0;
    if item < BATCH && item < step.rows {
        for (var i = lane; i < STEPS * WIDTH; i += LANES) {
            let row = item * STEPS + i / WIDTH;
            let d = i % WIDTH;
            let sums = sums_of(row * PARAMETERS + 3u * COMPONENTS * d, target_rows[row * STRIDE + d]);
            own += sums.weight - sums.term + log(sums.weights / sums.terms) + HALF_LOG_TAU;
        }
    }
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    if lane == 0u && item < BATCH {
        nats[item] = lanes[0];
    }
}

fn put(at: u32, value: f32) {
    if ACCUMULATE {
        parameters_gradient[at] += value;
    } else {
        parameters_gradient[at] = value;
    }
}

@compute @workgroup_size(64)
fn mixture_negative_log_likelihood_gradient(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * STEPS * WIDTH {
        return;
    }
    let row = i / WIDTH;
    let d = i % WIDTH;
    let begin = row * PARAMETERS + 3u * COMPONENTS * d;
    let goal = target_rows[row * STRIDE + d];
    var factor = 0.0;
    var sums = Sums(0.0, 1.0, 0.0, 1.0);
    let inside = row / STEPS < step.rows;
    if inside {
        factor = upstream[row / STEPS];
        sums = sums_of(begin, goal);
    }
    for (var k = 0u; k < COMPONENTS; k++) {
        let at = begin + k;
        var weight = 0.0;
        var mean = 0.0;
        var deviation = 0.0;
        if inside {
            let scale = exp(-parameters[at + 2u * COMPONENTS]);
            let e = (goal - parameters[at + COMPONENTS]) * scale;
            let share = factor * exp(log_term(at, goal) - sums.term) / sums.terms;
            weight = factor * exp(parameters[at] - sums.weight) / sums.weights - share;
            mean = -share * e * scale;
            deviation = share * (1.0 - e * e);
        }
        put(at, weight);
        put(at + COMPONENTS, mean);
        put(at + 2u * COMPONENTS, deviation);
    }
    // The last dimension of a row writes its padding.
    if d + 1u == WIDTH {
        for (var at = row * PARAMETERS + 3u * COMPONENTS * WIDTH; at < (row + 1u) * PARAMETERS; at++) {
            put(at, 0.0);
        }
    }
}

@compute @workgroup_size(64)
fn mixture_draw(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * STRIDE {
        return;
    }
    let row = i / STRIDE;
    let d = i % STRIDE;
    var value = 0.0;
    if d < WIDTH {
        let begin = row * PARAMETERS + 3u * COMPONENTS * d;
        let temperature = step_number(NUMBER);
        var largest = LOWEST;
        for (var k = 0u; k < COMPONENTS; k++) {
            largest = max(largest, parameters[begin + k]);
        }
        var sum = 0.0;
        for (var k = 0u; k < COMPONENTS; k++) {
            sum += exp((parameters[begin + k] - largest) / temperature);
        }
        let counter = vec4<u32>(row * WIDTH + d, step.counter_low, step.counter_high, step.stream + STREAM);
        let words = philox(counter, vec2<u32>(step.seed_low, step.seed_high));
        // The first component with which the sum of weights is above this; the first word is not read by the normal number, which
        // comes of the second and the fourth.
        let wanted = open_uniform(words.xx).x * sum;
        var chosen = 0u;
        var reached = 0.0;
        for (var k = 0u; k + 1u < COMPONENTS; k++) {
            reached += exp((parameters[begin + k] - largest) / temperature);
            if reached < wanted {
                chosen = k + 1u;
            }
        }
        let at = begin + chosen;
        value = parameters[at + COMPONENTS] + exp(parameters[at + 2u * COMPONENTS]) * sqrt(temperature) * normals(words).y;
    }
    draws[i] = value;
}
