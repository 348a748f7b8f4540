// Convolution, from large maps to small ones (shared/window.wgsl), and the gradient of a transposed one's input.
//
//   conv_nt              output[(item, y, x), o] = activation(sum_{ky, kx, c} L[item, y', x', c] W[o, (ky, kx, c)] + bias[o])
//                        where y' = y * STRIDE_Y + ky - PADDING_TOP and x' = x * STRIDE_X + kx - PADDING_LEFT; L is 0 outside
//   conv_nt_packed       the same, to maps whose pixels have 1 or 3 channels and no padding
//   conv_nt_gradient     the sum alone
//   conv_nt_derivative   the sum, times activation'(saved[(item, y, x), o])
//   partial_conv_nt      parts[s, (item, y, x), o] = the sum over the (ky, kx, c) of part s, for matmul_finish.wgsl
//
// It is the matrix product matmul_nt with windows as the rows of a, and runs like that: an invocation computes 8 rows by
// 2 vec4 in registers. The rows of a tile are the same pixel of several items. So they mostly agree in what part of
// the window lies in the padding, and skip it. (Small maps of 1 or 2 pixels are mostly padding.)
//
// import: step, layout, activation, conv_tile

override INNER: u32; // vec4 in a row of weights
override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section; the rest is padding
override ACCUMULATE: bool; // add to `output` instead of replacing it
override PART: u32; // elements of a row of weights in a part

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // L: [items, LARGE_ITEM]
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // W: [4 * COLUMNS, 4 * INNER]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(8) var<storage, read_write> output_elements: array<f32>; // [items, SMALL_ITEM]
@group(0) @binding(9) var<storage, read_write> parts: array<vec4<f32>>; // [parts, ROWS, COLUMNS]

fn items() -> u32 {
    return ROWS / (SMALL_HEIGHT * SMALL_WIDTH);
}

// Row of the output in place `n`: pixels in order, and of each pixel all items.
fn row_at(n: u32) -> u32 {
    return n % items() * (SMALL_HEIGHT * SMALL_WIDTH) + n / items();
}

// The windows in four places.
struct Windows {
    start: vec4<u32>, // of the first run, in `a_elements`
    top: vec4<u32>, // of the first run, in the large maps
    skip: vec4<u32>, // elements of a run that lie left of the maps
    length: vec4<u32>, // elements of a run that lie in the maps
}

fn windows(first: u32) -> Windows {
    let places = min(vec4<u32>(first) + FOUR, vec4<u32>(ROWS - 1u));
    let pixel = places / vec4<u32>(items());
    let top = pixel / vec4<u32>(SMALL_WIDTH) * STRIDE_Y - PADDING_TOP;
    let x = pixel % vec4<u32>(SMALL_WIDTH) * STRIDE_X;
    let start = places % vec4<u32>(items()) * LARGE_ITEM + (top * LARGE_WIDTH + x - PADDING_LEFT) * LARGE_PIXEL;
    // Columns of the window left of the maps, and up to their right edge.
    let skip = min(max(x, vec4<u32>(PADDING_LEFT)) - x, vec4<u32>(KERNEL_WIDTH));
    let end = min(max(x, vec4<u32>(LARGE_WIDTH + PADDING_LEFT)) - x, vec4<u32>(KERNEL_WIDTH));
    return Windows(start, top, skip * LARGE_PIXEL, (max(end, skip) - skip) * LARGE_PIXEL);
}

// Elements of four rows, 0 where the row is outside.
fn load(at: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    if reaches_out() {
        let safe = select(vec4<u32>(0u), at, inside);
        let values = vec4<f32>(a_elements[safe.x], a_elements[safe.y], a_elements[safe.z], a_elements[safe.w]);
        return select(vec4<f32>(0.0), values, inside);
    }
    return vec4<f32>(a_elements[at.x], a_elements[at.y], a_elements[at.z], a_elements[at.w]);
}

fn smallest(v: vec4<u32>) -> u32 {
    return min(min(v.x, v.y), min(v.z, v.w));
}

fn largest(v: vec4<u32>) -> u32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

// 0, which the compiler does not know: a minibatch has rows. lavapipe takes minutes to compile a window of 2 by 2 without
// padding if it can unroll the loop over its rows.
fn zero() -> u32 {
    return select(0u, 1u, step.rows == 0u);
}

// Eight rows from place `first` on, by 2 vec4 from `left` on, summed over elements `begin` to `end` of a row of weights.
fn product(first: u32, left: u32, begin: u32, end: u32) -> Tile {
    let right = min(left + 1u, COLUMNS - 1u);
    let upper = windows(first);
    let lower = windows(first + 4u);
    let run = run_length();
    var t: Tile;
    for (var ky = zero(); ky < KERNEL_HEIGHT; ky++) {
        let u_start = upper.start + vec4<u32>(ky * LARGE_WIDTH * LARGE_PIXEL);
        let v_start = lower.start + vec4<u32>(ky * LARGE_WIDTH * LARGE_PIXEL);
        let u_length = select(vec4<u32>(0u), upper.length, upper.top + vec4<u32>(ky) < vec4<u32>(LARGE_HEIGHT));
        let v_length = select(vec4<u32>(0u), lower.length, lower.top + vec4<u32>(ky) < vec4<u32>(LARGE_HEIGHT));
        let p_start = (vec4<u32>(4u * left) + FOUR) * (4u * INNER) + ky * run;
        let q_start = (vec4<u32>(4u * right) + FOUR) * (4u * INNER) + ky * run;
        var first_j = max(begin, ky * run) - ky * run;
        var stop = min(max(end, ky * run) - ky * run, run);
        if reaches_out() {
            first_j = max(first_j, min(smallest(upper.skip), smallest(lower.skip)));
            let u_end = select(vec4<u32>(0u), upper.skip + u_length, u_length > vec4<u32>(0u));
            let v_end = select(vec4<u32>(0u), lower.skip + v_length, v_length > vec4<u32>(0u));
            stop = min(stop, max(largest(u_end), largest(v_end)));
        }
        for (var j = first_j; j < stop; j++) {
            let u = load(u_start + j, vec4<u32>(j) - upper.skip < u_length);
            let v = load(v_start + j, vec4<u32>(j) - lower.skip < v_length);
            let p = vec4<f32>(b_elements[p_start.x + j], b_elements[p_start.y + j], b_elements[p_start.z + j], b_elements[p_start.w + j]);
            var q = p;
            if COLUMNS > 1u {
                q = vec4<f32>(b_elements[q_start.x + j], b_elements[q_start.y + j], b_elements[q_start.z + j], b_elements[q_start.w + j]);
            }
            multiply_add(&t, u, v, p, q, COLUMNS > 1u);
        }
    }
    return t;
}

// First place and first vec4 column of a tile.
fn tile_at(number: u32) -> vec2<u32> {
    return vec2<u32>(number / column_tiles() * TILE_ROWS, number % column_tiles() * TILE_COLUMNS);
}

@compute @workgroup_size(64)
fn conv_nt(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    if at.x >= ROWS {
        return;
    }
    var values = in_order(product(at.x, at.y, 0u, KERNEL_HEIGHT * run_length()));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - at.y); c++) {
        let column = at.y + c;
        for (var r = 0u; r < min(TILE_ROWS, ROWS - at.x); r++) {
            output[row_at(at.x + r) * COLUMNS + column] =
                activation(ACTIVATION, values[TILE_ROWS * c + r] + bias[column]) * column_mask(column % SECTION, WIDTH);
        }
    }
}

@compute @workgroup_size(64)
fn conv_nt_packed(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    if at.x >= ROWS {
        return;
    }
    var values = in_order(product(at.x, at.y, 0u, KERNEL_HEIGHT * run_length()));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - at.y); c++) {
        let column = at.y + c;
        for (var r = 0u; r < min(TILE_ROWS, ROWS - at.x); r++) {
            let pixel = (at.x + r) / items();
            let item = (at.x + r) % items() * SMALL_ITEM;
            var value =
                activation(ACTIVATION, values[TILE_ROWS * c + r] + bias[column]) * column_mask(column % SECTION, WIDTH);
            for (var i = 4u * column; i < min(4u * column + 4u, SMALL_PIXEL); i++) {
                output_elements[item + pixel * SMALL_PIXEL + i] = value[i % 4u];
            }
            if column == 0u && pixel == SMALL_HEIGHT * SMALL_WIDTH - 1u {
                for (var i = SMALL_HEIGHT * SMALL_WIDTH * SMALL_PIXEL; i < SMALL_ITEM; i++) {
                    output_elements[item + i] = 0.0;
                }
            }
        }
    }
}

fn store(at: u32, value: vec4<f32>) {
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

@compute @workgroup_size(64)
fn conv_nt_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    if at.x >= ROWS {
        return;
    }
    var values = in_order(product(at.x, at.y, 0u, KERNEL_HEIGHT * run_length()));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - at.y); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - at.x); r++) {
            store(row_at(at.x + r) * COLUMNS + at.y + c, values[TILE_ROWS * c + r]);
        }
    }
}

@compute @workgroup_size(64)
fn conv_nt_derivative(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    if at.x >= ROWS {
        return;
    }
    var values = in_order(product(at.x, at.y, 0u, KERNEL_HEIGHT * run_length()));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - at.y); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - at.x); r++) {
            let i = row_at(at.x + r) * COLUMNS + at.y + c;
            store(i, values[TILE_ROWS * c + r] * activation_derivative(ACTIVATION, saved[i]));
        }
    }
}

@compute @workgroup_size(64)
fn partial_conv_nt(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let number = flat_index(id, workgroups, 64u);
    let part = number / tiles();
    let at = tile_at(number % tiles());
    if part * PART >= 4u * INNER {
        return;
    }
    var values = in_order(product(at.x, at.y, part * PART, (part + 1u) * PART));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - at.y); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - at.x); r++) {
            parts[(part * ROWS + row_at(at.x + r)) * COLUMNS + at.y + c] = values[TILE_ROWS * c + r];
        }
    }
}
