//! The divergence of posteriors to the prior, taken apart into mutual information, total correlation and the divergences of
//! single dimensions (Chen et al., arXiv 1802.04942).

use super::one_a_row;
use super::sampled_kl::Drawn;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a minibatch stands for all training images where the density of their latents is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Minibatch-stratified sampling: unbiased weights of the images, whose sum is 1.
    #[default]
    Stratified,
    /// Minibatch-weighted sampling: the same weight for each image. The total correlation is too high by (D - 1) log N, for D
    /// dimensions and N training images.
    Weighted,
}

/// The three terms, each of one number an image; their sum is log q(z|x) - log p(z).
#[derive(Clone, Copy, Debug)]
pub struct Decomposition {
    /// log q(z|x) - log q(z): on average the mutual information of images and latents.
    pub information: ValueId,
    /// log q(z) - sum over dimensions of log q(z_d): on average the total correlation.
    pub correlation: ValueId,
    /// The sum over dimensions of log q(z_d) - log p(z_d).
    pub dimensions: ValueId,
}

/// Inputs: posterior, z. Outputs: joint log densities, log sums, and the three terms, of which the correlation alone has a
/// gradient.
#[derive(Clone, Copy, Debug)]
struct TotalCorrelation {
    batch: usize,
    width: usize,
    sampling: Sampling,
    /// The number of a step that is the number of training images.
    images: usize,
}

const CORRELATION: usize = 3;

impl TotalCorrelation {
    fn sizes(self) -> BTreeMap<&'static str, f64> {
        constants! { BATCH: self.batch, COLUMNS: self.width.div_ceil(4), WIDTH: self.width }
    }

    /// With what the weights of the images follow from.
    fn constants(self) -> BTreeMap<&'static str, f64> {
        let weights = constants! { IMAGES: self.images, STRATIFIED: self.sampling == Sampling::Stratified };
        self.sizes().into_iter().chain(weights).collect()
    }

    fn pairs(self) -> usize {
        self.batch * self.batch * self.width
    }
}

impl Operation for TotalCorrelation {
    fn carries(&self, _: usize, output: usize) -> bool {
        output == CORRELATION
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[CORRELATION]) else { return Ok(()) };
        let [posterior, z] = [node.inputs[0], node.inputs[1]];
        let inputs = [upstream, posterior, z, node.outputs[0], node.outputs[1]];
        for (value, kernel, variable) in [
            (z, "total_correlation_z_gradient", "z_gradient"),
            (posterior, "total_correlation_posterior_gradient", "posterior_gradient"),
        ] {
            if let Some(target) = gradients.target(value) {
                let label = format!("gradient of {} through the total correlation", gradients.name(value));
                let operation = CorrelationGradient { of: *self, kernel, variable, accumulate: target.1 };
                gradients.push_into(label, operation, &inputs, target);
            }
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let ([posterior, z], [joint, sums]) =
            ([node.inputs[0], node.inputs[1]], [node.outputs[0], node.outputs[1]]);
        let read = [("posterior", posterior), ("z", z), ("joint_used", joint), ("sums_used", sums)];
        let with = |written: &[(&'static str, ValueId)]| [&read[..], written].concat();
        let (batch, pairs) = (self.batch, self.pairs());
        let grid = Grid::Elements(batch * batch);
        let values = with(&[("joint", joint)]);
        lowering.dispatch(node, "pair_log_densities", self.constants(), &values, grid, 8 * pairs)?;
        let grid = Grid::Elements(batch * (self.width + 1));
        let values = with(&[("sums", sums)]);
        lowering.dispatch(node, "pair_log_sums", self.constants(), &values, grid, 20 * pairs)?;
        let values = with(&[
            ("information", node.outputs[2]),
            ("correlation", node.outputs[CORRELATION]),
            ("dimensions", node.outputs[4]),
        ]);
        let grid = Grid::Elements(batch);
        lowering.dispatch(node, "total_correlation", self.sizes(), &values, grid, 12 * batch * self.width)
    }
}

/// Inputs: upstream, posterior, z, joint log densities, log sums. Output: the gradient of z or of the posterior.
#[derive(Debug)]
struct CorrelationGradient {
    of: TotalCorrelation,
    kernel: &'static str,
    variable: &'static str,
    accumulate: bool,
}

impl Operation for CorrelationGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut constants = self.of.constants();
        constants.insert("ACCUMULATE", f64::from(u8::from(self.accumulate)));
        lowering.dispatch(
            node,
            self.kernel,
            constants,
            &[
                ("upstream", node.inputs[0]),
                ("posterior", node.inputs[1]),
                ("z", node.inputs[2]),
                ("joint_used", node.inputs[3]),
                ("sums_used", node.inputs[4]),
                (self.variable, node.outputs[0]),
            ],
            Grid::Elements(self.of.batch * 4 * self.of.width.div_ceil(4)),
            24 * self.of.pairs(),
        )
    }
}

impl Graph {
    /// The terms of the divergence of a group's posteriors, at one sample of each. The number `images` of a step is that of all
    /// training images.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one sample for each posterior, [`Error::Internal`] if a step has no room for the number.
    pub fn decompose_kl(&mut self, drawn: Drawn, sampling: Sampling) -> Result<Decomposition> {
        let (posterior, z) = (self.shape(drawn.posterior), self.shape(drawn.z));
        if posterior.rows != z.rows || posterior.columns != z.columns || posterior.sections != 2 {
            let problem = format!("{} samples of {} posteriors, not one of each", z.rows, posterior.rows);
            return Err(Error::shape("total correlation", problem));
        }
        let (batch, width) = (z.rows, z.columns);
        let operation = TotalCorrelation { batch, width, sampling, images: self.number("images")? };
        let name = self.value(drawn.z).name.clone();
        let sizes = [batch * batch, batch * (width + 1), batch, batch, batch];
        let outputs = ["pair_densities", "log_sums", "information", "correlation", "dimensions"];
        let outputs: Vec<ValueId> = (outputs.into_iter().zip(sizes))
            .map(|(of, size)| self.add_value(format!("{name}.{of}"), one_a_row(size)))
            .collect();
        let label = format!("total correlation of {name}");
        self.push(label, operation, &[drawn.posterior, drawn.z], &outputs);
        Ok(Decomposition {
            information: outputs[2],
            correlation: outputs[CORRELATION],
            dimensions: outputs[4],
        })
    }
}
