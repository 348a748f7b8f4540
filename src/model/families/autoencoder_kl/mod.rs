//! The autoencoder of latent diffusion (Rombach et al., arXiv 2112.10752): residual blocks with group norm, attention in the
//! middle, and latents that are feature maps. Its KL divergence has so small a weight that the latents are no more than
//! kept near the origin.
//!
//! The layers, their names and the shapes of their tensors are those of `AutoencoderKL` in the library diffusers, so that
//! each reads the weights of the other.

mod config;
mod diffusers;
mod network;

pub use config::AutoencoderKlConfig;
pub(crate) use diffusers::current_name;

use crate::Result;
use crate::data::ImageShape;
use crate::graph::{Graph, Likelihood, Tensors, ValueId};
use crate::model::families::FamilyConfig;
use crate::model::{
    Built, DrawPosterior, DrawPrior, Generated, Inferred, LatentGroup, LatentModel, Model, Task, elbo,
};
use crate::optimizer::Optimizers;

/// The model for images of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoencoderKl {
    config: AutoencoderKlConfig,
    shape: ImageShape,
}

impl AutoencoderKl {
    /// Latent dimensions: the numbers of all latent maps.
    fn latents(&self) -> usize {
        self.config.latent_maps(self.shape).iter().product()
    }
}

impl Model for AutoencoderKl {
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> Result<Built> {
        self.config.for_images(self.shape)?;
        elbo::build(self, tensors, task, optimizers)
    }

    fn pixels(&self) -> usize {
        self.shape.pixels()
    }

    fn latent(&self) -> Option<&dyn LatentModel> {
        Some(self)
    }
}

impl LatentModel for AutoencoderKl {
    fn groups(&self) -> Vec<LatentGroup> {
        vec![LatentGroup { width: self.latents() }]
    }

    fn pixels(&self) -> usize {
        self.shape.pixels()
    }

    fn likelihood(&self) -> Likelihood {
        self.config.likelihood()
    }

    fn infer(&self, graph: &mut Graph, x: ValueId, draw: &mut dyn DrawPosterior) -> Result<Inferred> {
        let head = draw.head();
        let encoder = |graph: &mut Graph, input| self.encoder(graph, head, input);
        let latents = draw.draw(graph, 0, x, &encoder)?;
        let decoded = self.decoder(graph, latents.drawn.z)?;
        Ok(Inferred { groups: vec![latents], decoded })
    }

    fn generate(&self, graph: &mut Graph, draw: &mut dyn DrawPrior) -> Result<Generated> {
        let z = draw.draw(graph, 0, self.latents(), None)?;
        let decoded = self.decoder(graph, z)?;
        Ok(Generated { latents: vec![z], priors: vec![None], decoded })
    }
}
