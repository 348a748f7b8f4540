//! An upper stochastic layer: p(x|h1) p(h1|h2) p(h2) and q(h1|x) q(h2|h1) (Burda et al., arXiv 1509.00519, section 5).

use super::{MlpVae, ObjectiveKind};
use crate::graph::{Graph, LowerLayer, Stage, UpperValues, ValueId};
use crate::{Error, Result};

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
    /// Samples h2, `[noise samples * batch, upper latent]`.
    pub latent: ValueId,
    /// p(h1|h2): means and log-variances, `[noise samples * batch, 2, latent]`.
    pub prior: ValueId,
}

impl UpperVae {
    /// Both layers, as the importance weights of their samples ask for them.
    pub(super) fn layers(&self, posterior: ValueId, latent: ValueId) -> (LowerLayer, UpperValues) {
        let lower = LowerLayer { posterior, latent, prior: self.prior };
        (lower, UpperValues { posterior: self.posterior, latent: self.latent })
    }
}

/// Refuse what two stochastic layers do not take.
///
/// # Errors
/// [`Error::Setting`] naming the flag.
pub(crate) fn refuse_for_two_layers(objective: ObjectiveKind, free_bits: f64, capacity: bool) -> Result<()> {
    let refuse = |flag: &str, problem: &str, hint: &str| Err(Error::setting(flag, problem, hint));
    if objective == ObjectiveKind::Dreg {
        let problem =
            "doubly reparametrized gradients are made for one layer of latents, and --latent gives two";
        return refuse("--objective", problem, "use elbo or iwae, or one layer");
    }
    if free_bits > 0.0 || capacity {
        let flag = if capacity { "--capacity" } else { "--free-bits" };
        let problem = "it asks for a divergence in closed form, which two layers of latents do not have";
        return refuse(flag, problem, "leave it out, or use one layer");
    }
    Ok(())
}

impl MlpVae {
    /// Latent dimensions of the layer whose prior is N(0, I).
    pub fn top_latent(&self) -> usize {
        self.upper.as_ref().map_or(self.latent, |upper| upper.latent)
    }

    /// Refuse a second stochastic layer, on behalf of `what`, which is made for one.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is one.
    pub fn check_single_layer(&self, what: &str) -> Result<()> {
        match &self.upper {
            None => Ok(()),
            Some(upper) => Err(Error::setting(
                what,
                format!(
                    "it is made for one layer of latents, and this model has two, of {} and {}",
                    self.latent, upper.latent
                ),
                "use 'vae eval RUN --importance-samples', which bounds log p(x) for two layers as for one",
            )),
        }
    }

    /// The way up from samples `latent` of the first layer, and down to their prior; `None` without an upper layer.
    pub(super) fn build_upper(&self, graph: &mut Graph, latent: ValueId) -> Result<Option<UpperVae>> {
        let Some(upper) = &self.upper else { return Ok(None) };
        refuse_for_two_layers(self.objective, self.free_bits, self.capacity)?;
        graph.begin(Stage::Upper);
        let mut hidden = latent;
        for (i, &width) in upper.hidden.iter().enumerate() {
            hidden = self.layer(graph, &format!("encoder.upper.{i}"), hidden, width)?;
        }
        let posterior =
            graph.linear(&["encoder.upper.mean", "encoder.upper.log_variance"], hidden, upper.latent)?;
        graph.begin(Stage::Sample);
        let top = graph.reparametrize_upper(posterior)?;
        graph.begin(Stage::Prior);
        let mut hidden = top;
        for (i, &width) in upper.hidden.iter().rev().enumerate() {
            hidden = self.layer(graph, &format!("decoder.upper.{i}"), hidden, width)?;
        }
        let prior =
            graph.linear(&["decoder.upper.mean", "decoder.upper.log_variance"], hidden, self.latent)?;
        Ok(Some(UpperVae { posterior, latent: top, prior }))
    }
}
