// Units of a sparse autoencoder that have long been 0 (Gao et al., arXiv 2406.04093, appendix A.2).
//
//   count_idle   idle[j] = 0 if code[r, j] > 0 for a row r of the minibatch, else idle[j] + 1: steps since unit j was last above 0
//   idle_only    output = input where idle[j] >= AFTER, else 0; with ACCUMULATE output += that
//
// import: step

override LENGTH: u32; // vec4 of `input`
override COLUMNS: u32; // vec4 in a row
override AFTER: f32; // steps
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> code: array<vec4<f32>>; // [rows, COLUMNS]
@group(0) @binding(2) var<storage, read_write> idle: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(3) var<storage, read> input: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(4) var<storage, read> idle_read: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn count_idle(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if column >= COLUMNS {
        return;
    }
    var most = vec4<f32>(0.0);
    for (var row = 0u; row < step.rows; row++) {
        most = max(most, code[row * COLUMNS + column]);
    }
    idle[column] = select(idle[column] + 1.0, vec4<f32>(0.0), most > vec4<f32>(0.0));
}

@compute @workgroup_size(64)
fn idle_only(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = select(vec4<f32>(0.0), input[i], idle_read[i % COLUMNS] >= vec4<f32>(AFTER));
    if ACCUMULATE {
        value += output[i];
    }
    output[i] = value;
}
