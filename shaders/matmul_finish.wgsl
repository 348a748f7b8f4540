// The second half of a matrix product whose sum over k was split among workgroups (partial_nt, partial_nn, partial_tn of
// shared/matmul_tiled.wgsl): the parts are added in order, so that the result never depends on which was first.
//
//   finish_nt              output[m, n] = activation(sum_s parts[s, m, n] + bias[n])
//   finish_nn              output[m, n] = sum_s parts[s, m, n]
//   finish_nn_derivative   the same, times activation'(saved[m, n])
//   finish_tn              output[m, n] = sum_s parts[s, m, n]; in `parts` the sums of a's columns follow the products
//   finish_tn_bias         the same, and output[BIAS_START + m] = those sums
//
// import: step, layout, activation

override ROWS: u32; // m: rows of `output`
override COLUMNS: u32; // n: vec4 in a row of `output`
override PARTS: u32; // s
override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section; the rest is padding
override BIAS_START: u32; // vec4 from the start of `output` to the bias
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>; // [PARTS, ROWS * COLUMNS (tn: + ROWS / 4)]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]

// Vec4 `i` of all parts, which are `stride` apart, added.
fn sum_of_parts(i: u32, stride: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var s = 0u; s < PARTS; s++) {
        sum += parts[s * stride + i];
    }
    return sum;
}

fn store(at: u32, value: vec4<f32>) {
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

@compute @workgroup_size(64)
fn finish_nt(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        let column = i % COLUMNS;
        output[i] = activation(ACTIVATION, sum_of_parts(i, ROWS * COLUMNS) + bias[column])
            * column_mask(column % SECTION, WIDTH);
    }
}

@compute @workgroup_size(64)
fn finish_nn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        store(i, sum_of_parts(i, ROWS * COLUMNS));
    }
}

@compute @workgroup_size(64)
fn finish_nn_derivative(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        store(i, sum_of_parts(i, ROWS * COLUMNS) * activation_derivative(ACTIVATION, saved[i]));
    }
}

@compute @workgroup_size(64)
fn finish_tn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        store(i, sum_of_parts(i, ROWS * COLUMNS + ROWS / 4u));
    }
}

@compute @workgroup_size(64)
fn finish_tn_bias(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let products = ROWS * COLUMNS;
    if i < products + ROWS / 4u {
        let at = select(i, BIAS_START + i - products, i >= products);
        store(at, sum_of_parts(i, products + ROWS / 4u));
    }
}
