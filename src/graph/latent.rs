//! The Gaussian posterior: reparametrized samples and the KL divergence to the prior N(0, I).

use super::importance::DoublyReparametrize;
use super::samples::Sizes;
use super::{Gradients, Graph, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, Lowering, constants};
use crate::random::stream;
use crate::{Error, Result};

/// Sizes of a latent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatentShape {
    /// Images in a minibatch.
    pub batch: usize,
    /// Noise samples per image.
    pub samples: usize,
    /// Latent dimensions.
    pub width: usize,
}

impl LatentShape {
    /// vec4 in a row of latents.
    pub(super) fn vec4(&self) -> usize {
        self.width.div_ceil(4)
    }
}

/// Inputs: posterior, and where the gradient of what it is computed from takes another way than that of its parameters
/// ([`Graph::reparametrize_upper`]) the same once more. Outputs: z, noise.
#[derive(Debug)]
struct Reparametrize {
    shape: LatentShape,
    /// Added to the step's stream of noise: each layer of latents has draws of its own.
    stream: u32,
}

impl Operation for Reparametrize {
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let (Some(upstream), noise) = (upstream, node.outputs[1]) else { return Ok(()) };
        if let Some(&below) = node.inputs.get(1) {
            self.through_samples(upstream, noise, below, gradients);
        }
        if let Some(weights) = gradients.doubly_reparametrized(node.outputs[0]) {
            let LatentShape { batch, samples, width } = self.shape;
            let operation = DoublyReparametrize(Sizes { batch, samples, posterior_rows: batch, width });
            let label = format!("{} reparametrized doubly", gradients.name(upstream));
            gradients.push(label, operation, &[weights, noise, node.inputs[0]], &[upstream]);
        }
        self.through_samples(upstream, noise, node.inputs[0], gradients);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let LatentShape { batch, samples, width } = self.shape;
        let vec4 = samples * batch * self.shape.vec4();
        lowering.dispatch(
            node,
            "reparametrize",
            constants! {
                BATCH: batch, SAMPLES: samples, COLUMNS: self.shape.vec4(), WIDTH: width, STREAM: self.stream,
            },
            &[("posterior", node.inputs[0]), ("z", node.outputs[0]), ("noise", node.outputs[1])],
            Grid::Elements(vec4),
            // Ten rounds of Philox are some 100 integer operations, not counted; Box-Muller and exp are.
            vec4 * 4 * 10,
        );
    }
}

impl Reparametrize {
    /// The gradient of `posterior` from `upstream`, that of its samples.
    fn through_samples(
        &self,
        upstream: ValueId,
        noise: ValueId,
        posterior: ValueId,
        gradients: &mut Gradients<'_>,
    ) {
        if let Some((target, accumulate)) = gradients.target(posterior) {
            let label = format!("gradient of {} through samples", gradients.name(posterior));
            let operation = ReparametrizeGradient(self.shape, accumulate);
            gradients.push(label, operation, &[upstream, noise, posterior], &[target]);
        }
    }
}

/// Inputs: dz, noise, posterior.
#[derive(Debug)]
struct ReparametrizeGradient(LatentShape, bool);

impl Operation for ReparametrizeGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let LatentShape { batch, samples, .. } = self.0;
        lowering.dispatch(
            node,
            "reparametrize_gradient",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: self.0.vec4(), ACCUMULATE: self.1 },
            &[
                ("z_gradient", node.inputs[0]),
                ("noise_used", node.inputs[1]),
                ("posterior", node.inputs[2]),
                ("posterior_gradient", node.outputs[0]),
            ],
            Grid::Elements(batch * self.0.vec4()),
            batch * self.0.vec4() * 4 * (3 * samples + 4),
        );
    }
}

/// To what the objective draws the KL divergence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KlTarget {
    /// To 0: beta KL.
    Zero,
    /// To 0, but with no gradient for a dimension whose average over the minibatch is below so many nats (Kingma et
    /// al. 2016, equation 15).
    FreeBits(f64),
    /// To the step's capacity: beta |KL - capacity|, KL averaged over the minibatch (Burgess et al. 2018, equation 8).
    Capacity,
}

/// Input: posterior. Output: the divergence of each latent dimension of each image.
#[derive(Debug)]
struct GaussianKl {
    shape: LatentShape,
    target: KlTarget,
}

impl Operation for GaussianKl {
    fn gradient(&self, node: &Node, _: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some((target, accumulate)) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {} through KL", gradients.name(node.inputs[0]));
        let operation = GaussianKlGradient { shape: self.shape, target: self.target, accumulate };
        if self.target != KlTarget::Zero {
            let average = gradients.temporary("kl.average".into(), Shape::matrix(1, self.shape.width));
            gradients.push("average KL".into(), BatchMean(self.shape), &[node.outputs[0]], &[average]);
            gradients.push(label, operation, &[node.inputs[0], average], &[target]);
        } else {
            gradients.push(label, operation, &[node.inputs[0]], &[target]);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let vec4 = self.shape.batch * self.shape.vec4();
        lowering.dispatch(
            node,
            "gaussian_kl",
            constants! { BATCH: self.shape.batch, COLUMNS: self.shape.vec4() },
            &[("posterior", node.inputs[0]), ("divergence", node.outputs[0])],
            Grid::Elements(vec4),
            vec4 * 4 * 6,
        );
    }
}

/// Inputs: posterior, and with a target other than 0 the average divergence of each dimension.
#[derive(Debug)]
struct GaussianKlGradient {
    shape: LatentShape,
    target: KlTarget,
    accumulate: bool,
}

impl Operation for GaussianKlGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let vec4 = self.shape.batch * self.shape.vec4();
        let mut values = vec![("posterior", node.inputs[0]), ("posterior_gradient", node.outputs[0])];
        let mut constants = constants! {
            BATCH: self.shape.batch, COLUMNS: self.shape.vec4(), ACCUMULATE: self.accumulate,
        };
        let mut kernel = "gaussian_kl_gradient";
        match self.target {
            KlTarget::Zero => {}
            KlTarget::FreeBits(nats) => {
                kernel = "gaussian_kl_gradient_free_bits";
                values.push(("average", node.inputs[1]));
                constants.insert("FREE_BITS", nats);
            }
            KlTarget::Capacity => {
                kernel = "gaussian_kl_gradient_capacity";
                values.push(("average", node.inputs[1]));
            }
        }
        lowering.dispatch(node, kernel, constants, &values, Grid::Elements(vec4), vec4 * 4 * 6);
    }
}

#[derive(Debug)]
struct BatchMean(LatentShape);

impl Operation for BatchMean {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        lowering.dispatch(
            node,
            "batch_mean",
            constants! { COLUMNS: self.0.vec4() },
            &[("divergence_read", node.inputs[0]), ("batch_average", node.outputs[0])],
            Grid::Elements(self.0.vec4()),
            self.0.batch * self.0.vec4() * 4,
        );
    }
}

impl Graph {
    fn latent_shape(&self, posterior: ValueId, samples: usize) -> Result<LatentShape> {
        let shape = self.shape(posterior);
        if shape.sections != 2 || samples == 0 {
            let problem =
                format!("a posterior of shape {shape} with {samples} samples; needs [batch, 2, latent]");
            return Err(Error::shape("latent", problem));
        }
        Ok(LatentShape { batch: shape.rows, samples, width: shape.columns })
    }

    /// z = mean + exp(log_variance / 2) noise, `[samples * batch, latent]`, from a posterior
    /// `[batch, 2, latent]` of means and log-variances (Kingma and Welling 2014, section 2.4).
    ///
    /// # Errors
    /// [`Error::Shape`] if `posterior` has not two sections or `samples` is 0.
    pub fn reparametrize(&mut self, posterior: ValueId, samples: usize) -> Result<ValueId> {
        self.reparametrize_layer(&[posterior], samples, ["latent", "noise"], 0)
    }

    /// The same for an upper layer of latents, `[batch, latent]`: one sample of each posterior, with noise of its own.
    ///
    /// `below` is the posterior once more, if the latents it is computed from are to get another gradient than its
    /// parameters: theirs then goes through `below`, which is not reparametrized doubly
    /// ([`crate::graph::Weighting::DoublyReparametrized`]).
    ///
    /// # Errors
    /// [`Error::Shape`] if `posterior` has not two sections.
    pub fn reparametrize_upper(&mut self, posterior: ValueId, below: Option<ValueId>) -> Result<ValueId> {
        let inputs: Vec<ValueId> = [posterior].into_iter().chain(below).collect();
        self.reparametrize_layer(&inputs, 1, ["latent.upper", "noise.upper"], stream::UPPER)
    }

    fn reparametrize_layer(
        &mut self,
        posteriors: &[ValueId],
        samples: usize,
        [name, noise]: [&str; 2],
        stream: u32,
    ) -> Result<ValueId> {
        let latent = self.latent_shape(posteriors[0], samples)?;
        let shape = Shape::matrix(samples * latent.batch, latent.width);
        let z = self.add_value(name.into(), shape, true);
        let noise = self.add_value(noise.into(), shape, false);
        self.push(name, Reparametrize { shape: latent, stream }, posteriors, &[z, noise]);
        Ok(z)
    }

    /// KL(N(mean, exp(log_variance)) || N(0, I)) in nats, per image and dimension, as a term of the objective
    /// weighted by the step's beta, which training draws to `target`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `posterior` has not two sections.
    pub fn gaussian_kl(&mut self, posterior: ValueId, target: KlTarget) -> Result<ValueId> {
        let shape = self.latent_shape(posterior, 1)?;
        let operation = GaussianKl { shape, target };
        let value = self.apply("kl", operation, &[posterior], Shape::matrix(shape.batch, shape.width));
        self.add_term(value, 1, 1.0);
        Ok(value)
    }
}
