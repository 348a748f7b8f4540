//! The one variance of all pixels under which a minibatch is most likely (Rybkin et al., arXiv 2006.13202).

use crate::graph::{Graph, Init, Likelihood, Lowering, Mode, Node, Operation, Shape, ValueId};
use crate::likelihood::RESIDUALS;
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: squared residuals in chunks, the state of residuals. Outputs: the log-variance, the state moved on.
///
/// No gradient passes: with N pixels of mean squared residual r the negative log-likelihood is N (v + log 2 pi + r exp(-v)) / 2,
/// whose derivative by v is 0 at v = log r. The gradient by the residuals is then that of a constant v.
#[derive(Debug)]
struct OptimalVariance {
    samples: usize,
    pixels: usize,
    /// The number of a step that is 1 at the last step of an epoch.
    ends: usize,
}

impl Operation for OptimalVariance {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.inputs[0]).extent();
        lowering.dispatch(
            node,
            "optimal_variance",
            constants! { LENGTH: length, SAMPLES: self.samples, WIDTH: self.pixels, ENDS: self.ends },
            &[("terms", node.inputs[0]), ("log_variance", node.outputs[0]), ("residuals", node.outputs[1])],
            Grid::Workgroups(1),
            length,
        )
    }
}

/// Input: the state of residuals. Output: the log-variance.
#[derive(Debug)]
struct KeptVariance;

impl Operation for KeptVariance {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        lowering.dispatch(
            node,
            "kept_variance",
            constants! {},
            &[("kept", node.inputs[0]), ("log_variance", node.outputs[0])],
            Grid::Workgroups(1),
            1,
        )
    }
}

impl Graph {
    /// The log-variance that all pixels have in common, `[1, 1]`. Under [`Mode::Train`] it is the optimum of the minibatch,
    /// and the state `decoder.residuals` gathers the residuals; else it is that of the last whole epoch's residuals. A step
    /// whose number `epoch_ends` is 1 ends an epoch.
    ///
    /// # Errors
    /// [`Error::Shape`] if decoder output and images do not fit, [`Error::Internal`] if a step has no room for the number.
    pub(super) fn optimal_log_variance(
        &mut self,
        decoded: ValueId,
        images: ValueId,
        likelihood: Likelihood,
    ) -> Result<ValueId> {
        let one = Shape::matrix(1, 1);
        let state = self.saved_state(RESIDUALS, Shape::matrix(1, 4), Init::Constant(0.0))?;
        if self.mode() == Mode::Evaluate {
            return Ok(self.apply("log_variance", KeptVariance, &[state], one));
        }
        let expected = self.expected_image(decoded, likelihood);
        let terms = self.squared_error(expected, images)?;
        let (rows, batch) = (self.shape(decoded).rows, self.shape(images));
        let (samples, pixels) = (rows / batch.rows, batch.columns);
        if rows * pixels > u32::MAX as usize {
            let problem = format!("{rows} images of {pixels} values are more than a kernel can count");
            return Err(Error::shape("likelihood", problem));
        }
        let operation = OptimalVariance { samples, pixels, ends: self.number("epoch_ends")? };
        let now = self.latest(state);
        let updated = self.alias(&format!("{RESIDUALS}.updated"), now);
        let log_variance = self.add_value("log_variance".into(), one);
        self.push("log_variance", operation, &[terms, now], &[log_variance, updated]);
        self.add_update(updated);
        Ok(log_variance)
    }
}
