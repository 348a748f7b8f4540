//! `[objective]`: what training maximises.

use super::Warmup;
use crate::checks::{counted, not_negative};
use crate::graph::{Corruption, KlTarget, Sampling};
use crate::model::{Objective, ObjectiveKind};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Samples that `iwae` and `dreg` weight where `importance-samples` is not given: the most of Burda et al. (2016).
const IMPORTANCE_SAMPLES: usize = 50;

/// The bound that training maximises, and the weight of its KL divergence; or the loss of a deterministic autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// The bound, or the loss.
    pub kind: ObjectiveKind,
    /// Samples per image that `iwae` and `dreg` weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_samples: Option<usize>,
    /// Latent samples per image of `elbo`.
    pub noise_samples: usize,
    /// Weight of the KL divergence; depends on the model's family where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// Epochs or steps over which that weight rises from 0.
    pub kl_warmup: Warmup,
    /// Epochs after which the rise starts again; 0 for one rise only.
    pub kl_cycle: f64,
    /// Target of the KL divergence, nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// Epochs over which that target rises from 0.
    pub capacity_epochs: f64,
    /// KL divergence per latent dimension, in nats, below which it gives no gradient.
    pub free_bits: f64,
    /// KL divergence per image, in nats, below which it gives no gradient.
    pub kl_floor: f64,
    // Deterministic autoencoders.
    /// How `denoising` corrupts the images that its encoder sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corruption: Option<Corruption>,
    /// The probability with which it changes a pixel, or the standard deviation of its noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_level: Option<f64>,
    /// The mean over images that `sparse` wants each unit to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<f64>,
    /// Weight of the squares of the decoder's weights of `rae`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_penalty: Option<f64>,
    /// Units of a code that `k-sparse` and `topk` keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_units: Option<usize>,
    /// Dead units of a code that the auxiliary loss of `topk` trains; half of all where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auxiliary_units: Option<usize>,
    /// Weight of that loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auxiliary_weight: Option<f64>,
    /// Steps after which a unit that is 0 for all images counts as dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_after: Option<usize>,
    // Penalties beside the ELBO.
    /// Weight of the penalty that the kind adds to the ELBO, or to the reconstruction of a deterministic autoencoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty: Option<f64>,
    /// Epochs or steps over which that weight rises from 0.
    #[serde(skip_serializing_if = "at_once")]
    pub penalty_warmup: Warmup,
    /// How `tc` estimates the density of all images' latents from a minibatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// Weight of the variances' distance from 1 in `dip-1` and `dip-2`, where that of the covariances is the penalty's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagonal_penalty: Option<f64>,
    /// Hidden layers of the discriminator of `factor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discriminator_layers: Option<usize>,
    /// Units of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discriminator_units: Option<usize>,
}

/// Whether a weight has its full value from the first step on.
fn at_once(warmup: &Warmup) -> bool {
    warmup.is_none()
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            kind: ObjectiveKind::Elbo,
            importance_samples: None,
            noise_samples: 1,
            beta: None,
            kl_warmup: Warmup::default(),
            kl_cycle: 0.0,
            capacity: None,
            capacity_epochs: 0.0,
            free_bits: 0.0,
            kl_floor: 0.0,
            corruption: None,
            noise_level: None,
            sparsity: None,
            decoder_penalty: None,
            active_units: None,
            auxiliary_units: None,
            auxiliary_weight: None,
            dead_after: None,
            penalty: None,
            penalty_warmup: Warmup::default(),
            sampling: None,
            diagonal_penalty: None,
            discriminator_layers: None,
            discriminator_units: None,
        }
    }
}

impl ObjectiveConfig {
    /// Latent samples per image in a training step.
    pub fn samples(&self) -> usize {
        match self.kind {
            kind if kind.weighting().is_none() => self.noise_samples,
            _ => self.importance_samples.unwrap_or(IMPORTANCE_SAMPLES),
        }
    }

    /// Weight of the KL divergence below which posteriors do not fill the prior: the model is an autoencoder.
    pub const AUTOENCODER: f64 = 0.01;

    /// The weight that the KL divergence has where epochs are compared: that of training, after its rise. With a capacity
    /// the weight is that of a distance, so that it is 1, as in the ELBO.
    pub fn compared(&self) -> f64 {
        if self.capacity.is_some() { self.compared_before() } else { self.beta() }
    }

    /// The weight by which older versions compared epochs: 1, but of an autoencoder that of training.
    pub fn compared_before(&self) -> f64 {
        let beta = self.beta();
        if beta < Self::AUTOENCODER { beta } else { 1.0 }
    }

    /// Weight of the KL divergence, at the end of its rise; 0 for deterministic autoencoders, which have none.
    pub fn beta(&self) -> f64 {
        self.beta.unwrap_or(if self.kind.has_divergence() { 1.0 } else { 0.0 })
    }

    /// The objective of the graph.
    pub(super) fn objective(&self) -> Objective {
        let target = match (self.capacity, self.free_bits, self.kl_floor) {
            (Some(_), ..) => KlTarget::Capacity,
            (None, nats, _) if nats > 0.0 => KlTarget::FreeBits(nats),
            (None, _, nats) if nats > 0.0 => KlTarget::Floor(nats),
            _ => KlTarget::Zero,
        };
        Objective {
            kind: self.kind,
            samples: self.samples(),
            target,
            codes: self.codes(),
            penalty: self.penalty_term(),
        }
    }

    /// Refuse settings that make no sense, and fill in those that depend on others.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path.
    pub fn resolve(mut self) -> Result<Self> {
        for (path, value) in [
            ("objective.beta", self.beta()),
            ("objective.kl-cycle", self.kl_cycle),
            ("objective.capacity", self.capacity.unwrap_or(0.0)),
            ("objective.capacity-epochs", self.capacity_epochs),
            ("objective.free-bits", self.free_bits),
            ("objective.kl-floor", self.kl_floor),
        ] {
            not_negative(path, value)?;
        }
        self.kl_warmup.check("objective.kl-warmup")?;
        counted("objective.noise-samples", self.noise_samples as u64)?;
        self.check_bound()?;
        self.resolve_codes()?;
        self.resolve_penalty()?;
        self.check_divergence()?;
        if self.kind.weighting().is_some() {
            let samples = *self.importance_samples.get_or_insert(IMPORTANCE_SAMPLES);
            counted("objective.importance-samples", samples as u64)?;
        }
        Ok(self)
    }

    /// Refuse keys that are given and that the kind does not take: of each its path, whether it is given, and the kinds that
    /// take it.
    pub(super) fn refuse_unless_taken(&self, keys: &[(&str, bool, &[ObjectiveKind])]) -> Result<()> {
        let refused = keys.iter().find(|(_, given, kinds)| *given && !kinds.contains(&self.kind));
        let Some((path, _, kinds)) = refused else { return Ok(()) };
        let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let problem = format!("the objective is {}, which does not take it", self.kind);
        let hint = format!("leave it out, or choose objective.kind = {}", kinds.join(" or "));
        Err(Error::setting(*path, problem, hint))
    }

    /// Refuse settings that the bound does not take.
    fn check_bound(&self) -> Result<()> {
        if self.kind.weighting().is_none() {
            if self.importance_samples.is_some() {
                let problem = format!("the objective is {}, which weights no samples", self.kind);
                let hint = "use objective.noise-samples, or choose objective.kind = iwae or dreg";
                return Err(Error::setting("objective.importance-samples", problem, hint));
            }
            return Ok(());
        }
        for (path, given) in [
            ("objective.noise-samples", self.noise_samples > 1),
            ("objective.free-bits", self.free_bits > 0.0),
            ("objective.kl-floor", self.kl_floor > 0.0),
            ("objective.capacity", self.capacity.is_some()),
        ] {
            if given {
                let problem = format!("the objective is {}, which does not take it", self.kind);
                return Err(Error::setting(path, problem, "leave it out, or choose objective.kind = elbo"));
            }
        }
        Ok(())
    }

    /// Refuse schedules and targets of the KL divergence that contradict each other.
    fn check_divergence(&self) -> Result<()> {
        let refuse = |path: &str, problem: String, hint: &str| Err(Error::setting(path, problem, hint));
        let rules = [
            ("objective.capacity", self.capacity.is_some()),
            ("objective.kl-floor", self.kl_floor > 0.0),
            ("objective.free-bits", self.free_bits > 0.0),
        ];
        let mut given = rules.into_iter().filter(|(_, given)| *given).map(|(path, _)| path);
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            let problem = format!("{second} is another rule for the same term");
            return refuse(first, problem, "leave one of the two out");
        }
        if self.capacity.is_none() && self.capacity_epochs > 0.0 {
            let hint = "give objective.capacity too, the target in nats";
            return refuse("objective.capacity-epochs", "there is no capacity to rise to".into(), hint);
        }
        let fits = match self.kl_warmup {
            Warmup::Epochs(epochs) => epochs > 0.0 && epochs <= self.kl_cycle,
            // How many steps a cycle has depends on the images, see `check_cycle`.
            Warmup::Steps(steps) => steps > 0,
        };
        if self.kl_cycle > 0.0 && !fits {
            self.refuse_cycle(&format!("{} epochs", self.kl_cycle))
        } else {
            Ok(())
        }
    }

    /// Refuse cycles that are shorter than the rise in them.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path.
    pub(super) fn check_cycle(&self, steps_per_epoch: u64) -> Result<()> {
        let cycle = self.kl_cycle * steps_per_epoch as f64;
        match self.kl_warmup {
            Warmup::Steps(steps) if cycle > 0.0 && steps as f64 > cycle.round() => {
                self.refuse_cycle(&format!("{} epochs, {} steps,", self.kl_cycle, cycle.round()))
            }
            _ => Ok(()),
        }
    }

    fn refuse_cycle(&self, cycle: &str) -> Result<()> {
        let problem = format!("a cycle of {cycle} has a rise of {}", self.kl_warmup);
        let hint = "give objective.kl-warmup, the part of a cycle in which the weight rises, above 0 and at most the cycle";
        Err(Error::setting("objective.kl-cycle", problem, hint))
    }
}
