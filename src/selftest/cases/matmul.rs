//! The cases of `shaders/matmul.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::graph::Activation;
use crate::plan::{Grid, constants};

/// (rows, vec4 columns, vec4 inner): one, tile edges and one beyond, primes, and a real layer.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (8, 2, 3), (9, 3, 1), (7, 17, 5), (67, 33, 13), (128, 49, 125)];

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, &(m, n, k)) in SHAPES.iter().enumerate() {
        let kind = Activation::ALL[i % 8].number();
        let tiles = Grid::Tiles { rows: m, columns: n };
        // Two sections where the columns allow it.
        let section = if n % 2 == 1 { n } else { n / 2 };
        let sizes = constants! {
            ROWS: m, COLUMNS: n, INNER: k, ACTIVATION: kind, SECTION: section, WIDTH: 4 * section - i % 4,
        };
        cases.push(
            Case::new("matmul_nt", sizes)
                .buffers(&[
                    ("a_elements", Normal(4 * m * k)),
                    ("b_elements", Normal(16 * n * k)),
                    ("bias", Normal(4 * n)),
                    ("output", Normal(4 * m * n)),
                ])
                .grid(tiles)
                .rows(m)
                .reduces(4 * k),
        );
        let accumulate = i % 2 == 1;
        let operands =
            [("a_elements", Normal(4 * m * k)), ("b", Normal(16 * n * k)), ("output", Normal(4 * m * n))];
        cases.push(
            Case::new("matmul_nn", constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate })
                .buffers(&operands)
                .grid(tiles)
                .rows(m)
                .reduces(4 * k),
        );
        let sizes = constants! {
            ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate, ACTIVATION: Activation::ALL[7 - i].number(),
        };
        cases.push(
            Case::new("matmul_nn_derivative", sizes)
                .buffers(&[operands[0], operands[1], operands[2], ("saved", Normal(4 * m * n))])
                .grid(tiles)
                .rows(m)
                .reduces(4 * k),
        );
        // Here k runs over the minibatch, and both dimensions of the output are padded.
        cases.push(
            Case::new("matmul_tn", constants! { ROWS: 4 * k, COLUMNS: n, INNER: m, ACCUMULATE: accumulate })
                .buffers(&[
                    ("a", Normal(4 * m * k)),
                    ("b", Normal(4 * m * n)),
                    ("output", Normal(16 * k * n)),
                ])
                .grid(Grid::Tiles { rows: 4 * k, columns: n })
                .rows(m)
                .reduces(m),
        );
        // The bias lies behind the weights, with a gap.
        let start = 4 * k * n + 3;
        let sizes = constants! {
            ROWS: 4 * k, COLUMNS: n, INNER: m, ACCUMULATE: accumulate, BIAS_START: start,
        };
        cases.push(
            Case::new("matmul_tn_bias", sizes)
                .buffers(&[
                    ("a", Normal(4 * m * k)),
                    ("b", Normal(4 * m * n)),
                    ("output", Normal(4 * (start + k))),
                ])
                .grid(Grid::Tiles { rows: 4 * k, columns: n })
                .rows(m)
                .reduces(m),
        );
        cases.push(
            Case::new("column_sum", constants! { COLUMNS: n, INNER: m, ACCUMULATE: accumulate })
                .buffers(&[("a", Normal(4 * m * n)), ("output", Normal(4 * n))])
                .grid(Grid::Elements(n))
                .rows(m)
                .reduces(m),
        );
    }
    cases
}
