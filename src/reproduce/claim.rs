//! Comparison of our numbers with those of a publication.

use super::{Achieved, EpochNumbers, Expectation, Measure};
use serde::{Deserialize, Serialize};

/// A statement about held-out ELBOs, read from a figure without numbers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Claim {
    /// Each variant is better than the one before.
    Rises {
        /// In this order.
        variants: Vec<String>,
        /// Smallest improvement from each variant to the next, in nats.
        least: f64,
    },
    /// The last step from variant to variant gains less than each before it.
    Flattens {
        /// In this order.
        variants: Vec<String>,
    },
    /// The last variant is not worse than the first.
    Keeps {
        /// In this order.
        variants: Vec<String>,
        /// Largest loss that is tolerated, in nats.
        most: f64,
    },
    /// All variants lie on the figure's axis.
    Within {
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
}

/// One comparison of our result with the published one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The compared quantity.
    pub what: String,
    /// Ours.
    pub ours: String,
    /// Theirs, with the tolerance.
    pub theirs: String,
    /// Whether the two agree.
    pub holds: bool,
}

impl Judgement {
    /// One number; `None` if it was not measured.
    pub(super) fn number(expected: &Expectation, found: &Achieved) -> Option<Self> {
        let likelihood = found.likelihood.as_ref();
        let (name, value, ours) = match expected.measure {
            Measure::HeldOutLoss => ("held-out loss".to_string(), -found.elbo, format!("{:.2}", -found.elbo)),
            Measure::NegativeLogLikelihood => {
                let (likelihood, value) = (likelihood?, likelihood?.negative_log_likelihood);
                let ours = format!("{value:.2}, standard error {:.2}", likelihood.standard_error);
                (format!("NLL by L_{}", likelihood.samples), value, ours)
            }
            Measure::ActiveUnits | Measure::Layer2ActiveUnits => {
                let second = expected.measure == Measure::Layer2ActiveUnits;
                let active = likelihood?.layers.get(usize::from(second))?.active;
                let name = if second { "active units of layer 2" } else { "active units" };
                (name.to_string(), active as f64, active.to_string())
            }
            measure => {
                let of = |epoch: &&EpochNumbers| expected.epoch.is_none_or(|wanted| epoch.epoch == wanted);
                let epoch = found.epochs.iter().rev().find(of)?;
                let (name, value) = match measure {
                    Measure::TrainingReconstruction => {
                        ("training reconstruction", epoch.training_reconstruction)
                    }
                    Measure::TrainingKl => ("training KL", epoch.training_kl),
                    Measure::HeldOutKl => ("held-out KL", epoch.held_out_kl),
                    Measure::HeldOutSquaredError => ("held-out squared error", epoch.held_out_squared_error?),
                    _ => ("dimensions with KL > 0.1", epoch.used_dimensions as f64),
                };
                let when = expected.epoch.map_or(String::new(), |epoch| format!(" of epoch {epoch}"));
                (format!("{name}{when}"), value, format!("{value:.2}"))
            }
        };
        Some(Self {
            what: format!("{}, {name}", expected.variant),
            ours,
            theirs: format!("{} ± {}", expected.theirs, expected.tolerance),
            // NaN counts as outside.
            holds: (value - expected.theirs).abs() <= expected.tolerance,
        })
    }
}

impl Claim {
    /// The variants it is about; none for all.
    pub fn variants(&self) -> &[String] {
        match self {
            Self::Rises { variants, .. } | Self::Flattens { variants } | Self::Keeps { variants, .. } => {
                variants
            }
            Self::Within { .. } => &[],
        }
    }

    /// Whether it holds; `None` if a variant it is about is missing.
    pub(super) fn judge(&self, achieved: &[Achieved]) -> Option<Judgement> {
        let bounds: Vec<f64> = match self {
            Self::Within { .. } => achieved.iter().map(|found| found.elbo).collect(),
            _ => self
                .variants()
                .iter()
                .map(|name| Some(achieved.iter().find(|found| found.variant == *name)?.elbo))
                .collect::<Option<_>>()?,
        };
        let (first, last) = (*bounds.first()?, *bounds.last()?);
        let gains: Vec<f64> = bounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let listed =
            |values: &[f64]| values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(", ");
        let names = self.variants().join(", ");
        Some(match self {
            Self::Rises { least, .. } => Judgement {
                what: format!("ELBO of {names}"),
                ours: listed(&bounds),
                theirs: format!("rises, by {least} at least"),
                holds: gains.iter().all(|gain| gain >= least),
            },
            Self::Flattens { .. } => Judgement {
                what: format!("gains from {names}"),
                ours: listed(&gains),
                theirs: "the last is the smallest".into(),
                holds: gains.split_last().is_some_and(|(last, before)| before.iter().all(|gain| gain > last)),
            },
            Self::Keeps { most, .. } => Judgement {
                what: format!("ELBO of {names}"),
                ours: listed(&bounds),
                theirs: format!("does not fall by more than {most}"),
                holds: last - first >= -most,
            },
            Self::Within { low, high } => Judgement {
                what: "ELBO of all".into(),
                ours: listed(&bounds),
                theirs: format!("within {low} to {high}"),
                holds: bounds.iter().all(|bound| (*low..=*high).contains(bound)),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(claim: &Claim, bounds: &[f64]) -> Option<bool> {
        let achieved: Vec<Achieved> = bounds
            .iter()
            .zip(["a", "b", "c"])
            .map(|(&elbo, name)| Achieved {
                variant: name.into(),
                elbo,
                epochs: Vec::new(),
                likelihood: None,
                images: 1,
                seconds: 1.0,
                device: String::new(),
            })
            .collect();
        claim.judge(&achieved).map(|judgement| judgement.holds)
    }

    #[test]
    fn claims_hold_or_do_not() {
        let variants: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let rises = Claim::Rises { variants: variants.clone(), least: 1.0 };
        assert_eq!(holds(&rises, &[-3.0, -2.0, -1.0]), Some(true));
        assert_eq!(holds(&rises, &[-3.0, -2.0, -1.5]), Some(false));
        assert_eq!(holds(&rises, &[-3.0, f64::NAN, -1.5]), Some(false));
        assert_eq!(holds(&rises, &[-3.0, -2.0]), None);
        let flattens = Claim::Flattens { variants: variants.clone() };
        assert_eq!(holds(&flattens, &[-9.0, -5.0, -4.0]), Some(true));
        assert_eq!(holds(&flattens, &[-9.0, -8.0, -4.0]), Some(false));
        let keeps = Claim::Keeps { variants, most: 0.5 };
        assert_eq!(holds(&keeps, &[-5.0, -9.0, -5.4]), Some(true));
        assert_eq!(holds(&keeps, &[-5.0, -9.0, -5.6]), Some(false));
        let within = Claim::Within { low: -10.0, high: -1.0 };
        assert_eq!(holds(&within, &[-5.0, -9.0]), Some(true));
        assert_eq!(holds(&within, &[-5.0, -19.0]), Some(false));
        assert_eq!(holds(&within, &[]), None);
    }
}
