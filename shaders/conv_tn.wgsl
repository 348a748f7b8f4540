// The gradient of a convolution's weights, and of a transposed one's (shared/window.wgsl).
//
//   conv_tn            output[o, (ky, kx, c)] = sum_{item, y, x} S[item, y, x, o] L[item, y', x', c]
//                      where y' = y * STRIDE_Y + ky - PADDING_TOP and x' = x * STRIDE_X + kx - PADDING_LEFT; L is 0 outside
//   partial_conv_tn    parts[s, o, (ky, kx, c)] = the sum over the (item, y, x) of part s; behind the products of a part stand
//                      ROWS zeros, so that parts are those of partial_tn
//
// It is the matrix product matmul_tn with windows as the rows of b: an invocation computes 8 rows by 2 vec4 of the output.
// Both maps may be packed.
//
// import: step, conv_tile

override INNER: u32; // small pixels of all items
override ACCUMULATE: bool; // add to `output` instead of replacing it
override PART: u32; // small pixels in a part

@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // S: [items, SMALL_ITEM]
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // L: [items, LARGE_ITEM]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(9) var<storage, read_write> parts: array<vec4<f32>>; // [parts, ROWS * COLUMNS + ROWS / 4]

// Four elements of a row of weights: their place in the window.
struct Taps {
    at: vec4<u32>, // element of the large maps, from the window's first on
    ky: vec4<u32>,
    kx: vec4<u32>,
}

fn taps(column: u32) -> Taps {
    let i = vec4<u32>(4u * column) + FOUR;
    let ky = i / vec4<u32>(run_length());
    let j = i % vec4<u32>(run_length());
    return Taps(ky * (LARGE_WIDTH * LARGE_PIXEL) + j, ky, j / vec4<u32>(LARGE_PIXEL));
}

// Four elements of the window that begins at element `start`, row `top` and column `left` of the large maps.
fn load_window(taps: Taps, start: u32, top: u32, left: u32) -> vec4<f32> {
    let at = taps.at + start;
    if LARGE_PIXEL % 4u == 0u {
        // All are of one tap.
        if !reaches_out() {
            return vec4<f32>(b_elements[at.x], b_elements[at.y], b_elements[at.z], b_elements[at.w]);
        }
        let inside = top + taps.ky.x < LARGE_HEIGHT && left + taps.kx.x < LARGE_WIDTH;
        let i = select(0u, at.x, inside);
        let values = vec4<f32>(b_elements[i], b_elements[i + 1u], b_elements[i + 2u], b_elements[i + 3u]);
        return select(vec4<f32>(0.0), values, inside);
    }
    let inside = (taps.ky < vec4<u32>(KERNEL_HEIGHT)) & (vec4<u32>(top) + taps.ky < vec4<u32>(LARGE_HEIGHT))
        & (vec4<u32>(left) + taps.kx < vec4<u32>(LARGE_WIDTH));
    let safe = select(vec4<u32>(0u), at, inside);
    let values = vec4<f32>(b_elements[safe.x], b_elements[safe.y], b_elements[safe.z], b_elements[safe.w]);
    return select(vec4<f32>(0.0), values, inside);
}

// Four channels from `channel` on of the small pixel that begins at element `start`.
fn load_small(start: u32, channel: u32) -> vec4<f32> {
    let i = start + channel;
    if SMALL_PIXEL % 4u == 0u {
        return vec4<f32>(a_elements[i], a_elements[i + 1u], a_elements[i + 2u], a_elements[i + 3u]);
    }
    var values = vec4<f32>(0.0);
    for (var c = channel; c < min(channel + 4u, SMALL_PIXEL); c++) {
        values[c % 4u] = a_elements[start + c];
    }
    return values;
}

// Rows from `row` on by vec4 columns from `left` on, summed over small pixels `begin` to `end`.
fn product(row: u32, left: u32, begin: u32, end: u32) -> Tile {
    let p_taps = taps(left);
    let q_taps = taps(min(left + 1u, COLUMNS - 1u));
    let lower = min(row + 4u, ROWS - 4u);
    var t: Tile;
    for (var k = begin; k < end; k++) {
        let item = k / (SMALL_HEIGHT * SMALL_WIDTH);
        let pixel = k % (SMALL_HEIGHT * SMALL_WIDTH);
        let top = pixel / SMALL_WIDTH * STRIDE_Y - PADDING_TOP;
        let x = pixel % SMALL_WIDTH * STRIDE_X - PADDING_LEFT;
        let start = item * LARGE_ITEM + (top * LARGE_WIDTH + x) * LARGE_PIXEL;
        let small = item * SMALL_ITEM + pixel * SMALL_PIXEL;
        let u = load_small(small, row);
        var v = u;
        if ROWS > 4u {
            v = load_small(small, lower);
        }
        let p = load_window(p_taps, start, top, x);
        var q = p;
        if COLUMNS > 1u {
            q = load_window(q_taps, start, top, x);
        }
        multiply_add(&t, u, v, p, q, COLUMNS > 1u);
    }
    return t;
}

@compute @workgroup_size(64)
fn conv_tn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let number = flat_index(id, workgroups, 64u);
    let row = number / column_tiles() * TILE_ROWS;
    let left = number % column_tiles() * TILE_COLUMNS;
    if row >= ROWS {
        return;
    }
    var values = in_order(product(row, left, 0u, INNER));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            let at = (row + r) * COLUMNS + left + c;
            if ACCUMULATE {
                output[at] += values[TILE_ROWS * c + r];
            } else {
                output[at] = values[TILE_ROWS * c + r];
            }
        }
    }
}

@compute @workgroup_size(64)
fn partial_conv_tn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let number = flat_index(id, workgroups, 64u);
    let part = number / tiles();
    let row = number % tiles() / column_tiles() * TILE_ROWS;
    let left = number % column_tiles() * TILE_COLUMNS;
    if part * PART >= INNER {
        return;
    }
    var values = in_order(product(row, left, part * PART, min((part + 1u) * PART, INNER)));
    let start = part * (ROWS * COLUMNS + ROWS / 4u);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            parts[start + (row + r) * COLUMNS + left + c] = values[TILE_ROWS * c + r];
        }
    }
    if left == 0u {
        for (var r = row / 4u; r < min(row + TILE_ROWS, ROWS) / 4u; r++) {
            parts[start + ROWS * COLUMNS + r] = vec4<f32>(0.0);
        }
    }
}
