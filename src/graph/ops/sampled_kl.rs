//! The KL divergence of a posterior estimated from its samples: log q(z) - log p(z). The prior p is N(0, I), or a Gaussian
//! that depends on the latents of another group (Burda et al., arXiv 1509.00519, section 5).

use super::gate::FreeBitsGate;
use super::one_a_row;
use crate::graph::{Gradients, Graph, KlTarget, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// How rows of samples map to rows of the posterior they were drawn from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Images in a minibatch.
    pub(super) batch: usize,
    /// Samples of each.
    pub(super) samples: usize,
    /// Rows of the posterior: sample row r was drawn from posterior row r modulo this.
    pub(super) posterior_rows: usize,
    /// Latent dimensions.
    pub(super) width: usize,
}

impl Sizes {
    pub(super) fn rows(&self) -> usize {
        self.batch * self.samples
    }

    pub(super) fn vec4(&self) -> usize {
        self.width.div_ceil(4)
    }

    fn constants(&self) -> BTreeMap<&'static str, f64> {
        constants! { BATCH: self.batch, SAMPLES: self.samples, COLUMNS: self.vec4() }
    }
}

/// The latents of a group as they were drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// Means and log-variances, `[rows, 2, latent]`: the value through which the density of the samples has a gradient.
    pub posterior: ValueId,
    /// Samples, `[samples * batch, latent]`.
    pub z: ValueId,
    /// The noise they were drawn with, of the same shape.
    pub noise: ValueId,
}

/// Inputs: posterior, z, noise, then the prior and the divergence of other groups, if there are any. Output: the divergence
/// of each row, added to that of the other groups.
#[derive(Debug)]
struct SampledKl {
    sizes: Sizes,
    prior: bool,
    before: bool,
    free_bits: Option<f64>,
}

impl SampledKl {
    /// What the kernels of values read.
    fn values(&self, node: &Node) -> Vec<(&'static str, ValueId)> {
        let [posterior, z, noise] = [0, 1, 2].map(|i| node.inputs[i]);
        // Without a prior or a divergence before, the kernel reads nothing there: any buffer does.
        let prior = if self.prior { node.inputs[3] } else { posterior };
        let before = if self.before { node.inputs[3 + usize::from(self.prior)] } else { z };
        vec![("posterior", posterior), ("prior", prior), ("z", z), ("noise", noise), ("before", before)]
    }

    fn constants(&self) -> BTreeMap<&'static str, f64> {
        let mut constants = self.sizes.constants();
        constants.extend(constants! { POSTERIOR_ROWS: self.sizes.posterior_rows, PRIOR: self.prior });
        constants
    }
}

impl Operation for SampledKl {
    fn carries(&self, input: usize, _: usize) -> bool {
        input != 2
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let (posterior, z) = (node.inputs[0], node.inputs[1]);
        if self.before {
            gradients.share(node.inputs[3 + usize::from(self.prior)], upstream);
        }
        let gate = self.free_bits.map(|nats| {
            let name = gradients.name(z).to_string();
            let shape = Shape::matrix(self.sizes.rows(), self.sizes.width);
            let each = gradients.temporary(format!("{name}.divergence"), shape);
            let label = format!("divergence of each dimension of {name}");
            let values = Self { before: false, free_bits: None, ..*self };
            gradients.push(label, Dimensions(values), &node.inputs, &[each]);
            let gate = gradients.temporary(format!("{name}.gate"), Shape::matrix(1, self.sizes.width));
            gradients.push(format!("gate of {name}"), FreeBitsGate(self.sizes, nats), &[each], &[gate]);
            gate
        });
        let (sizes, gated) = (self.sizes, gate.is_some());
        let with_gate = |inputs: &[ValueId]| -> Vec<ValueId> { inputs.iter().copied().chain(gate).collect() };
        if self.prior {
            let prior = node.inputs[3];
            if gradients.wants(z) || gradients.wants(prior) {
                let label = format!("gradients of {} and {}", gradients.name(z), gradients.name(prior));
                let of_prior = gradients.part_or_unused(prior);
                let (of_z, accumulate) = match gradients.target(z) {
                    Some(target) => target,
                    None => (gradients.part_or_unused(z), false),
                };
                let operation = ConditionalGradient { sizes, gated, accumulate };
                let mut inputs = with_gate(&[upstream, prior, z]);
                inputs.extend(accumulate.then_some(of_z));
                gradients.push(label, operation, &inputs, &[of_z, of_prior]);
                gradients.add(prior, of_prior, of_prior);
            }
        } else if let Some(target) = gradients.target(z) {
            let label = format!("gradient of {} through its prior", gradients.name(z));
            let operation = LatentGradient { sizes, gated, accumulate: target.1 };
            gradients.push_into(label, operation, &with_gate(&[upstream, z]), target);
        }
        if let Some(target) = gradients.target(posterior) {
            let label = format!("gradient of {} through its density", gradients.name(posterior));
            let operation = PosteriorGradient { sizes, gated, accumulate: target.1 };
            gradients.push_into(label, operation, &with_gate(&[upstream]), target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut values = self.values(node);
        values.push(("divergence", node.outputs[0]));
        let mut constants = self.constants();
        constants.insert("BEFORE", f64::from(u8::from(self.before)));
        let flops = self.sizes.rows() * self.sizes.width * 10;
        lowering.dispatch(node, "sampled_kl", constants, &values, Grid::Elements(self.sizes.rows()), flops)
    }
}

/// Inputs: those of [`SampledKl`]. Output: the divergence of each dimension of each row.
#[derive(Debug)]
struct Dimensions(SampledKl);

impl Operation for Dimensions {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut values = self.0.values(node);
        values.push(("dimensions", node.outputs[0]));
        let vec4 = self.0.sizes.rows() * self.0.sizes.vec4();
        let constants = self.0.constants();
        lowering.dispatch(
            node,
            "sampled_kl_dimensions",
            constants,
            &values,
            Grid::Elements(vec4),
            4 * vec4 * 9,
        )
    }
}

/// Inputs: the divergence's gradient, z, and the gate of each dimension, if there is one. Output: dz.
#[derive(Debug)]
struct LatentGradient {
    sizes: Sizes,
    gated: bool,
    accumulate: bool,
}

impl Operation for LatentGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let vec4 = self.sizes.rows() * self.sizes.vec4();
        let mut constants = self.sizes.constants();
        constants.extend(constants! { GATED: self.gated, ACCUMULATE: self.accumulate });
        let [upstream, z] = [0, 1].map(|i| node.inputs[i]);
        let gate = if self.gated { node.inputs[2] } else { z };
        let values = [("upstream", upstream), ("z", z), ("gate", gate), ("z_gradient", node.outputs[0])];
        lowering.dispatch(node, "sampled_kl_gradient", constants, &values, Grid::Elements(vec4), 4 * vec4 * 3)
    }
}

/// Inputs: the divergence's gradient, prior, z, and the gate of each dimension, if there is one. Outputs: dz, d prior.
#[derive(Debug)]
struct ConditionalGradient {
    sizes: Sizes,
    gated: bool,
    accumulate: bool,
}

impl Operation for ConditionalGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let vec4 = self.sizes.rows() * self.sizes.vec4();
        let mut constants = self.sizes.constants();
        constants.extend(constants! {
            WIDTH: self.sizes.width, GATED: self.gated, ACCUMULATE: self.accumulate,
        });
        let [upstream, prior, z] = [0, 1, 2].map(|i| node.inputs[i]);
        let gate = if self.gated { node.inputs[3] } else { z };
        let values = [
            ("upstream", upstream),
            ("prior", prior),
            ("z", z),
            ("gate", gate),
            ("z_gradient", node.outputs[0]),
            ("prior_gradient", node.outputs[1]),
        ];
        let grid = Grid::Elements(vec4);
        lowering.dispatch(node, "sampled_kl_prior_gradient", constants, &values, grid, 4 * vec4 * 10)
    }
}

/// Inputs: the divergence's gradient, and the gate of each dimension, if there is one. Output: the posterior's gradient
/// through the density of its samples, where these stay what they are.
#[derive(Debug)]
struct PosteriorGradient {
    sizes: Sizes,
    gated: bool,
    accumulate: bool,
}

impl Operation for PosteriorGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let Sizes { posterior_rows, width, .. } = self.sizes;
        let vec4 = posterior_rows * self.sizes.vec4();
        let mut constants = self.sizes.constants();
        constants.extend(constants! {
            POSTERIOR_ROWS: posterior_rows, WIDTH: width, GATED: self.gated, ACCUMULATE: self.accumulate,
        });
        let upstream = node.inputs[0];
        let gate = if self.gated { node.inputs[1] } else { upstream };
        let values = [("upstream", upstream), ("gate", gate), ("posterior_gradient", node.outputs[0])];
        let flops = self.sizes.rows() * self.sizes.vec4() + 4 * vec4 * 2;
        let grid = Grid::Elements(vec4);
        lowering.dispatch(node, "sampled_kl_posterior_gradient", constants, &values, grid, flops)
    }
}

impl Graph {
    /// log q(z) - log p(z) of each sample, in nats, `[1, samples * batch]`, for a minibatch of `batch` images. The prior p
    /// is N(0, I), or `prior`: means and log-variances, `[samples * batch, 2, latent]`. `before`, the divergence of other
    /// groups, is added. With `target` free bits, training leaves out dimensions of this group below them.
    ///
    /// z counts as what reparametrization made of the posterior and the noise: of q's density the gradient has what its
    /// log-variance changes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the values do not fit together.
    pub fn sampled_kl(
        &mut self,
        drawn: Drawn,
        prior: Option<ValueId>,
        batch: usize,
        target: KlTarget,
        before: Option<ValueId>,
    ) -> Result<ValueId> {
        let (posterior, z, noise) =
            (self.shape(drawn.posterior), self.shape(drawn.z), self.shape(drawn.noise));
        let of_prior = prior.map(|prior| self.shape(prior));
        let of_before = before.map(|before| self.shape(before));
        let fits = posterior.sections == 2
            && posterior.columns == z.columns
            && noise == z
            && batch > 0
            && z.rows.is_multiple_of(batch)
            && posterior.rows > 0
            && z.rows.is_multiple_of(posterior.rows)
            && of_prior.is_none_or(|it| it == Shape::with_sections(z.rows, 2, z.columns))
            && of_before.is_none_or(|it| it == one_a_row(z.rows));
        if !fits {
            let show = |shape: Option<Shape>| shape.map_or("N(0, I)".to_string(), |shape| shape.to_string());
            let problem = format!(
                "posterior {posterior}, latents {z}, noise {noise} and prior {} of {batch} images do not fit together",
                show(of_prior)
            );
            return Err(Error::shape("sampled KL divergence", problem));
        }
        let sizes =
            Sizes { batch, samples: z.rows / batch, posterior_rows: posterior.rows, width: z.columns };
        let free_bits = match target {
            KlTarget::FreeBits(nats) => Some(nats),
            KlTarget::Zero | KlTarget::Floor(_) | KlTarget::Capacity => None,
        };
        let operation = SampledKl { sizes, prior: prior.is_some(), before: before.is_some(), free_bits };
        let inputs: Vec<ValueId> =
            [drawn.posterior, drawn.z, drawn.noise].into_iter().chain(prior).chain(before).collect();
        let name = format!("{}.kl", self.value(drawn.z).name);
        Ok(self.apply(name, operation, &inputs, one_a_row(z.rows)))
    }
}
