//! Multinomial logistic regression with an L2 penalty of the weights: what `LogisticRegression` of scikit-learn fits with its
//! defaults (C = 1, without a penalty of the intercepts).

use super::lbfgs::minimise;
use rayon::prelude::*;

/// Rows that are summed one after another; sums of such blocks are added in order, so that threads change nothing.
const BLOCK: usize = 512;

/// A fitted classifier.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Logistic {
    width: usize,
    /// The classes that occurred, in order.
    pub(super) classes: Vec<u32>,
    /// Of each class, a weight per feature and the intercept: `[classes, width + 1]`.
    pub(super) weights: Vec<f64>,
}

impl Logistic {
    /// Fit `labels` from `features`, `[rows, width]`.
    pub(super) fn fit(features: &[f64], width: usize, labels: &[u32]) -> Self {
        let mut classes = labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let targets: Vec<usize> =
            labels.iter().map(|label| classes.partition_point(|class| class < label)).collect();
        let (count, each) = (classes.len(), width + 1);
        let rows = labels.len().max(1) as f64;
        // Of two classes the penalty is that of one vector of weights, the difference of both.
        let penalty = if count == 2 { 2.0 } else { 1.0 } / rows;
        let start = vec![0.0; count * each];
        let weights = minimise(start, 1e-6, |weights, gradient| {
            let block = |(features, targets): (&[f64], &[usize])| {
                let (mut loss, mut slopes) = (0.0, vec![0.0; weights.len()]);
                for (row, &target) in features.chunks(width).zip(targets) {
                    let (mut scores, largest) = scores(weights, row);
                    let own = scores[target];
                    let sum: f64 = scores
                        .iter_mut()
                        .map(|score| {
                            *score = (*score - largest).exp();
                            *score
                        })
                        .sum();
                    loss += sum.ln() + largest - own;
                    for (class, (slopes, score)) in slopes.chunks_mut(each).zip(&scores).enumerate() {
                        let excess = score / sum - if class == target { 1.0 } else { 0.0 };
                        slopes.iter_mut().zip(row).for_each(|(slope, feature)| *slope += excess * feature);
                        slopes[width] += excess;
                    }
                }
                (loss, slopes)
            };
            let blocks: Vec<(f64, Vec<f64>)> =
                features.par_chunks(BLOCK * width).zip(targets.par_chunks(BLOCK)).map(block).collect();
            gradient.fill(0.0);
            let mut value = 0.0;
            for (loss, slopes) in blocks {
                value += loss / rows;
                gradient.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope / rows);
            }
            for (place, weight) in weights.iter().enumerate().filter(|(place, _)| place % each != width) {
                value += 0.5 * penalty * weight * weight;
                gradient[place] += penalty * weight;
            }
            value
        });
        Self { width, classes, weights }
    }

    /// The probability of each class, `[rows][classes]`.
    pub(super) fn probabilities(&self, features: &[f64]) -> Vec<Vec<f64>> {
        let of = |row: &[f64]| {
            let (mut all, largest) = scores(&self.weights, row);
            all.iter_mut().for_each(|score| *score = (*score - largest).exp());
            let sum: f64 = all.iter().sum();
            all.iter_mut().for_each(|share| *share /= sum);
            all
        };
        features.chunks(self.width).map(of).collect()
    }

    /// The share of rows whose likeliest class is theirs.
    pub(super) fn accuracy(&self, features: &[f64], labels: &[u32]) -> f64 {
        let likeliest = |row: &Vec<f64>| {
            let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
            best.map(|class| self.classes[class])
        };
        let found = self.probabilities(features);
        let right = found.iter().zip(labels).filter(|(row, label)| likeliest(row) == Some(**label)).count();
        right as f64 / labels.len().max(1) as f64
    }
}

/// The score of each class, and the largest.
fn scores(weights: &[f64], row: &[f64]) -> (Vec<f64>, f64) {
    let width = row.len();
    let score = |own: &[f64]| own[..width].iter().zip(row).map(|(w, x)| w * x).sum::<f64>() + own[width];
    let all: Vec<f64> = weights.chunks(width + 1).map(score).collect();
    let largest = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (all, largest)
}
