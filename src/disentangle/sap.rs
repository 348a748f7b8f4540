//! The separated attribute predictability score (Kumar et al., "Variational inference of disentangled latent concepts from
//! unlabeled observations", ICLR 2018).

use super::Items;
use super::mig::{gap, mean};
use super::svm::Svm;
use rayon::prelude::*;

/// The gap of each factor, and their average first. The score of a code and a factor is the accuracy on `test` of a linear
/// support vector machine that was fitted on `train` from this code alone; a gap is the best score less the second.
pub fn sap(train: &Items, test: &Items) -> (f64, Vec<f64>) {
    let score = |code: usize, factor: usize| {
        let model = Svm::fit(&train.column(code), &train.labels(factor));
        model.accuracy(&test.column(code), &test.labels(factor))
    };
    gaps(train, score)
}

/// The same, where the score is the squared correlation of the code and the number of the factor's class.
pub fn sap_continuous(train: &Items) -> (f64, Vec<f64>) {
    let score = |code: usize, factor: usize| {
        let classes: Vec<f64> = train.labels(factor).into_iter().map(f64::from).collect();
        squared_correlation(&train.column(code), &classes)
    };
    gaps(train, score)
}

fn gaps(train: &Items, score: impl Fn(usize, usize) -> f64 + Sync) -> (f64, Vec<f64>) {
    let pairs: Vec<(usize, usize)> =
        (0..train.factors()).flat_map(|factor| (0..train.width()).map(move |code| (code, factor))).collect();
    let scores: Vec<f64> = pairs.into_par_iter().map(|(code, factor)| score(code, factor)).collect();
    let gaps: Vec<f64> = scores.chunks(train.width()).map(|row| gap(row.iter().copied())).collect();
    (mean(&gaps), gaps)
}

/// cov^2 / (var var); 0 of a code without variance.
fn squared_correlation(code: &[f64], classes: &[f64]) -> f64 {
    let (of_code, of_classes) = (mean(code), mean(classes));
    let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
        code.iter().zip(classes).map(|(a, b)| term(a - of_code, b - of_classes)).sum()
    };
    let (a, b) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
    let spread = a / (code.len() as f64 - 1.0).max(1.0);
    if spread > 1e-12 && b > 0.0 { sum(&|a, b| a * b).powi(2) / (a * b) } else { 0.0 }
}
