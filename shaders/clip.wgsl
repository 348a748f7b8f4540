// Gradients cut off at two ends, before a step of the optimizer.
//
//   clip_gradients   gradient = min(max(gradient, -LIMIT), LIMIT)
//
// import: step

override LENGTH: u32; // vec4
override LIMIT: f32;

@group(0) @binding(1) var<storage, read_write> gradients: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn clip_gradients(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        gradients[i] = clamp(gradients[i], vec4<f32>(-LIMIT), vec4<f32>(LIMIT));
    }
}
