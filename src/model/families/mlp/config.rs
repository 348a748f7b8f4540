//! The settings of a variational autoencoder of multilayer perceptrons.

use super::{Layer, Mlp};
use crate::checks::{below_one, is_zero};
use crate::data::ImageShape;
use crate::graph::{Activation, Likelihood, LikelihoodChoice};
use crate::model::Model;
use crate::model::families::FamilyConfig;
use crate::model::families::pixels::{SCALE, SIGMA, check_likelihood, is_without_scale, likelihood};
use crate::text::thousands;
use crate::{Error, Result};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::rc::Rc;

/// Most units of a layer. Products of three of them still fit into 64 bits.
const MOST_UNITS: usize = 1 << 20;

/// `[model]` of the family `mlp`. Stochastic layers are numbered from the image on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MlpConfig {
    /// Widths of the encoder's hidden layers below each stochastic layer; the decoder has them in reverse. One part serves
    /// every stochastic layer, else there is one part for each. In a file `[500]` for one part, `[[200], [100]]` for two.
    #[serde(with = "hidden")]
    pub hidden: Vec<Vec<usize>>,
    /// Dimensions of each stochastic layer. In a file `20` for one layer, `[40, 20]` for two.
    #[serde(with = "latent")]
    pub latent: Vec<usize>,
    /// Activation function of the hidden layers.
    pub activation: Activation,
    /// Probability with which training drops a unit of a hidden layer.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropout: f64,
    /// Distribution of a pixel.
    pub likelihood: LikelihoodChoice,
    /// Standard deviation of `gaussian`, initial one of `gaussian-shared`.
    pub sigma: f64,
    /// Scale of `laplace`.
    #[serde(skip_serializing_if = "is_without_scale")]
    pub scale: f64,
    /// Activation function of Gaussian means.
    pub mean_activation: Activation,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden: vec![vec![500]],
            latent: vec![2],
            activation: Activation::Tanh,
            dropout: 0.0,
            likelihood: LikelihoodChoice::Bernoulli,
            sigma: SIGMA,
            scale: SCALE,
            mean_activation: Activation::Identity,
        }
    }
}

impl MlpConfig {
    /// Widths of the encoder's hidden layers below the stochastic layer of this number, which counts from 0.
    pub fn hidden_below(&self, layer: usize) -> &[usize] {
        self.hidden.get(layer).or(self.hidden.first()).map_or(&[], Vec::as_slice)
    }

    /// Sizes of all layers, from an image of `pixels` values to the top and back: `784-500-20-500-784`.
    fn sizes(&self, pixels: usize) -> String {
        let mut up = vec![pixels];
        for (layer, &latent) in self.latent.iter().enumerate() {
            up.extend(self.hidden_below(layer));
            up.push(latent);
        }
        let down = up.iter().rev().skip(1);
        up.iter().chain(down).map(ToString::to_string).collect::<Vec<_>>().join("-")
    }
}

impl FamilyConfig for MlpConfig {
    /// One part of hidden layers is written once for each stochastic layer.
    fn resolve(mut self) -> Result<Self> {
        let layers = self.latent.len();
        if layers == 0 {
            let hint = "give the dimensions of each stochastic layer, such as 20 or 40,20";
            return Err(Error::setting("model.latent", "there is no stochastic layer", hint));
        }
        if self.latent.contains(&0) {
            return Err(Error::setting("model.latent", "0 is too few", "give 1 or more"));
        }
        let hidden = self.hidden.iter().flatten().map(|&units| ("model.hidden", units));
        let sizes = self.latent.iter().map(|&width| ("model.latent", width)).chain(hidden);
        if let Some((path, size)) = sizes.into_iter().find(|&(_, size)| size > MOST_UNITS) {
            let hint = format!("give at most {}", thousands(MOST_UNITS));
            return Err(Error::setting(path, format!("{} is too many", thousands(size)), hint));
        }
        if self.hidden.is_empty() || (self.hidden.len() > 1 && self.hidden.len() != layers) {
            let parts = self.hidden.len();
            let problem =
                format!("hidden layers in {parts} parts, for {layers} stochastic layers in model.latent");
            let hint =
                "give one part for all stochastic layers, such as 200,200, or one for each, such as 200/100";
            return Err(Error::setting("model.hidden", problem, hint));
        }
        if self.hidden.iter().flatten().any(|&width| width == 0) {
            let hint = "give layer sizes such as 500 or 500,250";
            return Err(Error::setting("model.hidden", "a layer has no units", hint));
        }
        if let [part] = &self.hidden[..] {
            self.hidden = vec![part.clone(); layers];
        }
        below_one("model.dropout", self.dropout)?;
        check_likelihood(self.likelihood, [self.sigma, self.scale], self.mean_activation)?;
        Ok(self)
    }

    fn for_images(&self, _: ImageShape) -> Result<Self> {
        self.clone().resolve()
    }

    fn model(&self, shape: ImageShape) -> Rc<dyn Model> {
        let layers = self.latent.iter().enumerate();
        Rc::new(Mlp {
            dropout: self.dropout,
            pixels: shape.pixels(),
            layers: layers
                .map(|(layer, &latent)| Layer { hidden: self.hidden_below(layer).to_vec(), latent })
                .collect(),
            activation: self.activation,
            likelihood: self.likelihood(),
        })
    }

    fn likelihood_choice(&mut self) -> &mut LikelihoodChoice {
        &mut self.likelihood
    }

    fn likelihood(&self) -> Likelihood {
        likelihood(self.likelihood, [self.sigma, self.scale], self.mean_activation)
    }

    fn outline(&self, shape: ImageShape) -> Result<String> {
        Ok(self.sizes(shape.pixels()))
    }
}

/// A number, or a list of numbers. Read by hand, because an untagged enum forgets the line of an error.
enum OneOrMany {
    One(usize),
    Many(Vec<usize>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of units, or a list of them")
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<OneOrMany, E> {
                let value = usize::try_from(value);
                value.map(OneOrMany::One).map_err(|_| E::custom("a number of units is not negative"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let numbers: Result<_, _> = std::iter::from_fn(|| list.next_element().transpose()).collect();
                numbers.map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// `latent`: a number for one stochastic layer, a list for several.
mod latent {
    use super::*;

    pub(super) fn serialize<S: Serializer>(latent: &[usize], serializer: S) -> Result<S::Ok, S::Error> {
        match latent {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
        Ok(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(several) => several,
        })
    }
}

/// `hidden`: a list of layer sizes for one part, a list of such lists for several.
mod hidden {
    use super::*;

    pub(super) fn serialize<S: Serializer>(hidden: &[Vec<usize>], serializer: S) -> Result<S::Ok, S::Error> {
        match hidden {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<usize>>, D::Error> {
        let (mut sizes, mut parts) = (Vec::new(), Vec::new());
        for element in Vec::<OneOrMany>::deserialize(deserializer)? {
            match element {
                OneOrMany::One(size) => sizes.push(size),
                OneOrMany::Many(part) => parts.push(part),
            }
        }
        match (sizes.is_empty(), parts.is_empty()) {
            (false, false) => Err(D::Error::custom("layer sizes and lists of them in one list")),
            (_, true) => Ok(vec![sizes]),
            (true, false) => Ok(parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MlpConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn one_layer_is_written_as_a_number_and_several_as_lists() {
        for (latent, hidden, written) in [
            (vec![50], vec![vec![500, 250]], "hidden = [500, 250]\nlatent = 50\n"),
            (vec![50], vec![vec![]], "hidden = []\nlatent = 50\n"),
            (vec![50, 20], vec![vec![100]], "hidden = [100]\nlatent = [50, 20]\n"),
            (vec![50, 20], vec![vec![], vec![]], "hidden = [[], []]\nlatent = [50, 20]\n"),
            (vec![4, 3, 2, 1], vec![vec![5]; 4], "hidden = [[5], [5], [5], [5]]\nlatent = [4, 3, 2, 1]\n"),
        ] {
            let config = MlpConfig { latent, hidden, ..MlpConfig::default() };
            let text = toml::to_string(&config).unwrap();
            assert!(text.starts_with(written), "{text}");
            assert_eq!(read(&text), config);
        }
        assert_eq!(read("latent = [50]\nhidden = [[7]]"), read("latent = 50\nhidden = [7]"));
    }

    #[test]
    fn what_is_no_layer_is_refused_with_its_line() {
        for (text, expected) in [
            ("sigma = 1\nlatent = [5, 'x']", "line 2"),
            ("latent = -1", "not negative"),
            ("latent = 'x'", "a number of units, or a list"),
            ("hidden = [[5], 6]", "in one list"),
            ("hidden = 5", "expected a sequence"),
            ("sigma = 1\nlatnet = 2", "line 2"),
        ] {
            let problem = toml::from_str::<MlpConfig>(text).unwrap_err().to_string();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn one_part_of_hidden_layers_stands_below_every_stochastic_layer() {
        let config = read("latent = [9, 4]\nhidden = [7, 6]").resolve().unwrap();
        assert_eq!(config.hidden, [[7, 6], [7, 6]]);
        assert_eq!(config.sizes(100), "100-7-6-9-7-6-4-6-7-9-6-7-100");
        assert_eq!(read("latent = [9, 4]").resolve().unwrap().hidden, [[500], [500]]);
        assert_eq!(read("latent = 3\nhidden = []").resolve().unwrap().sizes(10), "10-3-10");
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        for (text, expected) in [
            ("latent = []", "model.latent: there is no stochastic layer"),
            ("latent = 0", "model.latent: 0 is too few"),
            ("latent = [3, 0]", "model.latent: 0 is too few"),
            ("latent = [3, 4000000000]", "model.latent: 4,000,000,000 is too many"),
            ("hidden = [5, 1048577]", "model.hidden: 1,048,577 is too many"),
            ("hidden = [0]", "model.hidden: a layer has no units"),
            ("hidden = [[5], [6]]", "model.hidden: hidden layers in 2 parts, for 1 stochastic"),
            ("latent = [4, 2]\nhidden = [[5], [6], [7]]", "model.hidden: hidden layers in 3 parts, for 2"),
        ] {
            let problem = read(text).resolve().unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
    }
}
