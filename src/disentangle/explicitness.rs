//! Explicitness (Ridgeway and Mozer, NeurIPS 2018).

use super::Items;
use super::logistic::Logistic;
use super::mig::mean;

/// How well a logistic regression from all codes, standardised, tells a factor's classes apart: the area under the ROC curve
/// of each class against the rest, on `test`, averaged over the classes. For each factor, and their average first.
pub fn explicitness(train: &Items, test: &Items) -> (f64, Vec<f64>) {
    let everything: Vec<usize> = (0..train.count()).collect();
    let share = (train.count() as f64 - 1.0) / train.count().max(1) as f64;
    let deviations: Vec<f64> = train.variances(&everything).iter().map(|v| (v * share).sqrt()).collect();
    let means: Vec<f64> = train.columns().iter().map(|column| mean(column)).collect();
    let standardised = |items: &Items| -> Vec<f64> {
        let row = |item: usize| items.code(item).iter().zip(&means).zip(&deviations);
        let scale = |deviation: f64| if deviation > 0.0 { deviation } else { 1.0 };
        (0..items.count()).flat_map(|item| row(item).map(|((z, mean), &d)| (z - mean) / scale(d))).collect()
    };
    let (known, fresh) = (standardised(train), standardised(test));
    let of_factor = |factor: usize| {
        let model = Logistic::fit(&known, train.width(), &train.labels(factor));
        let (probabilities, labels) = (model.probabilities(&fresh), test.labels(factor));
        let area = |(place, class): (usize, &u32)| {
            let scores: Vec<f64> = probabilities.iter().map(|row| row[place]).collect();
            area(&scores, &labels.iter().map(|label| label == class).collect::<Vec<_>>())
        };
        mean(&model.classes.iter().enumerate().filter_map(area).collect::<Vec<_>>())
    };
    let all: Vec<f64> = (0..train.factors()).map(of_factor).collect();
    (mean(&all), all)
}

/// The probability that an item of the class has a higher score than one of the rest, where equal scores count a half. `None`
/// if there are none of either.
fn area(scores: &[f64], of_class: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let own = of_class.iter().filter(|&&is| is).count() as f64;
    let rest = of_class.len() as f64 - own;
    let (mut ranks, mut below) = (0.0, 0);
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let rank = below as f64 + (group.len() as f64 + 1.0) / 2.0;
        ranks += rank * group.iter().filter(|&&item| of_class[item]).count() as f64;
        below += group.len();
    }
    (own > 0.0 && rest > 0.0).then(|| (ranks - own * (own + 1.0) / 2.0) / (own * rest))
}
