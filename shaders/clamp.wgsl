// Values cut off at two ends.
//
//   clamp_values     output = input where LOW <= input <= HIGH, else the nearer end
//   clamp_gradient   output = gradient where LOW <= saved <= HIGH, else 0; with ACCUMULATE output += that
//
// import: step, layout

override LENGTH: u32; // vec4 in a matrix, padding included
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section
override LOW: f32;
override HIGH: f32;
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>; // [LENGTH]; the upstream gradient going back
@group(0) @binding(2) var<storage, read> saved: array<vec4<f32>>; // [LENGTH]: the values that were cut off
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn clamp_values(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        output[i] = clamp(input[i], vec4<f32>(LOW), vec4<f32>(HIGH)) * column_mask(i % SECTION, WIDTH);
    }
}

@compute @workgroup_size(64)
fn clamp_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let inside = (saved[i] >= vec4<f32>(LOW)) & (saved[i] <= vec4<f32>(HIGH));
    let value = select(vec4<f32>(0.0), input[i], inside);
    if ACCUMULATE {
        output[i] += value;
    } else {
        output[i] = value;
    }
}
