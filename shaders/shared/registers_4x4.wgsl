// The part of a tile that an invocation computes: 4 rows by 4 columns.

const THREAD_ROWS = 4u;
const THREAD_COLUMNS = 1u; // vec4

struct Registers { l0: vec4<f32>, l1: vec4<f32>, l2: vec4<f32>, l3: vec4<f32> }

fn in_order(t: Registers) -> array<vec4<f32>, 4> {
    return array<vec4<f32>, 4>(t.l0, t.l1, t.l2, t.l3);
}

// Row number i of the invocation, in the tile.
fn thread_row(i: u32, y: u32) -> u32 {
    return 4u * y + i;
}

// Its vec4 column number i, in the tile.
fn thread_column(i: u32, x: u32) -> u32 {
    return i + x;
}

// Add the products of row k of the two operands' tiles.
fn multiply_add(t: ptr<function, Registers>, k: u32, x: u32, y: u32) {
    let u = a_tile[k * (TILE_ROWS / 4u) + y];
    let p = b_tile[k * TILE_COLUMNS + x];
    (*t).l0 = fma(vec4<f32>(u.x), p, (*t).l0);
    (*t).l1 = fma(vec4<f32>(u.y), p, (*t).l1);
    (*t).l2 = fma(vec4<f32>(u.z), p, (*t).l2);
    (*t).l3 = fma(vec4<f32>(u.w), p, (*t).l3);
}
