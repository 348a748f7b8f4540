//! Several groups of latents as functions of standard normal noise: the top group is its noise, h_N = e_N, and each other
//! group is h_k = mean + exp(v / 2) e_k with the mean and the log-variance v of p(h_k|h_k+1). The noise has the prior N(0, I)
//! whatever the groups' own are, so that chains, annealing and densities work on it as on the latents of one group (the
//! non-centred parametrisation of Papaspiliopoulos, Roberts and Sköld 2007).

use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Input: a matrix. Output: some of its columns.
#[derive(Debug)]
pub(super) struct TakeColumns {
    /// The element of a row that is the first of them.
    pub(super) from: usize,
}

impl Operation for TakeColumns {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        let operation = TakeColumnsGradient { from: self.from, accumulate: target.1 };
        gradients.push_into(label, operation, &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (whole, part) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "take_columns",
            constants! {
                ROWS: part.rows, WIDTH: part.columns, FROM: self.from, PART: part.stride(), WHOLE: whole.stride(),
            },
            &[("whole", node.inputs[0]), ("part", node.outputs[0])],
            Grid::Elements(part.length()),
            0,
        )
    }
}

/// Input: the gradient of some columns. Output: that of the matrix.
#[derive(Debug)]
struct TakeColumnsGradient {
    from: usize,
    accumulate: bool,
}

impl Operation for TakeColumnsGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (part, whole) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "take_columns_gradient",
            constants! {
                ROWS: part.rows, WIDTH: part.columns, FROM: self.from, PART: part.stride(), WHOLE: whole.stride(),
                ACCUMULATE: self.accumulate,
            },
            &[("part_gradient", node.inputs[0]), ("whole_gradient", node.outputs[0])],
            Grid::Elements(whole.length()),
            part.length(),
        )
    }
}

/// Inputs: prior, noise. Output: z.
#[derive(Debug)]
struct ConditionalSample;

impl Operation for ConditionalSample {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [prior, noise] = node.inputs[..] else { return Ok(()) };
        let label = format!("gradients of {} and {}", gradients.name(noise), gradients.name(prior));
        let inputs = [noise, prior];
        let parts = inputs.map(|input| gradients.part_or_unused(input));
        gradients.push(label, ConditionalSampleGradient, &[prior, noise, upstream], &parts);
        for (input, part) in inputs.into_iter().zip(parts) {
            gradients.add(input, part, part);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let z = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "conditional_sample",
            constants! { ROWS: z.rows, COLUMNS: z.stride() / 4 },
            &[("prior", node.inputs[0]), ("noise", node.inputs[1]), ("z", node.outputs[0])],
            Grid::Elements(z.length() / 4),
            4 * z.length(),
        )
    }
}

/// Inputs: prior, noise, dz. Outputs: d noise, d prior.
#[derive(Debug)]
struct ConditionalSampleGradient;

impl Operation for ConditionalSampleGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let z = lowering.shape(node.inputs[2]);
        lowering.dispatch(
            node,
            "conditional_sample_gradient",
            constants! { ROWS: z.rows, COLUMNS: z.stride() / 4 },
            &[
                ("prior", node.inputs[0]),
                ("noise", node.inputs[1]),
                ("z_gradient", node.inputs[2]),
                ("noise_gradient", node.outputs[0]),
                ("prior_gradient", node.outputs[1]),
            ],
            Grid::Elements(z.length() / 4),
            5 * z.length(),
        )
    }
}

impl Graph {
    /// `width` columns, or channels, of `whole` from column `from` on.
    ///
    /// # Errors
    /// [`Error::Shape`] if `whole` has sections, or fewer columns.
    pub fn take_columns(&mut self, name: &str, whole: ValueId, from: usize, width: usize) -> Result<ValueId> {
        let shape = self.shape(whole);
        if shape.sections != 1 || width == 0 || from + width > shape.columns {
            let problem = format!("there are no columns {from} to {} of {shape}", from + width);
            return Err(Error::shape(name, problem));
        }
        Ok(self.apply(name, TakeColumns { from }, &[whole], Shape { columns: width, ..shape }))
    }

    /// z = mean + exp(v / 2) noise, `[rows, latent]`, from the means and log-variances v of `prior` `[rows, 2, latent]`
    /// and `noise` `[rows, latent]` that is given.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two do not fit together.
    pub fn conditional_sample(&mut self, name: &str, prior: ValueId, noise: ValueId) -> Result<ValueId> {
        let (from, shape) = (self.shape(prior), self.shape(noise));
        let fits = from.sections == 2 && shape.sections == 1;
        if !fits || (from.rows, from.columns) != (shape.rows, shape.columns) {
            return Err(Error::shape(name, format!("prior {from} and noise {shape} do not fit together")));
        }
        Ok(self.apply(name, ConditionalSample, &[prior, noise], shape))
    }
}
