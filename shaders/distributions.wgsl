// Distributions that are known in closed form, for the figures of `vae deck`.
//
//   network_samples    ancestral sampling of a Bayesian network of discrete variables: every variable after its parents,
//                      from its row of the conditional table. A sample is one number, the values as digits, the first
//                      variable's the highest.
//   cholesky_samples   x = mean + L noise, noise ~ N(0, I): draws of N(mean, L L'), in up to four dimensions
//   mixture_density    log p(x) and its gradient, p(x) = sum over k of weight_k N(mean_k, P_k^-1), in two dimensions
//
// Sources: ancestral sampling, Koller and Friedman (2009), section 12.1; the network they call Student is figure 3.4.
//
// import: step, philox

override COUNT: u32; // samples, or points
override NODES: u32; // variables of the network, at most 8
override COMPONENTS: u32; // of the mixture

// A variable: its number of values, its first and second parent (NONE for none), and the start of its rows in
// `cumulative`. A row holds the sums of the probabilities of values 0, 0 to 1, ..; the rows are ordered by the
// first parent's value, then by the second's.
@group(0) @binding(1) var<storage, read> nodes: array<vec4<u32>>; // [NODES]
@group(0) @binding(2) var<storage, read> cumulative: array<f32>; // [rows of all variables]
@group(0) @binding(3) var<storage, read_write> outcome: array<f32>; // [COUNT]
@group(0) @binding(4) var<storage, read> factor: array<vec4<f32>>; // [4], columns of L
@group(0) @binding(5) var<storage, read> mean: array<vec4<f32>>; // [1]
@group(0) @binding(6) var<storage, read_write> samples: array<vec4<f32>>; // [COUNT]
// Of each component the mean and the logarithm of weight |P|^1/2 / (2 pi); then P11, P12, P22.
@group(0) @binding(7) var<storage, read> components: array<vec4<f32>>; // [COMPONENTS, 2]
@group(0) @binding(8) var<storage, read> points: array<vec4<f32>>; // [COUNT], x and y
@group(0) @binding(9) var<storage, read_write> density: array<vec4<f32>>; // [COUNT]: log p, d/dx, d/dy, 0

const NONE = 8u;

fn draw(i: u32) -> vec4<u32> {
    let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream);
    return philox(counter, vec2<u32>(step.seed_low, step.seed_high));
}

@compute @workgroup_size(64)
fn network_samples(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= COUNT {
        return;
    }
    // Entry NONE stays 0: it stands for a missing parent.
    var values = array<u32, 9>(0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u);
    var words = vec4<u32>(0u);
    var code = 0u;
    for (var n = 0u; n < NODES; n++) {
        if n % 4u == 0u {
            words = draw(2u * i + n / 4u);
        }
        let node = nodes[n];
        var second_values = 1u;
        if node.z < NONE {
            second_values = nodes[node.z].x;
        }
        let row = values[node.y] * second_values + values[node.z];
        let u = open_uniform(vec2<u32>(words[n % 4u])).x;
        var value = 0u;
        // The last value has the remaining probability.
        for (var v = 0u; v + 1u < node.x; v++) {
            if u >= cumulative[node.w + row * node.x + v] {
                value = v + 1u;
            }
        }
        values[n] = value;
        code = code * node.x + value;
    }
    outcome[i] = f32(code);
}

@compute @workgroup_size(64)
fn cholesky_samples(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < COUNT {
        let noise = normals(draw(i));
        samples[i] = mean[0] + factor[0] * noise.x + factor[1] * noise.y + factor[2] * noise.z + factor[3] * noise.w;
    }
}

// Log density of one weighted component, and its gradient.
fn component(k: u32, point: vec2<f32>) -> vec3<f32> {
    let place = components[2u * k];
    let inverse = components[2u * k + 1u];
    let d = point - place.xy;
    let slope = vec2<f32>(inverse.x * d.x + inverse.y * d.y, inverse.y * d.x + inverse.z * d.y);
    return vec3<f32>(place.z - 0.5 * dot(d, slope), -slope);
}

@compute @workgroup_size(64)
fn mixture_density(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= COUNT {
        return;
    }
    let point = points[i].xy;
    var largest = component(0u, point).x;
    for (var k = 1u; k < COMPONENTS; k++) {
        largest = max(largest, component(k, point).x);
    }
    var total = 0.0;
    var gradient = vec2<f32>(0.0);
    for (var k = 0u; k < COMPONENTS; k++) {
        let part = component(k, point);
        let weight = exp(part.x - largest);
        total += weight;
        gradient += weight * part.yz;
    }
    density[i] = vec4<f32>(largest + log(total), gradient / total, 0.0);
}
