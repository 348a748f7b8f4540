// The windows of a convolution as an operand of shared/tiles.wgsl: the matrix with a row for each position of the window and a
// column for each of its elements, never written anywhere.
//
//   nt    a: windows of the large maps L; b: weights W, [4 * COLUMNS, 4 * INNER]
//   nn    a: small maps S, a row for each large pixel and a column for each (tap of the phase, channel); b: weights
//   tn    a: small maps S, [INNER, ROWS]; b: windows of the large maps L
//
// The rows of nt and nn are one pixel after the other, and of each pixel all items. Those of nn are pixels of one phase
// (conv_nn.wgsl), for which the window has only some taps. Maps are read as vec4 unless their pixels are packed.
//
// import: tiles, window

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // the same buffer as `a`
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // the same buffer as `b`

fn small_pixels() -> u32 {
    return SMALL_HEIGHT * SMALL_WIDTH;
}

fn large_items() -> u32 {
    return ROWS / (LARGE_HEIGHT * LARGE_WIDTH);
}

// Columns and rows of pixels in a phase of the large maps; the last may lie outside of them.
fn phase_width() -> u32 {
    return (LARGE_WIDTH + STRIDE_X - 1u) / STRIDE_X;
}

fn phase_height() -> u32 {
    return (LARGE_HEIGHT + STRIDE_Y - 1u) / STRIDE_Y;
}

fn phase_rows() -> u32 {
    return large_items() * phase_height() * phase_width();
}

// Taps of the window that belong to pixels of a phase: rows and columns, and the first of each.
fn first_tap(phase: vec2<u32>) -> vec2<u32> {
    return vec2<u32>((phase.x + PADDING_TOP) % STRIDE_Y, (phase.y + PADDING_LEFT) % STRIDE_X);
}

fn taps(phase: vec2<u32>) -> vec2<u32> {
    let first = first_tap(phase);
    return vec2<u32>(
        (max(KERNEL_HEIGHT, first.x) - first.x + STRIDE_Y - 1u) / STRIDE_Y,
        (max(KERNEL_WIDTH, first.y) - first.y + STRIDE_X - 1u) / STRIDE_X,
    );
}

const NOWHERE = 0xffffffffu;

// Element `k` of the window of small pixel number `pixel` of an item: its place in the large maps.
fn element_at(item: u32, pixel: u32, k: u32) -> u32 {
    let j = k % run_length();
    let ky = k / run_length();
    let y = pixel / SMALL_WIDTH * STRIDE_Y + ky - PADDING_TOP;
    let left = pixel % SMALL_WIDTH * STRIDE_X - PADDING_LEFT;
    if ky < KERNEL_HEIGHT && y < LARGE_HEIGHT && left + j / LARGE_PIXEL < LARGE_WIDTH {
        return item * LARGE_ITEM + (y * LARGE_WIDTH + left) * LARGE_PIXEL + j;
    }
    return NOWHERE;
}

// Elements `k` to `k + 3` of a window, from a.
fn window_from_a(item: u32, pixel: u32, k: u32) -> vec4<f32> {
    var values = vec4<f32>(0.0);
    if LARGE_PIXEL % 4u == 0u {
        let at = element_at(item, pixel, k);
        if at != NOWHERE {
            values = a[at / 4u];
        }
    } else {
        for (var e = 0u; e < 4u; e++) {
            let at = element_at(item, pixel, k + e);
            if at != NOWHERE {
                values[e] = a_elements[at];
            }
        }
    }
    return values;
}

// The same from b.
fn window_from_b(item: u32, pixel: u32, k: u32) -> vec4<f32> {
    var values = vec4<f32>(0.0);
    if LARGE_PIXEL % 4u == 0u {
        let at = element_at(item, pixel, k);
        if at != NOWHERE {
            values = b[at / 4u];
        }
    } else {
        for (var e = 0u; e < 4u; e++) {
            let at = element_at(item, pixel, k + e);
            if at != NOWHERE {
                values[e] = b_elements[at];
            }
        }
    }
    return values;
}

// Channels `channel` to `channel + 3` of small pixel number `pixel` of an item.
fn small_from_a(item: u32, pixel: u32, channel: u32) -> vec4<f32> {
    let start = item * SMALL_ITEM + pixel * SMALL_PIXEL;
    if SMALL_PIXEL % 4u == 0u {
        return a[(start + channel) / 4u];
    }
    var values = vec4<f32>(0.0);
    for (var e = channel; e < min(channel + 4u, SMALL_PIXEL); e++) {
        values[e % 4u] = a_elements[start + e];
    }
    return values;
}

// nt: elements `k` to `k + 3` of the window of row `row`.
fn window_of_row(row: u32, k: u32) -> vec4<f32> {
    let items = ROWS / small_pixels();
    if row < ROWS {
        return window_from_a(row % items, row / items, k);
    }
    return vec4<f32>(0.0);
}

// nn: what row `row` of the tile's phase has in columns `k` to `k + 3`.
fn small_of_row(row: u32, tile: Corner, k: u32) -> vec4<f32> {
    let tap = k / tile.part.y;
    let across = taps(tile.phase).y;
    let place = row / large_items();
    let y = place / phase_width() + (tile.phase.x + PADDING_TOP) / STRIDE_Y - tap / max(across, 1u);
    let x = place % phase_width() + (tile.phase.y + PADDING_LEFT) / STRIDE_X - tap % max(across, 1u);
    if row < phase_rows() && y < SMALL_HEIGHT && x < SMALL_WIDTH {
        return small_from_a(row % large_items(), y * SMALL_WIDTH + x, tile.part.x + k % tile.part.y);
    }
    return vec4<f32>(0.0);
}

// nn: row `k` of the weights of the tile's phase, vec4 column `column`.
fn weights_of_tap(tile: Corner, k: u32, column: u32) -> vec4<f32> {
    let tap = k / tile.part.y;
    let count = taps(tile.phase);
    if column >= COLUMNS || tap >= count.x * count.y {
        return vec4<f32>(0.0);
    }
    let first = first_tap(tile.phase);
    let at = (first.x + tap / count.y * STRIDE_Y) * KERNEL_WIDTH + first.y + tap % count.y * STRIDE_X;
    let row = (KERNEL_HEIGHT * run_length() + 3u) / 4u * 4u;
    return b[((tile.part.x + k % tile.part.y) * row + at * LARGE_PIXEL) / 4u + column];
}

// tn: channels of the small pixel in row `k`.
fn small_of_k(k: u32, column: u32) -> vec4<f32> {
    if k < INNER && column < ROWS / 4u {
        return small_from_a(k / small_pixels(), k % small_pixels(), 4u * column);
    }
    return vec4<f32>(0.0);
}

// tn: elements of the window in row `k`.
fn window_of_k(k: u32, column: u32) -> vec4<f32> {
    if k < INNER && column < COLUMNS {
        return window_from_b(k / small_pixels(), k % small_pixels(), 4u * column);
    }
    return vec4<f32>(0.0);
}

// nt: vec4 `k` of row `row` of the weights.
fn weights_of_row(row: u32, k: u32) -> vec4<f32> {
    if row < 4u * COLUMNS && k < INNER {
        return b[row * INNER + k];
    }
    return vec4<f32>(0.0);
}

// Bring block number `i` of the operands' tiles into workgroup memory; these begin at `k`. Neighbours in memory are for
// neighbouring invocations.
fn load_block(i: u32, product: u32, tile: Corner, k: u32) {
    if i < A_BLOCKS {
        if product == TN {
            let inner = 4u * (i / (TILE_ROWS / 4u));
            let at = i % (TILE_ROWS / 4u);
            let n = k + inner;
            let column = tile.row / 4u + at;
            store_a(inner, at, Block(
                small_of_k(n, column), small_of_k(n + 1u, column), small_of_k(n + 2u, column), small_of_k(n + 3u, column)));
            return;
        }
        let inner = 4u * (i % (TILE_INNER / 4u));
        let at = i / (TILE_INNER / 4u);
        let n = k + inner;
        let row = tile.row + 4u * at;
        var m: Block;
        if product == NT {
            m = Block(
                window_of_row(row, n), window_of_row(row + 1u, n), window_of_row(row + 2u, n), window_of_row(row + 3u, n));
        } else {
            m = Block(small_of_row(row, tile, n), small_of_row(row + 1u, tile, n), small_of_row(row + 2u, tile, n),
                small_of_row(row + 3u, tile, n));
        }
        store_a(inner, at, transposed(m));
        return;
    }
    let j = i - A_BLOCKS;
    if product == NT {
        let inner = j % (TILE_INNER / 4u);
        let at = j / (TILE_INNER / 4u);
        let row = 4u * (tile.column + at);
        let n = k / 4u + inner;
        store_b(4u * inner, at, transposed(Block(
            weights_of_row(row, n), weights_of_row(row + 1u, n), weights_of_row(row + 2u, n), weights_of_row(row + 3u, n))));
        return;
    }
    let inner = 4u * (j / TILE_COLUMNS);
    let at = j % TILE_COLUMNS;
    let column = tile.column + at;
    let n = k + inner;
    if product == NN {
        store_b(inner, at, Block(weights_of_tap(tile, n, column), weights_of_tap(tile, n + 1u, column),
            weights_of_tap(tile, n + 2u, column), weights_of_tap(tile, n + 3u, column)));
    } else {
        store_b(inner, at, Block(
            window_of_k(n, column), window_of_k(n + 1u, column), window_of_k(n + 2u, column), window_of_k(n + 3u, column)));
    }
}
