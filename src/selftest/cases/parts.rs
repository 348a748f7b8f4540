//! The cases of `shaders/matmul_partial.wgsl`, of long sums, and of the larger tiles of `partial_tn`.

use super::Case;
use super::Content::Normal;
use crate::kernels;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    [partial(), tiled(), long()].concat()
}

/// The first halves of split sums: a last part that is shorter, and parts of one row.
fn partial() -> Vec<Case> {
    let mut cases = Vec::new();
    for (m, n, k, part, parts) in [(33, 9, 17, 32, 3), (7, 3, 2, 1, 8)] {
        let (a, b) = (Normal(4 * m * k), Normal(16 * n * k));
        let tiles = Grid::FlatTiles { phases: 1, rows: m, columns: n, parts };
        let constants = constants! { ROWS: m, COLUMNS: n, INNER: k, PART: part };
        let output = ("parts", Normal(4 * parts * m * n));
        for (kernel, b) in [("partial_nt", ("b_elements", b)), ("partial_nn", ("b", b))] {
            cases.push(
                Case::new(kernel, constants.clone())
                    .buffers(&[("a_elements", a), b, output])
                    .grid(tiles)
                    .rows(m)
                    .reduces(part),
            );
        }
        let (rows, inner) = (m.next_multiple_of(4), 4 * k - 1);
        let parts = inner.div_ceil(part);
        cases.push(
            Case::new("partial_tn", constants! { ROWS: rows, COLUMNS: n, INNER: inner, PART: part })
                .buffers(&[
                    ("a", Normal(rows * inner)),
                    ("b", Normal(4 * n * inner)),
                    ("parts", Normal(parts * (4 * rows * n + rows))),
                ])
                .grid(Grid::FlatTiles { phases: 1, rows, columns: n, parts })
                .rows(m)
                .reduces(part),
        );
        cases.push(
            Case::new("partial_column_sum", constants! { COLUMNS: n, INNER: inner, PART: part })
                .buffers(&[("a", Normal(4 * n * inner)), ("parts", Normal(4 * n * parts))])
                .grid(Grid::Elements(n * parts))
                .rows(m)
                .reduces(part),
        );
    }
    cases
}

/// Sums over more rows than a software adapter's loops take.
fn long() -> Vec<Case> {
    const ROWS: usize = 70_003;
    let tiles = |part: usize| Grid::FlatTiles { phases: 1, rows: 4, columns: 1, parts: ROWS.div_ceil(part) };
    let (a, b) = (("a", Normal(4 * ROWS)), ("b", Normal(4 * ROWS)));
    let part = 2048;
    let parts = ROWS.div_ceil(part);
    vec![
        Case::new("partial_tn", constants! { ROWS: 4, COLUMNS: 1, INNER: ROWS, PART: part })
            .buffers(&[a, b, ("parts", Normal(20 * parts))])
            .grid(tiles(part))
            .reduces(part),
        Case::new("partial_column_sum", constants! { COLUMNS: 1, INNER: ROWS, PART: part })
            .buffers(&[a, ("parts", Normal(4 * parts))])
            .grid(Grid::Elements(parts))
            .reduces(part),
        Case::new("partial_tn_tiled_32", constants! { ROWS: 4, COLUMNS: 1, INNER: ROWS, PART: part })
            .buffers(&[a, b, ("parts", Normal(20 * parts))])
            .grid(Grid::WorkgroupTiles { rows: 4, columns: 1, parts })
            .reduces(part),
        Case::new("partial_nt", constants! { ROWS: 2, COLUMNS: 1, INNER: 16_500, PART: 16_384 })
            .buffers(&[
                ("a_elements", Normal(2 * 66_000)),
                ("b_elements", Normal(4 * 66_000)),
                ("parts", Normal(5 * 8)),
            ])
            .grid(Grid::FlatTiles { phases: 1, rows: 2, columns: 1, parts: 5 })
            .reduces(16_384),
    ]
}

/// One row, column and k beyond several tiles.
fn tiled() -> Vec<Case> {
    let case = |side: usize| {
        let (rows, columns, inner, part): (usize, usize, usize, usize) = (side + 4, side / 4 + 1, 33, 16);
        let parts = inner.div_ceil(part);
        let kernel = kernels::kernel(&format!("partial_tn_tiled_{side}")).name.as_str();
        Case::new(kernel, constants! { ROWS: rows, COLUMNS: columns, INNER: inner, PART: part })
            .buffers(&[
                ("a", Normal(rows * inner)),
                ("b", Normal(4 * columns * inner)),
                ("parts", Normal(parts * (4 * rows * columns + rows))),
            ])
            .grid(Grid::WorkgroupTiles { rows, columns, parts })
            .reduces(part)
    };
    [64, 128].map(case).into()
}
