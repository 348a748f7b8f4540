// The part of a product that an invocation of the untiled kernels computes in registers: 8 rows by 2 vec4 columns.

const TILE_ROWS = 8u; // rows an invocation computes
const TILE_COLUMNS = 2u; // vec4 columns an invocation computes

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
