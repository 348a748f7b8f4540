// Exponential moving averages of a group of parameters, after a step of the optimizer.
//
//   average_parameters   average += RATE * (parameter - average)
//
// RATE is 1 less the decay, rounded once. Source: Polyak and Juditsky (1992).
//
// import: step

override LENGTH: u32; // vec4
override RATE: f32;

@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(2) var<storage, read_write> averages: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn average_parameters(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        averages[i] += RATE * (parameters[i] - averages[i]);
    }
}
