//! A variational autoencoder whose encoder and decoder are multilayer perceptrons.

use super::{ObjectiveKind, UpperLayer, UpperVae};
use crate::Result;
use crate::graph::{Activation, Binarize, Graph, KlTarget, Likelihood, Receivers, Stage, ValueId, Weighting};

/// Sizes and choices of a [`Vae`] with Gaussian posterior and prior (Kingma and Welling 2014, appendix C).
#[derive(Clone, Debug, PartialEq)]
pub struct MlpVae {
    /// Images in a minibatch.
    pub batch: usize,
    /// Values of an image.
    pub pixels: usize,
    /// Hidden layers of the encoder, from the image on; the decoder has them in reverse.
    pub hidden: Vec<usize>,
    /// Latent dimensions; those nearer to the data, where there is an upper layer.
    pub latent: usize,
    /// A second stochastic layer, above the first.
    pub upper: Option<UpperLayer>,
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
    /// What training maximises.
    pub objective: ObjectiveKind,
    /// Whether the KL divergence is drawn to each step's capacity, not to 0.
    pub capacity: bool,
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
    /// The second stochastic layer, if there is one; `posterior` and `latent` are of the first.
    pub upper: Option<UpperVae>,
}

/// The forward pass, to the parameters of the likelihood.
struct Forward {
    graph: Graph,
    images: ValueId,
    posterior: ValueId,
    latent: ValueId,
    decoded: ValueId,
    upper: Option<UpperVae>,
}

impl MlpVae {
    /// The same model, to be evaluated: what an objective asks of training, many samples of each image, is left out.
    #[must_use]
    pub fn for_evaluation(self) -> Self {
        if self.objective.weighting().is_none() {
            return self;
        }
        Self { objective: ObjectiveKind::Elbo, noise_samples: 1, ..self }
    }

    /// The forward pass and the terms of its objective, without gradients.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero, or an objective other than the ELBO has free bits or a capacity.
    pub fn build(&self) -> Result<Vae> {
        let Forward { mut graph, images, posterior, latent, decoded, upper } = self.forward()?;
        graph.begin(Stage::Objective);
        let reconstruction = graph.negative_log_likelihood(decoded, images, self.likelihood)?;
        let target = match self.free_bits {
            _ if self.capacity => KlTarget::Capacity,
            nats if nats > 0.0 => KlTarget::FreeBits(nats),
            _ => KlTarget::Zero,
        };
        if target != KlTarget::Zero && self.objective.weighting().is_some() {
            let problem = format!("{} has no free bits and no capacity: these are for elbo", self.objective);
            return Err(crate::Error::shape("objective", problem));
        }
        if let Some(upper) = upper {
            // No divergence is known in closed form: the ELBO too is an average of log weights.
            let weighting = self.objective.weighting().unwrap_or(Weighting::Uniform);
            let (lower, upper) = upper.layers(posterior, latent);
            let weights =
                graph.hierarchical_log_weights(reconstruction, lower, upper, (weighting, target))?;
            graph.importance_bound(weights, self.noise_samples, weighting)?;
        } else {
            graph.gaussian_kl(posterior, target)?;
            if let Some(weighting) = self.objective.weighting() {
                let weights = graph.log_weights(reconstruction, posterior, latent, weighting)?;
                graph.importance_bound(weights, self.noise_samples, weighting)?;
            }
        }

        graph.begin(Stage::Picture);
        let picture = graph.expected_image(decoded, self.likelihood);
        Ok(Vae { graph, posterior, latent, picture, upper })
    }

    /// The forward pass, and the importance weights of its samples gathered over many passes: the graph, and the
    /// running log-sum-exp of each image's weights ([`Graph::begin_stream`]).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    pub fn build_importance(&self) -> Result<(Graph, ValueId)> {
        let Forward { mut graph, images, posterior, latent, decoded, upper } = self.forward()?;
        graph.begin(Stage::BeginStream);
        let running = graph.begin_stream(self.batch);
        graph.begin(Stage::Stream);
        let reconstruction = graph.negative_log_likelihood(decoded, images, self.likelihood)?;
        let weights = if let Some(upper) = upper {
            let (lower, upper) = upper.layers(posterior, latent);
            graph.hierarchical_log_weights(
                reconstruction,
                lower,
                upper,
                (Weighting::Importance, KlTarget::Zero),
            )?
        } else {
            graph.log_weights(reconstruction, posterior, latent, Weighting::Importance)?
        };
        graph.stream_weights(weights, running);
        Ok((graph, running))
    }

    fn forward(&self) -> Result<Forward> {
        let mut graph = Graph::default();
        let images = graph.minibatch(self.batch, self.pixels, self.binarize);

        graph.begin(Stage::Encode);
        let posterior = self.encoder(&mut graph, images)?;

        graph.begin(Stage::Sample);
        let latent = graph.reparametrize(posterior, self.noise_samples)?;
        let upper = self.build_upper(&mut graph, latent)?;

        graph.begin(Stage::Decode);
        let decoded = self.decoder(&mut graph, latent)?;
        Ok(Forward { graph, images, posterior, latent, decoded, upper })
    }

    /// Layers from images `[batch, pixels]` to posteriors `[batch, 2, latent]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    pub(crate) fn encoder(&self, graph: &mut Graph, images: ValueId) -> Result<ValueId> {
        let mut hidden = images;
        for (i, &width) in self.hidden.iter().enumerate() {
            hidden = self.layer(graph, Receivers::All, &format!("encoder.{i}"), hidden, width)?;
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
            hidden = self.layer(graph, Receivers::All, &format!("decoder.{i}"), hidden, width)?;
        }
        graph.linear(self.likelihood.kind.outputs(), hidden, self.pixels)
    }

    pub(super) fn layer(
        &self,
        graph: &mut Graph,
        receivers: Receivers,
        name: &str,
        input: ValueId,
        width: usize,
    ) -> Result<ValueId> {
        let sum = graph.linear_for(receivers, &[name], input, width)?;
        let again = if receivers == Receivers::Input { " (again)" } else { "" };
        let name = format!("{name}.{:?}{again}", self.activation).to_lowercase();
        Ok(graph.activate(&name, sum, self.activation))
    }
}
