//! The learning rate over the epochs of a run.

use crate::text::text_serde;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::str::FromStr;

/// How the step size changes over a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LearningRateSchedule {
    /// It stays as it is.
    #[default]
    Constant,
    /// Eight stages: stage i, counted from 0, has 3^i passes over the images at 10^(-i/7) times the rate, 3,280 passes in
    /// all (Burda et al., arXiv 1509.00519, section 5). What comes after them has the last rate.
    Iwae,
    /// It is multiplied by `factor` after each of these numbers of epochs.
    Steps {
        /// Above 0.
        factor: f64,
        /// Rising.
        epochs: Vec<u64>,
    },
}

/// Stages of [`LearningRateSchedule::Iwae`].
const STAGES: u32 = 8;

impl LearningRateSchedule {
    /// What the step size is multiplied by at `step` (counted from 0).
    pub fn factor(&self, step: u64, steps_per_epoch: u64) -> f64 {
        let passes = step / steps_per_epoch.max(1);
        match self {
            Self::Constant => 1.0,
            Self::Iwae => {
                // Stage i begins after 1 + 3 + .. + 3^(i-1) passes.
                let stage = (1..STAGES).rev().find(|&i| passes >= (3_u64.pow(i) - 1) / 2).unwrap_or(0);
                10.0_f64.powf(-f64::from(stage) / f64::from(STAGES - 1))
            }
            Self::Steps { factor, epochs } => {
                factor.powf(epochs.iter().filter(|&&epoch| passes >= epoch).count() as f64)
            }
        }
    }
}

impl FromStr for LearningRateSchedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const FLAG: &str = "--learning-rate-schedule";
        let wrong = |problem: String| {
            let hint = "use constant, iwae, or steps:FACTOR@EPOCHS, such as steps:0.5@100,150";
            Error::setting(FLAG, problem, hint)
        };
        match text {
            "constant" => return Ok(Self::Constant),
            "iwae" => return Ok(Self::Iwae),
            _ => {}
        }
        let Some((factor, epochs)) = text.strip_prefix("steps:").and_then(|rest| rest.split_once('@')) else {
            return Err(wrong(format!("'{text}' is not known")));
        };
        let factor: f64 = match factor.parse() {
            Ok(factor) if factor > 0.0 && f64::is_finite(factor) => factor,
            _ => return Err(wrong(format!("the factor '{factor}' is not a number above zero"))),
        };
        let epochs: Vec<u64> = epochs
            .split(',')
            .map(|epoch| epoch.parse().map_err(|_| wrong(format!("'{epoch}' is not a number of epochs"))))
            .collect::<Result<_>>()?;
        if !epochs.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(wrong(format!("the epochs of '{text}' do not rise")));
        }
        Ok(Self::Steps { factor, epochs })
    }
}

impl Display for LearningRateSchedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Iwae => f.write_str("iwae"),
            Self::Steps { factor, epochs } => {
                let epochs: Vec<String> = epochs.iter().map(u64::to_string).collect();
                write!(f, "steps:{factor}@{}", epochs.join(","))
            }
        }
    }
}

text_serde!(LearningRateSchedule);

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's list: 3^i passes at 0.001 * 10^(-i/7).
    #[test]
    fn the_rates_of_the_iwae_paper() {
        let per_epoch = 7;
        let rate = |step| 0.001 * LearningRateSchedule::Iwae.factor(step, per_epoch);
        let mut step = 0;
        for (passes, published) in [
            (1, 1.0e-3),
            (3, 7.19686e-4),
            (9, 5.17947e-4),
            (27, 3.72759e-4),
            (81, 2.68270e-4),
            (243, 1.93070e-4),
            (729, 1.38950e-4),
            (2187, 1.0e-4),
        ] {
            let last = step + passes * per_epoch - 1;
            for at in [step, last] {
                assert!((rate(at) / published - 1.0).abs() < 1e-5, "{at}: {}", rate(at));
            }
            step = last + 1;
        }
        assert_eq!(step, 3280 * per_epoch);
        assert_eq!((rate(step), rate(u64::MAX)), (rate(step - 1), rate(step - 1)));
        assert_eq!(LearningRateSchedule::Constant.factor(12_345, per_epoch), 1.0);
    }

    #[test]
    fn rates_fall_after_epochs_and_are_written_as_they_are_read() {
        let schedule: LearningRateSchedule = "steps:0.5@3,7".parse().unwrap();
        let at = |epoch: u64| schedule.factor(10 * epoch, 10);
        assert_eq!((at(0), at(2), at(3), at(6), at(7), at(99)), (1.0, 1.0, 0.5, 0.5, 0.25, 0.25));
        assert_eq!(schedule.factor(29, 10), 1.0);
        for text in ["constant", "iwae", "steps:0.5@3,7", "steps:0.6309573444801932@200"] {
            assert_eq!(text.parse::<LearningRateSchedule>().unwrap().to_string(), text);
        }
        for (text, expected) in [
            ("falling", "'falling' is not known"),
            ("steps:0@3", "'0' is not a number above zero"),
            ("steps:x@3", "'x'"),
            ("steps:0.5@", "'' is not a number of epochs"),
            ("steps:0.5@7,7", "do not rise"),
            ("steps:0.5", "not known"),
        ] {
            let problem = text.parse::<LearningRateSchedule>().unwrap_err().to_string();
            assert!(problem.contains(expected) && problem.contains("--learning-rate-schedule"), "{problem}");
        }
    }
}
