//! The settings of a convolutional variational autoencoder.

use super::Conv;
use super::geometry::Geometry;
use crate::checks::{below_one, is_zero};
use crate::data::ImageShape;
use crate::graph::{Activation, Likelihood, LikelihoodChoice};
use crate::model::Model;
use crate::model::families::FamilyConfig;
use crate::model::families::pixels::{SCALE, SIGMA, check_likelihood, is_without_scale, likelihood};
use crate::text::thousands;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Most channels of a level, and most units of a dense layer.
const MOST_CHANNELS: usize = 1 << 16;
/// Channels of the first and of the widest level of a model that is sized to the picture.
const CHANNELS: [usize; 2] = [32, 256];
/// Height and width at which such a model stops to halve its maps.
const SMALLEST: usize = 4;

/// A step between feature maps of two sizes. In the encoder a convolution comes first, then the residual blocks; in the
/// decoder the blocks come first, then the step up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Level {
    /// Channels of the maps that the step leads to. In the last level of the decoder it may be left out: the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Height and width of the window.
    pub kernel: usize,
    /// Pixels from one position of the window to the next.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros around the maps of the encoder; pixels that the decoder crops. `(kernel - stride) / 2`, rounded up, where not
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// Residual blocks.
    #[serde(default)]
    pub blocks: usize,
}

fn one() -> usize {
    1
}

impl Level {
    /// The padding, given or worked out.
    pub fn padding(&self) -> usize {
        self.padding.unwrap_or(self.kernel.saturating_sub(self.stride).div_ceil(2))
    }

    fn filled(self) -> Self {
        Self { padding: Some(self.padding()), ..self }
    }
}

/// What normalises the maps between layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Nothing.
    #[default]
    None,
    /// Each channel over the minibatch (Ioffe and Szegedy, arXiv 1502.03167).
    Batch,
    /// Groups of channels of each image (Wu and He, arXiv 1803.08494).
    Group,
    /// The channels of each pixel (Ba, Kiros and Hinton, arXiv 1607.06450).
    Layer,
}

/// How the decoder enlarges maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upsampling {
    /// By transposed convolutions.
    #[default]
    Transposed,
    /// By repeating pixels, each time followed by a convolution (Odena et al., Distill 2016).
    Nearest,
}

/// `[model]` of the family `conv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ConvConfig {
    /// Latent dimensions.
    pub latent: usize,
    /// Repeat the encoder's last level until its maps are at most this high and wide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrink_to: Option<usize>,
    /// Widths of the dense layers between the encoder's maps and the latents.
    pub dense: Vec<usize>,
    /// Activation function between layers.
    pub activation: Activation,
    /// Probability with which training drops a unit of a dense layer.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropout: f64,
    /// Normalisation of maps.
    pub norm: Norm,
    /// Groups of `norm = "group"`; a level with fewer channels has as many groups as channels.
    pub norm_groups: usize,
    /// Height and width of the depthwise window in a residual block.
    pub block_kernel: usize,
    /// By how much a residual block widens its channels.
    pub block_expansion: usize,
    /// By what a residual block multiplies its change of the maps.
    pub block_scale: f64,
    /// How the decoder enlarges maps.
    pub upsampling: Upsampling,
    /// Widths of the decoder's dense layers; those of the encoder in reverse where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_dense: Option<Vec<usize>>,
    /// Height, width and channels of the decoder's first maps; those of the encoder's last ones where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_start: Option<[usize; 3]>,
    /// Whether the activation function follows the layer that makes the decoder's first maps.
    pub start_activation: bool,
    /// Height and width of the window of one more convolution, from the decoder's last maps to the image; without it the
    /// last level makes the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_kernel: Option<usize>,
    /// Distribution of a pixel.
    pub likelihood: LikelihoodChoice,
    /// Standard deviation of `gaussian`, initial one of `gaussian-shared`.
    pub sigma: f64,
    /// Scale of `laplace`.
    #[serde(skip_serializing_if = "is_without_scale")]
    pub scale: f64,
    /// Activation function of Gaussian means.
    pub mean_activation: Activation,
    /// Levels of the encoder, from the image on. Where there are none, the model is sized to the picture: levels of window 4
    /// and stride 2, with 32 channels first and twice as many in each level up to 256, until maps are 4 pixels high and
    /// wide.
    pub levels: Vec<Level>,
    /// Levels of the decoder, to the image; the encoder's in reverse where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_levels: Option<Vec<Level>>,
}

impl Default for ConvConfig {
    fn default() -> Self {
        Self {
            latent: 32,
            shrink_to: None,
            dense: vec![256],
            activation: Activation::Relu,
            dropout: 0.0,
            norm: Norm::None,
            norm_groups: 32,
            block_kernel: 5,
            block_expansion: 3,
            block_scale: 0.1,
            upsampling: Upsampling::Transposed,
            decoder_dense: None,
            decoder_start: None,
            start_activation: true,
            output_kernel: None,
            likelihood: LikelihoodChoice::Bernoulli,
            sigma: SIGMA,
            scale: SCALE,
            mean_activation: Activation::Identity,
            levels: Vec::new(),
            decoder_levels: None,
        }
    }
}

impl ConvConfig {
    /// The encoder's levels in reverse: each leads to the channels of the one before it, and the last to the image.
    fn mirrored(&self, levels: &[Level]) -> Vec<Level> {
        let before = levels.iter().map(|level| level.channels);
        let first = self.output_kernel.and_then(|_| levels.first()?.channels);
        let channels: Vec<Option<usize>> = std::iter::once(first).chain(before).collect();
        levels.iter().zip(channels).map(|(level, channels)| Level { channels, ..*level }).rev().collect()
    }
}

impl FamilyConfig for ConvConfig {
    fn resolve(self) -> Result<Self> {
        let of_levels = |levels: &[Level]| {
            levels
                .iter()
                .flat_map(|level| [level.channels.unwrap_or(1), level.kernel, level.stride])
                .collect::<Vec<_>>()
        };
        let counts = [
            ("model.latent", vec![self.latent]),
            ("model.dense", self.dense.clone()),
            ("model.decoder-dense", self.decoder_dense.clone().unwrap_or_default()),
            ("model.decoder-start", self.decoder_start.map(Vec::from).unwrap_or_default()),
            ("model.levels", of_levels(&self.levels)),
            ("model.decoder-levels", of_levels(self.decoder_levels.as_deref().unwrap_or_default())),
            ("model.norm-groups", vec![self.norm_groups]),
            ("model.block-kernel", vec![self.block_kernel]),
            ("model.block-expansion", vec![self.block_expansion]),
            ("model.output-kernel", self.output_kernel.into_iter().collect()),
            ("model.shrink-to", self.shrink_to.into_iter().collect()),
        ];
        for (path, counts) in counts {
            if counts.contains(&0) {
                return Err(Error::setting(path, "0 is too few", "give 1 or more"));
            }
            if let Some(&count) = counts.iter().find(|&&count| count > MOST_CHANNELS) {
                let hint = format!("give at most {}", thousands(MOST_CHANNELS));
                return Err(Error::setting(path, format!("{} is too many", thousands(count)), hint));
            }
        }
        if self.levels.iter().any(|level| level.channels.is_none()) {
            let hint = "give channels = N in each of the encoder's levels";
            return Err(Error::setting("model.levels", "a level has no channels", hint));
        }
        if self.decoder_levels.as_ref().is_some_and(Vec::is_empty) {
            let hint = "leave the key out, and the decoder mirrors the encoder";
            return Err(Error::setting("model.decoder-levels", "the decoder has no levels", hint));
        }
        if let Some(levels) = &self.decoder_levels
            && let Some((_, before)) = levels.split_last()
            && before.iter().any(|level| level.channels.is_none())
        {
            let hint = "give channels = N in every level but the last";
            return Err(Error::setting("model.decoder-levels", "a level has no channels", hint));
        }
        if self.block_kernel.is_multiple_of(2) {
            let problem = format!("{} is even", self.block_kernel);
            return Err(Error::setting("model.block-kernel", problem, "give an odd number such as 5"));
        }
        if !self.block_scale.is_finite() {
            return Err(Error::setting(
                "model.block-scale",
                "it is not a number",
                "give a number such as 0.1",
            ));
        }
        below_one("model.dropout", self.dropout)?;
        check_likelihood(self.likelihood, [self.sigma, self.scale], self.mean_activation)?;
        Ok(self)
    }

    fn for_images(&self, shape: ImageShape) -> Result<Self> {
        let mut levels = self.levels.clone();
        let size = [shape.height, shape.width];
        let smaller = |levels: &[Level]| {
            levels.iter().fold(size, |size, level| {
                size.map(|side| (side + 2 * level.padding()).saturating_sub(level.kernel) / level.stride + 1)
            })
        };
        if levels.is_empty() {
            let channels = |number: u32| (CHANNELS[0] << number.min(8)).min(CHANNELS[1]);
            let level = |number| Level {
                channels: Some(channels(number)),
                kernel: 4,
                stride: 2,
                padding: Some(1),
                blocks: 0,
            };
            levels.push(level(0));
            while smaller(&levels).into_iter().any(|side| side > SMALLEST) {
                let next = level(levels.len() as u32);
                if smaller(&levels).into_iter().any(|side| side < 2) {
                    break;
                }
                levels.push(next);
            }
        } else if let (Some(most), Some(&last)) = (self.shrink_to, levels.last()) {
            while smaller(&levels).into_iter().any(|side| side > most) {
                let before = smaller(&levels);
                levels.push(last);
                if smaller(&levels) == before {
                    let problem = format!("its last level never makes maps of {} pixels smaller", before[0]);
                    let hint = "give it a stride of 2, or leave model.shrink-to out";
                    return Err(Error::setting("model.levels", problem, hint));
                }
            }
        }
        let decoder_levels = self.decoder_levels.clone().unwrap_or_else(|| self.mirrored(&levels));
        let filled = |levels: Vec<Level>| levels.into_iter().map(Level::filled).collect::<Vec<_>>();
        let decoder_dense =
            self.decoder_dense.clone().unwrap_or_else(|| self.dense.iter().rev().copied().collect());
        let mut config = Self {
            shrink_to: None,
            levels: filled(levels),
            decoder_levels: Some(filled(decoder_levels)),
            decoder_dense: Some(decoder_dense),
            ..self.clone()
        };
        let geometry = Geometry::of(&config, shape)?;
        config.decoder_start = Some(geometry.start);
        Ok(config)
    }

    fn model(&self, shape: ImageShape) -> Rc<dyn Model> {
        Rc::new(Conv { config: self.clone(), shape })
    }

    fn likelihood_choice(&mut self) -> &mut LikelihoodChoice {
        &mut self.likelihood
    }

    fn likelihood(&self) -> Likelihood {
        likelihood(self.likelihood, [self.sigma, self.scale], self.mean_activation)
    }

    /// Sizes of all maps.
    fn outline(&self, shape: ImageShape) -> Result<String> {
        let config = self.for_images(shape)?;
        Ok(Geometry::of(&config, shape)?.outline(self.latent))
    }

    /// All layers of maps with their sizes, padding and crop.
    fn describe(&self, shape: ImageShape) -> Result<Option<String>> {
        let config = self.for_images(shape)?;
        Ok(Some(Geometry::of(&config, shape)?.describe()))
    }
}
