//! What a controller sees, and how many parameters it has.

use serde::{Deserialize, Serialize};

/// Units of the hidden layer of [`Inputs::ZHidden`].
pub const HIDDEN: usize = 40;
/// Actions: steering, gas, brake.
pub const ACTIONS: usize = 3;

/// What a controller sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Inputs {
    /// The latents of the frame and the state of M: the paper's full model.
    #[default]
    #[value(name = "z-h")]
    ZH,
    /// The same, with M as it is drawn, before any training.
    #[value(name = "z-h-untrained")]
    ZHUntrained,
    /// The latents of the frame.
    Z,
    /// The latents of the frame, through a hidden layer of 40 tanh units.
    ZHidden,
}

impl Inputs {
    /// Numbers that the controller sees, of `latent` dimensions and M's `hidden` units.
    pub fn features(self, latent: usize, hidden: usize) -> usize {
        match self {
            Self::ZH | Self::ZHUntrained => latent + hidden,
            Self::Z | Self::ZHidden => latent,
        }
    }

    /// Units of the hidden layer, if there is one.
    pub fn layer(self) -> Option<usize> {
        matches!(self, Self::ZHidden).then_some(HIDDEN)
    }

    /// Parameters: 867 for 32 latent dimensions and 256 units of M.
    pub fn parameters(self, latent: usize, hidden: usize) -> usize {
        let layer = |inputs: usize, outputs: usize| outputs * (inputs + 1);
        let features = self.features(latent, hidden);
        match self.layer() {
            Some(units) => layer(features, units) + layer(units, ACTIONS),
            None => layer(features, ACTIONS),
        }
    }

    /// Whether M is needed.
    pub fn need_memory(self) -> bool {
        matches!(self, Self::ZH | Self::ZHUntrained)
    }

    /// The folder of such a controller in that of the world.
    pub fn folder(self) -> &'static str {
        match self {
            Self::ZH => "controller",
            Self::ZHUntrained => "controller-z-h-untrained",
            Self::Z => "controller-z",
            Self::ZHidden => "controller-z-hidden",
        }
    }

    /// As people name it.
    pub fn title(self) -> &'static str {
        match self {
            Self::ZH => "z and h",
            Self::ZHUntrained => "z and h, M untrained",
            Self::Z => "z only",
            Self::ZHidden => "z, with a hidden layer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Inputs;
    use clap::ValueEnum;

    #[test]
    fn files_and_flags_have_the_same_names() {
        for inputs in Inputs::value_variants() {
            let name = inputs.to_possible_value().unwrap().get_name().to_string();
            assert_eq!(serde_json::to_string(inputs).unwrap(), format!("\"{name}\""));
        }
    }

    #[test]
    fn parameters_are_as_many_as_the_papers() {
        let counts = [Inputs::ZH, Inputs::Z, Inputs::ZHidden].map(|inputs| inputs.parameters(32, 256));
        assert_eq!(counts, [867, 99, 1443]);
    }
}
