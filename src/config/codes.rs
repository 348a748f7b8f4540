//! `[objective]` of deterministic autoencoders.

use super::{Config, ModelConfig, ObjectiveConfig};
use crate::checks::{counted, not_negative};
use crate::graph::{Corruption, LikelihoodKind};
use crate::model::{Auxiliary, CodePenalty, Codes, ObjectiveKind, Units};
use crate::{Error, Result};

/// The probability with which `denoising` changes a pixel where `noise-level` is not given: that of the tutorial of Theano.
const NOISE_LEVEL: f64 = 0.3;
/// The mean of a unit that `sparse` wants (Ng, "Sparse autoencoder", 2011).
const SPARSITY: f64 = 0.05;
/// Weights of penalties where not given: of `sparse` that of Ng, of `contractive` that of the tutorial of Theano, of `rae`
/// those of the library pythae.
const SPARSE: f64 = 3.0;
const CONTRACTIVE: f64 = 0.1;
const RAE: [f64; 2] = [1e-4, 1e-7];
/// Weight of the auxiliary loss of `topk` (Gao et al., arXiv 2406.04093, appendix A.2).
const AUXILIARY_WEIGHT: f64 = 1.0 / 32.0;
/// Steps after which a unit of `topk` that is 0 for all images counts as dead.
const DEAD_AFTER: usize = 200;

impl ObjectiveConfig {
    /// How much `denoising` corrupts images.
    pub fn noise_level(&self) -> f64 {
        self.noise_level.unwrap_or(0.0)
    }

    /// How a deterministic autoencoder makes codes.
    pub(super) fn codes(&self) -> Codes {
        let weight = self.penalty.unwrap_or(0.0);
        let penalty = match self.kind {
            ObjectiveKind::Sparse => {
                CodePenalty::Sparse { target: self.sparsity.unwrap_or(SPARSITY), weight }
            }
            ObjectiveKind::Contractive => CodePenalty::Contractive { weight },
            ObjectiveKind::Rae => {
                CodePenalty::Squares { codes: weight, decoder: self.decoder_penalty.unwrap_or(0.0) }
            }
            _ => CodePenalty::None,
        };
        let keep = self.active_units.unwrap_or(1);
        let units = match self.kind {
            ObjectiveKind::KSparse => Units::Largest(keep),
            ObjectiveKind::TopK => Units::TopK {
                keep,
                auxiliary: Auxiliary {
                    units: self.auxiliary_units,
                    weight: self.auxiliary_weight.unwrap_or(AUXILIARY_WEIGHT),
                    dead_after: self.dead_after.unwrap_or(DEAD_AFTER),
                },
            },
            _ => Units::All,
        };
        Codes { penalty, units, corruption: self.corruption, noise_level: self.noise_level() }
    }

    /// Refuse keys that the kind does not take, and fill in those that it takes.
    pub(super) fn resolve_codes(&mut self) -> Result<()> {
        self.refuse_keys_of_others()?;
        if self.kind == ObjectiveKind::Denoising {
            let corruption = *self.corruption.get_or_insert_default();
            let level = *self.noise_level.get_or_insert(NOISE_LEVEL);
            let most = if corruption == Corruption::Gaussian { f64::MAX } else { 1.0 };
            if !(0.0..=most).contains(&level) {
                let problem = format!("{level} is not a level of {corruption}");
                let hint = "give a probability from 0 to 1, or for gaussian a deviation of 0 or more";
                return Err(Error::setting("objective.noise-level", problem, hint));
            }
        }
        let weight = match self.kind {
            ObjectiveKind::Sparse => Some(SPARSE),
            ObjectiveKind::Contractive => Some(CONTRACTIVE),
            ObjectiveKind::Rae => Some(RAE[0]),
            _ => None,
        };
        self.penalty = self.penalty.or(weight);
        if self.kind == ObjectiveKind::Rae {
            self.decoder_penalty.get_or_insert(RAE[1]);
        }
        if self.kind == ObjectiveKind::Sparse {
            let target = *self.sparsity.get_or_insert(SPARSITY);
            if !(target > 0.0 && target < 1.0) {
                let problem = format!("{target} is not between 0 and 1");
                return Err(Error::setting("objective.sparsity", problem, "give a mean such as 0.05"));
            }
        }
        if let ObjectiveKind::KSparse | ObjectiveKind::TopK = self.kind
            && self.active_units.is_none_or(|units| units == 0)
        {
            let problem = format!("{} keeps a number of units of each code", self.kind);
            let hint = "give it, 1 or more, such as objective.active-units = 32";
            return Err(Error::setting("objective.active-units", problem, hint));
        }
        if self.kind == ObjectiveKind::TopK {
            let weight = *self.auxiliary_weight.get_or_insert(AUXILIARY_WEIGHT);
            not_negative("objective.auxiliary-weight", weight)?;
            counted("objective.dead-after", *self.dead_after.get_or_insert(DEAD_AFTER) as u64)?;
            counted("objective.auxiliary-units", self.auxiliary_units.unwrap_or(1) as u64)?;
        }
        not_negative("objective.penalty", self.penalty.unwrap_or(0.0))?;
        not_negative("objective.decoder-penalty", self.decoder_penalty.unwrap_or(0.0))
    }

    fn refuse_keys_of_others(&self) -> Result<()> {
        use ObjectiveKind::{Denoising, KSparse, Rae, Sparse, TopK};
        let keys: [(&str, bool, &[ObjectiveKind]); 8] = [
            ("objective.corruption", self.corruption.is_some(), &[Denoising]),
            ("objective.noise-level", self.noise_level.is_some(), &[Denoising]),
            ("objective.sparsity", self.sparsity.is_some(), &[Sparse]),
            ("objective.decoder-penalty", self.decoder_penalty.is_some(), &[Rae]),
            ("objective.active-units", self.active_units.is_some(), &[KSparse, TopK]),
            ("objective.auxiliary-units", self.auxiliary_units.is_some(), &[TopK]),
            ("objective.auxiliary-weight", self.auxiliary_weight.is_some(), &[TopK]),
            ("objective.dead-after", self.dead_after.is_some(), &[TopK]),
        ];
        self.refuse_unless_taken(&keys)?;
        if !self.kind.is_deterministic() {
            return Ok(());
        }
        for (path, given) in [
            ("objective.noise-samples", self.noise_samples > 1),
            ("objective.beta", self.beta.is_some()),
            ("objective.kl-warmup", self.kl_warmup != super::Warmup::default()),
            ("objective.kl-cycle", self.kl_cycle > 0.0),
            ("objective.free-bits", self.free_bits > 0.0),
            ("objective.kl-floor", self.kl_floor > 0.0),
            ("objective.capacity", self.capacity.is_some()),
        ] {
            if given {
                let problem = format!(
                    "the objective is {}, which draws no latents and has no KL divergence",
                    self.kind
                );
                return Err(Error::setting(path, problem, "leave it out, or choose objective.kind = elbo"));
            }
        }
        Ok(())
    }
}

impl Config {
    /// Refuse a model that a deterministic autoencoder cannot be.
    pub(super) fn check_codes(&self) -> Result<()> {
        let kind = self.objective.kind;
        if !kind.is_deterministic() {
            return Ok(());
        }
        let (latent, one_layer) = match &self.model {
            ModelConfig::Mlp(model) if model.latent.len() > 1 => {
                let problem = format!("the objective is {kind}, which works with one layer of latents");
                let hint = "give the dimensions of one layer, such as 20";
                return Err(Error::setting("model.latent", problem, hint));
            }
            ModelConfig::Mlp(model) => (model.latent.first(), model.hidden.iter().all(Vec::is_empty)),
            ModelConfig::Conv(model) => (Some(&model.latent), false),
            _ => (None, false),
        };
        if let (Some(keep), Some(&latent)) = (self.objective.active_units, latent)
            && keep > latent
        {
            let problem = format!("{keep} units are more than the {latent} of model.latent");
            let hint = "give fewer, or more latent dimensions";
            return Err(Error::setting("objective.active-units", problem, hint));
        }
        let reason = match kind {
            ObjectiveKind::Contractive if !one_layer => {
                "its Jacobian has a closed form for one layer only, from the image to the code"
            }
            ObjectiveKind::TopK if !one_layer => {
                "it is one layer from the image to the code, and one back, whose bias the encoder subtracts"
            }
            _ => return Ok(()),
        };
        let hint = match kind {
            ObjectiveKind::Contractive => {
                "choose model.family = mlp with model.hidden = none; for deeper encoders objective.kind = denoising with \
                 gaussian noise, whose penalty is the same to second order"
            }
            _ => {
                "choose model.family = mlp with model.hidden = none; for deeper networks objective.kind = k-sparse"
            }
        };
        Err(Error::setting("model.hidden", format!("the objective is {kind}, and {reason}"), hint))
    }

    /// Refuse a likelihood that a deterministic autoencoder cannot have.
    pub(super) fn check_codes_likelihood(&self, likelihood: LikelihoodKind) -> Result<()> {
        use LikelihoodKind::{Gaussian, GaussianOptimal, GaussianShared, Laplace};
        let means = [Gaussian, GaussianOptimal, GaussianShared, Laplace].contains(&likelihood);
        if self.objective.kind != ObjectiveKind::TopK || means {
            return Ok(());
        }
        let problem = "the objective is topk, which subtracts the decoder's bias from images: both must be pixel values";
        Err(Error::setting("model.likelihood", problem, "choose model.likelihood = gaussian"))
    }
}
