// Transposed convolution to packed maps, whose pixels have 1 or 3 channels and no padding (shared/window.wgsl); for a
// decoder's last layer, and for the gradient of images.
//
//   conv_nn_packed         output[(item, y, x), c] = sum_{ky, kx, o} S[item, y', x', o] W[o, (ky, kx, c)]
//                          where y' = (y + PADDING_TOP - ky) / STRIDE_Y, for the ky that leave no remainder; x' alike
//   conv_nn_bias_packed    activation(the sum + bias[c])
//
// A pixel of one channel would fill a quarter of a vec4. So a *block* of STRIDE_Y by STRIDE_X large pixels is a row of the
// product: those with the same (y + PADDING_TOP) / STRIDE_Y and (x + PADDING_LEFT) / STRIDE_X. They are sums over the same
// small pixels, each with its own taps. The rows of a tile are the same block of several items.
//
// import: step, layout, activation, conv_tile

override INNER: u32; // vec4 of a small pixel's channels
override ACTIVATION: u32;
override WIDTH: u32; // channels of a large pixel
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // S: [items, SMALL_ITEM]
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // W: [4 * INNER, weight_row()]
@group(0) @binding(8) var<storage, read_write> output_elements: array<f32>; // [items, LARGE_ITEM]

fn items() -> u32 {
    return ROWS / (LARGE_HEIGHT * LARGE_WIDTH);
}

// Elements from a row of weights to the next.
fn weight_row() -> u32 {
    return (KERNEL_HEIGHT * run_length() + 3u) / 4u * 4u;
}

// Elements of a block, and vec4 columns of them.
fn block_elements() -> u32 {
    return STRIDE_Y * STRIDE_X * LARGE_PIXEL;
}

fn block_columns() -> u32 {
    return (block_elements() + 3u) / 4u;
}

// Blocks below and beside each other; those at the borders lie partly outside of the maps.
fn blocks_down() -> u32 {
    return (LARGE_HEIGHT - 1u + PADDING_TOP) / STRIDE_Y - PADDING_TOP / STRIDE_Y + 1u;
}

fn blocks_across() -> u32 {
    return (LARGE_WIDTH - 1u + PADDING_LEFT) / STRIDE_X - PADDING_LEFT / STRIDE_X + 1u;
}

fn rows() -> u32 {
    return items() * blocks_down() * blocks_across();
}

// The small pixels of four rows' first taps: rows and columns of the maps, and elements of `a_elements`.
struct Corners { start: vec4<u32>, y: vec4<u32>, x: vec4<u32> }

fn corners(first: u32) -> Corners {
    let places = min(vec4<u32>(first) + FOUR, vec4<u32>(rows() - 1u));
    let block = places / vec4<u32>(items());
    let y = block / vec4<u32>(blocks_across()) + vec4<u32>(PADDING_TOP / STRIDE_Y);
    let x = block % vec4<u32>(blocks_across()) + vec4<u32>(PADDING_LEFT / STRIDE_X);
    return Corners(places % vec4<u32>(items()) * SMALL_ITEM + (y * SMALL_WIDTH + x) * SMALL_PIXEL, y, x);
}

// Whether the small maps have the pixels `up` above and `before` left of the corners.
fn inside(c: Corners, up: u32, before: u32) -> vec4<bool> {
    return (c.y - vec4<u32>(up) < vec4<u32>(SMALL_HEIGHT)) & (c.x - vec4<u32>(before) < vec4<u32>(SMALL_WIDTH));
}

fn load(at: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    let values = vec4<f32>(a_elements[at.x], a_elements[at.y], a_elements[at.z], a_elements[at.w]);
    return select(vec4<f32>(0.0), values, inside);
}

// The taps of four elements of a block, `up` and `before` taps from the first: elements of a row of weights.
struct Taps { at: vec4<u32>, exist: vec4<bool> }

fn taps(column: u32, up: u32, before: u32) -> Taps {
    let i = vec4<u32>(4u * column) + FOUR;
    let ky = i / vec4<u32>(STRIDE_X * LARGE_PIXEL) + up * STRIDE_Y;
    let kx = i / vec4<u32>(LARGE_PIXEL) % vec4<u32>(STRIDE_X) + before * STRIDE_X;
    let exist = (i < vec4<u32>(block_elements())) & (ky < vec4<u32>(KERNEL_HEIGHT)) & (kx < vec4<u32>(KERNEL_WIDTH));
    let at = (ky * KERNEL_WIDTH + kx) * LARGE_PIXEL + i % vec4<u32>(LARGE_PIXEL);
    return Taps(select(vec4<u32>(0u), at, exist), exist);
}

fn weights(row: u32, taps: Taps) -> vec4<f32> {
    let at = taps.at + row;
    let values = vec4<f32>(b_elements[at.x], b_elements[at.y], b_elements[at.z], b_elements[at.w]);
    return select(vec4<f32>(0.0), values, taps.exist);
}

// Rows from `first` on by vec4 columns of a block from `left` on.
fn product(first: u32, left: u32) -> Tile {
    let upper = corners(first);
    let lower = corners(first + 4u);
    var t: Tile;
    for (var up = 0u; up * STRIDE_Y < KERNEL_HEIGHT; up++) {
        for (var before = 0u; before * STRIDE_X < KERNEL_WIDTH; before++) {
            let u_inside = inside(upper, up, before);
            let v_inside = inside(lower, up, before);
            if any(u_inside) || any(v_inside) {
                let back = vec4<u32>((up * SMALL_WIDTH + before) * SMALL_PIXEL);
                let u_start = select(vec4<u32>(0u), upper.start - back, u_inside);
                let v_start = select(vec4<u32>(0u), lower.start - back, v_inside);
                let p_taps = taps(left, up, before);
                let q_taps = taps(left + 1u, up, before);
                for (var o = 0u; o < min(SMALL_PIXEL, 4u * INNER); o++) {
                    let u = load(u_start + o, u_inside);
                    let v = load(v_start + o, v_inside);
                    let p = weights(o * weight_row(), p_taps);
                    var q = p;
                    if block_columns() > 1u {
                        q = weights(o * weight_row(), q_taps);
                    }
                    multiply_add(&t, u, v, p, q, block_columns() > 1u);
                }
            }
        }
    }
    return t;
}

fn put(at: u32, value: f32, add: bool) {
    if add {
        output_elements[at] += value;
    } else {
        output_elements[at] = value;
    }
}

// Write vec4 column `column` of a block, or add it; `place` counts blocks and items. What lies outside of the maps is left
// out.
fn store(place: u32, column: u32, value: vec4<f32>, add: bool) {
    let i = vec4<u32>(4u * column) + FOUR;
    let block = place / items();
    let top = (block / blocks_across() + PADDING_TOP / STRIDE_Y) * STRIDE_Y - PADDING_TOP;
    let left = (block % blocks_across() + PADDING_LEFT / STRIDE_X) * STRIDE_X - PADDING_LEFT;
    let y = i / vec4<u32>(STRIDE_X * LARGE_PIXEL) + top;
    let x = i / vec4<u32>(LARGE_PIXEL) % vec4<u32>(STRIDE_X) + left;
    let exist = (i < vec4<u32>(block_elements())) & (y < vec4<u32>(LARGE_HEIGHT)) & (x < vec4<u32>(LARGE_WIDTH));
    let at = (y * LARGE_WIDTH + x) * LARGE_PIXEL + i % vec4<u32>(LARGE_PIXEL) + place % items() * LARGE_ITEM;
    if exist.x {
        put(at.x, value.x, add);
    }
    if exist.y {
        put(at.y, value.y, add);
    }
    if exist.z {
        put(at.z, value.z, add);
    }
    if exist.w {
        put(at.w, value.w, add);
    }
}

// Zeros behind the last pixel of the item of row `place`, if that is its last block.
fn store_padding(place: u32) {
    if place / items() == blocks_down() * blocks_across() - 1u {
        for (var i = LARGE_HEIGHT * LARGE_WIDTH * LARGE_PIXEL; i < LARGE_ITEM; i++) {
            output_elements[place % items() * LARGE_ITEM + i] = 0.0;
        }
    }
}

// First row and first column of a tile.
fn tile_at(number: u32) -> vec2<u32> {
    let across = (block_columns() + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    return vec2<u32>(number / across * TILE_ROWS, number % across * TILE_COLUMNS);
}

@compute @workgroup_size(64)
fn conv_nn_packed(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    if at.x >= rows() {
        return;
    }
    var values = in_order(product(at.x, at.y));
    for (var c = 0u; c < min(TILE_COLUMNS, block_columns() - at.y); c++) {
        for (var r = 0u; r < min(TILE_ROWS, rows() - at.x); r++) {
            store(at.x + r, at.y + c, values[TILE_ROWS * c + r], ACCUMULATE);
            if !ACCUMULATE && at.y + c == 0u {
                store_padding(at.x + r);
            }
        }
    }
}

@compute @workgroup_size(64)
fn conv_nn_bias_packed(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let at = tile_at(flat_index(id, workgroups, 64u));
    if at.x >= rows() {
        return;
    }
    var values = in_order(product(at.x, at.y));
    for (var c = 0u; c < min(TILE_COLUMNS, block_columns() - at.y); c++) {
        let i = vec4<u32>(4u * (at.y + c)) + FOUR;
        let channel = i % vec4<u32>(WIDTH);
        let column = channel / vec4<u32>(4u);
        let added = vec4<f32>(
            bias[column.x][channel.x % 4u], bias[column.y][channel.y % 4u], bias[column.z][channel.z % 4u], bias[column.w][channel.w % 4u]);
        for (var r = 0u; r < min(TILE_ROWS, rows() - at.x); r++) {
            store(at.x + r, at.y + c, activation(ACTIVATION, values[TILE_ROWS * c + r] + added), false);
            if at.y + c == 0u {
                store_padding(at.x + r);
            }
        }
    }
}
