// The first half of products whose sum over k is split among workgroups, as in shared/matmul_partial_tn.wgsl.
//
//   partial_nt, _nn        parts[s, m, n] = the sum over the k of part s
//
// import: matmul_partial_tn

@compute @workgroup_size(INVOCATIONS)
fn partial_nt_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    let end = min((group.z + 1u) * PART, 4u * INNER);
    let t = multiply_tiles(NT, corner(group), local, group.z * PART, end, false, &unused);
    store_partial(group, local, group.z * ROWS * COLUMNS, t);
}

@compute @workgroup_size(INVOCATIONS)
fn partial_nn_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    let end = min((group.z + 1u) * PART, 4u * INNER);
    let t = multiply_tiles(NN, corner(group), local, group.z * PART, end, false, &unused);
    store_partial(group, local, group.z * ROWS * COLUMNS, t);
}
