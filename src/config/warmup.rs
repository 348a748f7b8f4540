//! The length of a rise: `3.5` epochs, or `"10000 steps"`.

use crate::checks::not_negative;
use crate::{Error, Result};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// How long the weight of the KL divergence rises from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warmup {
    /// A number of epochs: a number in a configuration.
    Epochs(f64),
    /// A number of steps: a text such as `10000 steps` in a configuration.
    Steps(u64),
}

impl Warmup {
    /// Whether the weight has its full value from the first step on.
    pub fn is_none(self) -> bool {
        matches!(self, Self::Epochs(0.0) | Self::Steps(0))
    }

    /// The weight at `step`, counted from 0: it rises linearly from 0 to `full` (Bowman et al. 2016; Sønderby et al.
    /// 2016), then stays.
    pub fn weight(self, full: f64, step: u64, steps_per_epoch: u64) -> f64 {
        let (done, length) = match self {
            Self::Epochs(epochs) => (step as f64 / steps_per_epoch as f64, epochs),
            Self::Steps(steps) => (step as f64, steps as f64),
        };
        if done < length { full * done / length } else { full }
    }

    /// Refuse a length that is negative or not finite.
    ///
    /// # Errors
    /// [`Error::Setting`] naming `path`.
    pub(super) fn check(self, path: &str) -> Result<()> {
        match self {
            Self::Epochs(epochs) => not_negative(path, epochs),
            Self::Steps(_) => Ok(()),
        }
    }
}

impl Default for Warmup {
    fn default() -> Self {
        Self::Epochs(0.0)
    }
}

impl Display for Warmup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epochs(epochs) => write!(f, "{epochs} epochs"),
            Self::Steps(steps) => write!(f, "{steps} steps"),
        }
    }
}

impl FromStr for Warmup {
    type Err = Error;

    /// `N steps`; a number of epochs is not a text.
    fn from_str(text: &str) -> Result<Self> {
        let steps = text.trim().strip_suffix("steps").and_then(|steps| steps.trim_end().parse().ok());
        steps.map(Self::Steps).ok_or_else(|| {
            let hint = "give epochs, such as 2.5, or steps, such as '10000 steps'";
            Error::setting("objective.kl-warmup", format!("'{text}' is not a length"), hint)
        })
    }
}

impl Serialize for Warmup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Epochs(epochs) => serializer.serialize_f64(*epochs),
            Self::Steps(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Warmup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Length)
    }
}

struct Length;

impl Visitor<'_> for Length {
    type Value = Warmup;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a number of epochs, or a text such as \"10000 steps\"")
    }

    fn visit_f64<E: de::Error>(self, epochs: f64) -> Result<Warmup, E> {
        Ok(Warmup::Epochs(epochs))
    }

    fn visit_i64<E: de::Error>(self, epochs: i64) -> Result<Warmup, E> {
        Ok(Warmup::Epochs(epochs as f64))
    }

    fn visit_u64<E: de::Error>(self, epochs: u64) -> Result<Warmup, E> {
        Ok(Warmup::Epochs(epochs as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Warmup, E> {
        text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_rises_linearly_then_stays() {
        let at = |step| Warmup::Epochs(2.0).weight(4.0, step, 10);
        assert_eq!((at(0), at(5), at(20), at(99)), (0.0, 1.0, 4.0, 4.0));
        assert_eq!(Warmup::default().weight(0.5, 0, 10), 0.5);
        for per_epoch in [1, 7, 1000] {
            let at = |step| Warmup::Steps(20).weight(4.0, step, per_epoch);
            assert_eq!((at(0), at(5), at(19), at(20), at(99)), (0.0, 1.0, 3.8, 4.0, 4.0));
        }
        assert_eq!(Warmup::Steps(0).weight(0.5, 0, 10), 0.5);
    }

    #[test]
    fn lengths_are_read_and_written() {
        for (text, expected) in [("10000 steps", 10_000), (" 7steps ", 7)] {
            assert_eq!(text.parse::<Warmup>().unwrap(), Warmup::Steps(expected));
        }
        for wrong in ["", "steps", "-1 steps", "1.5 steps", "3 epochs", "10000"] {
            let problem = wrong.parse::<Warmup>().unwrap_err().to_string();
            assert!(problem.contains("10000 steps"), "{problem}");
        }
    }
}
