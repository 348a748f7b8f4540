// Sums in parts: the first half of a product or a column sum that is so long that one invocation should not compute it
// alone. (Software adapters end loops in silence after 65,535 iterations; and others have many invocations.)
//
//   partial_nt, _nn       parts[s, m, n] = the sum over the k of part s; matmul_finish.wgsl adds the parts
//   partial_tn            the same, and behind the products of a part the sums of the columns of its a
//   partial_column_sum    parts[s, n] = the sum over the k of part s; column_sum adds the parts
//
// import: step, matmul_registers

override PART: u32; // k in a part

@group(0) @binding(8) var<storage, read_write> parts: array<vec4<f32>>; // [parts, ROWS * COLUMNS (tn: + ROWS / 4)]

// The part, the first row and the first vec4 column of tile number `number`.
fn tile_at(number: u32) -> vec3<u32> {
    let across = (COLUMNS + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let down = (ROWS + TILE_ROWS - 1u) / TILE_ROWS;
    return vec3<u32>(number / (across * down), number / across % down * TILE_ROWS, number % across * TILE_COLUMNS);
}

fn store_tile(start: u32, row: u32, left: u32, t: Tile) {
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            parts[start + (row + r) * COLUMNS + left + c] = values[TILE_ROWS * c + r];
        }
    }
}

@compute @workgroup_size(64)
fn partial_nt(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    let begin = at.x * PART;
    if begin < 4u * INNER {
        let end = min(begin + PART, 4u * INNER);
        store_tile(at.x * ROWS * COLUMNS, at.y, at.z, product_nt(at.y, at.z, begin, end));
    }
}

@compute @workgroup_size(64)
fn partial_nn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    let begin = at.x * PART;
    if begin < 4u * INNER {
        let end = min(begin + PART, 4u * INNER);
        store_tile(at.x * ROWS * COLUMNS, at.y, at.z, product_nn(at.y, at.z, begin, end));
    }
}

@compute @workgroup_size(64)
fn partial_tn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    let begin = at.x * PART;
    if begin >= INNER {
        return;
    }
    let end = min(begin + PART, INNER);
    let start = at.x * (ROWS * COLUMNS + ROWS / 4u);
    store_tile(start, at.y, at.z, product_tn(at.y, at.z, begin, end));
    if at.z == 0u {
        for (var column = at.y / 4u; column < min(at.y + TILE_ROWS, ROWS) / 4u; column++) {
            parts[start + ROWS * COLUMNS + column] = sum_of_column(column, ROWS / 4u, begin, end);
        }
    }
}

@compute @workgroup_size(64)
fn partial_column_sum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let begin = i / COLUMNS * PART;
    if begin < INNER {
        parts[i] = sum_of_column(i % COLUMNS, COLUMNS, begin, min(begin + PART, INNER));
    }
}
