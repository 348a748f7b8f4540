//! A variational autoencoder of convolutions: an encoder that halves feature maps level by level, dense layers around the
//! latents, and a decoder that doubles them again.
//!
//! Layers with parameters are numbered on each side: `encoder.0`, `encoder.1`, .., `decoder.0`, .., the last one is
//! `decoder.output`. Weights have PyTorch's shapes and order.

mod config;
mod geometry;
mod network;

pub use config::{ConvConfig, Level, Norm, Upsampling};

use crate::Result;
use crate::data::ImageShape;
use crate::graph::{Graph, Likelihood, Tensors, ValueId};
use crate::model::families::FamilyConfig;
use crate::model::{
    Built, DrawPosterior, DrawPrior, Generated, Inferred, LatentGroup, LatentModel, Model, Task, elbo,
};
use crate::optimizer::Optimizers;
use geometry::Geometry;
use network::Network;

/// A convolutional model for images of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    config: ConvConfig,
    shape: ImageShape,
}

impl Conv {
    /// The networks; the decoder is given this number of samples of each image.
    fn network(&self, samples: usize) -> Result<Network> {
        let config = self.config.for_images(self.shape)?;
        let geometry = Geometry::of(&config, self.shape)?;
        Ok(Network { config, geometry, samples })
    }
}

impl Model for Conv {
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> Result<Built> {
        elbo::build(self, tensors, task, optimizers)
    }

    fn pixels(&self) -> usize {
        self.shape.pixels()
    }

    fn latent(&self) -> Option<&dyn LatentModel> {
        Some(self)
    }
}

impl LatentModel for Conv {
    fn groups(&self) -> Vec<LatentGroup> {
        vec![LatentGroup { width: self.config.latent }]
    }

    fn pixels(&self) -> usize {
        self.shape.pixels()
    }

    fn likelihood(&self) -> Likelihood {
        self.config.likelihood()
    }

    fn depends_on_mode(&self) -> bool {
        self.config.norm == Norm::Batch || self.config.dropout > 0.0
    }

    fn infer(&self, graph: &mut Graph, x: ValueId, draw: &mut dyn DrawPosterior) -> Result<Inferred> {
        let network = self.network(1)?;
        let head = draw.head();
        let encoder = |graph: &mut Graph, input| network.encoder(graph, head, input);
        let latents = draw.draw(graph, 0, x, &encoder)?;
        let samples = graph.value(latents.drawn.z).shape.rows / graph.value(x).shape.rows;
        let decoded = self.network(samples)?.decoder(graph, latents.drawn.z)?;
        Ok(Inferred { groups: vec![latents], decoded })
    }

    fn generate(&self, graph: &mut Graph, draw: &mut dyn DrawPrior) -> Result<Generated> {
        let z = draw.draw(graph, 0, self.config.latent, None)?;
        let decoded = self.network(1)?.decoder(graph, z)?;
        Ok(Generated { latents: vec![z], priors: vec![None], decoded })
    }
}
