// Matrix products by tiles in workgroup memory, for GPUs: the kernels of matmul.wgsl, each with the suffix `_tiled` and the
// tile size (matmul_tiled_64.wgsl).
//
//   matmul_nt              output[m, n] = activation(sum_k a[m, k] b[n, k] + bias[n])
//   matmul_nn              output[m, n] = sum_k a[m, k] b[k, n]
//   matmul_nn_derivative   the same, times activation'(saved[m, n])
//   matmul_tn              output[m, n] = sum_k a[k, m] b[k, n]
//   matmul_tn_bias         the same, and output[BIAS_START + m] = sum_k a[k, m]
//
// A workgroup computes a tile of the output. It goes through k in steps of TILE_INNER: all invocations together bring
// a tile of each operand into workgroup memory, k down the rows of both, and then each multiplies what its part of the
// output needs. What lies outside of a matrix is 0 in its tile.
//
// Matrices are row-major in vec4 (shared/layout.wgsl).
//
// import: layout, activation

override ROWS: u32; // m: rows of `output`
override COLUMNS: u32; // n: vec4 in a row of `output`
override INNER: u32; // k: vec4 where k runs along rows (nt, nn), rows where it runs down columns (tn)
override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section; the rest is padding
override BIAS_START: u32; // vec4 from the start of `output` to the bias
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // nt, nn: [ROWS, INNER]; tn: [INNER, ROWS / 4]
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // nt: [4 * COLUMNS, INNER]; nn: [4 * INNER, COLUMNS]; tn: [INNER, COLUMNS]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]

const INVOCATIONS = WORKGROUP_WIDTH * WORKGROUP_HEIGHT;
const A_BLOCKS = TILE_ROWS * TILE_INNER / 16u; // blocks of 4 by 4 in a tile
const B_BLOCKS = TILE_COLUMNS * TILE_INNER / 4u;

var<workgroup> a_tile: array<vec4<f32>, TILE_ROWS * TILE_INNER / 4u>; // [TILE_INNER, TILE_ROWS / 4]
var<workgroup> b_tile: array<vec4<f32>, TILE_COLUMNS * TILE_INNER>; // [TILE_INNER, TILE_COLUMNS]

// Four rows of a matrix in four vec4.
struct Block { r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32> }

fn transposed(m: Block) -> Block {
    return Block(
        vec4<f32>(m.r0.x, m.r1.x, m.r2.x, m.r3.x),
        vec4<f32>(m.r0.y, m.r1.y, m.r2.y, m.r3.y),
        vec4<f32>(m.r0.z, m.r1.z, m.r2.z, m.r3.z),
        vec4<f32>(m.r0.w, m.r1.w, m.r2.w, m.r3.w),
    );
}

// Vec4 `column` of rows `row` to `row + 3` of a matrix of `rows` rows of `columns` vec4; 0 outside of it.
fn load_a(row: u32, column: u32, rows: u32, columns: u32) -> Block {
    var m: Block;
    if column < columns {
        if row < rows { m.r0 = a[row * columns + column]; }
        if row + 1u < rows { m.r1 = a[(row + 1u) * columns + column]; }
        if row + 2u < rows { m.r2 = a[(row + 2u) * columns + column]; }
        if row + 3u < rows { m.r3 = a[(row + 3u) * columns + column]; }
    }
    return m;
}

fn load_b(row: u32, column: u32, rows: u32, columns: u32) -> Block {
    var m: Block;
    if column < columns {
        if row < rows { m.r0 = b[row * columns + column]; }
        if row + 1u < rows { m.r1 = b[(row + 1u) * columns + column]; }
        if row + 2u < rows { m.r2 = b[(row + 2u) * columns + column]; }
        if row + 3u < rows { m.r3 = b[(row + 3u) * columns + column]; }
    }
    return m;
}

fn store_a(inner: u32, column: u32, m: Block) {
    a_tile[inner * (TILE_ROWS / 4u) + column] = m.r0;
    a_tile[(inner + 1u) * (TILE_ROWS / 4u) + column] = m.r1;
    a_tile[(inner + 2u) * (TILE_ROWS / 4u) + column] = m.r2;
    a_tile[(inner + 3u) * (TILE_ROWS / 4u) + column] = m.r3;
}

fn store_b(inner: u32, column: u32, m: Block) {
    b_tile[inner * TILE_COLUMNS + column] = m.r0;
    b_tile[(inner + 1u) * TILE_COLUMNS + column] = m.r1;
    b_tile[(inner + 2u) * TILE_COLUMNS + column] = m.r2;
    b_tile[(inner + 3u) * TILE_COLUMNS + column] = m.r3;
}

// Which of the operands are stored with k along their rows, and so are turned on their way into workgroup memory.
const NT = 0u; // both
const NN = 1u; // a
const TN = 2u; // none

// Bring block number `i` of the tiles into workgroup memory. The tiles begin at row `row` and vec4 column `column` of the
// output, and at `k`. Neighbours in memory are for neighbouring invocations.
fn load_block(i: u32, product: u32, row: u32, column: u32, k: u32) {
    if i < A_BLOCKS {
        if product == TN {
            let inner = 4u * (i / (TILE_ROWS / 4u));
            let at = i % (TILE_ROWS / 4u);
            store_a(inner, at, load_a(k + inner, row / 4u + at, INNER, ROWS / 4u));
        } else {
            let inner = i % (TILE_INNER / 4u);
            let at = i / (TILE_INNER / 4u);
            store_a(4u * inner, at, transposed(load_a(row + 4u * at, k / 4u + inner, ROWS, INNER)));
        }
        return;
    }
    let j = i - A_BLOCKS;
    if product == NT {
        let inner = j % (TILE_INNER / 4u);
        let at = j / (TILE_INNER / 4u);
        store_b(4u * inner, at, transposed(load_b(4u * (column + at), k / 4u + inner, 4u * COLUMNS, INNER)));
    } else {
        let inner = 4u * (j / TILE_COLUMNS);
        let at = j % TILE_COLUMNS;
        let rows = select(INNER, 4u * INNER, product == NN);
        store_b(inner, at, load_b(k + inner, column + at, rows, COLUMNS));
    }
}

// The invocation's part of workgroup `group`'s tile, summed over k from `first` to `end`. With `sum_a` the first
// TILE_ROWS / 4 invocations also add a column of a each to `sum`.
fn multiply_tiles(
    product: u32, group: vec3<u32>, local: u32, first: u32, end: u32, sum_a: bool, sum: ptr<function, vec4<f32>>,
) -> Registers {
    let x = local % WORKGROUP_WIDTH;
    let y = local / WORKGROUP_WIDTH;
    var t: Registers;
    for (var k = first; k < end; k += TILE_INNER) {
        for (var i = local; i < A_BLOCKS + B_BLOCKS; i += INVOCATIONS) {
            load_block(i, product, group.y * TILE_ROWS, group.x * TILE_COLUMNS, k);
        }
        workgroupBarrier();
        // Unrolled here and not by the compiler: wgpu bounds every loop, and what that leaves of a compiler's will to
        // unroll differs from driver to driver. Past the end of k tiles hold zeros.
        for (var j = 0u; j < min(TILE_INNER, end - k); j += 4u) {
            multiply_add(&t, j, x, y);
            multiply_add(&t, j + 1u, x, y);
            multiply_add(&t, j + 2u, x, y);
            multiply_add(&t, j + 3u, x, y);
        }
        if sum_a && local < TILE_ROWS / 4u {
            for (var j = 0u; j < TILE_INNER; j++) {
                *sum += a_tile[j * (TILE_ROWS / 4u) + local];
            }
        }
        workgroupBarrier();
    }
    return t;
}

// Row and vec4 column in the output of the invocation's value number `i`.
fn place(i: u32, group: vec3<u32>, local: u32) -> vec2<u32> {
    return vec2<u32>(
        group.y * TILE_ROWS + thread_row(i % THREAD_ROWS, local / WORKGROUP_WIDTH),
        group.x * TILE_COLUMNS + thread_column(i / THREAD_ROWS, local % WORKGROUP_WIDTH),
    );
}

fn is_inside(at: vec2<u32>) -> bool {
    return at.x < ROWS && at.y < COLUMNS;
}

fn store(at: u32, value: vec4<f32>) {
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_nt_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NT, group, local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, group, local);
        if is_inside(at) {
            output[at.x * COLUMNS + at.y] =
                activation(ACTIVATION, values[i] + bias[at.y]) * column_mask(at.y % SECTION, WIDTH);
        }
    }
}

fn store_tile(group: vec3<u32>, local: u32, t: Registers) {
    var values = in_order(t);
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, group, local);
        if is_inside(at) {
            store(at.x * COLUMNS + at.y, values[i]);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_nn_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    store_tile(group, local, multiply_tiles(NN, group, local, 0u, 4u * INNER, false, &unused));
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_nn_derivative_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    var values = in_order(multiply_tiles(NN, group, local, 0u, 4u * INNER, false, &unused));
    for (var i = 0u; i < THREAD_ROWS * THREAD_COLUMNS; i++) {
        let at = place(i, group, local);
        if is_inside(at) {
            let element = at.x * COLUMNS + at.y;
            store(element, values[i] * activation_derivative(ACTIVATION, saved[element]));
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_tn_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var unused = vec4<f32>(0.0);
    store_tile(group, local, multiply_tiles(TN, group, local, 0u, INNER, false, &unused));
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_tn_bias_tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var sum = vec4<f32>(0.0);
    store_tile(group, local, multiply_tiles(TN, group, local, 0u, INNER, group.x == 0u, &sum));
    let column = group.y * (TILE_ROWS / 4u) + local;
    if group.x == 0u && local < TILE_ROWS / 4u && column < ROWS / 4u {
        store(BIAS_START + column, sum);
    }
}
