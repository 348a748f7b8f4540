//! MIG and the score of FactorVAE of a run while it trains, on held-out images whose factors are known.

use crate::Result;
use crate::data::{Dataset, Factor};
use crate::disentangle::{Items, Random, Scores, Settings};
use crate::session::Session;
use crate::text::thousands;
use std::collections::BTreeMap;

/// Held-out images that are encoded.
const IMAGES: usize = 5000;
/// Batches that vote in the score of FactorVAE, and as many to test.
const VOTES: usize = 1000;

/// The images, drawn under a fixed seed, and their factors. Nothing here draws from the streams of training.
#[derive(Debug)]
pub(super) struct Watch {
    numbers: Vec<u32>,
    classes: Vec<u32>,
    sizes: Vec<usize>,
    every: u64,
}

impl Watch {
    /// `None` if the dataset has no factors beside labels, a factor does not vary, there are too few images, or `every` is 0.
    pub(super) fn of(dataset: &Dataset, every: u64) -> Option<Self> {
        let all = dataset.test.factors().filter(|_| every > 0 && !dataset.factors.is_empty())?;
        let factors = dataset.factors.len();
        let mut chosen = Random::new(0, 5).some(IMAGES, dataset.test.count);
        chosen.sort_unstable();
        let rows = || chosen.iter().map(|&image| &all[image * factors..(image + 1) * factors]);
        let varies = |factor: usize| rows().any(|row| row[factor] != all[chosen[0] * factors + factor]);
        if chosen.len() < 10 || !(0..factors).all(varies) {
            return None;
        }
        Some(Self {
            classes: rows().flatten().copied().collect(),
            sizes: dataset.factors.iter().map(Factor::size).collect(),
            numbers: chosen.into_iter().map(|image| image as u32).collect(),
            every,
        })
    }

    /// Whether to measure at the end of `epoch`, with the evaluation before it `evaluate_every` epochs ago.
    pub(super) fn is_due(&self, epoch: u64, evaluate_every: u64) -> bool {
        epoch / self.every > epoch.saturating_sub(evaluate_every) / self.every
    }

    /// The scores by their column of `metrics.csv`.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn scores(&self, session: &mut Session) -> Result<BTreeMap<String, f64>> {
        let means = session.encode(&self.numbers)?.means;
        let width = means.len() / self.numbers.len();
        let codes = means.into_iter().map(f64::from).collect();
        let items = Items::new(codes, width, self.classes.clone(), self.sizes.clone())?;
        let settings = Settings { votes: VOTES, test_votes: VOTES, points: IMAGES, ..Settings::default() };
        let scores = Scores::quick(&items, &settings)?;
        let named = [("mig", scores.mig), ("factor_vae", scores.factor_vae)];
        Ok(named.into_iter().filter_map(|(name, score)| Some((name.to_string(), score?))).collect())
    }

    /// A line for people.
    pub(super) fn line(&self, scores: &BTreeMap<String, f64>) -> Option<String> {
        let named = [("mig", "MIG"), ("factor_vae", "FactorVAE score")];
        let found = named.iter().filter_map(|(key, name)| Some(format!("{name} {:.3}", scores.get(*key)?)));
        let found: Vec<String> = found.collect();
        let images = thousands(self.numbers.len());
        (!found.is_empty()).then(|| format!("{} on {images} held-out images", found.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ImageShape, Part};

    fn dataset(classes: Vec<u32>) -> Dataset {
        let shape = ImageShape { width: 1, height: 1, channels: 1 };
        let part = Part::of_images(vec![7; classes.len() / 2], shape).with_factors(classes, 2);
        Dataset::new("toy", shape, part.clone(), part)
            .with_factors(vec![Factor::numbered("a", 3), Factor::numbered("b", 2)])
    }

    #[test]
    fn scores_are_due_every_few_epochs_whatever_the_evaluations() {
        let set = dataset((0..40).map(|i| if i % 2 == 0 { i / 2 % 3 } else { i / 4 % 2 }).collect());
        let watch = Watch::of(&set, 5).unwrap();
        let due =
            |every: u64| (1..=20).filter(|&epoch| epoch % every == 0 && watch.is_due(epoch, every)).collect();
        let (each, third): (Vec<u64>, Vec<u64>) = (due(1), due(3));
        assert_eq!((each, third), (vec![5, 10, 15, 20], vec![6, 12, 15]));
        assert!(Watch::of(&set, 0).is_none());
        assert!(Watch::of(&dataset(vec![1; 40]), 5).is_none());
        let without = Dataset { factors: Vec::new(), ..set };
        assert!(Watch::of(&without, 5).is_none());
    }
}
