//! What training maximises.

use super::Penalty;
use super::deterministic::Codes;
use crate::graph::{KlTarget, Weighting};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What training maximises: a bound on the evidence, or minus the loss of a deterministic autoencoder.
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
    // Deterministic autoencoders: an image has a code in place of a posterior.
    /// The reconstruction alone.
    Autoencoder,
    /// The reconstruction of images from corrupted ones (Vincent et al. 2008).
    Denoising,
    /// The reconstruction, with units that are active for few images (Ng 2011).
    Sparse,
    /// The reconstruction, with codes that change little with the image (Rifai et al. 2011).
    Contractive,
    /// The reconstruction, with small codes and decoder weights (Ghosh et al. 2020).
    Rae,
    /// The reconstruction from the largest units of each code (Makhzani and Frey 2013).
    KSparse,
    /// The same as a sparse autoencoder of today: units that are not negative, decoder columns of length 1 (Gao et al. 2024).
    #[serde(rename = "topk")]
    #[value(name = "topk")]
    TopK,
    // The ELBO less a penalty that makes latent dimensions independent, or fits them to the prior.
    /// The total correlation, by a discriminator: FactorVAE (Kim and Mnih 2018).
    Factor,
    /// The total correlation, from the pairs of a minibatch: beta-TCVAE (Chen et al. 2018).
    Tc,
    /// The covariance of the posteriors' means: DIP-VAE-I (Kumar et al. 2018).
    #[serde(rename = "dip-1")]
    #[value(name = "dip-1")]
    Dip1,
    /// The covariance of the latents: DIP-VAE-II.
    #[serde(rename = "dip-2")]
    #[value(name = "dip-2")]
    Dip2,
    /// The maximum mean discrepancy to the prior, without a KL divergence (Tolstikhin et al. 2018).
    Wae,
    /// The maximum mean discrepancy to the prior, beside the KL divergence (Zhao et al. 2019).
    #[serde(rename = "infovae")]
    #[value(name = "infovae")]
    InfoVae,
}

impl ObjectiveKind {
    /// How it weighs the samples of an image; `None` where each counts alike (and, with one stochastic
    /// layer, the divergence is analytic).
    pub fn weighting(self) -> Option<Weighting> {
        match self {
            Self::Iwae => Some(Weighting::Importance),
            Self::Dreg => Some(Weighting::DoublyReparametrized),
            _ => None,
        }
    }

    /// Refuse a deterministic autoencoder where a density of latents is needed.
    ///
    /// # Errors
    /// [`Error::Setting`] naming `asked_for`, a command or a flag.
    pub fn check_density(self, asked_for: &str) -> Result<()> {
        if !self.is_deterministic() {
            return Ok(());
        }
        let problem = format!(
            "the run's objective is {self}, which gives each image one code: its codes have no prior and no density"
        );
        let hint = "draw images from a density fitted to the codes: 'vae fit-prior RUN', then 'vae sample RUN --prior fitted'";
        Err(Error::setting(asked_for, problem, hint))
    }

    /// Whether a KL divergence is among the losses.
    pub fn has_divergence(self) -> bool {
        !self.is_deterministic() && self != Self::Wae
    }

    /// Whether an image has a code in place of a posterior: there is no noise, no KL divergence and no prior.
    pub fn is_deterministic(self) -> bool {
        matches!(
            self,
            Self::Autoencoder
                | Self::Denoising
                | Self::Sparse
                | Self::Contractive
                | Self::Rae
                | Self::KSparse
                | Self::TopK
        )
    }
}

impl std::fmt::Display for ObjectiveKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Elbo => "elbo",
            Self::Iwae => "iwae",
            Self::Dreg => "dreg",
            Self::Autoencoder => "autoencoder",
            Self::Denoising => "denoising",
            Self::Sparse => "sparse",
            Self::Contractive => "contractive",
            Self::Rae => "rae",
            Self::KSparse => "k-sparse",
            Self::TopK => "topk",
            Self::Factor => "factor",
            Self::Tc => "tc",
            Self::Dip1 => "dip-1",
            Self::Dip2 => "dip-2",
            Self::Wae => "wae",
            Self::InfoVae => "infovae",
        })
    }
}

/// An objective with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The bound or loss.
    pub kind: ObjectiveKind,
    /// Samples of each image in a step.
    pub samples: usize,
    /// What the KL divergence is trained towards.
    pub target: KlTarget,
    /// How a deterministic autoencoder makes codes.
    pub codes: Codes,
    /// What is added in training.
    pub penalty: Option<Penalty>,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            kind: ObjectiveKind::Elbo,
            samples: 1,
            target: KlTarget::Zero,
            codes: Codes::default(),
            penalty: None,
        }
    }
}
