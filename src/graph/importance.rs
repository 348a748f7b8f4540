//! Importance weights p(x, z) / q(z|x), and the bound on the evidence that several samples give.

use super::gate::push_gate;
use super::samples::{Sizes, one_a_row};
use super::{Gradients, Graph, KlTarget, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, Lowering, constants};
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

/// Inputs: posterior, z, noise. Output: log q(z|x) - log p(z) of each row.
#[derive(Debug)]
pub(super) struct SampledKl {
    pub(super) sizes: Sizes,
    /// Whether the parameters that z was drawn with get a gradient through its density. They get it through z where
    /// they are doubly reparametrized.
    pub(super) density: bool,
    /// Whether the gradient that goes on through z is doubly reparametrized.
    pub(super) doubly: bool,
    /// To what training draws it.
    pub(super) target: KlTarget,
    /// Whether it is added to what the output holds: the divergence of a layer below.
    pub(super) accumulate: bool,
}

impl Operation for SampledKl {
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let (Some(weights), [posterior, z, noise]) = (upstream, &node.inputs[..]) else {
            return Err(Error::Internal("a sampled divergence without weights".into()));
        };
        let rule = (self.sizes, self.target);
        let gate = push_gate(gradients, rule, *z, node.outputs[0], |gradients, label, each| {
            gradients.push(label, Dimensions(self.sizes), &[*posterior, *z, *noise], &[each]);
        });
        if let Some((target, accumulate)) = gradients.target(*z) {
            let label = format!("gradient of {} through its densities", gradients.name(*z));
            let inputs: Vec<ValueId> = [weights, *z].into_iter().chain(gate).collect();
            gradients.push(label, LatentGradient { sizes: self.sizes, accumulate }, &inputs, &[target]);
        }
        if self.doubly {
            gradients.reparametrize_doubly(*z, weights);
        }
        if self.density {
            push_posterior_gradient(gradients, self.sizes, weights, gate, *posterior);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let Sizes { batch, samples, posterior_rows, .. } = self.sizes;
        lowering.dispatch(
            node,
            "sampled_kl",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.sizes.vec4(), POSTERIOR_ROWS: posterior_rows,
                ACCUMULATE: self.accumulate,
            },
            &[
                ("posterior", node.inputs[0]),
                ("z", node.inputs[1]),
                ("noise", node.inputs[2]),
                ("divergence", node.outputs[0]),
            ],
            Grid::Elements(self.sizes.rows()),
            self.sizes.rows() * self.sizes.width * 6,
        );
    }
}

/// Inputs: posterior, z, noise. Output: the divergence of each dimension of each row.
#[derive(Debug)]
struct Dimensions(Sizes);

impl Operation for Dimensions {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let Sizes { batch, samples, posterior_rows, .. } = self.0;
        let vec4 = self.0.rows() * self.0.vec4();
        lowering.dispatch(
            node,
            "sampled_kl_dimensions",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.0.vec4(), POSTERIOR_ROWS: posterior_rows,
            },
            &[
                ("posterior", node.inputs[0]),
                ("z", node.inputs[1]),
                ("noise", node.inputs[2]),
                ("dimensions", node.outputs[0]),
            ],
            Grid::Elements(vec4),
            4 * vec4 * 5,
        );
    }
}

/// Inputs: weights, z, and the gate of each dimension, if there are gates. Output: dz.
#[derive(Debug)]
struct LatentGradient {
    sizes: Sizes,
    accumulate: bool,
}

impl Operation for LatentGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let Sizes { batch, samples, .. } = self.sizes;
        let vec4 = self.sizes.rows() * self.sizes.vec4();
        let mut values =
            vec![("weights_read", node.inputs[0]), ("z", node.inputs[1]), ("z_gradient", node.outputs[0])];
        let mut kernel = "sampled_kl_gradient";
        if let Some(&gate) = node.inputs.get(2) {
            values.push(("gate", gate));
            kernel = "sampled_kl_gradient_gated";
        }
        lowering.dispatch(
            node,
            kernel,
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.sizes.vec4(), ACCUMULATE: self.accumulate,
            },
            &values,
            Grid::Elements(vec4),
            4 * vec4 * 3,
        );
    }
}

/// Inputs: weights, noise, posterior. Output: the gradient of z, in place, as the encoder is to get it.
#[derive(Debug)]
pub(super) struct DoublyReparametrize(pub(super) Sizes);

impl Operation for DoublyReparametrize {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let Sizes { batch, samples, posterior_rows, .. } = self.0;
        let elements = self.0.rows() * self.0.vec4();
        lowering.dispatch(
            node,
            "doubly_reparametrize",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.0.vec4(), POSTERIOR_ROWS: posterior_rows,
            },
            &[
                ("weights_read", node.inputs[0]),
                ("noise", node.inputs[1]),
                ("posterior", node.inputs[2]),
                ("z_gradient", node.outputs[0]),
            ],
            Grid::Elements(elements),
            4 * elements * 6,
        );
    }
}

/// The gradient that reaches `posterior` through the density of its samples, where they stay what they are.
pub(super) fn push_posterior_gradient(
    gradients: &mut Gradients<'_>,
    sizes: Sizes,
    weights: ValueId,
    gate: Option<ValueId>,
    posterior: ValueId,
) {
    if let Some((target, accumulate)) = gradients.target(posterior) {
        let label = format!("gradient of {} through its density", gradients.name(posterior));
        let inputs: Vec<ValueId> = [weights].into_iter().chain(gate).collect();
        gradients.push(label, PosteriorGradient { sizes, accumulate }, &inputs, &[target]);
    }
}

/// Inputs: weights, and the gate of each dimension, if there are gates. Output: the posterior's gradient.
#[derive(Debug)]
struct PosteriorGradient {
    sizes: Sizes,
    accumulate: bool,
}

impl Operation for PosteriorGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let Sizes { batch, samples, posterior_rows, width } = self.sizes;
        let vec4 = posterior_rows * self.sizes.vec4();
        let mut values = vec![("weights_read", node.inputs[0]), ("posterior_gradient", node.outputs[0])];
        let mut kernel = "sampled_kl_posterior_gradient";
        if let Some(&gate) = node.inputs.get(1) {
            values.push(("gate", gate));
            kernel = "sampled_kl_posterior_gradient_gated";
        }
        lowering.dispatch(
            node,
            kernel,
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.sizes.vec4(), POSTERIOR_ROWS: posterior_rows,
                WIDTH: width, ACCUMULATE: self.accumulate,
            },
            &values,
            Grid::Elements(vec4),
            self.sizes.rows() * self.sizes.vec4() + 4 * vec4 * 2,
        );
    }
}

/// Inputs: the likelihood's terms, the divergence. Output: log w of each row.
#[derive(Debug)]
pub(super) struct LogWeights {
    pub(super) batch: usize,
    pub(super) samples: usize,
    pub(super) chunks: usize,
}

impl Operation for LogWeights {
    /// The gradient of the negative bound with respect to -log w is the normalised weight, for both parts alike.
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        if let Some(weights) = upstream {
            node.inputs.iter().for_each(|&part| gradients.give(part, weights));
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let rows = self.batch * self.samples;
        lowering.dispatch(
            node,
            "log_weights",
            constants! { BATCH: self.batch, SAMPLES: self.samples, CHUNKS: self.chunks },
            &[
                ("likelihood_terms", node.inputs[0]),
                ("divergence_read", node.inputs[1]),
                ("log_weight", node.outputs[0]),
            ],
            Grid::Elements(rows),
            rows * (self.chunks + 2),
        );
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
    fn gradient(&self, node: &Node, _: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        gradients.give(node.inputs[0], node.outputs[1]);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        lowering.dispatch(
            node,
            "importance_weights",
            constants! { BATCH: self.batch, SAMPLES: self.samples, UNIFORM: self.uniform },
            &[("log_weight_read", node.inputs[0]), ("bound", node.outputs[0]), ("weights", node.outputs[1])],
            Grid::Elements(self.batch),
            self.batch * self.samples * 8,
        );
    }
}

/// Input: weights. Output: values whose rows they multiply, in place.
#[derive(Debug)]
pub(super) struct WeighRows {
    /// Elements of `values` in a row.
    pub(super) row: usize,
    /// Rows.
    pub(super) rows: usize,
    /// A row is multiplied by its weight, by this, and by the images in the minibatch.
    pub(super) factor: f64,
}

impl Operation for WeighRows {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let length = self.row * self.rows;
        lowering.dispatch(
            node,
            "weigh_rows",
            constants! { ROW: self.row, LENGTH: length, FACTOR: self.factor },
            &[("weights_read", node.inputs[0]), ("values", node.outputs[0])],
            Grid::Elements(length),
            length,
        );
    }
}

/// Input: log weights (none to begin). Output: the running log-sum-exp of each image.
#[derive(Debug)]
struct Stream {
    batch: usize,
    samples: usize,
}

impl Operation for Stream {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let grid = Grid::Elements(self.batch);
        let running = ("running", node.outputs[0]);
        match node.inputs.first() {
            None => {
                lowering.dispatch(
                    node,
                    "begin_stream",
                    constants! { BATCH: self.batch },
                    &[running],
                    grid,
                    0,
                );
            }
            Some(&log_weights) => {
                let constants = constants! { BATCH: self.batch, SAMPLES: self.samples };
                let flops = self.batch * self.samples * 6;
                let values = [("log_weight_read", log_weights), running];
                lowering.dispatch(node, "stream_weights", constants, &values, grid, flops);
            }
        }
    }
}

impl Graph {
    /// The noise that `z`, made by [`Graph::reparametrize`], was drawn with.
    pub(super) fn noise_of(&self, z: ValueId) -> Result<ValueId> {
        let maker =
            self.nodes.iter().find(|node| node.outputs.first() == Some(&z) && node.outputs.len() == 2);
        maker.map(|node| node.outputs[1]).ok_or_else(|| {
            Error::shape(
                "importance weights",
                format!("{} is not a sample of a posterior", self.value(z).name),
            )
        })
    }

    /// log w = log p(x|z) + beta (log p(z) - log q(z|x)) of each row of `z`, in nats: `[1, samples * batch]`.
    /// `reconstruction` are the terms of the likelihood, `z` was drawn from `posterior` `[batch, 2, latent]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit together.
    pub fn log_weights(
        &mut self,
        reconstruction: ValueId,
        posterior: ValueId,
        z: ValueId,
        weighting: Weighting,
    ) -> Result<ValueId> {
        let (terms, from, latent) = (self.shape(reconstruction), self.shape(posterior), self.shape(z));
        let fits = from.sections == 2
            && from.columns == latent.columns
            && latent.rows % from.rows == 0
            && terms.columns % latent.rows == 0;
        if !fits {
            let problem = format!("terms {terms}, posterior {from} and latents {latent} do not fit together");
            return Err(Error::shape("importance weights", problem));
        }
        let noise = self.noise_of(z)?;
        let (batch, samples) = (from.rows, latent.rows / from.rows);
        let sizes = Sizes { batch, samples, posterior_rows: from.rows, width: latent.columns };
        let rows = one_a_row(latent.rows);
        let doubly = weighting == Weighting::DoublyReparametrized;
        let sampled =
            SampledKl { sizes, density: !doubly, doubly, target: KlTarget::Zero, accumulate: false };
        let divergence = self.apply("sampled_kl", sampled, &[posterior, z, noise], rows);
        let operation = LogWeights { batch, samples, chunks: terms.columns / latent.rows };
        Ok(self.apply("log_weights", operation, &[reconstruction, divergence], rows))
    }

    /// The negative bound on the evidence that the samples of each image give, as a term of the objective, in nats per
    /// image. The terms it is made of are reported, and no longer trained by themselves.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many weights as `samples` of each image.
    pub fn importance_bound(
        &mut self,
        log_weights: ValueId,
        samples: usize,
        weighting: Weighting,
    ) -> Result<ValueId> {
        let rows = self.shape(log_weights).columns;
        if samples == 0 || !rows.is_multiple_of(samples) {
            let problem = format!("{rows} weights are not {samples} for each image");
            return Err(Error::shape("importance weights", problem));
        }
        let batch = rows / samples;
        let bound = self.add_value("bound".into(), one_a_row(batch), true);
        let weights = self.add_value("weights".into(), one_a_row(rows), false);
        let operation = ImportanceBound { batch, samples, uniform: weighting == Weighting::Uniform };
        self.push("importance weights", operation, &[log_weights], &[bound, weights]);
        self.terms.iter_mut().for_each(|term| term.trained = false);
        self.add_term(bound, 3, 1.0);
        Ok(bound)
    }

    /// The running log-sum-exp of each image's weights, `[batch, 4]`, begun in the stage the graph is at: the largest
    /// log w, the sum of exp(log w - largest), the sum of its squares, the sum of log w.
    pub fn begin_stream(&mut self, batch: usize) -> ValueId {
        let running = self.add_value("running".into(), Shape::matrix(batch, 4), false);
        self.push("no weights yet", Stream { batch, samples: 0 }, &[], &[running]);
        running
    }

    /// Take `log_weights` into `running`.
    pub fn stream_weights(&mut self, log_weights: ValueId, running: ValueId) {
        let batch = self.shape(running).rows;
        let samples = self.shape(log_weights).columns / batch;
        self.push("running bound", Stream { batch, samples }, &[log_weights], &[running]);
    }
}
