//! The distance of the latents' covariance from the identity matrix (Kumar et al., arXiv 1711.00848).

use super::one_a_row;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Input: posterior. Outputs: means, covariance, and the penalty of each image, which alone has a gradient.
#[derive(Clone, Copy, Debug)]
struct CovariancePenalty {
    batch: usize,
    width: usize,
    /// Weight of the diagonal.
    diagonal: f64,
    /// Whether the posteriors' variances count.
    variances: bool,
}

const PENALTY: usize = 2;

impl CovariancePenalty {
    fn sizes(self) -> BTreeMap<&'static str, f64> {
        constants! { COLUMNS: self.width.div_ceil(4), WIDTH: self.width }
    }

    fn with(self, more: BTreeMap<&'static str, f64>) -> BTreeMap<&'static str, f64> {
        self.sizes().into_iter().chain(more).collect()
    }
}

impl Operation for CovariancePenalty {
    fn carries(&self, _: usize, output: usize) -> bool {
        output == PENALTY
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[PENALTY]) else { return Ok(()) };
        let posterior = node.inputs[0];
        if let Some(target) = gradients.target(posterior) {
            let label = format!("gradient of {} through its covariance", gradients.name(posterior));
            let inputs = [upstream, posterior, node.outputs[0], node.outputs[1]];
            gradients.push_into(label, CovarianceGradient(*self, target.1), &inputs, target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (posterior, means, matrix) = (node.inputs[0], node.outputs[0], node.outputs[1]);
        let (batch, width) = (self.batch, self.width);
        let values = [("posterior", posterior), ("means", means)];
        lowering.dispatch(
            node,
            "column_means",
            self.sizes(),
            &values,
            Grid::Elements(width),
            batch * width,
        )?;
        let values = [("posterior", posterior), ("means_used", means), ("matrix", matrix)];
        let constants = self.with(constants! { VARIANCES: self.variances });
        let grid = Grid::Elements(width * width);
        lowering.dispatch(node, "covariance", constants, &values, grid, 4 * batch * width * width)?;
        let values = [("matrix_used", matrix), ("penalty", node.outputs[PENALTY])];
        let constants = constants! { BATCH: batch, WIDTH: width, DIAGONAL: self.diagonal };
        let grid = Grid::Elements(batch);
        lowering.dispatch(node, "covariance_penalty", constants, &values, grid, 2 * batch * width * width)
    }
}

/// Inputs: upstream, posterior, means, covariance. Output: the gradient of the posterior.
#[derive(Debug)]
struct CovarianceGradient(CovariancePenalty, bool);

impl Operation for CovarianceGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let CovariancePenalty { batch, width, diagonal, variances } = self.0;
        lowering.dispatch(
            node,
            "covariance_gradient",
            self.0.with(constants! {
                BATCH: batch, DIAGONAL: diagonal, VARIANCES: variances, ACCUMULATE: self.1,
            }),
            &[
                ("upstream", node.inputs[0]),
                ("posterior", node.inputs[1]),
                ("means_used", node.inputs[2]),
                ("matrix_used", node.inputs[3]),
                ("posterior_gradient", node.outputs[0]),
            ],
            Grid::Elements(batch * 4 * width.div_ceil(4)),
            4 * batch * width * width,
        )
    }
}

impl Graph {
    /// For each image of the minibatch the same number: the sum of squares of the covariances of all pairs of latent dimensions,
    /// and `diagonal` times the sum of squares of the variances less 1. The covariance is that of the posteriors' means, with
    /// `variances` plus the mean of the posteriors' variances. `posterior` is `[batch, 2, latent]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `posterior` does not hold means and log-variances.
    pub fn covariance_penalty(
        &mut self,
        posterior: ValueId,
        diagonal: f64,
        variances: bool,
    ) -> Result<ValueId> {
        let Shape { rows: batch, sections, columns: width, .. } = self.shape(posterior);
        if sections != 2 {
            let problem = "a posterior has means and log-variances".to_string();
            return Err(Error::shape("covariance", problem));
        }
        let operation = CovariancePenalty { batch, width, diagonal, variances };
        let name = self.value(posterior).name.clone();
        let sizes = [("means", width), ("covariance", width * width), ("penalty", batch)];
        let outputs = sizes.map(|(of, size)| self.add_value(format!("{name}.{of}"), one_a_row(size)));
        self.push(format!("covariance of {name}"), operation, &[posterior], &outputs);
        Ok(outputs[PENALTY])
    }
}
