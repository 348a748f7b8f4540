// The first half of convolutions whose sum is split among workgroups, which matmul_finish.wgsl completes.
//
//   partial_conv_nt    parts[s, (item, y, x), o] = the sum over the (ky, kx, c) of part s
//   partial_conv_nn    parts[s, (item, y, x), c] = the sum over the o of part s
//
// import: conv_tiled

@compute @workgroup_size(INVOCATIONS)
fn partial_conv_nt_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner(group, workgroups);
    var unused = vec4<f32>(0.0);
    let end = min((group.z + 1u) * PART, 4u * INNER);
    var values = in_order(multiply_tiles(NT, tile, local, group.z * PART, end, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nt_row(at.x);
        if row < ROWS && at.y < COLUMNS {
            parts[(group.z * ROWS + row) * COLUMNS + at.y] = values[i];
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn partial_conv_nn_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let first = group.z * PART;
    let tile = corner_in_phase(group, workgroups, first, min(PART, 4u * INNER - first));
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NN, tile, local, 0u, terms(tile), false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nn_row(at.x, tile);
        if row < ROWS && at.y < COLUMNS {
            parts[(group.z * ROWS + row) * COLUMNS + at.y] = values[i];
        }
    }
}
