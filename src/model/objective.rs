//! What training maximises.

use crate::graph::{KlTarget, Weighting};
use serde::{Deserialize, Serialize};

/// The bound on the evidence that training maximises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveKind {
    /// The evidence lower bound (Kingma and Welling 2014).
    #[default]
    Elbo,
    /// The importance-weighted bound of several samples (Burda et al. 2016).
    Iwae,
    /// The same, with doubly reparametrized gradients for the encoder (Tucker et al. 2019).
    Dreg,
}

impl ObjectiveKind {
    /// How it weighs the samples of an image; `None` where each counts alike (and, with one stochastic
    /// layer, the divergence is analytic).
    pub fn weighting(self) -> Option<Weighting> {
        match self {
            Self::Elbo => None,
            Self::Iwae => Some(Weighting::Importance),
            Self::Dreg => Some(Weighting::DoublyReparametrized),
        }
    }
}

impl std::fmt::Display for ObjectiveKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Elbo => "elbo",
            Self::Iwae => "iwae",
            Self::Dreg => "dreg",
        })
    }
}

/// An objective with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The bound.
    pub kind: ObjectiveKind,
    /// Samples of each image in a step.
    pub samples: usize,
    /// What the KL divergence is trained towards.
    pub target: KlTarget,
}

impl Default for Objective {
    fn default() -> Self {
        Self { kind: ObjectiveKind::Elbo, samples: 1, target: KlTarget::Zero }
    }
}
