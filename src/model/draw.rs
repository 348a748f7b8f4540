//! How latents are drawn: whoever builds a graph decides, since the posterior of a group needs samples of the one before.

use crate::Result;
use crate::graph::{Drawn, Graph, Samples, ValueId};

/// What the last layer of an encoder computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Means and log-variances of a posterior, `[rows, 2, latent]`.
    Gaussian,
    /// Codes, `[rows, latent]`.
    Code,
}

impl Head {
    /// The layers that compute it; their names begin with `prefix`.
    pub fn layers(self, prefix: &str) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Gaussian => &["mean", "log_variance"],
            Self::Code => &["code"],
        };
        names.iter().map(|name| format!("{prefix}{name}")).collect()
    }
}

/// The latents of a group in a graph.
#[derive(Clone, Copy, Debug)]
pub struct Latents {
    /// Means and log-variances of the posterior, `[rows, 2, latent]`; of a deterministic autoencoder the codes,
    /// `[rows, latent]`.
    pub posterior: ValueId,
    /// The samples, and what their density depends on.
    pub drawn: Drawn,
    /// Means and log-variances of the prior, `[samples * batch, 2, latent]`; `None` for N(0, I).
    pub prior: Option<ValueId>,
}

/// Draws latents from posteriors.
pub trait DrawPosterior {
    /// What the networks compute from which this draws.
    fn head(&self) -> Head {
        Head::Gaussian
    }

    /// The latents of group number `group`, whose posterior `network` computes from `input`.
    ///
    /// # Errors
    /// Those of `network`.
    fn draw(
        &mut self,
        graph: &mut Graph,
        group: usize,
        input: ValueId,
        network: &dyn Fn(&mut Graph, ValueId) -> Result<ValueId>,
    ) -> Result<Latents>;
}

/// Draws latents from priors.
pub trait DrawPrior {
    /// The latents of group number `group`, `[rows, latent]`, whose prior is `prior` or N(0, I).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the prior does not fit.
    fn draw(
        &mut self,
        graph: &mut Graph,
        group: usize,
        width: usize,
        prior: Option<ValueId>,
    ) -> Result<ValueId>;
}

/// Reparametrized samples, for training and bounds.
#[derive(Clone, Copy, Debug)]
pub struct Reparametrized {
    /// Samples of each image.
    pub samples: usize,
    /// The normalised importance weights, if the encoder's gradient is to be doubly reparametrized.
    pub weights: Option<ValueId>,
}

impl DrawPosterior for Reparametrized {
    fn draw(
        &mut self,
        graph: &mut Graph,
        group: usize,
        input: ValueId,
        network: &dyn Fn(&mut Graph, ValueId) -> Result<ValueId>,
    ) -> Result<Latents> {
        // Only the first group has several samples of each row.
        let samples = if group == 0 { self.samples } else { 1 };
        let weights = self.weights;
        let (posterior, below) = match (weights, group) {
            // Each parameter's gradient is weighed by how its own samples are drawn. What passes through this group to the
            // one before is not yet weighed for the parameters there: it goes by a second copy of the network.
            (Some(_), 1..) => {
                let constant = graph.detach(input);
                let own = network(graph, constant)?;
                (own, Some(graph.with_constant_parameters(|graph| network(graph, input))?))
            }
            _ => (network(graph, input)?, None),
        };
        let mut drawn = graph.reparametrize(&Samples { posterior, below, samples, group, weights })?;
        if weights.is_some() && group == 0 {
            // The density of the samples has no gradient of its own: it comes through the samples.
            drawn.posterior = graph.detach(posterior);
        }
        Ok(Latents { posterior, drawn, prior: None })
    }
}
