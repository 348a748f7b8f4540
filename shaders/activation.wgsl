// Activation functions that are not fused into a matrix product.
//
//   activate            output = activation(input)
//   activate_gradient   output = gradient * activation'(saved)
//
// import: step, layout, activation

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section
override ACTIVATION: u32;
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>; // [ROWS, COLUMNS]; the upstream gradient going back
@group(0) @binding(2) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]: the value, or the argument of SILU and GELU
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]

@compute @workgroup_size(64)
fn activate(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        output[i] = activation(ACTIVATION, input[i]) * column_mask(i % COLUMNS % SECTION, WIDTH);
    }
}

@compute @workgroup_size(64)
fn activate_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * COLUMNS {
        return;
    }
    let value = input[i] * activation_derivative(ACTIVATION, saved[i]);
    if ACCUMULATE {
        output[i] += value;
    } else {
        output[i] = value;
    }
}
