//! The mutual information gap (Chen et al., "Isolating sources of disentanglement in variational autoencoders", NeurIPS
//! 2018): of each factor, the information of the code that knows most of it, less that of the second, in units of the
//! factor's entropy.

use super::information::{entropy, matrix};
use super::{Items, Random};
use rayon::prelude::*;

/// A gap for each factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaps {
    /// Their average.
    pub mean: f64,
    /// Of each factor.
    pub per_factor: Vec<f64>,
    /// I(code; factor), `[codes][factors]`, nats.
    pub information: Vec<Vec<f64>>,
    /// H(factor), nats.
    pub entropies: Vec<f64>,
}

impl Gaps {
    /// From the informations and the entropies of the factors.
    fn of(information: Vec<Vec<f64>>, entropies: &[f64]) -> Self {
        let gap = |(factor, entropy): (usize, &f64)| {
            gap(information.iter().map(|code| code[factor])) / entropy.max(f64::MIN_POSITIVE)
        };
        let per_factor: Vec<f64> = entropies.iter().enumerate().map(gap).collect();
        Self { mean: mean(&per_factor), per_factor, information, entropies: entropies.to_vec() }
    }
}

/// The largest of the values less the second.
pub(super) fn gap(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    values[0] - values.get(1).copied().unwrap_or(0.0)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// MIG of codes in `bins` bins of equal width.
pub fn mig(items: &Items, bins: usize) -> Gaps {
    let entropies: Vec<f64> = (0..items.factors()).map(|factor| entropy(&items.labels(factor))).collect();
    Gaps::of(matrix(items, bins), &entropies)
}

/// MIG as Chen et al. have it, without bins: `items` holds the posterior means, `log_variances` (of the same shape) the
/// rest. A sample z is drawn from each posterior, and I(z_j; v_k) = H(z_j) - H(z_j | v_k), where q(z_j) is the mixture of all
/// these posteriors, and q(z_j | v_k) that of the posteriors whose item has the class. Takes time in proportion to the square
/// of the number of items.
pub fn mig_sampled(items: &Items, log_variances: &[f64], seed: u64) -> Gaps {
    let count = items.count();
    let mut random = Random::new(seed, 7);
    let samples: Vec<f64> = (0..count)
        .flat_map(|item| items.code(item).iter().zip(&log_variances[item * items.width()..]))
        .map(|(mean, v)| mean + (0.5 * v).exp() * random.normal())
        .collect();
    let entropies: Vec<f64> = (0..items.factors()).map(|factor| entropy(&items.labels(factor))).collect();
    let everything: Vec<u32> = (0..count as u32).collect();
    let mut groups = vec![(None, everything)];
    for factor in 0..items.factors() {
        let mut classes = vec![Vec::new(); items.sizes()[factor]];
        (0..count).for_each(|item| classes[items.class(item, factor) as usize].push(item as u32));
        groups.extend(classes.into_iter().filter(|it| !it.is_empty()).map(|items| (Some(factor), items)));
    }
    let information = (0..items.width()).map(|column| {
        let of = |values: &[f64]| -> Vec<f64> {
            values.iter().skip(column).step_by(items.width()).copied().collect()
        };
        let (z, means, v) = (of(&samples), items.column(column), of(log_variances));
        let inverse: Vec<f64> = v.iter().map(|v| (-0.5 * v).exp()).collect();
        // Sum over the samples of a group of -ln q(z) under the group's mixture.
        let surprise = |group: &[u32]| -> f64 {
            let posteriors: Vec<(f64, f64)> =
                group.iter().map(|&item| (means[item as usize], inverse[item as usize])).collect();
            let terms: Vec<f64> =
                group.par_iter().map(|&item| -log_mixture(z[item as usize], &posteriors)).collect();
            terms.iter().sum()
        };
        let mut whole = 0.0;
        let mut given = vec![0.0; items.factors()];
        for (factor, group) in &groups {
            match factor {
                None => whole = surprise(group) / count as f64,
                Some(factor) => given[*factor] += surprise(group) / count as f64,
            }
        }
        given.iter().map(|given| (whole - given).max(0.0)).collect()
    });
    Gaps::of(information.collect(), &entropies)
}

/// The log of a mixture of Gaussians (mean, 1 / deviation) at `z`.
fn log_mixture(z: f64, posteriors: &[(f64, f64)]) -> f64 {
    let density = |&(mean, inverse): &(f64, f64)| {
        let away = (z - mean) * inverse;
        inverse * (-0.5 * away * away).exp()
    };
    let sum: f64 = posteriors.iter().map(density).sum();
    (sum / posteriors.len() as f64).ln() - 0.5 * std::f64::consts::TAU.ln()
}
