//! Disentanglement, completeness and informativeness (Eastwood and Williams, "A framework for the quantitative evaluation of
//! disentangled representations", ICLR 2018).

use super::Items;
use super::boosting::{Boosting, Features};
use super::mig::mean;

/// Added to importances, so that rows of zeros have an entropy.
const LITTLE: f64 = 1e-11;

/// The three scores, and what they are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Dci {
    /// See [`disentanglement`]; `None` of fewer than two factors.
    pub disentanglement: Option<f64>,
    /// See [`completeness`]; `None` of fewer than two codes.
    pub completeness: Option<f64>,
    /// Accuracy of the classifiers on fresh items, averaged over factors.
    pub informativeness: f64,
    /// Accuracy of each factor's classifier on fresh items.
    pub accuracies: Vec<f64>,
    /// How much each code matters to the classifier of each factor: `[codes][factors]`.
    pub importance: Vec<Vec<f64>>,
}

/// By a gradient boosting classifier of each factor from all codes, of `stages` stages, fitted on `train`.
pub fn dci(train: &Items, test: &Items, stages: usize, seed: u64) -> Dci {
    let features = Features::of(train);
    let mut importance = vec![Vec::new(); train.width()];
    let mut accuracies = Vec::new();
    for factor in 0..train.factors() {
        let model = Boosting::fit(&features, &train.labels(factor), stages, seed);
        importance.iter_mut().zip(&model.importance).for_each(|(row, &share)| row.push(share));
        accuracies.push(model.accuracy(test, &test.labels(factor)));
    }
    Dci {
        disentanglement: (train.factors() > 1).then(|| disentanglement(&importance)),
        completeness: (train.width() > 1).then(|| completeness(&importance)),
        informativeness: mean(&accuracies),
        accuracies,
        importance,
    }
}

/// 1 - entropy of each code's importances over factors, to the base of their number, weighted by the code's share of all
/// importance. `importance` is `[codes][factors]`.
pub fn disentanglement(importance: &[Vec<f64>]) -> f64 {
    let total: f64 = importance.iter().flatten().sum();
    let even = 1.0 / importance.len() as f64;
    let weight = |row: &[f64]| if total > 0.0 { row.iter().sum::<f64>() / total } else { even };
    importance.iter().map(|row| weight(row) * (1.0 - relative_entropy(row))).sum()
}

/// The same by columns: 1 - entropy of each factor's importances over codes.
pub fn completeness(importance: &[Vec<f64>]) -> f64 {
    let factors = importance.first().map_or(0, Vec::len);
    let column = |factor: usize| importance.iter().map(|row| row[factor]).collect();
    disentanglement(&(0..factors).map(column).collect::<Vec<Vec<f64>>>())
}

/// The entropy of shares, over that of equal ones.
fn relative_entropy(row: &[f64]) -> f64 {
    let sum: f64 = row.iter().map(|value| value + LITTLE).sum();
    let terms = row.iter().map(|value| (value + LITTLE) / sum).map(|share| share * share.ln());
    0.0 - terms.sum::<f64>() / (row.len() as f64).ln()
}
