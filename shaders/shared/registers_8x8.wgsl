// The part of a tile that an invocation computes, 8 rows by 8 columns, and its place in the tile: 4 rows in the upper
// half and 4 in the lower, a vec4 in the left half and one in the right. Neighbouring invocations then read
// neighbouring vec4 of workgroup memory, which GPUs do without bank conflicts.

const THREAD_ROWS = 8u;
const THREAD_COLUMNS = 2u; // vec4

struct Registers {
    l0: vec4<f32>, l1: vec4<f32>, l2: vec4<f32>, l3: vec4<f32>, l4: vec4<f32>, l5: vec4<f32>, l6: vec4<f32>, l7: vec4<f32>,
    r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32>, r4: vec4<f32>, r5: vec4<f32>, r6: vec4<f32>, r7: vec4<f32>,
}

fn in_order(t: Registers) -> array<vec4<f32>, 16> {
    return array<vec4<f32>, 16>(
        t.l0, t.l1, t.l2, t.l3, t.l4, t.l5, t.l6, t.l7, t.r0, t.r1, t.r2, t.r3, t.r4, t.r5, t.r6, t.r7);
}

// Row number i of the invocation, in the tile.
fn thread_row(i: u32, y: u32) -> u32 {
    return (i / 4u) * (TILE_ROWS / 2u) + 4u * y + i % 4u;
}

// Its vec4 column number i, in the tile.
fn thread_column(i: u32, x: u32) -> u32 {
    return i * (TILE_COLUMNS / 2u) + x;
}

// Add the products of row k of the two operands' tiles.
fn multiply_add(t: ptr<function, Registers>, k: u32, x: u32, y: u32) {
    let u = a_tile[k * (TILE_ROWS / 4u) + y];
    let v = a_tile[k * (TILE_ROWS / 4u) + TILE_ROWS / 8u + y];
    let p = b_tile[k * TILE_COLUMNS + x];
    let q = b_tile[k * TILE_COLUMNS + TILE_COLUMNS / 2u + x];
    (*t).l0 = fma(vec4<f32>(u.x), p, (*t).l0);
    (*t).l1 = fma(vec4<f32>(u.y), p, (*t).l1);
    (*t).l2 = fma(vec4<f32>(u.z), p, (*t).l2);
    (*t).l3 = fma(vec4<f32>(u.w), p, (*t).l3);
    (*t).l4 = fma(vec4<f32>(v.x), p, (*t).l4);
    (*t).l5 = fma(vec4<f32>(v.y), p, (*t).l5);
    (*t).l6 = fma(vec4<f32>(v.z), p, (*t).l6);
    (*t).l7 = fma(vec4<f32>(v.w), p, (*t).l7);
    (*t).r0 = fma(vec4<f32>(u.x), q, (*t).r0);
    (*t).r1 = fma(vec4<f32>(u.y), q, (*t).r1);
    (*t).r2 = fma(vec4<f32>(u.z), q, (*t).r2);
    (*t).r3 = fma(vec4<f32>(u.w), q, (*t).r3);
    (*t).r4 = fma(vec4<f32>(v.x), q, (*t).r4);
    (*t).r5 = fma(vec4<f32>(v.y), q, (*t).r5);
    (*t).r6 = fma(vec4<f32>(v.z), q, (*t).r6);
    (*t).r7 = fma(vec4<f32>(v.w), q, (*t).r7);
}
