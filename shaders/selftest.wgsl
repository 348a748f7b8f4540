// Parts of kernels that the self-test runs alone.
//
//   box_muller   numbers[i] = four standard normal numbers from four words (shared/philox.wgsl)
//
// import: step, philox

override COUNT: u32;

@group(0) @binding(1) var<storage, read> words: array<vec4<u32>>; // [COUNT]
@group(0) @binding(2) var<storage, read_write> numbers: array<vec4<f32>>; // [COUNT]

@compute @workgroup_size(64)
fn box_muller(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < COUNT {
        numbers[i] = normals(words[i]);
    }
}
