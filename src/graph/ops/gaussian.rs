//! The Gaussian posterior: reparametrized samples and the KL divergence to the prior N(0, I).

use super::importance::DoublyReparametrize;
use super::sampled_kl::{Drawn, Sizes};
use crate::graph::loss::Factor;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::random::stream;
use crate::{Error, Result};

/// Sizes of a group of latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LatentShape {
    /// Posteriors: images in a minibatch, for the group nearest to them.
    pub(super) batch: usize,
    /// Samples of each.
    pub(super) samples: usize,
    /// Latent dimensions.
    pub(super) width: usize,
}

impl LatentShape {
    /// vec4 in a row of latents.
    pub(super) fn vec4(&self) -> usize {
        self.width.div_ceil(4)
    }
}

/// How to draw the latents of a group.
#[derive(Clone, Copy, Debug)]
pub struct Samples {
    /// Means and log-variances, `[rows, 2, latent]`.
    pub posterior: ValueId,
    /// The same values, where the values that the posterior is computed from get another gradient than its parameters:
    /// theirs goes through this one, and is not doubly reparametrized.
    pub below: Option<ValueId>,
    /// Samples of each posterior.
    pub samples: usize,
    /// Number of the group of latents; 0 is the one nearest to the data. Each group draws its own noise.
    pub group: usize,
    /// The normalised importance weights of the samples, if the gradient of the posterior's parameters is to be doubly
    /// reparametrized with them (Tucker et al., arXiv 1810.04152, equation 8).
    pub weights: Option<ValueId>,
}

/// Inputs: posterior, and [`Samples::below`] if there is one. Outputs: z, noise.
#[derive(Debug)]
struct Reparametrize {
    shape: LatentShape,
    /// Added to the step's stream of noise.
    stream: u32,
    weights: Option<ValueId>,
}

impl Operation for Reparametrize {
    fn carries(&self, _: usize, output: usize) -> bool {
        output == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let [z, noise] = node.outputs[..] else { return Ok(()) };
        let posterior = node.inputs[0];
        let Some(mut upstream) = gradients.upstream(z) else { return Ok(()) };
        if let Some(&below) = node.inputs.get(1) {
            self.through_samples(upstream, noise, below, gradients);
        }
        if let (Some(weights), Some(own)) = (self.weights, gradients.own(z)) {
            let LatentShape { batch, samples, width } = self.shape;
            let sizes = Sizes { batch, samples, posterior_rows: batch, width };
            let operation = DoublyReparametrize { sizes, beta: gradients.number("beta")? };
            let label = format!("{} doubly reparametrized", gradients.name(own));
            upstream = gradients.alias(&label, own);
            gradients.push(label, operation, &[weights, noise, posterior, own], &[upstream]);
        }
        self.through_samples(upstream, noise, posterior, gradients);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
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
        )
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
        if let Some(target) = gradients.target(posterior) {
            let label = format!("gradient of {} through samples", gradients.name(posterior));
            let operation = ReparametrizeGradient(self.shape, target.1);
            gradients.push_into(label, operation, &[upstream, noise, posterior], target);
        }
    }
}

/// Inputs: dz, noise, posterior.
#[derive(Debug)]
struct ReparametrizeGradient(LatentShape, bool);

impl Operation for ReparametrizeGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
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
        )
    }
}

/// The value that training moves the KL divergence towards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KlTarget {
    /// 0: beta KL.
    Zero,
    /// 0, but a dimension whose average over the minibatch is below this number of nats has no gradient (Kingma et
    /// al. 2016, equation 15).
    FreeBits(f64),
    /// 0, but an image whose divergence of all dimensions together is below this number of nats has no gradient: the loss
    /// is the average of max(KL, floor) over images (Ha and Schmidhuber 2018).
    Floor(f64),
    /// The step's capacity: beta |KL - capacity|, KL averaged over the minibatch (Burgess et al. 2018, equation 8).
    Capacity,
}

/// Input: posterior. Output: the divergence of each latent dimension of each image.
#[derive(Debug)]
struct GaussianKl {
    shape: LatentShape,
    target: KlTarget,
}

impl Operation for GaussianKl {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let (posterior, divergence) = (node.inputs[0], node.outputs[0]);
        let label = format!("gradient of {} through KL", gradients.name(posterior));
        let shape = self.shape;
        let Some(factor) = gradients.loss(divergence, 1) else {
            if self.target != KlTarget::Zero {
                let problem =
                    "a KL divergence with free bits, a floor or a capacity is used otherwise than as a loss";
                return Err(Error::Internal(problem.into()));
            }
            if let (Some(upstream), Some(target)) =
                (gradients.upstream(divergence), gradients.target(posterior))
            {
                let operation = GaussianKlPullBack { shape, accumulate: target.1 };
                gradients.push_into(label, operation, &[posterior, upstream], target);
            }
            return Ok(());
        };
        let mut inputs = vec![posterior];
        if let KlTarget::Floor(_) = self.target {
            inputs.push(divergence);
        } else if self.target != KlTarget::Zero {
            let average = gradients.temporary("kl.average".into(), Shape::matrix(1, shape.width));
            gradients.push("average KL".into(), BatchMean(shape), &[divergence], &[average]);
            inputs.push(average);
        }
        let capacity = match self.target {
            KlTarget::Capacity => gradients.number("capacity")?,
            _ => 0,
        };
        if let Some(to) = gradients.target(posterior) {
            let operation =
                GaussianKlGradient { shape, target: self.target, capacity, factor, accumulate: to.1 };
            gradients.push_into(label, operation, &inputs, to);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let vec4 = self.shape.batch * self.shape.vec4();
        lowering.dispatch(
            node,
            "gaussian_kl",
            constants! { BATCH: self.shape.batch, COLUMNS: self.shape.vec4() },
            &[("posterior", node.inputs[0]), ("divergence", node.outputs[0])],
            Grid::Elements(vec4),
            vec4 * 4 * 6,
        )
    }
}

/// Inputs: posterior; with a floor the divergence, with free bits or a capacity its average of each dimension.
#[derive(Debug)]
struct GaussianKlGradient {
    shape: LatentShape,
    target: KlTarget,
    /// Index of the step's capacity.
    capacity: usize,
    factor: Factor,
    accumulate: bool,
}

impl Operation for GaussianKlGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let vec4 = self.shape.batch * self.shape.vec4();
        let mut values = vec![("posterior", node.inputs[0]), ("posterior_gradient", node.outputs[0])];
        let mut constants = constants! {
            BATCH: self.shape.batch, COLUMNS: self.shape.vec4(), WEIGHT: self.factor.weight,
            NUMBER: self.factor.number, ACCUMULATE: self.accumulate,
        };
        let mut kernel = "gaussian_kl_gradient";
        match self.target {
            KlTarget::Zero => {}
            KlTarget::FreeBits(nats) => {
                kernel = "gaussian_kl_gradient_free_bits";
                values.push(("average", node.inputs[1]));
                constants.insert("FREE_BITS", nats);
            }
            KlTarget::Floor(nats) => {
                kernel = "gaussian_kl_gradient_floor";
                values.push(("divergence_read", node.inputs[1]));
                constants.insert("FLOOR", nats);
            }
            KlTarget::Capacity => {
                kernel = "gaussian_kl_gradient_capacity";
                values.push(("average", node.inputs[1]));
                constants.insert("CAPACITY", self.capacity as f64);
            }
        }
        lowering.dispatch(node, kernel, constants, &values, Grid::Elements(vec4), vec4 * 4 * 6)
    }
}

/// Inputs: posterior, the gradient of the divergence of each dimension.
#[derive(Debug)]
struct GaussianKlPullBack {
    shape: LatentShape,
    accumulate: bool,
}

impl Operation for GaussianKlPullBack {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let vec4 = self.shape.batch * self.shape.vec4();
        lowering.dispatch(
            node,
            "gaussian_kl_pull_back",
            constants! { BATCH: self.shape.batch, COLUMNS: self.shape.vec4(), ACCUMULATE: self.accumulate },
            &[
                ("posterior", node.inputs[0]),
                ("divergence_gradient", node.inputs[1]),
                ("posterior_gradient", node.outputs[0]),
            ],
            Grid::Elements(vec4),
            vec4 * 4 * 5,
        )
    }
}

#[derive(Debug)]
struct BatchMean(LatentShape);

impl Operation for BatchMean {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        lowering.dispatch(
            node,
            "batch_mean",
            constants! { COLUMNS: self.0.vec4() },
            &[("divergence_read", node.inputs[0]), ("batch_average", node.outputs[0])],
            Grid::Elements(self.0.vec4()),
            self.0.batch * self.0.vec4() * 4,
        )
    }
}

/// The mean over the minibatch of each column of `values`, `[batch, columns]`: no gradient goes this way.
pub(super) fn batch_mean(graph: &mut Graph, name: &str, values: ValueId) -> ValueId {
    let shape = graph.shape(values);
    let of = LatentShape { batch: shape.rows, samples: 1, width: shape.columns };
    graph.apply(name, BatchMean(of), &[values], Shape::matrix(1, shape.columns))
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

    /// z = mean + exp(log_variance / 2) noise, `[samples * rows, latent]` (Kingma and Welling 2014, section 2.4).
    ///
    /// # Errors
    /// [`Error::Shape`] if the posterior has not two sections or there are no samples.
    pub fn reparametrize(&mut self, samples: &Samples) -> Result<Drawn> {
        let latent = self.latent_shape(samples.posterior, samples.samples)?;
        let shape = Shape::matrix(latent.samples * latent.batch, latent.width);
        let of_group = |name: &str| match samples.group {
            0 => name.to_string(),
            group => format!("{name}.layer{}", group + 1),
        };
        let [z, noise] = ["latent", "noise"].map(|name| self.add_value(of_group(name), shape));
        let inputs: Vec<ValueId> = [samples.posterior].into_iter().chain(samples.below).collect();
        let stream = stream::of_group(samples.group);
        let operation = Reparametrize { shape: latent, stream, weights: samples.weights };
        self.push(of_group("latent"), operation, &inputs, &[z, noise]);
        Ok(Drawn { posterior: samples.below.unwrap_or(samples.posterior), z, noise })
    }

    /// KL(N(mean, exp(log_variance)) || N(0, I)) in nats, per image and dimension. As a loss it is trained towards
    /// `target`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `posterior` has not two sections.
    pub fn gaussian_kl(&mut self, posterior: ValueId, target: KlTarget) -> Result<ValueId> {
        let shape = self.latent_shape(posterior, 1)?;
        let operation = GaussianKl { shape, target };
        Ok(self.apply("kl", operation, &[posterior], Shape::matrix(shape.batch, shape.width)))
    }

    /// The divergences of [`Graph::gaussian_kl`], averaged over a minibatch, `[1, latent]`: nats of each dimension.
    ///
    /// # Errors
    /// [`Error::Shape`] if `posterior`, which `divergence` is of, has not two sections.
    pub fn mean_divergence(&mut self, posterior: ValueId, divergence: ValueId) -> Result<ValueId> {
        let shape = self.latent_shape(posterior, 1)?;
        Ok(self.apply("kl.dimensions", BatchMean(shape), &[divergence], Shape::matrix(1, shape.width)))
    }
}
