//! The cases of `shaders/products.wgsl` and `shaders/softmax.wgsl`.

use super::Case;
use super::Content::{Given, Normal};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    [products(), softmax()].concat()
}

/// Items, rows, columns and terms of sums: ones, edges of a tile and beyond, and no multiples of four.
const SHAPES: [[usize; 4]; 6] =
    [[1, 1, 1, 1], [3, 8, 8, 4], [2, 9, 5, 7], [2, 49, 49, 3], [1, 67, 66, 130], [5, 1, 33, 18]];

fn products() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, [items, rows, width, inner]) in SHAPES.into_iter().enumerate() {
        let padded = |columns: usize| columns.next_multiple_of(4);
        let sizes = constants! {
            ROWS: rows, COLUMNS: width.div_ceil(4), WIDTH: width, INNER: inner, SCALE: 0.75, ACCUMULATE: i % 2,
        };
        let output = ("output", Normal(items * rows * padded(width)));
        let along = ("a_elements", Normal(items * rows * padded(inner)));
        let (down, across) =
            (("a", Normal(items * inner * padded(rows))), ("b", Normal(items * inner * padded(width))));
        let transposed = ("b_elements", Normal(items * width * padded(inner)));
        for (kernel, operands) in [
            ("products_nt", [along, transposed]),
            ("products_nn", [along, across]),
            ("products_tn", [down, across]),
        ] {
            let case = Case::new(kernel, sizes.clone()).buffers(&[operands[0], operands[1], output]);
            let grid = Grid::ItemTiles { items, rows, columns: width.div_ceil(4) };
            cases.push(case.grid(grid).rows(items).reduces(inner));
        }
    }
    cases
}

fn softmax() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (rows, width)) in [(1, 1), (7, 4), (3, 13), (65, 49), (2, 1030)].into_iter().enumerate() {
        let columns = usize::div_ceil(width, 4);
        let values = Normal(4 * rows * columns);
        // Exponentials of these values overflow, and those of their negatives vanish.
        let far = Given(4 * rows * columns, |i| 300.0 + (i * 37 % 11) as f32);
        let low = Given(4 * rows * columns, |i| -300.0 - (i * 37 % 11) as f32);
        let sizes = constants! { ROWS: rows, COLUMNS: columns, WIDTH: width };
        for x in [values, far, low] {
            let case = Case::new("softmax", sizes.clone()).buffers(&[("x", x), ("y", values)]);
            cases.push(case.grid(Grid::Workgroups(rows)));
        }
        let sizes = constants! { ROWS: rows, COLUMNS: columns, ACCUMULATE: i % 2 };
        let contents = [("y_gradient", values), ("saved", values), ("x_gradient", values)];
        cases.push(
            Case::new("softmax_gradient", sizes)
                .buffers(&contents)
                .grid(Grid::Workgroups(rows))
                .reduces(width),
        );
    }
    // Five columns far below the 0 of their padding, whose exponential overflows.
    let padded = Given(8, |i| if i < 5 { -300.0 - i as f32 } else { 0.0 });
    let sizes = constants! { ROWS: 1, COLUMNS: 2, WIDTH: 5 };
    let case = Case::new("softmax", sizes).buffers(&[("x", padded), ("y", Normal(8))]);
    cases.push(case.grid(Grid::Workgroups(1)));
    cases
}
