// Penalties of deterministic autoencoders. Codes are [rows, COLUMNS]; `rows`, of the step, are those of the minibatch.
//
//   squares         penalty = SCALE z^2, 0 in rows past the minibatch (Ghosh et al., arXiv 1903.12436, equation 10)
//   add_square_sum  total = before + SCALE rows sum(w^2): of a loss that is divided by rows, SCALE sum(w^2)
//   row_squares     n[j] = sum over i of W[j, i]^2
//   slope_squares   s = SCALE (h (1 - h))^2: with n the squared Frobenius norm of the Jacobian of h = sigmoid(W x + b) is
//                   sum over j of s[j] n[j] (Rifai et al., ICML 2011, equation 7)
//   sparsity        penalty[j] = SCALE rows KL(TARGET || r[j]), where r is the mean code of the minibatch:
//                   KL(p || r) = p ln(p / r) + (1 - p) ln((1 - p) / (1 - r)) (Ng, "Sparse autoencoder", 2011)
//   .._gradient     the gradient of its input; with ACCUMULATE added to what is there
//
// import: step, layout

override LENGTH: u32; // vec4, padding included
override COLUMNS: u32; // vec4 in a row
override ROWS: u32; // rows of `weight`
override WIDTH: u32; // codes in a row
override SCALE: f32;
override TARGET: f32; // mean code that is wanted
override FIRST: bool; // there is no `before`
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> code: array<vec4<f32>>; // [rows, COLUMNS]
@group(0) @binding(2) var<storage, read_write> penalty: array<vec4<f32>>; // like `code`; of `sparsity` [COLUMNS]
@group(0) @binding(3) var<storage, read> upstream: array<vec4<f32>>; // like `penalty`
@group(0) @binding(4) var<storage, read_write> code_gradient: array<vec4<f32>>; // like `code`
@group(0) @binding(5) var<storage, read> weight: array<vec4<f32>>; // [LENGTH], or [ROWS, COLUMNS]
@group(0) @binding(6) var<storage, read_write> weight_gradient: array<vec4<f32>>; // like `weight`
@group(0) @binding(7) var<storage, read> before: array<vec4<f32>>; // [1]
@group(0) @binding(8) var<storage, read_write> total: array<vec4<f32>>; // [1]
@group(0) @binding(9) var<storage, read_write> norms: array<f32>; // [ROWS]
@group(0) @binding(10) var<storage, read> norms_upstream: array<f32>; // [ROWS]
@group(0) @binding(11) var<storage, read> average: array<vec4<f32>>; // [COLUMNS]

const LANES = 256u;
// Mean codes stay this far from 0 and from 1.
const LEAST = 1e-6;

var<workgroup> lanes: array<f32, 256>;

@compute @workgroup_size(64)
fn squares(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        value = SCALE * code[i] * code[i];
    }
    penalty[i] = value;
}

@compute @workgroup_size(64)
fn squares_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        value = 2.0 * SCALE * code[i] * upstream[i];
    }
    if ACCUMULATE {
        value += code_gradient[i];
    }
    code_gradient[i] = value;
}

@compute @workgroup_size(256)
fn add_square_sum(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var i = lane; i < LENGTH; i += LANES) {
        own += dot(weight[i], weight[i]);
    }
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    if lane == 0u {
        var sum = SCALE * f32(step.rows) * lanes[0];
        if !FIRST {
            sum += before[0].x;
        }
        total[0] = vec4<f32>(sum, 0.0, 0.0, 0.0);
    }
}

@compute @workgroup_size(64)
fn add_square_sum_gradient(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = 2.0 * SCALE * f32(step.rows) * upstream[0].x * weight[i];
    if ACCUMULATE {
        value += weight_gradient[i];
    }
    weight_gradient[i] = value;
}

@compute @workgroup_size(64)
fn row_squares(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= ROWS {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var i = row * COLUMNS; i < (row + 1u) * COLUMNS; i++) {
        sum += weight[i] * weight[i];
    }
    norms[row] = sum.x + sum.y + sum.z + sum.w;
}

@compute @workgroup_size(64)
fn row_squares_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * COLUMNS {
        return;
    }
    var value = 2.0 * norms_upstream[i / COLUMNS] * weight[i];
    if ACCUMULATE {
        value += weight_gradient[i];
    }
    weight_gradient[i] = value;
}

@compute @workgroup_size(64)
fn slope_squares(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        let slope = code[i] * (1.0 - code[i]);
        value = SCALE * slope * slope;
    }
    penalty[i] = value;
}

@compute @workgroup_size(64)
fn slope_squares_gradient(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        let h = code[i];
        value = 2.0 * SCALE * h * (1.0 - h) * (1.0 - 2.0 * h) * upstream[i];
    }
    if ACCUMULATE {
        value += code_gradient[i];
    }
    code_gradient[i] = value;
}

@compute @workgroup_size(64)
fn sparsity(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= COLUMNS {
        return;
    }
    let mean = clamp(average[i], vec4<f32>(LEAST), vec4<f32>(1.0 - LEAST));
    let value = TARGET * log(TARGET / mean) + (1.0 - TARGET) * log((1.0 - TARGET) / (1.0 - mean));
    penalty[i] = keep_width(SCALE * f32(step.rows) * value, i);
}

@compute @workgroup_size(64)
fn sparsity_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let column = i % COLUMNS;
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        // The mean of the minibatch divides by the rows that `sparsity` multiplies by.
        let mean = clamp(average[column], vec4<f32>(LEAST), vec4<f32>(1.0 - LEAST));
        let slope = (1.0 - TARGET) / (1.0 - mean) - TARGET / mean;
        value = keep_width(SCALE * slope * upstream[column], column);
    }
    if ACCUMULATE {
        value += code_gradient[i];
    }
    code_gradient[i] = value;
}

// 0 in the padding of vec4 number `column` of a row.
fn keep_width(value: vec4<f32>, column: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), value, vec4<u32>(4u * column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(WIDTH));
}
