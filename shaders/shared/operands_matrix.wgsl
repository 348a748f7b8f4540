// Matrices as the operands of shared/tiles.wgsl, row-major in vec4 (shared/layout.wgsl).

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // nt, nn: [ROWS, INNER]; tn: [INNER, ROWS / 4]
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // nt: [4 * COLUMNS, INNER]; nn: [4 * INNER, COLUMNS]; tn: [INNER, COLUMNS]

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

// Bring block number `i` of the operands' tiles into workgroup memory; these begin at `k`. Neighbours in memory are for
// neighbouring invocations.
fn load_block(i: u32, product: u32, tile: Corner, k: u32) {
    if i < A_BLOCKS {
        if product == TN {
            let inner = 4u * (i / (TILE_ROWS / 4u));
            let at = i % (TILE_ROWS / 4u);
            store_a(inner, at, load_a(k + inner, tile.row / 4u + at, INNER, ROWS / 4u));
        } else {
            let inner = i % (TILE_INNER / 4u);
            let at = i / (TILE_INNER / 4u);
            store_a(4u * inner, at, transposed(load_a(tile.row + 4u * at, k / 4u + inner, ROWS, INNER)));
        }
        return;
    }
    let j = i - A_BLOCKS;
    if product == NT {
        let inner = j % (TILE_INNER / 4u);
        let at = j / (TILE_INNER / 4u);
        store_b(4u * inner, at, transposed(load_b(4u * (tile.column + at), k / 4u + inner, 4u * COLUMNS, INNER)));
    } else {
        let inner = 4u * (j / TILE_COLUMNS);
        let at = j % TILE_COLUMNS;
        let rows = select(INNER, 4u * INNER, product == NN);
        store_b(inner, at, load_b(k + inner, tile.column + at, rows, COLUMNS));
    }
}
