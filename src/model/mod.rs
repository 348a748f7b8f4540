//! Models: networks turned into graphs, the programs that training and evaluation run, and first parameters.
//!
//! A [`Model`] builds its graph and programs. What can be asked of a model beyond training is a capability that it offers:
//! a [`LatentModel`] has groups of latents with posteriors and priors, and everything about densities, importance weights
//! and pictures is written against that.

pub(crate) mod density;
mod deterministic;
mod draw;
mod elbo;
pub mod families;
mod init;
mod objective;
mod output_bias;
mod penalty;

pub use density::DensityModel;
pub use deterministic::{Auxiliary, CodePenalty, Codes, Corruption, Units};
pub use draw::{DrawPosterior, DrawPrior, Head, Latents, Reparametrized};
pub use elbo::importance_program;
pub use init::Initialisation;
pub use objective::{Objective, ObjectiveKind};
pub(crate) use output_bias::mean_image;
pub use output_bias::{OutputBias, OutputLayer};
pub use penalty::{DISCRIMINATOR, Penalty};

use crate::Result;
use crate::graph::{Binarize, Graph, Likelihood, Mirror, ProgramSpec, Tensors, ValueId};
use crate::optimizer::Optimizers;
use std::fmt::Debug;
use std::rc::Rc;

/// What a model becomes: its operations, and the programs to run.
#[derive(Clone, Debug)]
pub struct Built {
    /// All operations.
    pub graph: Graph,
    /// `train` (with optimizers), `evaluate`, and those of the model's capabilities. A latent model has
    ///
    /// * `encode`: images to the posterior of the first group;
    /// * `encode.layerN`: latents of group N - 1 to the posterior of group N, numbered from 1;
    /// * `prior.layerN`: latents of group N + 1 to the prior of group N;
    /// * `decode`: latents of the first group to expected images.
    pub programs: Vec<ProgramSpec>,
}

/// A model: how it is built.
pub trait Model: Debug {
    /// Build the graph and programs for `task`, on the parameters and states of `tensors`; with `optimizers` also the
    /// training step.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero or the task asks for what the model does not offer.
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> Result<Built>;

    /// Values of an image.
    fn pixels(&self) -> usize;

    /// Its latents, if it has any.
    fn latent(&self) -> Option<&dyn LatentModel> {
        None
    }
}

/// A group of latents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatentGroup {
    /// Latent dimensions.
    pub width: usize,
}

/// A model with groups of latents, numbered from the image: the prior of the last is N(0, I).
pub trait LatentModel: Debug {
    /// The groups.
    fn groups(&self) -> Vec<LatentGroup>;

    /// Values of an image.
    fn pixels(&self) -> usize;

    /// The distribution of a pixel.
    fn likelihood(&self) -> Likelihood;

    /// Whether the networks compute something else in training than in evaluation, as those with batch norm do.
    fn depends_on_mode(&self) -> bool {
        false
    }

    /// Append the networks from images `x`, `[batch, pixels]`, to the latents of all groups, which `draw` draws, and from
    /// these to the parameters of the likelihood.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    fn infer(&self, graph: &mut Graph, x: ValueId, draw: &mut dyn DrawPosterior) -> Result<Inferred>;

    /// Append the networks from the prior, of which `draw` draws group by group from the last to the first, to the
    /// parameters of the likelihood.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a size is zero.
    fn generate(&self, graph: &mut Graph, draw: &mut dyn DrawPrior) -> Result<Generated>;
}

/// What [`LatentModel::infer`] has appended.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// Each group, the one nearest to the image first.
    pub groups: Vec<Latents>,
    /// Parameters of the likelihood, `[samples * batch, (sections,) pixels]`.
    pub decoded: ValueId,
}

/// What [`LatentModel::generate`] has appended.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The latents of each group, `[rows, latent]`, the one nearest to the image first.
    pub latents: Vec<ValueId>,
    /// The prior of each group, `[rows, 2, latent]`; none for the last, whose prior is N(0, I).
    pub priors: Vec<Option<ValueId>>,
    /// Parameters of the likelihood, `[rows, (sections,) pixels]`.
    pub decoded: ValueId,
}

/// A model, and what it is trained or evaluated for.
#[derive(Clone, Debug)]
pub struct Task {
    /// The model.
    pub model: Rc<dyn Model>,
    /// Images in a minibatch.
    pub batch: usize,
    /// What becomes of grey pixels.
    pub binarize: Binarize,
    /// Training images that are mirrored.
    pub mirror: Option<Mirror>,
    /// What training maximises.
    pub objective: Objective,
}

impl Task {
    /// The same model, to be evaluated: the samples that an objective of training weighs are left out.
    #[must_use]
    pub fn for_evaluation(self) -> Self {
        if self.objective.kind.weighting().is_none() {
            return self;
        }
        Self { objective: Objective { kind: ObjectiveKind::Elbo, samples: 1, ..self.objective }, ..self }
    }

    /// The model's latents, where they have a density.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming `asked_for`, a command or a flag, if it has no latents, or is a deterministic
    /// autoencoder.
    pub fn density(&self, asked_for: &str) -> Result<&dyn LatentModel> {
        self.objective.kind.check_density(asked_for)?;
        self.latent(asked_for)
    }

    /// The model's latents.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming `asked_for`, a command or a flag, if it has none.
    pub fn latent(&self, asked_for: &str) -> Result<&dyn LatentModel> {
        self.model.latent().ok_or_else(|| {
            let problem = "the model has no density of its latents";
            crate::Error::setting(asked_for, problem, "choose a model with latents")
        })
    }
}
