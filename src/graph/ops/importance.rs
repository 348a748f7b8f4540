//! Importance weights p(x, z) / q(z|x), and the bound on the evidence that several samples give.

use super::one_a_row;
use super::sampled_kl::Sizes;
use crate::graph::loss::Factor;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, WITHOUT_NUMBER, constants};
use crate::{Error, Result};

/// What becomes of the weights of an image's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// All samples count alike: the evidence lower bound, with a sampled divergence.
    Uniform,
    /// The importance-weighted bound (Burda et al., arXiv 1509.00519, equation 8) and its own gradient.
    Importance,
    /// The same bound; the encoder's gradient is doubly reparametrized (Tucker et al., arXiv 1810.04152, equation 8; for
    /// other weights of the divergence than 1 see `doubly_reparametrize` in `shaders/importance.wgsl`).
    DoublyReparametrized,
}

/// Inputs: the normalised weights, noise, posterior, dz. Output: dz as the encoder is to get it.
#[derive(Debug)]
pub(super) struct DoublyReparametrize {
    pub(super) sizes: Sizes,
    /// Index of the step's weight of the divergence.
    pub(super) beta: usize,
}

impl Operation for DoublyReparametrize {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Sizes { batch, samples, posterior_rows, .. } = self.sizes;
        let elements = self.sizes.rows() * self.sizes.vec4();
        lowering.dispatch(
            node,
            "doubly_reparametrize",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.sizes.vec4(), POSTERIOR_ROWS: posterior_rows,
                BETA: self.beta,
            },
            &[
                ("weights_read", node.inputs[0]),
                ("noise", node.inputs[1]),
                ("posterior", node.inputs[2]),
                ("z_gradient", node.outputs[0]),
            ],
            Grid::Elements(elements),
            4 * elements * 6,
        )
    }
}

/// Inputs: the likelihood's terms, the divergence. Output: log w of each row.
#[derive(Debug)]
struct LogWeights {
    batch: usize,
    samples: usize,
    chunks: usize,
    /// Index of the step's weight of the divergence.
    beta: usize,
}

impl Operation for LogWeights {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let parts = [0, 1].map(|i| gradients.part_or_unused(node.inputs[i]));
        let rows = self.batch * self.samples;
        let operation = LogWeightsGradient { rows, chunks: self.chunks, beta: self.beta };
        let label = format!("gradient of {}", gradients.name(node.outputs[0]));
        gradients.push(format!("{label} to its parts"), operation, &[upstream], &parts);
        for (&input, part) in node.inputs.iter().zip(parts) {
            gradients.add(input, part, part);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let rows = self.batch * self.samples;
        lowering.dispatch(
            node,
            "log_weights",
            constants! { BATCH: self.batch, SAMPLES: self.samples, CHUNKS: self.chunks, BETA: self.beta },
            &[
                ("likelihood_terms", node.inputs[0]),
                ("divergence_read", node.inputs[1]),
                ("log_weight", node.outputs[0]),
            ],
            Grid::Elements(rows),
            rows * (self.chunks + 2),
        )
    }
}

/// Input: the gradient of log w. Outputs: those of the likelihood's terms and of the divergence.
#[derive(Debug)]
struct LogWeightsGradient {
    rows: usize,
    chunks: usize,
    beta: usize,
}

impl Operation for LogWeightsGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        lowering.dispatch(
            node,
            "log_weights_gradient",
            constants! { ROWS: self.rows, CHUNKS: self.chunks, BETA: self.beta },
            &[
                ("upstream", node.inputs[0]),
                ("terms_gradient", node.outputs[0]),
                ("divergence_gradient", node.outputs[1]),
            ],
            Grid::Elements(self.rows),
            self.rows * (self.chunks + 1),
        )
    }
}

/// Input: log weights. Outputs: the negative bound of each image, and the normalised weights.
#[derive(Debug)]
struct ImportanceBound {
    batch: usize,
    samples: usize,
    uniform: bool,
}

impl Operation for ImportanceBound {
    fn carries(&self, _: usize, output: usize) -> bool {
        output == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let (bound, weights) = (node.outputs[0], node.outputs[1]);
        let mut inputs = vec![weights];
        let factor = gradients.loss(bound, 1);
        if factor.is_none() {
            let Some(upstream) = gradients.upstream(bound) else { return Ok(()) };
            inputs.push(upstream);
        }
        let Some(part) = gradients.part(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        let operation = ImportanceGradient { batch: self.batch, samples: self.samples, factor };
        gradients.push(label, operation, &inputs, &[part]);
        gradients.add(node.inputs[0], part, part);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        lowering.dispatch(
            node,
            "importance_weights",
            constants! { BATCH: self.batch, SAMPLES: self.samples, UNIFORM: self.uniform },
            &[("log_weight_read", node.inputs[0]), ("bound", node.outputs[0]), ("weights", node.outputs[1])],
            Grid::Elements(self.batch),
            self.batch * self.samples * 8,
        )
    }
}

/// Inputs: the normalised weights, and the gradient of each image's bound where this is no loss. Output: that of log w.
#[derive(Debug)]
struct ImportanceGradient {
    batch: usize,
    samples: usize,
    factor: Option<Factor>,
}

impl Operation for ImportanceGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let rows = self.batch * self.samples;
        let weights = node.inputs[0];
        let Factor { weight, number } = self.factor.unwrap_or(Factor { weight: 1.0, number: WITHOUT_NUMBER });
        lowering.dispatch(
            node,
            "importance_gradient",
            constants! {
                BATCH: self.batch, SAMPLES: self.samples, GIVEN: self.factor.is_none(), WEIGHT: weight,
                NUMBER: number,
            },
            &[
                ("weights_read", weights),
                // Of a loss there is no gradient to read: any buffer does.
                ("upstream", node.inputs.get(1).copied().unwrap_or(weights)),
                ("log_weight_gradient", node.outputs[0]),
            ],
            Grid::Elements(rows),
            rows * 2,
        )
    }
}

/// Inputs: log weights and the log-sum-exp of each image so far (none to begin). Output: the log-sum-exp.
#[derive(Debug)]
struct LogSum {
    batch: usize,
    samples: usize,
}

impl Operation for LogSum {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let grid = Grid::Elements(self.batch);
        let running = ("running", node.outputs[0]);
        match node.inputs.first() {
            None => lowering.dispatch(
                node,
                "begin_log_sum",
                constants! { BATCH: self.batch },
                &[running],
                grid,
                0,
            ),
            Some(&log_weights) => {
                let constants = constants! { BATCH: self.batch, SAMPLES: self.samples };
                let flops = self.batch * self.samples * 6;
                let values = [("log_weight_read", log_weights), running];
                lowering.dispatch(node, "add_to_log_sum", constants, &values, grid, flops)
            }
        }
    }
}

impl Graph {
    /// log w = log p(x|z) - beta divergence of each sample, in nats, `[1, samples * batch]`. `terms` are those of the
    /// negative log-likelihood, `divergence` is log q(z|x) - log p(z) of each sample ([`Graph::sampled_kl`]), beta the
    /// number of the step.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit together.
    pub fn log_weights(&mut self, terms: ValueId, divergence: ValueId, batch: usize) -> Result<ValueId> {
        let (of_terms, rows) = (self.shape(terms), self.shape(divergence).columns);
        if batch == 0 || !rows.is_multiple_of(batch) || !of_terms.columns.is_multiple_of(rows) {
            let problem =
                format!("terms {of_terms} and {rows} samples of {batch} images do not fit together");
            return Err(Error::shape("importance weights", problem));
        }
        let beta = self.number("beta")?;
        let operation = LogWeights { batch, samples: rows / batch, chunks: of_terms.columns / rows, beta };
        Ok(self.apply("log_weights", operation, &[terms, divergence], one_a_row(rows)))
    }

    /// The normalised importance weights that [`Graph::importance_bound`] is to compute of `rows` samples.
    pub fn declare_weights(&mut self, rows: usize) -> ValueId {
        self.declare("weights", one_a_row(rows))
    }

    /// The negative bound on the evidence that the `samples` samples of each image give, in nats, `[1, batch]`. `weights`
    /// gets their normalised weights, if it was declared.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many weights as `samples` of each image.
    pub fn importance_bound(
        &mut self,
        log_weights: ValueId,
        samples: usize,
        weighting: Weighting,
        weights: Option<ValueId>,
    ) -> Result<ValueId> {
        let rows = self.shape(log_weights).columns;
        if samples == 0 || !rows.is_multiple_of(samples) {
            let problem = format!("{rows} weights are not {samples} for each image");
            return Err(Error::shape("importance weights", problem));
        }
        let batch = rows / samples;
        let bound = self.add_value("bound".into(), one_a_row(batch));
        let weights = weights.unwrap_or_else(|| self.declare_weights(rows));
        let operation = ImportanceBound { batch, samples, uniform: weighting == Weighting::Uniform };
        self.push("importance weights", operation, &[log_weights], &[bound, weights]);
        Ok(bound)
    }

    /// The log-sum-exp of no weights, `[batch, 4]`: the largest log w, the sum of exp(log w - largest), the sum of its
    /// squares, the sum of log w.
    pub fn begin_log_sum(&mut self, batch: usize) -> ValueId {
        self.apply("log_sum", LogSum { batch, samples: 0 }, &[], Shape::matrix(batch, 4))
    }

    /// Add the weights of one pass to `log_sum`.
    pub fn add_to_log_sum(&mut self, log_weights: ValueId, log_sum: ValueId) -> ValueId {
        let batch = self.shape(log_sum).rows;
        let samples = self.shape(log_weights).columns / batch;
        let output = self.alias("log_sum.added", log_sum);
        self.push("weights of a pass", LogSum { batch, samples }, &[log_weights, log_sum], &[output]);
        output
    }
}
