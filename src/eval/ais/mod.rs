//! Annealed importance sampling (AIS) with HMC transitions, and the bidirectional sandwich (BDMC).
//!
//! Forward AIS (Neal 2001) walks from the prior to the posterior; the mean of its weights is an unbiased estimate of
//! p(x), so its logarithm is, on average, a lower bound of log p(x). Reverse AIS walks back from an exact draw of the
//! posterior, which is known where the image was simulated from the model; it gives, on average, an upper bound
//! (Grosse, Ghahramani and Adams, "Sandwiching the marginal likelihood using bidirectional Monte Carlo",
//! arXiv 1511.02543). Settings follow Wu et al., "On the quantitative analysis of decoder-based generative models"
//! (arXiv 1611.04273).
//!
//! A first walk adapts the size of the leapfrog steps to an acceptance of 0.65. Later walks keep these sizes, times a random
//! factor for each transition: weights are unbiased only where transitions do not depend on the past.

mod annealer;
mod report;

use super::average::mean_and_error;
pub use annealer::{Annealer, acceptance};
pub use report::{AisReport, Annealed, BdmcReport};
use serde::{Deserialize, Serialize};

/// Acceptance that step sizes are adapted to (Neal 2011, section 5.4.4: the optimum in high dimensions).
pub const TARGET_ACCEPTANCE: f64 = 0.65;
/// How inverse temperatures rise from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// In equal steps.
    Linear,
    /// In small steps at both ends: a logistic curve from -4 to 4 (Wu et al. 2017).
    Sigmoid,
}

impl Schedule {
    /// `count` + 1 inverse temperatures, from 0 to 1.
    pub fn betas(self, count: usize) -> Vec<f64> {
        let logistic = |t: f64| 1.0 / (1.0 + (-4.0 * (2.0 * t - 1.0)).exp());
        let (low, high) = (logistic(0.0), logistic(1.0));
        let beta = |t: f64| match self {
            Self::Linear => t,
            Self::Sigmoid => (logistic(t) - low) / (high - low),
        };
        (0..=count).map(|i| beta(i as f64 / count as f64)).collect()
    }
}

/// How to anneal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AisSettings {
    /// Chains of each image.
    pub chains: usize,
    /// Inverse temperatures after 0.
    pub temperatures: usize,
    /// Leapfrog steps of a transition.
    pub leapfrog: usize,
    /// How temperatures are spaced.
    pub schedule: Schedule,
    /// Seed of all draws.
    pub seed: u64,
}

/// An estimate of log p(x) of one image, nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Logarithm of the mean weight.
    pub log_evidence: f64,
    /// Its standard error over chains, by the delta method; not a number for a single chain. It measures the spread of the
    /// chains' weights. It ignores any part of the posterior that no chain has found.
    pub standard_error: f64,
    /// Effective number of chains, (sum w)^2 / sum w^2: 1 where a single weight dominates the mean.
    pub effective_chains: f64,
}

/// Estimate of log p(x) of one image, and the ELBO, which should lie below it; nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// log p(x)
    #[serde(flatten)]
    pub estimate: Estimate,
    /// The ELBO, averaged over as many draws as there are chains, and its standard error.
    pub elbo: f64,
    /// Not a number for a single draw.
    pub elbo_standard_error: f64,
}

impl Evidence {
    /// Whether the estimate lies below the ELBO by more than a nat and by more than its error: the chains have then missed
    /// most of the posterior, and the encoder has not.
    pub fn missed(&self) -> bool {
        // Unknown errors are left out.
        let error = self.estimate.standard_error.max(0.0).hypot(self.elbo_standard_error.max(0.0));
        self.elbo - self.estimate.log_evidence > (4.0 * error).max(1.0)
    }
}

impl Estimate {
    /// Of the logarithms of some weights.
    pub fn of(log_weights: &[f64]) -> Self {
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let count = log_weights.len() as f64;
        let weights = || log_weights.iter().map(|w| (w - top).exp());
        let mean = weights().sum::<f64>() / count;
        Self {
            log_evidence: top + mean.ln(),
            standard_error: mean_and_error(weights()).1 / mean,
            effective_chains: (count * mean).powi(2) / weights().map(|w| w * w).sum::<f64>(),
        }
    }
}

/// Bounds of log p(x) of one simulated image, nats: each holds on average over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sandwich {
    /// From prior to posterior.
    pub lower: Estimate,
    /// From posterior to prior. Its standard error is over chains started from one exact draw. It ignores the randomness of
    /// that draw; use many images for the error of the gap.
    pub upper: Estimate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_rise_from_zero_to_one() {
        for schedule in [Schedule::Linear, Schedule::Sigmoid] {
            for count in [1, 2, 7, 1000] {
                let betas = schedule.betas(count);
                assert_eq!((betas.len(), betas[0], betas[count]), (count + 1, 0.0, 1.0), "{schedule:?}");
                assert!(betas.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
        let sigmoid = Schedule::Sigmoid.betas(10);
        assert!((sigmoid[5] - 0.5).abs() < 1e-12 && sigmoid[1] < 0.03, "{sigmoid:?}");
    }

    #[test]
    fn the_mean_of_weights_and_its_error() {
        let estimate = Estimate::of(&[1000.0 + 1.0_f64.ln(), 1000.0 + 3.0_f64.ln()]);
        assert!((estimate.log_evidence - (1000.0 + 2.0_f64.ln())).abs() < 1e-12);
        // Weights 1 and 3: mean 2, standard error of the mean 1.
        assert!((estimate.standard_error - 0.5).abs() < 1e-12);
        // 4^2 / (1 + 9)
        assert!((estimate.effective_chains - 1.6).abs() < 1e-12);
        let single = Estimate::of(&[-7.0]);
        assert!(single.standard_error.is_nan() && single.log_evidence == -7.0, "{single:?}");
    }

    #[test]
    fn below_the_elbo_by_more_than_chance() {
        let found = |log_evidence, standard_error, elbo_standard_error| {
            let estimate = Estimate { log_evidence, standard_error, effective_chains: 1.0 };
            Evidence { estimate, elbo: -10.0, elbo_standard_error }.missed()
        };
        assert!(!found(-9.0, 0.1, 0.1) && !found(-10.9, 0.1, 0.1) && !found(-13.0, 1.0, 0.1));
        assert!(found(-11.1, 0.1, 0.1) && found(-15.0, 1.0, 0.1) && !found(-15.0, 0.1, 1.3));
        assert!(found(-12.0, f64::NAN, 0.1) && found(-12.0, f64::NAN, f64::NAN));
    }
}
