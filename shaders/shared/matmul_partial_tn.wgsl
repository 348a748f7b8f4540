// Matrix products whose sum over k is split among workgroups: the first half, which matmul_finish.wgsl completes.
// A product with a small output has few tiles, and would leave most of a GPU idle.
//
//   partial_tn             parts[s, m, n] = the sum over the k of part s, and behind the products of a part the sums of the
//                          columns of its a
//
// import: matmul_tiled

override PART: u32; // k in a part: a multiple of TILE_INNER

@group(0) @binding(8) var<storage, read_write> parts: array<vec4<f32>>; // [parts, ROWS * COLUMNS (tn: + ROWS / 4)]

fn store_partial(group: vec3<u32>, local: u32, start: u32, t: Registers) {
    var values = in_order(t);
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, corner(group), local);
        if is_inside(at) {
            parts[start + at.x * COLUMNS + at.y] = values[i];
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn partial_tn_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var sum = vec4<f32>(0.0);
    let end = min((group.z + 1u) * PART, INNER);
    let t = multiply_tiles(TN, corner(group), local, group.z * PART, end, group.x == 0u, &sum);
    let start = group.z * (ROWS * COLUMNS + ROWS / 4u);
    store_partial(group, local, start, t);
    let column = group.y * (TILE_ROWS / 4u) + local;
    if group.x == 0u && local < TILE_ROWS / 4u && column < ROWS / 4u {
        parts[start + ROWS * COLUMNS + column] = sum;
    }
}
