// Products by tiles in workgroup memory. A workgroup computes a tile of the output. It goes through k in steps of
// TILE_INNER: all invocations together bring a tile of each operand into workgroup memory, k down the rows of both, and then
// each multiplies what its part of the output needs.
//
// What the operands are is a matter of `load_block`: matrices (shared/operands_matrix.wgsl) or the windows of a convolution
// (shared/operands_window.wgsl). What lies outside of an operand is 0 in its tile.

override ROWS: u32; // m: rows of `output`
override COLUMNS: u32; // n: vec4 in a row of `output`
override INNER: u32; // k: vec4 where k runs along rows (nt, nn), rows where it runs down columns (tn)

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

// Where a workgroup's tile begins.
struct Corner {
    row: u32,
    column: u32, // vec4
    phase: vec2<u32>, // of the rows, in a transposed convolution: shared/operands_window.wgsl
    part: vec2<u32>, // in a transposed convolution whose sum is split: the first channel, and how many there are
}

// Which of the operands are stored with k along their rows, and so are turned on their way into workgroup memory.
const NT = 0u; // both
const NN = 1u; // a
const TN = 2u; // none

// The invocation's part of the workgroup's tile, summed over k from `first` to `end`. With `sum_a` the first
// TILE_ROWS / 4 invocations also add a column of a each to `sum`.
fn multiply_tiles(
    product: u32, tile: Corner, local: u32, first: u32, end: u32, sum_a: bool, sum: ptr<function, vec4<f32>>,
) -> Registers {
    let x = local % WORKGROUP_WIDTH;
    let y = local / WORKGROUP_WIDTH;
    var t: Registers;
    for (var k = first; k < end; k += TILE_INNER) {
        for (var i = local; i < A_BLOCKS + B_BLOCKS; i += INVOCATIONS) {
            load_block(i, product, tile, k);
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
fn place(i: u32, tile: Corner, local: u32) -> vec2<u32> {
    return vec2<u32>(
        tile.row + thread_row(i % THREAD_ROWS, local / WORKGROUP_WIDTH),
        tile.column + thread_column(i / THREAD_ROWS, local % WORKGROUP_WIDTH),
    );
}

fn is_inside(at: vec2<u32>) -> bool {
    return at.x < ROWS && at.y < COLUMNS;
}

