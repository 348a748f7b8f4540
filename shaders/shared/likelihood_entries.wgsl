// The kernels of a likelihood without parameters:
//
//   likelihood                 value
//   likelihood_gradient        decoded_gradient
//   likelihood_with_gradient   both
//
// import: likelihood

@compute @workgroup_size(64)
fn likelihood(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = chunk_value(p);
    }
}

@compute @workgroup_size(64)
fn likelihood_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let p = place(flat_index(id, workgroups, 64u));
    if p.inside {
        _ = chunk_change(p);
    }
}

@compute @workgroup_size(64)
fn likelihood_with_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    let p = place(i);
    if p.inside {
        value[i] = chunk_change(p).value;
    }
}
