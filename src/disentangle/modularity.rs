//! Modularity (Ridgeway and Mozer, "Learning deep disentangled embeddings with the F-statistic loss", NeurIPS 2018).

use super::mig::mean;

/// How far each code knows one factor only, averaged over codes: 1 - (sum of squared informations - the largest) /
/// (the largest (factors - 1)); 0 of a code that knows nothing. `information` is `[codes][factors]`. `None` of fewer than two
/// factors.
pub fn modularity(information: &[Vec<f64>]) -> Option<f64> {
    let one = |row: &Vec<f64>| {
        let squares: Vec<f64> = row.iter().map(|information| information * information).collect();
        let largest = squares.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            return 0.0;
        }
        1.0 - (squares.iter().sum::<f64>() - largest) / (largest * (row.len() - 1) as f64)
    };
    let factors = information.first().map_or(0, Vec::len);
    (factors > 1).then(|| mean(&information.iter().map(one).collect::<Vec<_>>()))
}
