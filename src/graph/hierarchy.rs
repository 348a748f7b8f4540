//! Two stochastic layers: the importance weights p(x, h1, h2) / q(h1, h2|x) of Burda et al. (arXiv 1509.00519, section
//! 5), with p(x, h1, h2) = p(x|h1) p(h1|h2) p(h2), q(h1, h2|x) = q(h1|x) q(h2|h1).
//!
//! h2 is drawn given h1, so that no divergence from the prior of h1 is known in closed form: KL(q(h1|x) || p(h1|h2)) for a
//! given h2 leaves out what h2 tells of h1. All densities are taken at the samples.

use super::gate::push_gate;
use super::importance::{LogWeights, SampledKl, push_posterior_gradient};
use super::samples::{Sizes, one_a_row};
use super::{Gradients, Graph, KlTarget, Node, Operation, ValueId, Weighting};
use crate::plan::{Grid, Lowering, constants};
use crate::{Error, Result};

/// Values of the lower of two stochastic layers.
#[derive(Clone, Copy, Debug)]
pub struct LowerLayer {
    /// q(h1|x): means and log-variances, `[batch, 2, latent]`.
    pub posterior: ValueId,
    /// Samples of it, `[samples * batch, latent]`.
    pub latent: ValueId,
    /// p(h1|h2): means and log-variances, `[samples * batch, 2, latent]`.
    pub prior: ValueId,
}

/// Values of the upper of two stochastic layers, whose prior is N(0, I).
#[derive(Clone, Copy, Debug)]
pub struct UpperValues {
    /// q(h2|h1): means and log-variances, `[samples * batch, 2, latent]`. Where `latent` was drawn with two values of it
    /// ([`Graph::reparametrize_upper`]), that through which h1 gets its gradient.
    pub posterior: ValueId,
    /// A sample of each, `[samples * batch, latent]`.
    pub latent: ValueId,
}

/// Inputs: posterior, prior, z, noise. Output: log q(z|x) - log p(z|upper layer) of each row.
#[derive(Debug)]
struct ConditionalKl {
    sizes: Sizes,
    /// Whether the gradient of the encoder is doubly reparametrized.
    doubly: bool,
    /// To what training draws the divergence.
    target: KlTarget,
}

impl Operation for ConditionalKl {
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let (Some(weights), [posterior, prior, z, _]) = (upstream, &node.inputs[..]) else {
            return Err(Error::Internal("a conditional divergence without weights".into()));
        };
        let rule = (self.sizes, self.target);
        let gate = push_gate(gradients, rule, *z, node.outputs[0], |gradients, label, each| {
            gradients.push(label, ConditionalDimensions(self.sizes), &node.inputs, &[each]);
        });
        if let (Some((of_z, accumulate)), Some((of_prior, false))) =
            (gradients.target(*z), gradients.target(*prior))
        {
            let label = format!("gradients of {} and {}", gradients.name(*z), gradients.name(*prior));
            let operation = ConditionalKlGradient { sizes: self.sizes, accumulate };
            let inputs: Vec<ValueId> = [weights, *prior, *z].into_iter().chain(gate).collect();
            gradients.push(label, operation, &inputs, &[of_z, of_prior]);
        } else {
            return Err(Error::Internal("a conditional prior has two divergences, or no parameters".into()));
        }
        if self.doubly {
            gradients.reparametrize_doubly(*z, weights);
        } else {
            push_posterior_gradient(gradients, self.sizes, weights, gate, *posterior);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        lowering.dispatch(
            node,
            "conditional_kl",
            constants! { BATCH: self.sizes.batch, SAMPLES: self.sizes.samples, COLUMNS: self.sizes.vec4() },
            &[
                ("posterior", node.inputs[0]),
                ("prior", node.inputs[1]),
                ("z", node.inputs[2]),
                ("noise", node.inputs[3]),
                ("divergence", node.outputs[0]),
            ],
            Grid::Elements(self.sizes.rows()),
            self.sizes.rows() * self.sizes.width * 10,
        );
    }
}

/// Inputs: posterior, prior, z, noise. Output: the divergence of each dimension of each row.
#[derive(Debug)]
struct ConditionalDimensions(Sizes);

impl Operation for ConditionalDimensions {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let vec4 = self.0.rows() * self.0.vec4();
        lowering.dispatch(
            node,
            "conditional_kl_dimensions",
            constants! { BATCH: self.0.batch, SAMPLES: self.0.samples, COLUMNS: self.0.vec4() },
            &[
                ("posterior", node.inputs[0]),
                ("prior", node.inputs[1]),
                ("z", node.inputs[2]),
                ("noise", node.inputs[3]),
                ("dimensions", node.outputs[0]),
            ],
            Grid::Elements(vec4),
            4 * vec4 * 9,
        );
    }
}

/// Inputs: weights, prior, z, and the gate of each dimension, if there are gates. Outputs: dz, d prior.
#[derive(Debug)]
struct ConditionalKlGradient {
    sizes: Sizes,
    accumulate: bool,
}

impl Operation for ConditionalKlGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let Sizes { batch, samples, width, .. } = self.sizes;
        let vec4 = self.sizes.rows() * self.sizes.vec4();
        let mut values = vec![
            ("weights_read", node.inputs[0]),
            ("prior", node.inputs[1]),
            ("z", node.inputs[2]),
            ("z_gradient", node.outputs[0]),
            ("prior_gradient", node.outputs[1]),
        ];
        let mut kernel = "conditional_kl_gradient";
        if let Some(&gate) = node.inputs.get(3) {
            values.push(("gate", gate));
            kernel = "conditional_kl_gradient_gated";
        }
        lowering.dispatch(
            node,
            kernel,
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.sizes.vec4(), WIDTH: width,
                ACCUMULATE: self.accumulate,
            },
            &values,
            Grid::Elements(vec4),
            4 * vec4 * 10,
        );
    }
}

impl Graph {
    /// log w = log p(x|h1) + beta (log p(h1|h2) + log p(h2) - log q(h1|x) - log q(h2|h1)) of each sample, in nats,
    /// `[1, samples * batch]`. `reconstruction` are the terms of the likelihood. What beta multiplies is reported as the
    /// divergence of the two layers together. Training draws it to `target`; with something else than 0 that is meant for
    /// samples that all count alike.
    ///
    /// # Errors
    /// [`Error::Shape`] if the layers do not fit together.
    pub fn hierarchical_log_weights(
        &mut self,
        reconstruction: ValueId,
        lower: LowerLayer,
        upper: UpperValues,
        (weighting, target): (Weighting, KlTarget),
    ) -> Result<ValueId> {
        let (posterior, latent) = (self.shape(lower.posterior), self.shape(lower.latent));
        let (prior, terms) = (self.shape(lower.prior), self.shape(reconstruction));
        let (top, top_latent) = (self.shape(upper.posterior), self.shape(upper.latent));
        let fits = [posterior, prior, top].iter().all(|shape| shape.sections == 2)
            && [posterior.columns, prior.columns].iter().all(|&columns| columns == latent.columns)
            && [prior.rows, top.rows, top_latent.rows].iter().all(|&rows| rows == latent.rows)
            && top.columns == top_latent.columns
            && latent.rows.is_multiple_of(posterior.rows)
            && terms.columns.is_multiple_of(latent.rows);
        if !fits {
            let problem = format!(
                "terms {terms}, posterior {posterior}, prior {prior}, latents {latent}, and above them posterior {top} \
                 and latents {top_latent} do not fit together"
            );
            return Err(Error::shape("two stochastic layers", problem));
        }
        let (noise, top_noise) = (self.noise_of(lower.latent)?, self.noise_of(upper.latent)?);
        let (batch, samples) = (posterior.rows, latent.rows / posterior.rows);
        let of_lower = Sizes { batch, samples, posterior_rows: batch, width: latent.columns };
        let of_upper = Sizes { posterior_rows: top.rows, width: top.columns, ..of_lower };
        let rows = one_a_row(latent.rows);
        let doubly = weighting == Weighting::DoublyReparametrized;
        let inputs = [lower.posterior, lower.prior, lower.latent, noise];
        let divergence = self.apply("kl", ConditionalKl { sizes: of_lower, doubly, target }, &inputs, rows);
        // h1 has a part in the density of h2 however the gradients of the parameters are found.
        let added = SampledKl { sizes: of_upper, density: true, doubly, target, accumulate: true };
        let inputs = [upper.posterior, upper.latent, top_noise];
        self.push("kl of the upper layer", added, &inputs, &[divergence]);
        self.add_term(divergence, 1, 1.0 / samples as f64);
        let operation = LogWeights { batch, samples, chunks: terms.columns / latent.rows };
        Ok(self.apply("log_weights", operation, &[reconstruction, divergence], rows))
    }
}
