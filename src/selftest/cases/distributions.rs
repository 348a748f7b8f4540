//! The cases of `shaders/distributions.wgsl`.

use super::Case;
use super::Content::{Below, Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (count, nodes, components) in [(1, 1, 1), (63, 5, 2), (65, 7, 3), (1021, 4, 5)] {
        let grid = Grid::Elements(count);
        cases.push(
            Case::new("network_samples", constants! { COUNT: count, NODES: nodes })
                .buffers(
                    // Up to 8 values, parents that are any variable or none, and rows anywhere.
                    &[("nodes", Below(4 * 8, 9)), ("cumulative", Unit(1024)), ("outcome", Normal(count))],
                )
                .grid(grid),
        );
        cases.push(
            Case::new("cholesky_samples", constants! { COUNT: count })
                .buffers(&[("factor", Normal(16)), ("mean", Normal(4)), ("samples", Normal(4 * count))])
                .grid(grid)
                .reduces(4),
        );
        cases.push(
            Case::new("mixture_density", constants! { COUNT: count, COMPONENTS: components })
                .buffers(&[
                    ("components", Normal(8 * components)),
                    ("points", Normal(4 * count)),
                    ("density", Normal(4 * count)),
                ])
                .grid(grid)
                // Quadratic forms of some 16 products, of numbers that add up to more than they come to.
                .reduces(64),
        );
    }
    cases
}
