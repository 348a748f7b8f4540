//! The score of beta-VAE (Higgins et al., "beta-VAE: learning basic visual concepts with a constrained variational
//! framework", ICLR 2017).

use super::logistic::Logistic;
use super::{Items, Random, Settings};

/// The accuracy, on fresh points, of a linear classifier that finds the factor two groups of items have in common. A point is
/// the mean of |code - other code| over a batch of pairs; both items of a pair have the same class of the factor, and differ
/// at random in all else. `None` of fewer than two factors.
pub fn beta_vae(items: &Items, settings: &Settings) -> Option<f64> {
    if items.factors() < 2 {
        return None;
    }
    let by_class = items.by_class();
    let mut random = Random::new(settings.seed, 1);
    let mut points = |count: usize| {
        let mut features = Vec::with_capacity(count * items.width());
        let mut factors = Vec::with_capacity(count);
        for _ in 0..count {
            let factor = random.below(items.factors());
            let mut sums = vec![0.0; items.width()];
            for _ in 0..settings.batch {
                let one = random.below(items.count());
                let other = by_class.draw(factor, items.class(one, factor), &mut random);
                for ((sum, a), b) in sums.iter_mut().zip(items.code(one)).zip(items.code(other)) {
                    *sum += (a - b).abs();
                }
            }
            features.extend(sums.iter().map(|sum| sum / settings.batch as f64));
            factors.push(factor as u32);
        }
        (features, factors)
    };
    let (features, factors) = points(settings.votes);
    let model = Logistic::fit(&features, items.width(), &factors);
    let (features, factors) = points(settings.test_votes);
    Some(model.accuracy(&features, &factors))
}
