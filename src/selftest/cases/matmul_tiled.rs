//! The cases of `shaders/matmul_tiled_*.wgsl` and `shaders/matmul_finish.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::kernels;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    [tiled(), split()].concat()
}

/// Products by tiles of workgroup memory: one row, column and k beyond several. One size a kernel, as software adapters
/// take long to compile these.
fn tiled() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (side, tile_inner)) in [(32, 32), (64, 16), (128, 16)].into_iter().enumerate() {
        let (m, n, k): (usize, usize, usize) = (side + 1, side / 4 + 1, tile_inner / 2 + 1);
        let name = |entry: &str| kernels::kernel(&format!("{entry}_tiled_{side}")).name.as_str();
        let accumulate = i % 2 == 1;
        let tiles = Grid::WorkgroupTiles { rows: m, columns: n, parts: 1 };
        let (a, output) = (("a", Normal(4 * m * k)), ("output", Normal(4 * m * n)));
        cases.push(
            Case::new(
                name("matmul_nt"),
                constants! { ROWS: m, COLUMNS: n, INNER: k, ACTIVATION: 1, SECTION: n, WIDTH: 4 * n - 2 },
            )
            .buffers(&[a, ("b", Normal(16 * n * k)), ("bias", Normal(4 * n)), output])
            .grid(tiles)
            .rows(m)
            .reduces(4 * k),
        );
        let b = ("b", Normal(16 * n * k));
        let constants = constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate };
        cases.push(
            Case::new(name("matmul_nn"), constants.clone())
                .buffers(&[a, b, output])
                .grid(tiles)
                .rows(m)
                .reduces(4 * k),
        );
        let mut with_derivative = constants;
        with_derivative.insert("ACTIVATION", 6.0);
        let contents = [a, b, ("saved", Normal(4 * m * n)), output];
        cases.push(
            Case::new(name("matmul_nn_derivative"), with_derivative)
                .buffers(&contents)
                .grid(tiles)
                .rows(m)
                .reduces(4 * k),
        );
        // Here rows are padded, and k takes any length.
        let (m, k) = (m.next_multiple_of(4), 4 * k - 3);
        let tiles = Grid::WorkgroupTiles { rows: m, columns: n, parts: 1 };
        let operands = [("a", Normal(m * k)), ("b", Normal(4 * n * k))];
        let mut constants = constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate };
        let contents = [operands[0], operands[1], ("output", Normal(4 * m * n))];
        cases.push(
            Case::new(name("matmul_tn"), constants.clone()).buffers(&contents).grid(tiles).rows(m).reduces(k),
        );
        let start = m * n + 3;
        constants.insert("BIAS_START", start as f64);
        let contents = [operands[0], operands[1], ("output", Normal(4 * start + m))];
        cases.push(
            Case::new(name("matmul_tn_bias"), constants).buffers(&contents).grid(tiles).rows(m).reduces(k),
        );
    }
    cases
}

/// Both halves of products whose sum over k is split: a last part that is shorter, and parts of one tile.
fn split() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (m, n, k, part, parts)) in [(33, 9, 17, 32, 3), (7, 3, 40, 64, 3)].into_iter().enumerate() {
        let tiles = Grid::WorkgroupTiles { rows: m, columns: n, parts };
        let constants = constants! { ROWS: m, COLUMNS: n, INNER: k, PART: part };
        let contents =
            [("a", Normal(4 * m * k)), ("b", Normal(16 * n * k)), ("parts", Normal(4 * parts * m * n))];
        for kernel in ["partial_nt_tiled_32", "partial_nn_tiled_32"] {
            cases.push(
                Case::new(kernel, constants.clone()).buffers(&contents).grid(tiles).rows(m).reduces(part),
            );
        }
        let (rows, inner) = (m.next_multiple_of(4), 4 * k - 1);
        let length = parts * (4 * rows * n + rows);
        cases.push(
            Case::new("partial_tn_tiled_32", constants! { ROWS: rows, COLUMNS: n, INNER: inner, PART: part })
                .buffers(&[
                    ("a", Normal(rows * inner)),
                    ("b", Normal(4 * n * inner)),
                    ("parts", Normal(length)),
                ])
                .grid(Grid::WorkgroupTiles { rows, columns: n, parts })
                .rows(m)
                .reduces(part),
        );

        let accumulate = i % 2 == 1;
        let elements = Grid::Elements(m * n);
        let (sums, output) = (("parts", Normal(4 * parts * m * n)), ("output", Normal(4 * m * n)));
        let sizes = constants! {
            ROWS: m, COLUMNS: n, PARTS: parts, ACTIVATION: 1 + i, SECTION: n, WIDTH: 4 * n - 1,
        };
        cases.push(
            Case::new("finish_nt", sizes)
                .buffers(&[sums, ("bias", Normal(4 * n)), output])
                .grid(elements)
                .rows(m)
                .reduces(parts),
        );
        let mut constants = constants! { ROWS: m, COLUMNS: n, PARTS: parts, ACCUMULATE: accumulate };
        cases.push(
            Case::new("finish_nn", constants.clone())
                .buffers(&[sums, output])
                .grid(elements)
                .rows(m)
                .reduces(parts),
        );
        constants.insert("ACTIVATION", 6.0);
        let contents = [sums, ("saved", Normal(4 * m * n)), output];
        cases.push(
            Case::new("finish_nn_derivative", constants)
                .buffers(&contents)
                .grid(elements)
                .rows(m)
                .reduces(parts),
        );
        let mut constants = constants! { ROWS: rows, COLUMNS: n, PARTS: parts, ACCUMULATE: accumulate };
        let contents = [("parts", Normal(length)), ("output", Normal(4 * rows * n))];
        cases.push(
            Case::new("finish_tn", constants.clone())
                .buffers(&contents)
                .grid(Grid::Elements(rows * n))
                .rows(m)
                .reduces(parts),
        );
        let start = rows * n + 5;
        constants.insert("BIAS_START", start as f64);
        let contents = [("parts", Normal(length)), ("output", Normal(4 * start + rows))];
        let elements = Grid::Elements(rows * n + rows / 4);
        cases.push(
            Case::new("finish_tn_bias", constants).buffers(&contents).grid(elements).rows(m).reduces(parts),
        );
    }
    cases
}
