//! An upper stochastic layer: p(x|h1) p(h1|h2) p(h2) and q(h1|x) q(h2|h1) (Burda et al., arXiv 1509.00519, section 5).

use super::{MlpVae, ObjectiveKind};
use crate::Result;
use crate::graph::{Graph, LowerLayer, Receivers, Stage, UpperValues, ValueId};

/// A stochastic layer above the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpperLayer {
    /// Hidden layers from the latents below on; the way down has them in reverse.
    pub hidden: Vec<usize>,
    /// Its latent dimensions, whose prior is N(0, I).
    pub latent: usize,
}

/// Where to find an upper layer in the graph.
#[derive(Clone, Copy, Debug)]
pub struct UpperVae {
    /// q(h2|h1): means and log-variances, `[noise samples * batch, 2, upper latent]`.
    pub posterior: ValueId,
    /// The same once more, through which h1 gets its gradient, where the parameters get another: doubly reparametrized.
    below: Option<ValueId>,
    /// Samples h2, `[noise samples * batch, upper latent]`.
    pub latent: ValueId,
    /// p(h1|h2): means and log-variances, `[noise samples * batch, 2, latent]`.
    pub prior: ValueId,
}

impl UpperVae {
    /// Both layers, as the importance weights of their samples ask for them.
    pub(super) fn layers(&self, posterior: ValueId, latent: ValueId) -> (LowerLayer, UpperValues) {
        let lower = LowerLayer { posterior, latent, prior: self.prior };
        (lower, UpperValues { posterior: self.below.unwrap_or(self.posterior), latent: self.latent })
    }
}

impl MlpVae {
    /// Latent dimensions of the layer whose prior is N(0, I).
    pub fn top_latent(&self) -> usize {
        self.upper.as_ref().map_or(self.latent, |upper| upper.latent)
    }

    /// Latent dimensions of all layers together.
    pub fn joint_latent(&self) -> usize {
        self.latent + self.upper.as_ref().map_or(0, |upper| upper.latent)
    }

    /// The way up from samples `latent` of the first layer, and down to their prior; `None` without an upper layer.
    pub(super) fn build_upper(&self, graph: &mut Graph, latent: ValueId) -> Result<Option<UpperVae>> {
        let Some(upper) = &self.upper else { return Ok(None) };
        graph.begin(Stage::Upper);
        let (posterior, below) = if self.objective == ObjectiveKind::Dreg {
            // Each parameter's gradient is weighed by how its own samples are drawn: what passes through h2 to h1 is
            // not yet weighed for the encoder's first layer, and what the layers in between get is.
            let own = self.upper_encoder(graph, Receivers::Parameters, upper, latent)?;
            (own, Some(self.upper_encoder(graph, Receivers::Input, upper, latent)?))
        } else {
            (self.upper_encoder(graph, Receivers::All, upper, latent)?, None)
        };
        graph.begin(Stage::Sample);
        let top = graph.reparametrize_upper(posterior, below)?;
        graph.begin(Stage::Prior);
        let prior = self.upper_decoder(graph, upper, top)?;
        Ok(Some(UpperVae { posterior, below, latent: top, prior }))
    }

    /// Layers from latents h2 to p(h1|h2), `[rows, 2, latent]`.
    pub(super) fn upper_decoder(
        &self,
        graph: &mut Graph,
        upper: &UpperLayer,
        top: ValueId,
    ) -> Result<ValueId> {
        let mut hidden = top;
        for (i, &width) in upper.hidden.iter().rev().enumerate() {
            hidden = self.layer(graph, Receivers::All, &format!("decoder.upper.{i}"), hidden, width)?;
        }
        graph.linear(&["decoder.upper.mean", "decoder.upper.log_variance"], hidden, self.latent)
    }

    /// Layers from samples of h1 to posteriors q(h2|h1). The gradient is passed on to their parameters, to h1, or both.
    pub(super) fn upper_encoder(
        &self,
        graph: &mut Graph,
        receivers: Receivers,
        upper: &UpperLayer,
        latent: ValueId,
    ) -> Result<ValueId> {
        // Only the first layer has an input that may count as given.
        let further = if receivers == Receivers::Parameters { Receivers::All } else { receivers };
        let mut hidden = (latent, receivers);
        for (i, &width) in upper.hidden.iter().enumerate() {
            let name = format!("encoder.upper.{i}");
            hidden = (self.layer(graph, hidden.1, &name, hidden.0, width)?, further);
        }
        let names = ["encoder.upper.mean", "encoder.upper.log_variance"];
        graph.linear_for(hidden.1, &names, hidden.0, upper.latent)
    }
}
