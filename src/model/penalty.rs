//! Penalties that disentangling objectives add to the ELBO in training.

use super::{Inferred, ObjectiveKind};
use crate::graph::{Activation, Graph, Loss, Sampling, ValueId, Weight};
use crate::{Error, Result};

/// The group of a discriminator's parameters.
pub const DISCRIMINATOR: &str = "discriminator";

/// What an objective adds to the ELBO, times the number `penalty` of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// The total correlation of the latents, by a discriminator of `layers` hidden layers of `units` units, which learns to tell
    /// latents from latents whose dimensions were permuted each for itself (Kim and Mnih, arXiv 1802.05983).
    Discriminator {
        /// Hidden layers.
        layers: usize,
        /// Units of each.
        units: usize,
    },
    /// The total correlation, estimated from the densities of all pairs in a minibatch (Chen et al., arXiv 1802.04942).
    TotalCorrelation(Sampling),
    /// The distance of the latents' covariance from the identity matrix (Kumar et al., arXiv 1711.00848).
    Covariance {
        /// Weight of the diagonal, relative to that of the other elements.
        diagonal: f64,
        /// Whether the posteriors' variances count: DIP-VAE-II.
        variances: bool,
    },
    /// The maximum mean discrepancy between latents and prior (Tolstikhin et al., arXiv 1711.01558; Zhao et al., arXiv
    /// 1706.02262).
    Discrepancy,
}

impl Penalty {
    /// The group of parameters that it has beside the model's.
    pub fn group(self) -> Option<&'static str> {
        matches!(self, Self::Discriminator { .. }).then_some(DISCRIMINATOR)
    }

    /// The name of its metric.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Discriminator { .. } | Self::TotalCorrelation(_) => "total_correlation",
            Self::Covariance { .. } => "covariance_penalty",
            Self::Discrepancy => "discrepancy",
        }
    }

    /// Append the losses of the penalty in training, on the one sample of each image.
    ///
    /// # Errors
    /// [`Error::Shape`] if the model has several groups of latents, or an image several samples.
    pub(super) fn losses(
        self,
        graph: &mut Graph,
        inferred: &Inferred,
        kind: ObjectiveKind,
    ) -> Result<Vec<Loss>> {
        let [group] = &inferred.groups[..] else {
            return Err(Error::shape("latent", format!("{kind} takes one layer of latents")));
        };
        let (posterior, drawn) = (group.posterior, group.drawn);
        let weight = Weight::Step("penalty");
        Ok(match self {
            Self::Discriminator { layers, units } => {
                let network = Discriminator { layers, units };
                let ratio = graph.with_constant_parameters(|graph| network.append(graph, drawn.z))?;
                let ratio = graph.contrast(ratio)?;
                vec![graph.loss(self.metric(), ratio, 1, weight), network.loss(graph, drawn.z)?]
            }
            Self::TotalCorrelation(sampling) => {
                let terms = graph.decompose_kl(drawn, sampling)?;
                graph.metric("mutual_information", terms.information, 1);
                graph.metric("dimension_kl", terms.dimensions, 1);
                vec![graph.loss(self.metric(), terms.correlation, 1, weight)]
            }
            Self::Covariance { diagonal, variances } => {
                let penalty = graph.covariance_penalty(posterior, diagonal, variances)?;
                vec![graph.loss(self.metric(), penalty, 1, weight)]
            }
            Self::Discrepancy => {
                let discrepancy = graph.kernel_discrepancy(drawn.z)?;
                vec![graph.loss(self.metric(), discrepancy, 1, weight)]
            }
        })
    }

    /// Add the parameters to the graph's table, so that checkpoints of training fit a plan that does not train.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are there with other shapes.
    pub(super) fn declare(self, graph: &mut Graph, z: ValueId) -> Result<()> {
        if let Self::Discriminator { layers, units } = self {
            Discriminator { layers, units }.append(graph, z)?;
        }
        Ok(())
    }
}

/// A network from latents to two logits: that they are latents as they were drawn, and that they were permuted.
struct Discriminator {
    layers: usize,
    units: usize,
}

impl Discriminator {
    fn append(&self, graph: &mut Graph, z: ValueId) -> Result<ValueId> {
        graph.tensors().group(DISCRIMINATOR);
        let mut x = z;
        for layer in 0..self.layers {
            let name = format!("discriminator.{layer}");
            x = graph.linear(&[&name], x, self.units)?;
            x = graph.activate(&format!("{name}.leaky-relu"), x, Activation::SteepLeakyRelu);
        }
        graph.linear(&["discriminator.output"], x, 2)
    }

    /// The loss that its own parameters are trained by: the mean cross-entropy of both classes.
    fn loss(&self, graph: &mut Graph, z: ValueId) -> Result<Loss> {
        let drawn = graph.detach(z);
        let logits = self.append(graph, drawn)?;
        let drawn = graph.cross_entropy(logits, 0)?;
        let permuted = graph.permute_columns(z)?;
        let logits = self.append(graph, permuted)?;
        let permuted = graph.cross_entropy(logits, 1)?;
        let both = graph.add_scaled("cross_entropies", drawn, permuted, 1.0)?;
        Ok(graph.loss("discriminator", both, 2, Weight::Constant(1.0)))
    }
}
