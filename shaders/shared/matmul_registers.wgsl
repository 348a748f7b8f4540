// The sums of matrix products that an invocation computes in registers: 8 rows by 2 vec4 of the output, without workgroup
// memory. Operands come through the cache. The inner loop is written out, as software adapters do not unroll it; it
// takes one k at a time, as more operands at once no longer fit in a processor's registers.
//
//   product_nt         sum_k a[m, k] b[n, k]
//   product_nn         sum_k a[m, k] b[k, n]
//   product_tn         sum_k a[k, m] b[k, n]
//   sum_of_column      sum_k a[k, n]
//
// Each sums over k from `begin` to `end`.
//
// import: tile

override ROWS: u32; // m: rows of `output`
override COLUMNS: u32; // n: vec4 in a row of `output`
override INNER: u32; // k: vec4 where k runs along rows (nt, nn), rows where it runs down columns (tn, column_sum)

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // tn, column_sum: [INNER, ROWS / 4 or COLUMNS]
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // nn: [4 * INNER, COLUMNS]; tn: [INNER, COLUMNS]
@group(0) @binding(5) var<storage, read> a_elements: array<f32>; // nt, nn: [ROWS, 4 * INNER]
@group(0) @binding(6) var<storage, read> b_elements: array<f32>; // nt: [4 * COLUMNS, 4 * INNER]

// First element of each of the tile's rows of `a_elements`; rows past the end repeat the last, and are not stored.
fn row_starts(row: u32, stride: u32) -> array<u32, 8> {
    let last = ROWS - 1u;
    return array<u32, 8>(
        min(row, last) * stride, min(row + 1u, last) * stride, min(row + 2u, last) * stride, min(row + 3u, last) * stride,
        min(row + 4u, last) * stride, min(row + 5u, last) * stride, min(row + 6u, last) * stride, min(row + 7u, last) * stride,
    );
}

fn product_nt(row: u32, left: u32, begin: u32, end: u32) -> Tile {
    let right = min(left + 1u, COLUMNS - 1u);
    let inner = 4u * INNER;
    let start = row_starts(row, inner);
    let p_start = vec4<u32>(4u * left * inner) + vec4<u32>(0u, inner, 2u * inner, 3u * inner);
    let q_start = vec4<u32>(4u * right * inner) + vec4<u32>(0u, inner, 2u * inner, 3u * inner);
    var t: Tile;
    for (var k = begin; k < end; k++) {
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
    return t;
}

fn product_nn(row: u32, left: u32, begin: u32, end: u32) -> Tile {
    let right = min(left + 1u, COLUMNS - 1u);
    let start = row_starts(row, 4u * INNER);
    var t: Tile;
    for (var k = begin; k < end; k++) {
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

// ROWS is a multiple of 4 here: rows of the output are (padded) columns of a.
fn product_tn(row: u32, left: u32, begin: u32, end: u32) -> Tile {
    let right = min(left + 1u, COLUMNS - 1u);
    let a_stride = ROWS / 4u;
    let upper = row / 4u;
    let lower = min(upper + 1u, a_stride - 1u);
    var t: Tile;
    for (var k = begin; k < end; k++) {
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

// Vec4 column `column` of a, whose rows are `stride` apart, summed.
fn sum_of_column(column: u32, stride: u32, begin: u32, end: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var k = begin; k < end; k++) {
        sum += a[k * stride + column];
    }
    return sum;
}
