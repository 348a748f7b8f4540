// What the untiled convolutions share: their products, and how invocations share the tiles.
//
// import: tile, window

override ROWS: u32; // rows of the product
override COLUMNS: u32; // vec4 in a row of it

// Add the products of a column of 8 rows, `u` and `v`, and of a row of 2 vec4, the second of them if the product is `wide`.
fn multiply_add(t: ptr<function, Tile>, u: vec4<f32>, v: vec4<f32>, p: vec4<f32>, q: vec4<f32>, wide: bool) {
    (*t).l0 = fma(vec4<f32>(u.x), p, (*t).l0);
    (*t).l1 = fma(vec4<f32>(u.y), p, (*t).l1);
    (*t).l2 = fma(vec4<f32>(u.z), p, (*t).l2);
    (*t).l3 = fma(vec4<f32>(u.w), p, (*t).l3);
    (*t).l4 = fma(vec4<f32>(v.x), p, (*t).l4);
    (*t).l5 = fma(vec4<f32>(v.y), p, (*t).l5);
    (*t).l6 = fma(vec4<f32>(v.z), p, (*t).l6);
    (*t).l7 = fma(vec4<f32>(v.w), p, (*t).l7);
    if wide {
        (*t).r0 = fma(vec4<f32>(u.x), q, (*t).r0);
        (*t).r1 = fma(vec4<f32>(u.y), q, (*t).r1);
        (*t).r2 = fma(vec4<f32>(u.z), q, (*t).r2);
        (*t).r3 = fma(vec4<f32>(u.w), q, (*t).r3);
        (*t).r4 = fma(vec4<f32>(v.x), q, (*t).r4);
        (*t).r5 = fma(vec4<f32>(v.y), q, (*t).r5);
        (*t).r6 = fma(vec4<f32>(v.z), q, (*t).r6);
        (*t).r7 = fma(vec4<f32>(v.w), q, (*t).r7);
    }
}

fn column_tiles() -> u32 {
    return (COLUMNS + TILE_COLUMNS - 1u) / TILE_COLUMNS;
}

const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// Tiles of the product, if its rows are divided without regard to anything else.
fn tiles() -> u32 {
    return (ROWS + TILE_ROWS - 1u) / TILE_ROWS * column_tiles();
}
