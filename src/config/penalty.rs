//! `[objective]` of penalties beside the ELBO.

use super::{Config, ModelConfig, ObjectiveConfig, OptimizerConfig, Warmup};
use crate::checks::{counted, not_negative};
use crate::model::{DISCRIMINATOR, ObjectiveKind, Penalty};
use crate::{Error, Result};

/// Hidden layers of the discriminator, and units of each (Locatello et al., arXiv 1811.12359; the paper's has five).
const DISCRIMINATOR_LAYERS: usize = 6;
const DISCRIMINATOR_UNITS: usize = 1000;
const MOST_LAYERS: usize = 32;
const MOST_UNITS: usize = 1 << 14;
/// The discriminator's Adam (Kim and Mnih 2018, appendix A): learning rate and decay rates.
const DISCRIMINATOR_ADAM: [f64; 3] = [1e-4, 0.5, 0.9];

impl ObjectiveKind {
    /// Weight of the penalty where none is given; `None` for kinds without one.
    fn standard_penalty(self) -> Option<f64> {
        match self {
            // gamma of Kim and Mnih's figures.
            Self::Factor => Some(6.4),
            // beta 6 of Chen et al.: the ELBO has the total correlation once.
            Self::Tc => Some(5.0),
            Self::Dip1 | Self::Dip2 | Self::Wae => Some(10.0),
            // alpha + lambda - 1 for alpha 0 and lambda 100.
            Self::InfoVae => Some(99.0),
            _ => None,
        }
    }
}

impl ObjectiveConfig {
    /// The penalty of the kind.
    pub fn penalty_term(&self) -> Option<Penalty> {
        match self.kind {
            ObjectiveKind::Factor => Some(Penalty::Discriminator {
                layers: self.discriminator_layers.unwrap_or(DISCRIMINATOR_LAYERS),
                units: self.discriminator_units.unwrap_or(DISCRIMINATOR_UNITS),
            }),
            ObjectiveKind::Tc => Some(Penalty::TotalCorrelation(self.sampling.unwrap_or_default())),
            ObjectiveKind::Dip1 | ObjectiveKind::Dip2 => {
                let weight = self.full_penalty();
                let variances = self.kind == ObjectiveKind::Dip2;
                // Ten times, or once, as in Locatello et al. (arXiv 1811.12359).
                let standard = if variances { weight } else { 10.0 * weight };
                let diagonal = self.diagonal_penalty.unwrap_or(standard) / weight.max(f64::MIN_POSITIVE);
                Some(Penalty::Covariance { diagonal, variances })
            }
            ObjectiveKind::Wae | ObjectiveKind::InfoVae => Some(Penalty::Discrepancy),
            _ => None,
        }
    }

    /// Weight of the penalty at the end of its rise; 0 for kinds without one.
    pub fn full_penalty(&self) -> f64 {
        self.penalty.or(self.kind.standard_penalty()).unwrap_or(0.0)
    }

    /// Weight of the penalty at `step`.
    pub fn penalty_at(&self, step: u64, steps_per_epoch: u64) -> f64 {
        self.penalty_warmup.weight(self.full_penalty(), step, steps_per_epoch)
    }

    /// Refuse keys that the kind does not take, and fill in those that it takes.
    pub(super) fn resolve_penalty(&mut self) -> Result<()> {
        self.refuse_penalties_of_others()?;
        let Some(standard) = self.kind.standard_penalty() else { return Ok(()) };
        not_negative("objective.penalty", *self.penalty.get_or_insert(standard))?;
        self.penalty_warmup.check("objective.penalty-warmup")?;
        let refuse = |path: &str, problem: &str, hint: &str| Err(Error::setting(path, problem, hint));
        if self.noise_samples > 1 {
            let problem = "the penalty is that of one sample of each image";
            return refuse("objective.noise-samples", problem, "leave it out");
        }
        match self.kind {
            ObjectiveKind::Factor => {
                let layers = *self.discriminator_layers.get_or_insert(DISCRIMINATOR_LAYERS);
                let units = *self.discriminator_units.get_or_insert(DISCRIMINATOR_UNITS);
                for (path, value, most) in [
                    ("objective.discriminator-layers", layers, MOST_LAYERS),
                    ("objective.discriminator-units", units, MOST_UNITS),
                ] {
                    counted(path, value as u64)?;
                    if value > most {
                        return refuse(
                            path,
                            &format!("{value} is too many"),
                            &format!("give at most {most}"),
                        );
                    }
                }
            }
            ObjectiveKind::Tc => drop(self.sampling.get_or_insert_default()),
            ObjectiveKind::Dip1 | ObjectiveKind::Dip2 => {
                not_negative("objective.diagonal-penalty", self.diagonal_penalty.unwrap_or(0.0))?;
                if self.penalty == Some(0.0) {
                    let hint = "give a weight above 0, or choose objective.kind = elbo";
                    return refuse("objective.penalty", "the covariances have no weight", hint);
                }
            }
            ObjectiveKind::Wae if self.beta() > 0.0 => {
                let problem = "the objective is wae, which has no KL divergence";
                return refuse("objective.beta", problem, "leave it out, or choose objective.kind = infovae");
            }
            _ => {}
        }
        Ok(())
    }

    fn refuse_penalties_of_others(&self) -> Result<()> {
        use ObjectiveKind::{Contractive, Dip1, Dip2, Factor, InfoVae, Rae, Sparse, Tc, Wae};
        let all: &[ObjectiveKind] = &[Factor, Tc, Dip1, Dip2, Wae, InfoVae];
        let keys: [(&str, bool, &[ObjectiveKind]); 6] = [
            ("objective.penalty", self.penalty.is_some(), &[all, &[Sparse, Contractive, Rae]].concat()),
            ("objective.penalty-warmup", self.penalty_warmup != Warmup::default(), all),
            ("objective.sampling", self.sampling.is_some(), &[Tc]),
            ("objective.diagonal-penalty", self.diagonal_penalty.is_some(), &[Dip1, Dip2]),
            ("objective.discriminator-layers", self.discriminator_layers.is_some(), &[Factor]),
            ("objective.discriminator-units", self.discriminator_units.is_some(), &[Factor]),
        ];
        self.refuse_unless_taken(&keys)
    }

    /// Give the group of parameters that the objective adds the settings of its paper, where it has none.
    pub(super) fn set_up_group(&self, optimizer: &mut OptimizerConfig) {
        if self.kind != ObjectiveKind::Factor {
            return;
        }
        let group = optimizer.groups.entry(DISCRIMINATOR.into()).or_default();
        let [rate, beta_1, beta_2] = DISCRIMINATOR_ADAM;
        if group.kind.unwrap_or(optimizer.kind).is_adam() {
            group.learning_rate.get_or_insert(rate);
            group.adam_beta_1.get_or_insert(beta_1);
            group.adam_beta_2.get_or_insert(beta_2);
        }
    }
}

impl Config {
    /// Refuse a model whose latents have no penalty.
    pub(super) fn check_penalty(&self) -> Result<()> {
        if self.objective.penalty_term().is_some() && self.run.batch_size() < 2 {
            let problem =
                format!("the objective is {}, which compares the images of a minibatch", self.objective.kind);
            return Err(Error::setting("run.batch-size", problem, "give 2 or more; 64 is usual"));
        }
        match (&self.model, self.objective.penalty_term()) {
            (ModelConfig::Mlp(model), Some(_)) if model.latent.len() > 1 => {
                let problem = format!("{} works with one layer of latents", self.objective.kind);
                Err(Error::setting("model.latent", problem, "give the dimensions of one layer, such as 10"))
            }
            _ => Ok(()),
        }
    }
}
