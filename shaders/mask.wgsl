// Parameters multiplied by constants, and their gradient.
//
//   apply_mask   output = input * mask
//
// All are of the same shape, whose padding is zero.
//
// import: step

override LENGTH: u32; // vec4
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(2) var<storage, read> mask: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn apply_mask(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    if ACCUMULATE {
        output[i] += input[i] * mask[i];
    } else {
        output[i] = input[i] * mask[i];
    }
}
