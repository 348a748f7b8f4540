// Matrix products of a linear layer y = x W^T + b and of its gradients.
//
//   matmul_nt              output[m, n] = activation(sum_k a[m, k] b[n, k] + bias[n])
//   matmul_nn              output[m, n] = sum_k a[m, k] b[k, n]
//   matmul_nn_derivative   the same, times activation'(saved[m, n])
//   matmul_tn              output[m, n] = sum_k a[k, m] b[k, n]
//   matmul_tn_bias         the same, and output[BIAS_START + m] = sum_k a[k, m]: a layer's weights and bias at once
//   column_sum             output[n]    = sum_k a[k, n]
//
// Every matrix is row-major in vec4 (shared/layout.wgsl). An invocation computes 8 rows by 2 vec4 of the output
// in registers, without workgroup memory: operands come through the cache. The inner loop is written out, as
// software adapters do not unroll it; it takes one k at a time, as more operands at once no longer fit in a
// processor's registers.
//
// import: step, layout, activation

override ROWS: u32; // m: rows of `output`
override COLUMNS: u32; // n: vec4 in a row of `output`
override INNER: u32; // k: vec4 where k runs along rows (nt, nn), rows where it runs down columns (tn, column_sum)
override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row: a layer's output may hold several matrices side by side
override WIDTH: u32; // real columns in a section; the rest is padding
override BIAS_START: u32; // vec4 from the start of `output` to the bias
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // tn, column_sum: [INNER, ROWS / 4 or COLUMNS]
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // nn: [4 * INNER, COLUMNS]; tn: [INNER, COLUMNS]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // nt, nn: [ROWS, 4 * INNER]
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // nt: [4 * COLUMNS, 4 * INNER]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]

const TILE_ROWS = 8u; // rows an invocation computes
const TILE_COLUMNS = 2u; // vec4 columns an invocation computes

fn store(row: u32, column: u32, value: vec4<f32>) {
    let at = row * COLUMNS + column;
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

fn finish_nt(row: u32, column: u32, sum: vec4<f32>) {
    output[row * COLUMNS + column] =
        activation(ACTIVATION, sum + bias[column]) * column_mask(column % SECTION, WIDTH);
}

fn finish_derivative(row: u32, column: u32, sum: vec4<f32>) {
    store(row, column, sum * activation_derivative(ACTIVATION, saved[row * COLUMNS + column]));
}

struct Tile {
    l0: vec4<f32>, l1: vec4<f32>, l2: vec4<f32>, l3: vec4<f32>, l4: vec4<f32>, l5: vec4<f32>, l6: vec4<f32>, l7: vec4<f32>,
    r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32>, r4: vec4<f32>, r5: vec4<f32>, r6: vec4<f32>, r7: vec4<f32>,
}

// The tile column by column. The code for a finished result is written once, in loops over these columns: sixteen
// copies of it would take most of the shader's compile time. The loops end at the matrix's edge, which is not known
// when the shader is compiled. If they were unrolled, software adapters would spill the tile in the inner loop.
fn in_order(t: Tile) -> array<vec4<f32>, 16> {
    return array<vec4<f32>, 16>(
        t.l0, t.l1, t.l2, t.l3, t.l4, t.l5, t.l6, t.l7, t.r0, t.r1, t.r2, t.r3, t.r4, t.r5, t.r6, t.r7);
}

// First element of each of the tile's rows of `a_elements`; rows past the end repeat the last, and are not stored.
fn row_starts(row: u32, stride: u32) -> array<u32, 8> {
    let last = ROWS - 1u;
    return array<u32, 8>(
        min(row, last) * stride, min(row + 1u, last) * stride, min(row + 2u, last) * stride, min(row + 3u, last) * stride,
        min(row + 4u, last) * stride, min(row + 5u, last) * stride, min(row + 6u, last) * stride, min(row + 7u, last) * stride,
    );
}

@compute @workgroup_size(8, 8)
fn matmul_nt(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let right = min(left + 1u, COLUMNS - 1u);
    let inner = 4u * INNER;
    let start = row_starts(row, inner);
    let p_start = vec4<u32>(4u * left * inner) + vec4<u32>(0u, inner, 2u * inner, 3u * inner);
    let q_start = vec4<u32>(4u * right * inner) + vec4<u32>(0u, inner, 2u * inner, 3u * inner);
    var t: Tile;
    for (var k = 0u; k < inner; k++) {
        let p = vec4<f32>(b_elements[p_start.x + k], b_elements[p_start.y + k], b_elements[p_start.z + k], b_elements[p_start.w + k]);
        let q = vec4<f32>(b_elements[q_start.x + k], b_elements[q_start.y + k], b_elements[q_start.z + k], b_elements[q_start.w + k]);
        let a0 = vec4<f32>(a_elements[start[0] + k]);
        t.l0 = fma(a0, p, t.l0);
        t.r0 = fma(a0, q, t.r0);
        let a1 = vec4<f32>(a_elements[start[1] + k]);
        t.l1 = fma(a1, p, t.l1);
        t.r1 = fma(a1, q, t.r1);
        let a2 = vec4<f32>(a_elements[start[2] + k]);
        t.l2 = fma(a2, p, t.l2);
        t.r2 = fma(a2, q, t.r2);
        let a3 = vec4<f32>(a_elements[start[3] + k]);
        t.l3 = fma(a3, p, t.l3);
        t.r3 = fma(a3, q, t.r3);
        let a4 = vec4<f32>(a_elements[start[4] + k]);
        t.l4 = fma(a4, p, t.l4);
        t.r4 = fma(a4, q, t.r4);
        let a5 = vec4<f32>(a_elements[start[5] + k]);
        t.l5 = fma(a5, p, t.l5);
        t.r5 = fma(a5, q, t.r5);
        let a6 = vec4<f32>(a_elements[start[6] + k]);
        t.l6 = fma(a6, p, t.l6);
        t.r6 = fma(a6, q, t.r6);
        let a7 = vec4<f32>(a_elements[start[7] + k]);
        t.l7 = fma(a7, p, t.l7);
        t.r7 = fma(a7, q, t.r7);
    }
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            finish_nt(row + r, left + c, values[TILE_ROWS * c + r]);
        }
    }
}

fn product_nn(row: u32, left: u32) -> Tile {
    let right = min(left + 1u, COLUMNS - 1u);
    let start = row_starts(row, 4u * INNER);
    var t: Tile;
    for (var k = 0u; k < 4u * INNER; k++) {
        let p = b[k * COLUMNS + left];
        let q = b[k * COLUMNS + right];
        let a0 = vec4<f32>(a_elements[start[0] + k]);
        t.l0 = fma(a0, p, t.l0);
        t.r0 = fma(a0, q, t.r0);
        let a1 = vec4<f32>(a_elements[start[1] + k]);
        t.l1 = fma(a1, p, t.l1);
        t.r1 = fma(a1, q, t.r1);
        let a2 = vec4<f32>(a_elements[start[2] + k]);
        t.l2 = fma(a2, p, t.l2);
        t.r2 = fma(a2, q, t.r2);
        let a3 = vec4<f32>(a_elements[start[3] + k]);
        t.l3 = fma(a3, p, t.l3);
        t.r3 = fma(a3, q, t.r3);
        let a4 = vec4<f32>(a_elements[start[4] + k]);
        t.l4 = fma(a4, p, t.l4);
        t.r4 = fma(a4, q, t.r4);
        let a5 = vec4<f32>(a_elements[start[5] + k]);
        t.l5 = fma(a5, p, t.l5);
        t.r5 = fma(a5, q, t.r5);
        let a6 = vec4<f32>(a_elements[start[6] + k]);
        t.l6 = fma(a6, p, t.l6);
        t.r6 = fma(a6, q, t.r6);
        let a7 = vec4<f32>(a_elements[start[7] + k]);
        t.l7 = fma(a7, p, t.l7);
        t.r7 = fma(a7, q, t.r7);
    }
    return t;
}

fn store_tile(row: u32, left: u32, t: Tile) {
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            store(row + r, left + c, values[TILE_ROWS * c + r]);
        }
    }
}

@compute @workgroup_size(8, 8)
fn matmul_nn(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row < ROWS && left < COLUMNS {
        store_tile(row, left, product_nn(row, left));
    }
}

@compute @workgroup_size(8, 8)
fn matmul_nn_derivative(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let t = product_nn(row, left);
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            finish_derivative(row + r, left + c, values[TILE_ROWS * c + r]);
        }
    }
}

// ROWS is a multiple of 4 here: rows of the output are (padded) columns of a.
fn product_tn(row: u32, left: u32) -> Tile {
    let right = min(left + 1u, COLUMNS - 1u);
    let a_stride = ROWS / 4u;
    let upper = row / 4u;
    let lower = min(upper + 1u, a_stride - 1u);
    var t: Tile;
    for (var k = 0u; k < INNER; k++) {
        let u = a[k * a_stride + upper];
        let v = a[k * a_stride + lower];
        let p = b[k * COLUMNS + left];
        let q = b[k * COLUMNS + right];
        t.l0 = fma(vec4<f32>(u.x), p, t.l0);
        t.l1 = fma(vec4<f32>(u.y), p, t.l1);
        t.l2 = fma(vec4<f32>(u.z), p, t.l2);
        t.l3 = fma(vec4<f32>(u.w), p, t.l3);
        t.l4 = fma(vec4<f32>(v.x), p, t.l4);
        t.l5 = fma(vec4<f32>(v.y), p, t.l5);
        t.l6 = fma(vec4<f32>(v.z), p, t.l6);
        t.l7 = fma(vec4<f32>(v.w), p, t.l7);
        t.r0 = fma(vec4<f32>(u.x), q, t.r0);
        t.r1 = fma(vec4<f32>(u.y), q, t.r1);
        t.r2 = fma(vec4<f32>(u.z), q, t.r2);
        t.r3 = fma(vec4<f32>(u.w), q, t.r3);
        t.r4 = fma(vec4<f32>(v.x), q, t.r4);
        t.r5 = fma(vec4<f32>(v.y), q, t.r5);
        t.r6 = fma(vec4<f32>(v.z), q, t.r6);
        t.r7 = fma(vec4<f32>(v.w), q, t.r7);
    }
    return t;
}

@compute @workgroup_size(8, 8)
fn matmul_tn(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row < ROWS && left < COLUMNS {
        store_tile(row, left, product_tn(row, left));
    }
}

// Column `column` of a, summed, to vec4 number `at` of the output.
fn store_column_sum(column: u32, stride: u32, at: u32) {
    var sum = vec4<f32>(0.0);
    for (var k = 0u; k < INNER; k++) {
        sum += a[k * stride + column];
    }
    if ACCUMULATE {
        output[at] += sum;
    } else {
        output[at] = sum;
    }
}

@compute @workgroup_size(8, 8)
fn matmul_tn_bias(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    store_tile(row, left, product_tn(row, left));
    // Each invocation at the left edge sums its few rows of a.
    if left == 0u {
        for (var column = row / 4u; column < min(row + TILE_ROWS, ROWS) / 4u; column++) {
            store_column_sum(column, ROWS / 4u, BIAS_START + column);
        }
    }
}

@compute @workgroup_size(64)
fn column_sum(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < COLUMNS {
        store_column_sum(id.x, COLUMNS, id.x);
    }
}
