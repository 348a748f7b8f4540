// Convolutions by tiles in workgroup memory, for GPUs: the kernels of conv_nt.wgsl, conv_nn.wgsl and conv_tn.wgsl, each with the
// suffix `_tiled` and the tile size (conv_tiled_64.wgsl). Packed output is left to those.
//
//   conv_nt              output[(item, y, x), o] = activation(sum_{ky, kx, c} L[item, y', x', c] W[o, (ky, kx, c)] + bias[o])
//   conv_nt_gradient     the sum alone
//   conv_nt_derivative   the sum, times activation'(saved[(item, y, x), o])
//   conv_nn              output[(item, y, x), c] = sum_{ky, kx, o} S[item, y', x', o] W[o, (ky, kx, c)]
//   conv_nn_derivative   the sum, times activation'(saved[(item, y, x), c])
//   conv_nn_bias         activation(the sum + bias[c])
//   conv_tn              output[o, (ky, kx, c)] = sum_{item, y, x} S[item, y, x, o] L[item, y', x', c]
//   partial_conv_tn      parts[s, o, (ky, kx, c)] = the sum over the (item, y, x) of part s, and ROWS zeros behind each part
//
// Workgroups are numbered in one dimension, folded to two, and parts in the third.
//
// import: layout, activation, tiles, operands_window

override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section; the rest is padding
override ACCUMULATE: bool; // add to `output` instead of replacing it
override PART: u32; // k in a part (nn: small channels): a multiple of TILE_INNER

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(8) var<storage, read_write> parts: array<vec4<f32>>; // [parts, ROWS * COLUMNS (tn: + ROWS / 4)]

fn column_tiles() -> u32 {
    return (COLUMNS + TILE_COLUMNS - 1u) / TILE_COLUMNS;
}

// The tile of a workgroup, for nt and tn.
fn corner(group: vec3<u32>, workgroups: vec3<u32>) -> Corner {
    let number = group.y * workgroups.x + group.x;
    return Corner(
        number / column_tiles() * TILE_ROWS, number % column_tiles() * TILE_COLUMNS, vec2<u32>(0u), vec2<u32>(0u));
}

// The same for nn, whose rows are those of a phase, summed over `channels` small channels from `first` on.
fn corner_in_phase(group: vec3<u32>, workgroups: vec3<u32>, first: u32, channels: u32) -> Corner {
    let number = group.y * workgroups.x + group.x;
    let down = number / column_tiles();
    let tiles = (phase_rows() + TILE_ROWS - 1u) / TILE_ROWS;
    let phase = down / tiles;
    return Corner(
        down % tiles * TILE_ROWS,
        number % column_tiles() * TILE_COLUMNS,
        vec2<u32>(phase / STRIDE_X, phase % STRIDE_X),
        vec2<u32>(first, channels),
    );
}

// Terms of a sum in the tile's phase.
fn terms(tile: Corner) -> u32 {
    let count = taps(tile.phase);
    return count.x * count.y * tile.part.y;
}

// The row of the output that belongs to row `row` of a product, or ROWS for a row past the end.
fn nt_row(row: u32) -> u32 {
    let items = ROWS / small_pixels();
    return select(ROWS, row % items * small_pixels() + row / items, row < ROWS);
}

fn nn_row(row: u32, tile: Corner) -> u32 {
    let place = row / large_items();
    let y = place / phase_width() * STRIDE_Y + tile.phase.x;
    let x = place % phase_width() * STRIDE_X + tile.phase.y;
    let exists = row < phase_rows() && tile.phase.x < STRIDE_Y && y < LARGE_HEIGHT && x < LARGE_WIDTH;
    return select(ROWS, (row % large_items() * LARGE_HEIGHT + y) * LARGE_WIDTH + x, exists);
}

fn store(at: u32, value: vec4<f32>) {
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

fn store_with_bias(row: u32, column: u32, value: vec4<f32>) {
    output[row * COLUMNS + column] = activation(ACTIVATION, value + bias[column]) * column_mask(column % SECTION, WIDTH);
}

fn store_derivative(at: u32, value: vec4<f32>) {
    store(at, value * activation_derivative(ACTIVATION, saved[at]));
}

@compute @workgroup_size(INVOCATIONS)
fn conv_nt_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner(group, workgroups);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NT, tile, local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nt_row(at.x);
        if row < ROWS && at.y < COLUMNS {
            store_with_bias(row, at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv_nt_gradient_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner(group, workgroups);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NT, tile, local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nt_row(at.x);
        if row < ROWS && at.y < COLUMNS {
            store(row * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv_nt_derivative_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner(group, workgroups);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NT, tile, local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nt_row(at.x);
        if row < ROWS && at.y < COLUMNS {
            store_derivative(row * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv_nn_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner_in_phase(group, workgroups, 0u, 4u * INNER);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NN, tile, local, 0u, terms(tile), false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nn_row(at.x, tile);
        if row < ROWS && at.y < COLUMNS {
            store(row * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv_nn_derivative_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner_in_phase(group, workgroups, 0u, 4u * INNER);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NN, tile, local, 0u, terms(tile), false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nn_row(at.x, tile);
        if row < ROWS && at.y < COLUMNS {
            store_derivative(row * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv_nn_bias_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner_in_phase(group, workgroups, 0u, 4u * INNER);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NN, tile, local, 0u, terms(tile), false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        let row = nn_row(at.x, tile);
        if row < ROWS && at.y < COLUMNS {
            store_with_bias(row, at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv_tn_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner(group, workgroups);
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(TN, tile, local, 0u, INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        if at.x < ROWS && at.y < COLUMNS {
            store(at.x * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn partial_conv_tn_tiled(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) local: u32,
) {
    let tile = corner(group, workgroups);
    var unused = vec4<f32>(0.0);
    let end = min((group.z + 1u) * PART, INNER);
    var values = in_order(multiply_tiles(TN, tile, local, group.z * PART, end, false, &unused));
    let start = group.z * (ROWS * COLUMNS + ROWS / 4u);
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, tile, local);
        if at.x < ROWS && at.y < COLUMNS {
            parts[start + at.x * COLUMNS + at.y] = values[i];
        }
    }
    let column = tile.row / 4u + local;
    if tile.column == 0u && local < TILE_ROWS / 4u && column < ROWS / 4u {
        parts[start + ROWS * COLUMNS + column] = vec4<f32>(0.0);
    }
}
