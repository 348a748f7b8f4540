//! A variational autoencoder whose encoder and decoder are multilayer perceptrons.

use crate::Result;
use crate::graph::{Activation, Binarize, Graph, Likelihood, LikelihoodKind, Stage, ValueId};

/// Sizes and choices of a [`Vae`] with Gaussian posterior and prior (Kingma and Welling 2014, appendix C).
#[derive(Clone, Debug, PartialEq)]
pub struct MlpVae {
    /// Images in a minibatch.
    pub batch: usize,
    /// Values of an image.
    pub pixels: usize,
    /// Hidden layers of the encoder, from the image on; the decoder has them in reverse.
    pub hidden: Vec<usize>,
    /// Latent dimensions.
    pub latent: usize,
    /// Between layers.
    pub activation: Activation,
    /// Distribution of a pixel.
    pub likelihood: Likelihood,
    /// What becomes of grey pixels.
    pub binarize: Binarize,
    /// Noise samples per image.
    pub noise_samples: usize,
    /// Nats per latent dimension under which its divergence gives no gradient.
    pub free_bits: f64,
}

/// A model as a graph, and where to find in it what people ask for.
#[derive(Clone, Debug)]
pub struct Vae {
    /// All operations.
    pub graph: Graph,
    /// Means and log-variances, `[batch, 2, latent]`.
    pub posterior: ValueId,
    /// Samples, `[noise samples * batch, latent]`.
    pub latent: ValueId,
    /// Expected images, `[noise samples * batch, pixels]` (in a first section, where the likelihood has two).
    pub picture: ValueId,
}

impl MlpVae {
    /// The forward pass and the terms of its objective, without gradients.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    pub fn build(&self) -> Result<Vae> {
        let mut graph = Graph::default();
        let images = graph.minibatch(self.batch, self.pixels, self.binarize);

        graph.begin(Stage::Encode);
        let posterior = self.encoder(&mut graph, images)?;

        graph.begin(Stage::Sample);
        let latent = graph.reparametrize(posterior, self.noise_samples)?;

        graph.begin(Stage::Decode);
        let decoded = self.decoder(&mut graph, latent)?;

        graph.begin(Stage::Objective);
        graph.negative_log_likelihood(decoded, images, self.likelihood)?;
        graph.gaussian_kl(posterior, self.free_bits)?;

        graph.begin(Stage::Picture);
        let picture = self.picture(&mut graph, decoded);
        Ok(Vae { graph, posterior, latent, picture })
    }

    /// Layers from images `[batch, pixels]` to posteriors `[batch, 2, latent]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    pub(crate) fn encoder(&self, graph: &mut Graph, images: ValueId) -> Result<ValueId> {
        let mut hidden = images;
        for (i, &width) in self.hidden.iter().enumerate() {
            hidden = self.layer(graph, &format!("encoder.{i}"), hidden, width)?;
        }
        graph.linear(&["encoder.mean", "encoder.log_variance"], hidden, self.latent)
    }

    /// Layers from latents `[rows, latent]` to the likelihood's parameters `[rows, (sections,) pixels]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    pub(crate) fn decoder(&self, graph: &mut Graph, latent: ValueId) -> Result<ValueId> {
        let mut hidden = latent;
        for (i, &width) in self.hidden.iter().rev().enumerate() {
            hidden = self.layer(graph, &format!("decoder.{i}"), hidden, width)?;
        }
        let outputs: &[&str] = match self.likelihood.kind {
            LikelihoodKind::GaussianLearned => &["decoder.output", "decoder.log_variance"],
            _ => &["decoder.output"],
        };
        graph.linear(outputs, hidden, self.pixels)
    }

    /// Expected images of what [`MlpVae::decoder`] gave.
    pub(crate) fn picture(&self, graph: &mut Graph, decoded: ValueId) -> ValueId {
        let mean = match self.likelihood.kind {
            LikelihoodKind::Bernoulli => Activation::Sigmoid,
            _ => self.likelihood.mean_activation,
        };
        graph.activate("picture", decoded, mean)
    }

    fn layer(&self, graph: &mut Graph, name: &str, input: ValueId, width: usize) -> Result<ValueId> {
        let sum = graph.linear(&[name], input, width)?;
        Ok(graph.activate(&format!("{name}.{:?}", self.activation).to_lowercase(), sum, self.activation))
    }
}
