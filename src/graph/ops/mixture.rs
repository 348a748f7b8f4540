//! Densities that are mixtures of Gaussians, whose parameters a network gives.

use super::one_a_row;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::random::stream;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Inputs: parameters, targets. Output: the negative log-likelihood of each item.
#[derive(Clone, Copy, Debug)]
struct MixtureNegativeLogLikelihood {
    batch: usize,
    components: usize,
}

impl MixtureNegativeLogLikelihood {
    fn sizes(self, parameters: Shape, target: Shape) -> BTreeMap<&'static str, f64> {
        constants! {
            BATCH: self.batch, STEPS: target.rows / self.batch, WIDTH: target.columns, COMPONENTS: self.components,
            PARAMETERS: parameters.stride(), STRIDE: target.stride(),
        }
    }
}

impl Operation for MixtureNegativeLogLikelihood {
    /// Targets are data.
    fn carries(&self, input: usize, _: usize) -> bool {
        input == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [parameters, target] = node.inputs[..] else { return Ok(()) };
        let Some(to) = gradients.target(parameters) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(parameters));
        let operation = MixtureGradient { of: *self, accumulate: to.1 };
        gradients.push_into(label, operation, &[upstream, parameters, target], to);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let [parameters, target] = [0, 1].map(|input| lowering.shape(node.inputs[input]));
        lowering.dispatch(
            node,
            "mixture_negative_log_likelihood",
            self.sizes(parameters, target),
            &[("parameters", node.inputs[0]), ("target_rows", node.inputs[1]), ("nats", node.outputs[0])],
            Grid::Workgroups(self.batch),
            5 * parameters.length(),
        )
    }
}

/// Inputs: the upstream gradient of each item, parameters, targets. Output: the gradient of the parameters.
#[derive(Debug)]
struct MixtureGradient {
    of: MixtureNegativeLogLikelihood,
    accumulate: bool,
}

impl Operation for MixtureGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let [parameters, target] = [1, 2].map(|input| lowering.shape(node.inputs[input]));
        let mut constants = self.of.sizes(parameters, target);
        constants.extend(constants! { ACCUMULATE: self.accumulate });
        lowering.dispatch(
            node,
            "mixture_negative_log_likelihood_gradient",
            constants,
            &[
                ("upstream", node.inputs[0]),
                ("parameters", node.inputs[1]),
                ("target_rows", node.inputs[2]),
                ("parameters_gradient", node.outputs[0]),
            ],
            Grid::Elements(target.rows * target.columns),
            7 * parameters.length(),
        )
    }
}

/// Input: parameters. Output: a draw of each row.
#[derive(Debug)]
struct MixtureDraw {
    components: usize,
    /// Index of the step's number `temperature`.
    number: usize,
}

impl Operation for MixtureDraw {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (parameters, draws) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "mixture_draw",
            constants! {
                ROWS: draws.rows, WIDTH: draws.columns, COMPONENTS: self.components,
                PARAMETERS: parameters.stride(), STRIDE: draws.stride(), NUMBER: self.number, STREAM: stream::MIXTURE,
            },
            &[("parameters", node.inputs[0]), ("draws", node.outputs[0])],
            Grid::Elements(draws.length()),
            // Ten rounds of Philox are some 100 integer operations, not counted.
            2 * parameters.length(),
        )
    }
}

impl Graph {
    /// For each item of the minibatch the sum over its rows and latent dimensions of -log p(target), in nats. `target` is
    /// `[rows, latent]`; an item has `rows / batch` rows, which follow each other. p is a mixture of Gaussians for each number: a row of
    /// `parameters`, `[rows, latent * components * 3]`, holds for each dimension its log-weights, which need not be normalised, its means
    /// and its log standard deviations (Bishop 1994, "Mixture density networks"; Ha and Schmidhuber 2018, arXiv 1803.10122). Only
    /// `parameters` gets a gradient.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes do not fit together.
    pub fn mixture_negative_log_likelihood(
        &mut self,
        parameters: ValueId,
        target: ValueId,
        batch: usize,
        components: usize,
    ) -> Result<ValueId> {
        let (given, of) = (self.shape(parameters), self.shape(target));
        let wanted = Shape::matrix(of.rows, of.columns * components * 3);
        if given != wanted || of.sections != 1 || components == 0 || batch == 0 || of.rows % batch != 0 {
            let problem = format!("{batch} items with targets {of} need parameters {wanted}, not {given}");
            return Err(Error::shape("mixture", problem));
        }
        let operation = MixtureNegativeLogLikelihood { batch, components };
        Ok(self.apply("mixture.nats", operation, &[parameters, target], one_a_row(batch)))
    }

    /// A draw of each of the mixtures that [`Graph::mixture_negative_log_likelihood`] describes, `[rows, latent]`, at the temperature
    /// tau > 0 that the step's number `temperature` gives: a component with the probability softmax(log-weights / tau), then its mean plus
    /// sqrt(tau) of its standard deviation times a standard normal number. Each step draws anew. No gradient goes this way.
    ///
    /// # Errors
    /// [`Error::Shape`] if a row is not of whole mixtures; [`Error::Internal`] if a step has no room for the number.
    pub fn mixture_draw(&mut self, parameters: ValueId, components: usize) -> Result<ValueId> {
        let given = self.shape(parameters);
        if given.sections != 1 || components == 0 || !given.columns.is_multiple_of(3 * components) {
            let problem = format!("{given} are no mixtures of {components} components");
            return Err(Error::shape("mixture", problem));
        }
        let operation = MixtureDraw { components, number: self.number("temperature")? };
        let shape = Shape::matrix(given.rows, given.columns / (3 * components));
        Ok(self.apply("mixture.draw", operation, &[parameters], shape))
    }
}
