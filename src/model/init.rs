//! Initial values of parameters.

use crate::graph::{Init, Tensor, Tensors};
use crate::random::{Philox, stream};
use crate::text::text_serde;
use crate::{Error, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::str::FromStr;

/// How parameters are drawn before training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Initialisation {
    /// Weights and biases uniform in ±1/√fan_in, as common frameworks do for linear layers.
    #[default]
    FanIn,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), biases 0 (Glorot and Bengio 2010).
    Glorot,
    /// Weights uniform in ±√(6/fan_in), for layers of rectified linear units (He et al. 2015); biases as in
    /// [`Initialisation::FanIn`].
    Kaiming,
    /// Weights and biases normal with mean 0 and this standard deviation (0.01 in Kingma and Welling 2014).
    Normal(f64),
}

impl FromStr for Initialisation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::setting(
                "--init",
                format!("'{text}' is not known"),
                "use fan-in, glorot, kaiming or normal:DEVIATION",
            )
        };
        match text.split_once(':') {
            None if text == "fan-in" => Ok(Self::FanIn),
            None if text == "glorot" => Ok(Self::Glorot),
            None if text == "kaiming" => Ok(Self::Kaiming),
            None if text == "normal" => Ok(Self::Normal(0.01)),
            Some(("normal", deviation)) => {
                let deviation: f64 = deviation.parse().map_err(|_| wrong())?;
                if deviation.is_finite() && deviation >= 0.0 {
                    Ok(Self::Normal(deviation))
                } else {
                    let problem = format!("the deviation {deviation} is negative or not a number");
                    Err(Error::setting("--init", problem, "give 0 or more, such as normal:0.01"))
                }
            }
            _ => Err(wrong()),
        }
    }
}

impl Display for Initialisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FanIn => f.write_str("fan-in"),
            Self::Glorot => f.write_str("glorot"),
            Self::Kaiming => f.write_str("kaiming"),
            Self::Normal(deviation) => write!(f, "normal:{deviation}"),
        }
    }
}

text_serde!(Initialisation);

impl Initialisation {
    /// Values of all parameters of `tensors`, in the layout of the flat buffer; padding is 0. Every tensor has its own
    /// random numbers, so that adding a layer leaves the others' values alone.
    pub fn values(self, tensors: &Tensors, seed: u64) -> Vec<f32> {
        let mut flat = vec![0.0; tensors.length()];
        for (number, tensor) in tensors.all().iter().enumerate() {
            let mut random = Philox::new(seed, stream::INITIALISATION, number as u64);
            let values: Vec<f32> =
                (0..tensor.count()).map(|_| self.draw(tensor, &mut random) as f32).collect();
            tensor.put(&mut flat, &values);
        }
        flat
    }

    fn draw(self, tensor: &Tensor, random: &mut Philox) -> f64 {
        let mut uniform = |bound: f64| bound * (2.0 * random.random::<f64>() - 1.0);
        match (self, &tensor.init) {
            (_, &Init::Constant(value)) => value,
            (_, &Init::Uniform(bound)) => uniform(bound),
            (_, &Init::Normal(deviation)) | (Self::Normal(deviation), _) => deviation * random.normal(),
            (Self::FanIn, &Init::Weight { fan_in, .. })
            | (Self::FanIn | Self::Kaiming, &Init::Bias { fan_in }) => uniform(1.0 / (fan_in as f64).sqrt()),
            (Self::Kaiming, &Init::Weight { fan_in, .. }) => uniform((6.0 / fan_in as f64).sqrt()),
            (Self::Glorot, &Init::Weight { fan_in, fan_out }) => {
                uniform((6.0 / (fan_in + fan_out) as f64).sqrt())
            }
            // States alone are given their values.
            (Self::Glorot, Init::Bias { .. }) | (_, Init::Values(_)) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, Mode, Shape};

    /// The values of a tensor fill the range that their rule gives for 50 inputs and 100 outputs.
    #[test]
    fn values_fill_their_range() {
        let tensors = Tensors::default();
        let mut graph = Graph::new(&tensors, Mode::Evaluate);
        let x = graph.input("x", Shape::matrix(1, 50));
        graph.linear(&["layer"], x, 100).unwrap();
        let inputs = 1.0 / 50.0_f64.sqrt();
        for (rule, weight, bias) in [
            ("fan-in", inputs, inputs),
            ("glorot", (6.0 / 150.0_f64).sqrt(), 0.0),
            ("kaiming", (6.0 / 50.0_f64).sqrt(), inputs),
        ] {
            let rule: Initialisation = rule.parse().unwrap();
            let flat = rule.values(&tensors, 1);
            for (name, bound) in [("layer.weight", weight), ("layer.bias", bias)] {
                let values = tensors.find(name).unwrap().take(&flat);
                let ends = |far: f64, value: &f32| far.max(f64::from(value.abs()));
                let far = values.iter().fold(0.0, ends);
                assert!(far <= bound && far >= 0.95 * bound, "{rule} {name}: {far} of {bound}");
            }
        }
    }
}
