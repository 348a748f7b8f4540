//! What the settings leave to the data: the likelihood, the size of a minibatch, and the number of epochs.

use super::{Config, ModelConfig, RunConfig};
use crate::Result;
use crate::data::{Dataset, ImageShape, Part};
use crate::graph::{Binarize, LikelihoodChoice, LikelihoodKind};
use crate::text::thousands;

/// Named datasets of strokes on a ground, whose grey pixels are the edges of strokes.
const OF_STROKES: [&str; 4] = ["digits", "mnist", "kmnist", "emnist"];
/// A pixel is black or white within this distance of 0 or 255.
const NEAR: u8 = 5;
/// Share of black and white pixels from which on they are taken as draws of black or white.
const MOSTLY: f64 = 0.8;
/// The learning rate of Adam for a convolutional model with the optimal deviation. At the default of other models, 0.002,
/// its posterior can collapse onto the prior in the first epochs, while the deviation is still large.
const CALM: f64 = 5e-4;
/// Steps that a run takes at least, where nothing says how many.
const STEPS: u64 = 2500;
/// Evaluations of a run whose epochs rise to take that many steps.
const EVALUATIONS: u64 = 25;

/// What the choices depend on.
struct Facts<'a> {
    shape: ImageShape,
    /// Training images.
    images: usize,
    /// They themselves, if they are at hand.
    part: Option<&'a Part>,
}

impl Config {
    /// The settings with the model written out for the images and everything chosen that was left to the data, and a
    /// sentence for each choice that needs one.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path, if the model does not fit the images.
    pub fn for_dataset(&self, dataset: &Dataset) -> Result<(Self, Vec<String>)> {
        let (shape, part) = (dataset.shape, &dataset.train);
        let (mut config, said) = self.chosen(&Facts { shape, images: part.count, part: Some(part) })?;
        if let Some(look) = &dataset.found.look {
            // Later commands read the same pictures, and others beside them, as these were.
            config.data.keep(look, shape);
        }
        Ok((config, said))
    }

    /// The same for images whose values are not at hand: `auto` stands for the Bernoulli likelihood.
    ///
    /// # Errors
    /// See [`Config::for_dataset`].
    pub(super) fn for_sizes(&self, shape: ImageShape, images: usize) -> Result<Self> {
        Ok(self.chosen(&Facts { shape, images, part: None })?.0)
    }

    fn chosen(&self, facts: &Facts<'_>) -> Result<(Self, Vec<String>)> {
        let (mut config, mut said) = (self.for_images(facts.shape)?, Vec::new());
        config.choose_minibatch(facts.images, &mut said);
        config.choose_epochs(facts.images, &mut said);
        if *config.model.likelihood_choice() == LikelihoodChoice::Auto {
            config.choose_likelihood(facts, &mut said);
            config.choose_learning_rate(&mut said);
        }
        Ok((config, said))
    }

    fn choose_minibatch(&mut self, images: usize, said: &mut Vec<String>) {
        if self.run.batch_size.is_some() {
            return;
        }
        let batch = RunConfig::BATCH_SIZE.min(images.max(1));
        if batch < RunConfig::BATCH_SIZE {
            said.push(format!(
                "a minibatch is all {images} training images, fewer than {}; --batch-size changes it",
                RunConfig::BATCH_SIZE
            ));
        }
        self.run.batch_size = Some(batch);
    }

    fn choose_epochs(&mut self, images: usize, said: &mut Vec<String>) {
        if self.run.epochs.is_some() || self.run.steps.is_some() {
            self.run.epochs.get_or_insert(RunConfig::EPOCHS);
            return;
        }
        let needed = STEPS.div_ceil(self.steps_per_epoch(images).max(1));
        let epochs = needed.max(RunConfig::EPOCHS);
        self.run.epochs = Some(epochs);
        if epochs > RunConfig::EPOCHS {
            if self.run.evaluate_every == 1 {
                self.run.evaluate_every = (epochs / EVALUATIONS).max(1);
            }
            said.push(format!(
                "{} epochs, because {} would be fewer than {} steps; --epochs or --steps changes it",
                thousands(epochs as usize),
                RunConfig::EPOCHS,
                thousands(STEPS as usize)
            ));
        }
    }

    fn choose_learning_rate(&mut self, said: &mut Vec<String>) {
        if self.optimizer.learning_rate.is_some() {
            return;
        }
        let optimal = self.model.likelihood().kind == LikelihoodKind::GaussianOptimal;
        if optimal && matches!(self.model, ModelConfig::Conv(_)) {
            self.optimizer.learning_rate = Some(CALM);
            said.push(format!(
                "the learning rate is {CALM}, as suits a convolutional model with gaussian-optimal; --learning-rate \
                 changes it"
            ));
        } else {
            self.optimizer.learning_rate = Some(self.optimizer.learning_rate());
        }
    }

    fn choose_likelihood(&mut self, facts: &Facts<'_>, said: &mut Vec<String>) {
        let binarized = self.data.binarize.is_some_and(|how| how != Binarize::None);
        let of_strokes = OF_STROKES.contains(&self.data.dataset.as_str());
        let share = match facts.part {
            Some(part) if !binarized && !of_strokes && !self.data.is_dsprites() => {
                Some(share_of_black_and_white(part))
            }
            _ => None,
        };
        let bernoulli = share.is_none_or(|share| share >= MOSTLY);
        let kind = match bernoulli {
            true => LikelihoodKind::Bernoulli,
            // The optimum of a minibatch is that of the ELBO.
            false if self.objective.kind.weighting().is_some() => LikelihoodKind::GaussianShared,
            false => LikelihoodKind::GaussianOptimal,
        };
        *self.model.likelihood_choice() = kind.into();
        // Pixels that are kept as bits are black or white already: a threshold keeps them, and draws nothing.
        let black_or_white = self.data.is_dsprites() || facts.part.is_some_and(|part| part.bits().is_some());
        let standard = match (bernoulli, black_or_white) {
            (true, true) => Binarize::Threshold,
            (true, false) => Binarize::Dynamic,
            (false, _) => Binarize::None,
        };
        self.data.binarize.get_or_insert(standard);
        if let Some(share) = share {
            said.push(format!(
                "the likelihood is {kind}, because {:.0} % of the pixels are black or white; --likelihood changes it",
                100.0 * share
            ));
        }
    }
}

/// The share of values that are black or white, or nearly so.
fn share_of_black_and_white(part: &Part) -> f64 {
    if part.bits().is_some() {
        return 1.0;
    }
    let pixels = part.pixels();
    let near = pixels.iter().filter(|&&value| value <= NEAR || value >= u8::MAX - NEAR).count();
    near as f64 / pixels.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Part;

    /// `images` pictures of 4x4 grey pixels, of which every fifth value has the grey level `other` and the rest are white.
    fn pictures(images: usize, other: u8, every: usize) -> Dataset {
        let shape = ImageShape { width: 4, height: 5, channels: 1 };
        let values = |count: usize| {
            let values = (0..count * 20).map(|i| if i % every == 0 { other } else { 250 });
            Part::of_images(values.collect(), shape)
        };
        Dataset::new("pictures", shape, values(images), values(2))
    }

    fn config(text: &str) -> Config {
        let base = Config::default().with("data.dataset = 'pictures'").unwrap();
        base.with(text).unwrap().resolve().unwrap()
    }

    #[test]
    fn a_convolutional_model_of_grey_pixels_learns_calmly() {
        let rate = |text: &str, other| {
            let dataset = pictures(3000, other, 2);
            config(text).for_dataset(&dataset).unwrap().0.optimizer.learning_rate
        };
        let mlp = "model.likelihood = 'auto'";
        let conv = "model.family = 'conv'\nmodel.likelihood = 'auto'";
        assert_eq!((rate(mlp, 100), rate(mlp, 0)), (Some(2e-3), Some(2e-3)));
        assert_eq!((rate(conv, 100), rate(conv, 0)), (Some(CALM), Some(2e-3)));
        let given = format!("{conv}\noptimizer.learning-rate = 0.01");
        assert_eq!(rate(&given, 100), Some(0.01));
        let named = "model.family = 'conv'\nmodel.likelihood = 'gaussian-optimal'";
        assert_eq!(rate(named, 100), Some(2e-3));
    }

    #[test]
    fn the_likelihood_follows_the_pixels() {
        let auto = config("model.likelihood = 'auto'");
        assert_eq!(auto.data.binarize, None);
        let chosen = |config: &Config, dataset: &Dataset| {
            let (config, said) = config.for_dataset(dataset).unwrap();
            assert_eq!(config.for_dataset(dataset).unwrap(), (config.clone(), Vec::new()), "chosen once");
            (config.model.likelihood().kind, config.data.binarize.unwrap(), said.len())
        };
        let (bernoulli, dynamic) = (LikelihoodKind::Bernoulli, Binarize::Dynamic);
        let (shared, optimal) = (LikelihoodKind::GaussianShared, LikelihoodKind::GaussianOptimal);
        // 80 % are enough; a grey level of 6 is no black one.
        let large = |other, every| pictures(10_000, other, every);
        assert_eq!(chosen(&auto, &large(6, 5)), (bernoulli, dynamic, 1));
        assert_eq!(chosen(&auto, &large(6, 4)), (optimal, Binarize::None, 1));
        let weighs = config("model.likelihood = 'auto'\nobjective.kind = 'iwae'");
        assert_eq!(chosen(&weighs, &large(6, 4)), (shared, Binarize::None, 1));
        assert_eq!(chosen(&auto, &large(5, 4)), (bernoulli, dynamic, 1));
        let digits = config("data.dataset = 'mnist'\nmodel.likelihood = 'auto'");
        assert_eq!(chosen(&digits, &large(100, 2)), (bernoulli, dynamic, 0));
        let threshold = config("model.likelihood = 'auto'\ndata.binarize = 'threshold'");
        assert_eq!(chosen(&threshold, &large(100, 2)), (bernoulli, Binarize::Threshold, 0));
        // Files that do not name it are older than the choice.
        assert_eq!(chosen(&config(""), &large(100, 2)), (bernoulli, dynamic, 0));
        let text = auto.for_dataset(&large(6, 4)).unwrap().0.to_toml().unwrap();
        assert!(text.contains("likelihood = \"gaussian-optimal\""), "{text}");
    }

    #[test]
    fn pixels_that_are_bits_stay_as_they_are() {
        let shape = ImageShape { width: 4, height: 4, channels: 1 };
        let part = || Part::of_bits(crate::data::Bits::new(vec![7; 200]), shape);
        let bits = Dataset::new("bits", shape, part(), part());
        for settings in ["model.likelihood = 'auto'", "model.likelihood = 'auto'\ndata.dataset = 'dsprites'"]
        {
            let config = config(settings).for_dataset(&bits).unwrap().0;
            let found = (config.model.likelihood().kind, config.data.binarize.unwrap());
            assert_eq!(found, (LikelihoodKind::Bernoulli, Binarize::Threshold));
        }
    }

    #[test]
    fn settings_of_one_likelihood_do_not_go_with_auto() {
        for setting in ["sigma = 0.5", "scale = 0.5", "mean-activation = 'sigmoid'"] {
            let text = format!("model = {{ likelihood = 'auto', {setting} }}");
            let problem = Config::default().with(&text).unwrap().resolve().unwrap_err().to_string();
            assert!(problem.contains("the likelihood is auto"), "{problem}");
        }
    }

    #[test]
    fn a_few_images_make_one_minibatch_and_many_epochs() {
        let run = |images: usize, text: &str| {
            let (config, said) = config(text).for_dataset(&pictures(images, 0, 2)).unwrap();
            let RunConfig { batch_size, epochs, evaluate_every, .. } = config.run;
            (batch_size.unwrap(), epochs.unwrap(), evaluate_every, config.total_steps(images), said.len())
        };
        assert_eq!(run(11, ""), (11, 2500, 100, 2500, 2));
        assert_eq!(run(1, ""), (1, 2500, 100, 2500, 2));
        assert_eq!(run(64, ""), (64, 2500, 100, 2500, 1));
        assert_eq!(run(3000, ""), (64, 54, 2, 2538, 1));
        assert_eq!(run(10_000, ""), (64, 16, 1, 2512, 0));
        assert_eq!(run(11, "run.epochs = 3"), (11, 3, 1, 3, 1));
        assert_eq!(run(11, "run.steps = 7"), (11, 16, 1, 7, 1));
        assert_eq!(run(11, "run.batch-size = 5"), (5, 834, 33, 2502, 1));
        assert_eq!(run(11, "run.evaluate-every = 9"), (11, 2500, 9, 2500, 2));
    }
}
