//! A model that is chosen by the size of the images.

use super::FamilyConfig;
use super::conv::ConvConfig;
use super::mlp::MlpConfig;
use super::pixels::{SCALE, SIGMA, check_likelihood, is_without_scale, likelihood};
use crate::data::ImageShape;
use crate::graph::{Activation, Likelihood, LikelihoodChoice};
use crate::model::Model;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Most values of an image for which `auto` chooses a multilayer perceptron.
const MOST_VALUES: usize = 1024;

/// `[model]` of the family `auto`: the settings that the families have in common. A run's `config.toml` has the family that
/// was chosen in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AutoConfig {
    /// Latent dimensions; those of the family chosen where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latent: Option<usize>,
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

impl Default for AutoConfig {
    fn default() -> Self {
        Self {
            latent: None,
            likelihood: LikelihoodChoice::Bernoulli,
            sigma: SIGMA,
            scale: SCALE,
            mean_activation: Activation::Identity,
        }
    }
}

impl AutoConfig {
    /// Whether images of `shape` get a multilayer perceptron: up to 1,024 values.
    pub fn is_mlp(shape: ImageShape) -> bool {
        shape.pixels() <= MOST_VALUES
    }

    /// The multilayer perceptron of the deck with these settings.
    pub fn mlp(&self) -> MlpConfig {
        let standard = MlpConfig::default();
        let Self { latent, likelihood, sigma, scale, mean_activation } = *self;
        let latent = latent.map_or(standard.latent, |latent| vec![latent]);
        MlpConfig { latent, likelihood, sigma, scale, mean_activation, ..MlpConfig::default() }
    }

    /// The convolutional model, sized to the picture, with these settings.
    pub fn conv(&self) -> ConvConfig {
        let standard = ConvConfig::default();
        let Self { latent, likelihood, sigma, scale, mean_activation } = *self;
        ConvConfig {
            latent: latent.unwrap_or(standard.latent),
            likelihood,
            sigma,
            scale,
            mean_activation,
            ..standard
        }
    }

    /// The family that is chosen for images of `shape`.
    fn chosen(&self, shape: ImageShape) -> Box<dyn FamilyConfig> {
        if Self::is_mlp(shape) { Box::new(self.mlp()) } else { Box::new(self.conv()) }
    }
}

impl FamilyConfig for AutoConfig {
    fn resolve(self) -> Result<Self> {
        if self.latent == Some(0) {
            return Err(Error::setting("model.latent", "0 is too few", "give 1 or more"));
        }
        check_likelihood(self.likelihood, [self.sigma, self.scale], self.mean_activation)?;
        Ok(self)
    }

    /// The same: what depends on the images is written out in the record of the family chosen.
    fn for_images(&self, _: ImageShape) -> Result<Self> {
        Ok(self.clone())
    }

    fn model(&self, shape: ImageShape) -> Rc<dyn Model> {
        self.chosen(shape).model(shape)
    }

    fn likelihood_choice(&mut self) -> &mut LikelihoodChoice {
        &mut self.likelihood
    }

    fn likelihood(&self) -> Likelihood {
        likelihood(self.likelihood, [self.sigma, self.scale], self.mean_activation)
    }

    fn outline(&self, shape: ImageShape) -> Result<String> {
        self.chosen(shape).outline(shape)
    }

    fn describe(&self, shape: ImageShape) -> Result<Option<String>> {
        self.chosen(shape).describe(shape)
    }
}
