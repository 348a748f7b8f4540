//! The score of FactorVAE (Kim and Mnih, "Disentangling by factorising", ICML 2018).

use super::{Items, Random, Settings};

/// The score, and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Votes {
    /// The share of fresh votes for the factor that the code stands for.
    pub accuracy: f64,
    /// Codes whose deviation is not below the threshold.
    pub active: usize,
    /// Of each active code, the factor that most of its votes were for.
    pub factors: Vec<usize>,
}

/// The accuracy of a majority vote. A vote is made by a batch of items that have one class of one factor in common: for the
/// code whose variance in the batch, over that of all items, is the smallest. Codes whose deviation over all items is below
/// the threshold are left out; without any other the accuracy is 0. `None` of fewer than two factors.
pub fn factor_vae(items: &Items, settings: &Settings) -> Option<Votes> {
    if items.factors() < 2 {
        return None;
    }
    let mut random = Random::new(settings.seed, 2);
    let whole = items.variances(&random.some(settings.points, items.count()));
    let active: Vec<usize> =
        (0..items.width()).filter(|&code| whole[code].sqrt() >= settings.threshold).collect();
    if active.is_empty() {
        return Some(Votes { accuracy: 0.0, active: 0, factors: Vec::new() });
    }
    let by_class = items.by_class();
    let mut votes = |count: usize| {
        let mut table = vec![vec![0_usize; items.factors()]; active.len()];
        for _ in 0..count {
            let factor = random.below(items.factors());
            let class = items.class(random.below(items.count()), factor);
            let batch: Vec<usize> =
                (0..settings.batch).map(|_| by_class.draw(factor, class, &mut random)).collect();
            let within = items.variances(&batch);
            let ratio = |code: usize| if whole[code] > 0.0 { within[code] / whole[code] } else { 0.0 };
            let mut chosen = 0;
            for (place, &code) in active.iter().enumerate() {
                if ratio(code) < ratio(active[chosen]) {
                    chosen = place;
                }
            }
            table[chosen][factor] += 1;
        }
        table
    };
    let most = |row: &Vec<usize>| (0..row.len()).rev().max_by_key(|&factor| row[factor]).unwrap_or(0);
    let factors: Vec<usize> = votes(settings.votes).iter().map(most).collect();
    let fresh = votes(settings.test_votes);
    let right: usize = fresh.iter().zip(&factors).map(|(row, &factor)| row[factor]).sum();
    let accuracy = right as f64 / settings.test_votes.max(1) as f64;
    Some(Votes { accuracy, active: active.len(), factors })
}
