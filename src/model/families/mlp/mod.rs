//! A variational autoencoder whose networks are multilayer perceptrons, with any number of stochastic layers:
//! p(x|h1) p(h1|h2) .. p(hN), q(h1|x) q(h2|h1) .. q(hN|hN-1) (Burda et al., arXiv 1509.00519, section 5).

mod config;

pub use config::MlpConfig;

use crate::graph::{Activation, Graph, Likelihood, Tensors, ValueId};
use crate::model::{
    Built, DrawPosterior, DrawPrior, Generated, Head, Inferred, LatentGroup, LatentModel, Model, Task, elbo,
};
use crate::optimizer::Optimizers;
use crate::{Error, Result};

/// A stochastic layer, and the hidden layers below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Units of the hidden layers between the layer before, or the image, and this one; the way down has them in reverse.
    pub hidden: Vec<usize>,
    /// Latent dimensions.
    pub latent: usize,
}

/// Sizes and choices of a multilayer perceptron with Gaussian posteriors and priors (Kingma and Welling 2014, appendix C).
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Values of an image.
    pub pixels: usize,
    /// The stochastic layers, the one nearest to the image first.
    pub layers: Vec<Layer>,
    /// Between layers.
    pub activation: Activation,
    /// Probability with which training drops a unit of a hidden layer.
    pub dropout: f64,
    /// Distribution of a pixel.
    pub likelihood: Likelihood,
}

/// The part of a tensor's name that tells the stochastic layer: nothing for the first, `layer2.` for the second.
fn prefix(network: &str, layer: usize) -> String {
    match layer {
        0 => format!("{network}."),
        layer => format!("{network}.layer{}.", layer + 1),
    }
}

impl Mlp {
    /// Layers from the image, or from latents of the layer before, to the posterior of layer number `layer`,
    /// `[rows, 2, latent]`, or to codes.
    fn encoder(&self, graph: &mut Graph, layer: usize, head: Head, input: ValueId) -> Result<ValueId> {
        let Layer { hidden, latent } = &self.layers[layer];
        let prefix = prefix("encoder", layer);
        let top = self.hidden(graph, &prefix, hidden.iter(), input)?;
        let names = head.layers(&prefix);
        graph.linear(&names.iter().map(String::as_str).collect::<Vec<_>>(), top, *latent)
    }

    /// Layers from latents of layer number `layer`, which is not the first, to the prior of the one below it,
    /// `[rows, 2, latent]`.
    fn prior(&self, graph: &mut Graph, layer: usize, latent: ValueId) -> Result<ValueId> {
        let prefix = prefix("decoder", layer);
        let top = self.hidden(graph, &prefix, self.layers[layer].hidden.iter().rev(), latent)?;
        let names = [format!("{prefix}mean"), format!("{prefix}log_variance")];
        graph.linear(&[&names[0], &names[1]], top, self.layers[layer - 1].latent)
    }

    /// Layers from latents of the first layer to the likelihood's parameters, `[rows, (sections,) pixels]`.
    fn decoder(&self, graph: &mut Graph, latent: ValueId) -> Result<ValueId> {
        let top = self.hidden(graph, "decoder.", self.layers[0].hidden.iter().rev(), latent)?;
        graph.linear(self.likelihood.kind.outputs(), top, self.pixels)
    }

    fn hidden<'a>(
        &self,
        graph: &mut Graph,
        prefix: &str,
        widths: impl Iterator<Item = &'a usize>,
        input: ValueId,
    ) -> Result<ValueId> {
        let mut value = input;
        for (i, &width) in widths.enumerate() {
            let name = format!("{prefix}{i}");
            let sum = graph.linear(&[&name], value, width)?;
            value =
                graph.activate(&format!("{name}.{:?}", self.activation).to_lowercase(), sum, self.activation);
            value = graph.dropout(&format!("{name}.dropout"), value, self.dropout)?;
        }
        Ok(value)
    }
}

impl Model for Mlp {
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> Result<Built> {
        if self.layers.is_empty() {
            return Err(Error::shape("latent", "the model has no stochastic layer".to_string()));
        }
        elbo::build(self, tensors, task, optimizers)
    }

    fn pixels(&self) -> usize {
        self.pixels
    }

    fn latent(&self) -> Option<&dyn LatentModel> {
        Some(self)
    }
}

impl LatentModel for Mlp {
    fn groups(&self) -> Vec<LatentGroup> {
        self.layers.iter().map(|layer| LatentGroup { width: layer.latent }).collect()
    }

    fn pixels(&self) -> usize {
        self.pixels
    }

    fn likelihood(&self) -> Likelihood {
        self.likelihood
    }

    fn depends_on_mode(&self) -> bool {
        self.dropout > 0.0
    }

    fn infer(&self, graph: &mut Graph, x: ValueId, draw: &mut dyn DrawPosterior) -> Result<Inferred> {
        let (mut groups, mut input, head) = (Vec::new(), x, draw.head());
        for layer in 0..self.layers.len() {
            let network = |graph: &mut Graph, input| self.encoder(graph, layer, head, input);
            let latents = draw.draw(graph, layer, input, &network)?;
            input = latents.drawn.z;
            groups.push(latents);
        }
        for layer in (1..self.layers.len()).rev() {
            groups[layer - 1].prior = Some(self.prior(graph, layer, groups[layer].drawn.z)?);
        }
        let decoded = self.decoder(graph, groups[0].drawn.z)?;
        Ok(Inferred { groups, decoded })
    }

    fn generate(&self, graph: &mut Graph, draw: &mut dyn DrawPrior) -> Result<Generated> {
        let (mut latents, mut priors) = (Vec::new(), Vec::new());
        let mut prior = None;
        for layer in (0..self.layers.len()).rev() {
            let z = draw.draw(graph, layer, self.layers[layer].latent, prior)?;
            latents.insert(0, z);
            priors.insert(0, prior);
            prior = match layer {
                0 => None,
                layer => Some(self.prior(graph, layer, z)?),
            };
        }
        let decoded = self.decoder(graph, latents[0])?;
        Ok(Generated { latents, priors, decoded })
    }
}
