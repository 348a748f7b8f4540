// Matrix products by tiles in workgroup memory, for GPUs: the kernels of matmul.wgsl, each with the suffix `_tiled` and the
// tile size (matmul_tiled_64.wgsl).
//
//   matmul_nt              output[m, n] = activation(sum_k a[m, k] b[n, k] + bias[n])
//   matmul_nn              output[m, n] = sum_k a[m, k] b[k, n]
//   matmul_nn_derivative   the same, times activation'(saved[m, n])
//   matmul_tn              output[m, n] = sum_k a[k, m] b[k, n]
//   matmul_tn_bias         the same, and output[BIAS_START + m] = sum_k a[k, m]
//
// Matrices are row-major in vec4 (shared/layout.wgsl).
//
// import: layout, activation, tiles, operands_matrix

override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section; the rest is padding
override BIAS_START: u32; // vec4 from the start of `output` to the bias
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]

fn corner(group: vec3<u32>) -> Corner {
    return Corner(group.y * TILE_ROWS, group.x * TILE_COLUMNS, vec2<u32>(0u), vec2<u32>(0u));
}

fn store(at: u32, value: vec4<f32>) {
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_nt_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NT, corner(group), local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, corner(group), local);
        if is_inside(at) {
            output[at.x * COLUMNS + at.y] =
                activation(ACTIVATION, values[i] + bias[at.y]) * column_mask(at.y % SECTION, WIDTH);
        }
    }
}

fn store_tile(group: vec3<u32>, local: u32, t: Registers) {
    var values = in_order(t);
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, corner(group), local);
        if is_inside(at) {
            store(at.x * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_nn_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    store_tile(group, local, multiply_tiles(NN, corner(group), local, 0u, 4u * INNER, false, &unused));
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_nn_derivative_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NN, corner(group), local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, corner(group), local);
        if is_inside(at) {
            let element = at.x * COLUMNS + at.y;
            store(element, values[i] * activation_derivative(ACTIVATION, saved[element]));
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_tn_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    store_tile(group, local, multiply_tiles(TN, corner(group), local, 0u, INNER, false, &unused));
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_tn_bias_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var sum = vec4<f32>(0.0);
    store_tile(group, local, multiply_tiles(TN, corner(group), local, 0u, INNER, group.x == 0u, &sum));
    let column = group.y * (TILE_ROWS / 4u) + local;
    if group.x == 0u && local < TILE_ROWS / 4u && column < ROWS / 4u {
        store(BIAS_START + column, sum);
    }
}
