// Dropout (Srivastava et al. 2014): each value is 0 with a probability p, and else divided by 1 - p.
//
//   drop_values   output = SCALE * input where a random word is THRESHOLD or more, else 0; with ACCUMULATE output += that
//
// The words follow from the step and the stream: the gradient is the same kernel on the upstream gradient.
//
// import: step, philox

override LENGTH: u32; // vec4, padding included
override THRESHOLD: u32; // p * 2^32
override SCALE: f32; // 1 / (1 - p)
override STREAM: u32; // added to the step's stream
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn drop_values(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM);
    let words = philox(counter, vec2<u32>(step.seed_low, step.seed_high));
    let value = select(vec4<f32>(0.0), SCALE * input[i], words >= vec4<u32>(THRESHOLD));
    if ACCUMULATE {
        output[i] += value;
    } else {
        output[i] = value;
    }
}
