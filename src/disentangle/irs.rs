//! The interventional robustness score (Suter et al., "Robustly disentangled causal mechanisms", ICML 2019).

use super::Items;
use super::mig::mean;

/// How little each code moves while its factor keeps a class: of each code and factor, the 99th percentile of |code - mean of
/// its class|, averaged over classes, in units of the largest deviation of the code from its mean; 1 less the smallest of
/// these, averaged over codes by their largest deviation. Constant codes are left out; without any other the score is 0.
pub fn irs(items: &Items) -> f64 {
    let columns = items.columns();
    let (mut sum, mut weights) = (0.0, 0.0);
    let labels: Vec<Vec<u32>> = (0..items.factors()).map(|factor| items.labels(factor)).collect();
    for column in columns {
        let centre = mean(&column);
        let largest = column.iter().map(|code| (code - centre).abs()).fold(0.0, f64::max);
        if column.iter().all(|&code| code == column[0]) {
            continue;
        }
        let moved = labels.iter().zip(items.sizes()).map(|(labels, &size)| {
            let mut classes = vec![Vec::new(); size];
            column.iter().zip(labels).for_each(|(&code, &class)| classes[class as usize].push(code));
            let seen: Vec<f64> = classes.into_iter().filter(|it| !it.is_empty()).map(deviation).collect();
            mean(&seen) / largest
        });
        sum += largest * (1.0 - moved.fold(f64::INFINITY, f64::min));
        weights += largest;
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// The 99th percentile of the distances to the mean, between two values by linear interpolation.
fn deviation(codes: Vec<f64>) -> f64 {
    let centre = mean(&codes);
    let mut away: Vec<f64> = codes.iter().map(|code| (code - centre).abs()).collect();
    away.sort_unstable_by(f64::total_cmp);
    let place = 0.99 * (away.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(away.len() - 1);
    away[below] + (place - below as f64) * (away[above] - away[below])
}
