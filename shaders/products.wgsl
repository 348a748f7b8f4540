// Matrix products of items: item i of two values gives matrices a[i] and b[i], and its product is output[i].
//
//   products_nt   output[i, m, n] = SCALE * sum_k a[i, m, k] b[i, n, k]
//   products_nn   output[i, m, n] = SCALE * sum_k a[i, m, k] b[i, k, n]
//   products_tn   output[i, m, n] = SCALE * sum_k a[i, k, m] b[i, k, n]
//
// With ACCUMULATE the products are added to `output`. Every matrix is row-major in vec4 (shared/layout.wgsl); those of an
// item follow those of the item before. An invocation computes 8 rows by 2 vec4 of an item's output in registers
// (shared/tile.wgsl); the item is its z.
//
// import: step, layout, tile

override ROWS: u32; // m: rows of an item's output
override COLUMNS: u32; // vec4 in a row of the output
override WIDTH: u32; // n: its real columns
override INNER: u32; // k: terms of a sum
override SCALE: f32;
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // tn: [items, INNER, ROWS]
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // nn, tn: [items, INNER, COLUMNS]
@group(0) @binding(3) var<storage, read> a_elements: array<f32>; // nt, nn: [items, ROWS, INNER]
@group(0) @binding(4) var<storage, read> b_elements: array<f32>; // nt: [items, WIDTH, INNER]
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>; // [items, ROWS, COLUMNS]

// Elements of a row of INNER columns.
fn inner_stride() -> u32 {
    return (INNER + 3u) / 4u * 4u;
}

// Add the products of 8 numbers of a, rows of the tile, and 8 numbers of b, its columns.
fn multiply_add(t: ptr<function, Tile>, u: vec4<f32>, v: vec4<f32>, p: vec4<f32>, q: vec4<f32>) {
    (*t).l0 = fma(vec4<f32>(u.x), p, (*t).l0);
    (*t).r0 = fma(vec4<f32>(u.x), q, (*t).r0);
    (*t).l1 = fma(vec4<f32>(u.y), p, (*t).l1);
    (*t).r1 = fma(vec4<f32>(u.y), q, (*t).r1);
    (*t).l2 = fma(vec4<f32>(u.z), p, (*t).l2);
    (*t).r2 = fma(vec4<f32>(u.z), q, (*t).r2);
    (*t).l3 = fma(vec4<f32>(u.w), p, (*t).l3);
    (*t).r3 = fma(vec4<f32>(u.w), q, (*t).r3);
    (*t).l4 = fma(vec4<f32>(v.x), p, (*t).l4);
    (*t).r4 = fma(vec4<f32>(v.x), q, (*t).r4);
    (*t).l5 = fma(vec4<f32>(v.y), p, (*t).l5);
    (*t).r5 = fma(vec4<f32>(v.y), q, (*t).r5);
    (*t).l6 = fma(vec4<f32>(v.z), p, (*t).l6);
    (*t).r6 = fma(vec4<f32>(v.z), q, (*t).r6);
    (*t).l7 = fma(vec4<f32>(v.w), p, (*t).l7);
    (*t).r7 = fma(vec4<f32>(v.w), q, (*t).r7);
}

// First elements of four rows from `row` on; rows past the last of `rows` repeat it, and are not stored.
fn row_starts(item: u32, row: u32, rows: u32) -> vec4<u32> {
    let own = min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
    return (item * rows + own) * inner_stride();
}

fn of_a(start: vec4<u32>, k: u32) -> vec4<f32> {
    return vec4<f32>(a_elements[start.x + k], a_elements[start.y + k], a_elements[start.z + k], a_elements[start.w + k]);
}

fn of_b(start: vec4<u32>, k: u32) -> vec4<f32> {
    return vec4<f32>(b_elements[start.x + k], b_elements[start.y + k], b_elements[start.z + k], b_elements[start.w + k]);
}

fn store_tile(item: u32, row: u32, left: u32, t: Tile) {
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            let at = (item * ROWS + row + r) * COLUMNS + left + c;
            let value = SCALE * values[TILE_ROWS * c + r] * column_mask(left + c, WIDTH);
            if ACCUMULATE {
                output[at] += value;
            } else {
                output[at] = value;
            }
        }
    }
}

@compute @workgroup_size(8, 8)
fn products_nt(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let upper = row_starts(id.z, row, ROWS);
    let lower = row_starts(id.z, row + 4u, ROWS);
    let p = row_starts(id.z, 4u * left, WIDTH);
    let q = row_starts(id.z, 4u * left + 4u, WIDTH);
    var t: Tile;
    for (var k = 0u; k < INNER; k++) {
        multiply_add(&t, of_a(upper, k), of_a(lower, k), of_b(p, k), of_b(q, k));
    }
    store_tile(id.z, row, left, t);
}

@compute @workgroup_size(8, 8)
fn products_nn(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let right = min(left + 1u, COLUMNS - 1u);
    let upper = row_starts(id.z, row, ROWS);
    let lower = row_starts(id.z, row + 4u, ROWS);
    let b_start = id.z * INNER * COLUMNS;
    var t: Tile;
    for (var k = 0u; k < INNER; k++) {
        let at = b_start + k * COLUMNS;
        multiply_add(&t, of_a(upper, k), of_a(lower, k), b[at + left], b[at + right]);
    }
    store_tile(id.z, row, left, t);
}

@compute @workgroup_size(8, 8)
fn products_tn(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let right = min(left + 1u, COLUMNS - 1u);
    let a_columns = (ROWS + 3u) / 4u;
    let upper = row / 4u;
    let lower = min(upper + 1u, a_columns - 1u);
    var t: Tile;
    for (var k = 0u; k < INNER; k++) {
        let a_row = (id.z * INNER + k) * a_columns;
        let b_row = (id.z * INNER + k) * COLUMNS;
        multiply_add(&t, a[a_row + upper], a[a_row + lower], b[b_row + left], b[b_row + right]);
    }
    store_tile(id.z, row, left, t);
}
