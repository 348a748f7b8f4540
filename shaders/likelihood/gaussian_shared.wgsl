// Gaussian pixels of which the decoder gives the means; all share one log-variance, a parameter. shared/gaussian.wgsl has
// the formula. The kernels are those of shared/likelihood_entries.wgsl; two also store the chunks' shares of the
// parameter's gradient.
//
// import: gaussian

@group(0) @binding(3) var<storage, read> log_variance: array<f32>; // [1]
@group(0) @binding(6) var<storage, read_write> log_variance_terms: array<f32>; // [SAMPLES * BATCH, chunks]

const SECTIONS = 1u;

fn terms(at: u32, x: vec4<f32>) -> Terms {
    return gaussian_terms(decoded[at], x, vec4<f32>(log_variance[0]));
}

@compute @workgroup_size(64)
fn gaussian_shared(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = chunk_value(p);
    }
}

@compute @workgroup_size(64)
fn gaussian_shared_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        log_variance_terms[i] = chunk_change(p).parameter;
    }
}

@compute @workgroup_size(64)
fn gaussian_shared_with_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        let chunk = chunk_change(p);
        value[i] = chunk.value;
        log_variance_terms[i] = chunk.parameter;
    }
}
