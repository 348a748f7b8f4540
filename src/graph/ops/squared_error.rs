//! The squared error of expected images: a metric.

use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::kernels::kernel;
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: expected images, images. Output: one sum for each chunk of a row.
#[derive(Debug)]
struct SquaredError;

impl SquaredError {
    /// Chunks of a row of `pixels` values.
    fn chunks(pixels: usize) -> usize {
        pixels.div_ceil(4).div_ceil(kernel("squared_error").constant("CHUNK") as usize)
    }
}

impl Operation for SquaredError {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (expected, images) = (lowering.shape(node.inputs[0]), lowering.shape(node.inputs[1]));
        lowering.dispatch(
            node,
            "squared_error",
            constants! {
                BATCH: images.rows, SAMPLES: expected.rows / images.rows, COLUMNS: images.stride() / 4,
                WIDTH: images.columns, ROW: expected.stride() / 4,
            },
            &[("expected", node.inputs[0]), ("images", node.inputs[1]), ("terms", node.outputs[0])],
            Grid::Elements(expected.rows * Self::chunks(images.columns)),
            3 * expected.rows * images.columns,
        )
    }
}

impl Graph {
    /// The squared error of `expected` `[samples * batch, (sections,) pixels]`, of which the first section counts, against
    /// `images` `[batch, pixels]`: sums over chunks of pixels, `[1, samples * batch * chunks]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two do not fit.
    pub fn squared_error(&mut self, expected: ValueId, images: ValueId) -> Result<ValueId> {
        let (e, x) = (self.shape(expected), self.shape(images));
        if e.columns != x.columns || x.sections != 1 || x.rows == 0 || e.rows % x.rows != 0 {
            let problem = format!("expected images {e} do not fit images {x}");
            return Err(Error::shape("squared error", problem));
        }
        let shape = Shape::matrix(1, e.rows * SquaredError::chunks(x.columns));
        Ok(self.apply("squared.error", SquaredError, &[expected, images], shape))
    }
}
