//! The settings of the autoencoder of latent diffusion.

use super::{AutoencoderKl, diffusers};
use crate::data::ImageShape;
use crate::graph::{Activation, Likelihood, LikelihoodChoice};
use crate::model::families::pixels::{SCALE, SIGMA, check_likelihood, likelihood};
use crate::model::families::{FamilyConfig, Interchange, Standard};
use crate::model::{Model, OutputLayer};
use crate::text::{table, thousands};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// The scale of `laplace` under which its loss is the absolute error of pixels from -1 to 1.
const ABSOLUTE_ERROR: f64 = 0.5;
/// Most channels of a level.
const MOST_CHANNELS: usize = 1 << 16;
/// Most levels: maps of one pixel would need images of 32,768.
const MOST_LEVELS: usize = 16;

/// `[model]` of the family `autoencoder-kl`. The defaults are the published size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AutoencoderKlConfig {
    /// Channels of the latent maps.
    pub latent: usize,
    /// Channels that the multipliers multiply.
    pub width: usize,
    /// Channels of each level in units of `width`, from the image on. Between two levels maps are halved.
    pub multipliers: Vec<usize>,
    /// Residual blocks of a level in the encoder; the decoder has one more.
    pub blocks: usize,
    /// Groups of every group norm.
    pub norm_groups: usize,
    /// Distribution of a pixel.
    pub likelihood: LikelihoodChoice,
    /// Standard deviation of `gaussian`, initial one of `gaussian-shared`.
    pub sigma: f64,
    /// Scale of `laplace`; 0.5 where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
}

impl Default for AutoencoderKlConfig {
    fn default() -> Self {
        Self {
            latent: 4,
            width: 128,
            multipliers: vec![1, 2, 4, 4],
            blocks: 2,
            norm_groups: 32,
            likelihood: LikelihoodChoice::Laplace,
            sigma: SIGMA,
            scale: None,
        }
    }
}

impl AutoencoderKlConfig {
    /// Channels of each level, from the image on.
    pub(super) fn channels(&self) -> Vec<usize> {
        self.multipliers.iter().map(|multiplier| multiplier * self.width).collect()
    }

    /// Height and width of the maps of each level, from the image on.
    pub(super) fn sizes(&self, shape: ImageShape) -> Vec<[usize; 2]> {
        (0..self.multipliers.len()).map(|level| [shape.height >> level, shape.width >> level]).collect()
    }

    /// The settings in the text of diffusers' `config.json`; `None` if it is of another class.
    ///
    /// # Errors
    /// What the model of that file has and this family has not.
    pub fn from_diffusers(text: &str) -> Result<Option<Self>, String> {
        diffusers::read(text)
    }

    /// Height, width and channels of the latent maps.
    pub(super) fn latent_maps(&self, shape: ImageShape) -> [usize; 3] {
        let down = self.multipliers.len().saturating_sub(1);
        [shape.height >> down, shape.width >> down, self.latent]
    }
}

impl FamilyConfig for AutoencoderKlConfig {
    fn resolve(mut self) -> Result<Self> {
        let channels: Vec<usize> =
            self.multipliers.iter().map(|multiplier| multiplier.saturating_mul(self.width)).collect();
        for (path, counts) in [
            ("model.latent", &[self.latent][..]),
            ("model.width", &[self.width]),
            ("model.blocks", &[self.blocks]),
            ("model.norm-groups", &[self.norm_groups]),
            ("model.multipliers", &channels),
        ] {
            if counts.contains(&0) {
                return Err(Error::setting(path, "0 is too few", "give 1 or more"));
            }
            if let Some(&count) = counts.iter().find(|&&count| count > MOST_CHANNELS) {
                let hint = format!("give at most {}", thousands(MOST_CHANNELS));
                return Err(Error::setting(path, format!("{} is too many", thousands(count)), hint));
            }
        }
        if !(1..=MOST_LEVELS).contains(&channels.len()) {
            let problem = format!("there are {} levels", channels.len());
            let hint = format!("give 1 to {MOST_LEVELS} numbers, one for each level, such as [1, 2, 4, 4]");
            return Err(Error::setting("model.multipliers", problem, hint));
        }
        if let Some(count) = channels.iter().find(|count| !count.is_multiple_of(self.norm_groups)) {
            let problem = format!("{} groups do not divide a level of {count} channels", self.norm_groups);
            let hint = "give a number that divides model.width, or a model.width that it divides";
            return Err(Error::setting("model.norm-groups", problem, hint));
        }
        if self.likelihood == LikelihoodChoice::Laplace {
            self.scale.get_or_insert(ABSOLUTE_ERROR);
        }
        let scales = [self.sigma, self.scale.unwrap_or(SCALE)];
        check_likelihood(self.likelihood, scales, Activation::Identity)?;
        Ok(self)
    }

    fn for_images(&self, shape: ImageShape) -> Result<Self> {
        let halved = self.multipliers.len().saturating_sub(1);
        let unit = 1_usize << halved;
        if !shape.width.is_multiple_of(unit) || !shape.height.is_multiple_of(unit) {
            let problem = format!(
                "{} levels need images whose width and height divide by {unit}, and these are {shape}",
                self.multipliers.len()
            );
            let [width, height] = [shape.width, shape.height].map(|side| side.next_multiple_of(unit));
            let hint = format!("resize them to {width}x{height} with data.image-size, or give fewer levels");
            return Err(Error::setting("model.multipliers", problem, hint));
        }
        Ok(self.clone())
    }

    fn model(&self, shape: ImageShape) -> Rc<dyn Model> {
        Rc::new(AutoencoderKl { config: self.clone(), shape })
    }

    fn likelihood_choice(&mut self) -> &mut LikelihoodChoice {
        &mut self.likelihood
    }

    fn likelihood(&self) -> Likelihood {
        let scale = self.scale.unwrap_or(ABSOLUTE_ERROR);
        likelihood(self.likelihood, [self.sigma, scale], Activation::Identity)
    }

    /// Sizes of the maps of each level, down to the latents.
    fn outline(&self, shape: ImageShape) -> Result<String> {
        let config = self.for_images(shape)?;
        let levels = config.sizes(shape).into_iter().zip(config.channels());
        let image = [shape.height, shape.width, shape.channels];
        let down = levels.map(|([height, width], channels)| [height, width, channels]);
        let all = std::iter::once(image).chain(down).chain([config.latent_maps(shape)]);
        let maps = |[height, width, channels]: [usize; 3]| format!("{height}x{width}x{channels}");
        Ok(all.map(maps).collect::<Vec<_>>().join("-"))
    }

    fn describe(&self, shape: ImageShape) -> Result<Option<String>> {
        let config = self.for_images(shape)?;
        let maps = |[height, width]: [usize; 2], channels: usize| format!("{height}x{width}x{channels}");
        let row = |side: &str, part: String, maps: String, what: String| [side.to_string(), part, maps, what];
        let blocks = |count: usize| format!("{count} residual block{}", if count == 1 { "" } else { "s" });
        let levels: Vec<(usize, ([usize; 2], usize))> =
            (1..).zip(config.sizes(shape).into_iter().zip(config.channels())).collect();
        let last = levels.len();
        let mut rows = Vec::new();
        for &(level, (size, channels)) in &levels {
            let down = if level < last { ", convolution of stride 2" } else { "" };
            let what = blocks(config.blocks) + down;
            rows.push(row("encoder", format!("level {level}"), maps(size, channels), what));
        }
        let [height, width, latent] = config.latent_maps(shape);
        let middle = || "residual block, attention, residual block".to_string();
        let at_middle = levels.last().map_or(String::new(), |(_, (size, channels))| maps(*size, *channels));
        rows.push(row("encoder", "middle".into(), at_middle.clone(), middle()));
        rows.push(row("", "latents".into(), maps([height, width], latent), "mean and log-variance".into()));
        rows.push(row("decoder", "middle".into(), at_middle, middle()));
        for &(level, (size, channels)) in levels.iter().rev() {
            let up = if level > 1 { ", nearest pixels twice as many, convolution" } else { "" };
            rows.push(row(
                "decoder",
                format!("level {level}"),
                maps(size, channels),
                blocks(config.blocks + 1) + up,
            ));
        }
        Ok(Some(table(["side", "part", "maps", "layers"], &rows)))
    }

    fn standard(&self) -> Standard {
        Standard { beta: 1e-6, learning_rate: Some(1e-4) }
    }

    fn interchange(&self, shape: ImageShape) -> Option<Interchange> {
        // That library's decoder gives pixels from -1 to 1.
        self.output_layer().centred.then(|| diffusers::interchange(self, shape))
    }

    fn output_layer(&self) -> OutputLayer {
        let likelihood = self.likelihood();
        OutputLayer { name: "decoder.conv_out", likelihood, centred: !likelihood.kind.takes_logits() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, width: usize, height: usize) -> String {
        let config: AutoencoderKlConfig = toml::from_str(text).unwrap();
        let shape = ImageShape { width, height, channels: 3 };
        config.resolve().and_then(|config| config.for_images(shape)).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, expected) in [
            ("width = 48", "model.norm-groups: 32 groups do not divide a level of 48 channels"),
            ("multipliers = [1, 0]", "model.multipliers: 0 is too few"),
            ("multipliers = []", "model.multipliers: there are 0 levels"),
            ("width = 65536", "model.multipliers: 131,072 is too many"),
            ("latent = 0", "model.latent: 0 is too few"),
            ("sigma = 0.5", "model.sigma: the likelihood is laplace"),
            ("scale = 0.0", "model.scale: 0 is not above zero"),
            ("scale = 1e300", "model.scale: single precision has no room for 1e300"),
            ("scale = 0.5\nlikelihood = 'gaussian'", "model.scale: the likelihood is gaussian"),
        ] {
            let problem = refused(text, 64, 64);
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
        let problem = refused("", 60, 64);
        assert!(problem.contains("4 levels need images whose width and height divide by 8"), "{problem}");
        assert!(problem.contains("resize them to 64x64"), "{problem}");
    }

    #[test]
    fn maps_are_outlined() {
        let config: AutoencoderKlConfig = toml::from_str("width = 32\nmultipliers = [1, 2, 2]").unwrap();
        let shape = ImageShape { width: 24, height: 16, channels: 3 };
        assert_eq!(config.outline(shape).unwrap(), "16x24x3-16x24x32-8x12x64-4x6x64-4x6x4");
        let table = config.describe(shape).unwrap().unwrap();
        assert!(table.contains("3 residual blocks, nearest"), "{table}");
    }
}
