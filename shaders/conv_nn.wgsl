// Transposed convolution, from small maps to large ones (shared/window.wgsl), and the gradient of a convolution's input.
//
//   conv_nn                output[(item, y, x), c] = sum_{ky, kx, o} S[item, y', x', o] W[o, (ky, kx, c)]
//                          where y' = (y + PADDING_TOP - ky) / STRIDE_Y, for the ky that leave no remainder; x' alike
//   conv_nn_derivative     the sum, times activation'(saved[(item, y, x), c])
//   conv_nn_bias           activation(the sum + bias[c])
//   partial_conv_nn        parts[s, (item, y, x), c] = the sum over the o of part s, for matmul_finish.wgsl
//
// Packed maps are those of conv_nn_packed.wgsl.
//
// Only every STRIDE_Y-th ky and every STRIDE_X-th kx belong to a pixel, and which ones depends on the remainders y %
// STRIDE_Y and x % STRIDE_X. So the rows are divided by these remainders into phases, and those of a tile are of one phase:
// then it goes through the taps that exist, and no others. In a phase the rows of a tile are the same pixel of several
// items, which agree in the taps that fall outside of the small maps, and skip these.
//
// import: step, layout, activation, conv_tile

override INNER: u32; // vec4 of a small pixel's channels
override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section; the rest is padding
override ACCUMULATE: bool; // add to `output` instead of replacing it
override PART: u32; // small channels in a part

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // S: [items, SMALL_ITEM]
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // W: [4 * INNER, weight_row()]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(9) var<storage, read_write> parts: array<vec4<f32>>; // [parts, ROWS, COLUMNS]

fn items() -> u32 {
    return ROWS / (LARGE_HEIGHT * LARGE_WIDTH);
}

// Elements from a row of weights to the next.
fn weight_row() -> u32 {
    return (KERNEL_HEIGHT * run_length() + 3u) / 4u * 4u;
}

// Columns and rows of pixels in a phase; the last may lie outside of the maps.
fn phase_width() -> u32 {
    return (LARGE_WIDTH + STRIDE_X - 1u) / STRIDE_X;
}

fn phase_height() -> u32 {
    return (LARGE_HEIGHT + STRIDE_Y - 1u) / STRIDE_Y;
}

// Tiles of a phase, one below the other.
fn phase_tiles() -> u32 {
    return (items() * phase_height() * phase_width() + TILE_ROWS - 1u) / TILE_ROWS;
}

struct Place {
    phase: vec2<u32>, // y % STRIDE_Y and x % STRIDE_X
    first: u32, // of the tile's rows, among those of the phase
    left: u32, // vec4 column
    exists: bool,
}

fn tile_at(number: u32) -> Place {
    let down = number / column_tiles();
    let phase = down / phase_tiles();
    return Place(
        vec2<u32>(phase / STRIDE_X, phase % STRIDE_X),
        down % phase_tiles() * TILE_ROWS,
        number % column_tiles() * TILE_COLUMNS,
        phase < STRIDE_X * STRIDE_Y,
    );
}

// Item, y and x of row `n` of a phase; `exists` says whether the maps have that pixel.
struct Pixel { item: u32, y: u32, x: u32, exists: bool }

fn pixel_at(phase: vec2<u32>, n: u32) -> Pixel {
    let place = n / items();
    let y = place / phase_width() * STRIDE_Y + phase.x;
    let x = place % phase_width() * STRIDE_X + phase.y;
    return Pixel(n % items(), y, x, y < LARGE_HEIGHT && x < LARGE_WIDTH);
}

fn row_of(pixel: Pixel) -> u32 {
    return (pixel.item * LARGE_HEIGHT + pixel.y) * LARGE_WIDTH + pixel.x;
}

// The small pixels below four rows' first taps.
struct Corners {
    start: vec4<u32>, // in `a_elements`
    y: vec4<u32>,
    x: vec4<u32>,
}

fn corners(phase: vec2<u32>, first: u32) -> Corners {
    let places = vec4<u32>(first) + FOUR;
    let pixel = places / vec4<u32>(items());
    let y = pixel / vec4<u32>(phase_width()) + vec4<u32>((phase.x + PADDING_TOP) / STRIDE_Y);
    let x = pixel % vec4<u32>(phase_width()) + vec4<u32>((phase.y + PADDING_LEFT) / STRIDE_X);
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

// Vec4 `column` of the weights of a tap that begins at `at`.
fn weights(at: u32, column: u32) -> vec4<f32> {
    let i = at + 4u * column;
    return vec4<f32>(b_elements[i], b_elements[i + 1u], b_elements[i + 2u], b_elements[i + 3u]);
}

// The tile at `place`, summed over small channels `begin` to `end`.
fn product(place: Place, begin: u32, end: u32) -> Tile {
    let right = min(place.left + 1u, COLUMNS - 1u);
    let upper = corners(place.phase, place.first);
    let lower = corners(place.phase, place.first + 4u);
    let first_y = (place.phase.x + PADDING_TOP) % STRIDE_Y;
    let first_x = (place.phase.y + PADDING_LEFT) % STRIDE_X;
    let stop = min(end, min(SMALL_PIXEL, 4u * INNER));
    var t: Tile;
    for (var ky = first_y; ky < KERNEL_HEIGHT; ky += STRIDE_Y) {
        for (var kx = first_x; kx < KERNEL_WIDTH; kx += STRIDE_X) {
            let up = ky / STRIDE_Y;
            let before = kx / STRIDE_X;
            let u_inside = inside(upper, up, before);
            let v_inside = inside(lower, up, before);
            if any(u_inside) || any(v_inside) {
                let back = vec4<u32>((up * SMALL_WIDTH + before) * SMALL_PIXEL);
                let u_start = select(vec4<u32>(0u), upper.start - back, u_inside);
                let v_start = select(vec4<u32>(0u), lower.start - back, v_inside);
                var tap = begin * weight_row() + (ky * KERNEL_WIDTH + kx) * LARGE_PIXEL;
                for (var o = begin; o < stop; o++) {
                    let u = load(u_start + o, u_inside);
                    let v = load(v_start + o, v_inside);
                    let p = weights(tap, place.left);
                    var q = p;
                    if COLUMNS > 1u {
                        q = weights(tap, right);
                    }
                    multiply_add(&t, u, v, p, q, COLUMNS > 1u);
                    tap += weight_row();
                }
            }
        }
    }
    return t;
}

fn store(at: u32, value: vec4<f32>) {
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

// Rows of the tile that the phase has.
fn rows_in(place: Place) -> u32 {
    return min(TILE_ROWS, items() * phase_height() * phase_width() - place.first);
}

@compute @workgroup_size(64)
fn conv_nn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let place = tile_at(flat_index(id, workgroups, 64u));
    if !place.exists {
        return;
    }
    var values = in_order(product(place, 0u, 4u * INNER));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - place.left); c++) {
        for (var r = 0u; r < rows_in(place); r++) {
            let pixel = pixel_at(place.phase, place.first + r);
            if pixel.exists {
                store(row_of(pixel) * COLUMNS + place.left + c, values[TILE_ROWS * c + r]);
            }
        }
    }
}

@compute @workgroup_size(64)
fn conv_nn_derivative(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let place = tile_at(flat_index(id, workgroups, 64u));
    if !place.exists {
        return;
    }
    var values = in_order(product(place, 0u, 4u * INNER));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - place.left); c++) {
        for (var r = 0u; r < rows_in(place); r++) {
            let pixel = pixel_at(place.phase, place.first + r);
            if pixel.exists {
                let i = row_of(pixel) * COLUMNS + place.left + c;
                store(i, values[TILE_ROWS * c + r] * activation_derivative(ACTIVATION, saved[i]));
            }
        }
    }
}

@compute @workgroup_size(64)
fn conv_nn_bias(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let place = tile_at(flat_index(id, workgroups, 64u));
    if !place.exists {
        return;
    }
    var values = in_order(product(place, 0u, 4u * INNER));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - place.left); c++) {
        let column = place.left + c;
        for (var r = 0u; r < rows_in(place); r++) {
            let pixel = pixel_at(place.phase, place.first + r);
            if pixel.exists {
                output[row_of(pixel) * COLUMNS + column] =
                    activation(ACTIVATION, values[TILE_ROWS * c + r] + bias[column]) * column_mask(column % SECTION, WIDTH);
            }
        }
    }
}

@compute @workgroup_size(64)
fn partial_conv_nn(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let number = flat_index(id, workgroups, 64u);
    let tiles_of_a_part = STRIDE_X * STRIDE_Y * phase_tiles() * column_tiles();
    let part = number / tiles_of_a_part;
    if part * PART >= 4u * INNER {
        return;
    }
    let place = tile_at(number % tiles_of_a_part);
    var values = in_order(product(place, part * PART, (part + 1u) * PART));
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - place.left); c++) {
        for (var r = 0u; r < rows_in(place); r++) {
            let pixel = pixel_at(place.phase, place.first + r);
            if pixel.exists {
                parts[(part * ROWS + row_of(pixel)) * COLUMNS + place.left + c] = values[TILE_ROWS * c + r];
            }
        }
    }
}
