//! The total correlation of a Gaussian with the covariance of the codes.

use super::Items;
use super::mig::mean;

/// The covariance of the codes, with the divisor n - 1: `[codes][codes]`.
pub fn covariance(items: &Items) -> Vec<Vec<f64>> {
    let mut columns = items.columns();
    for column in &mut columns {
        let centre = mean(column);
        column.iter_mut().for_each(|code| *code -= centre);
    }
    let divisor = (items.count() as f64 - 1.0).max(1.0);
    let product = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / divisor;
    columns.iter().map(|a| columns.iter().map(|b| product(a, b)).collect()).collect()
}

/// KL(N(0, C) || product of its marginals) = 1/2 (sum of ln C_ii - ln det C), nats. Dimensions without variance count
/// nothing. Infinite where C has no full rank.
pub fn total_correlation(covariance: &[Vec<f64>]) -> f64 {
    let active: Vec<usize> = (0..covariance.len()).filter(|&i| covariance[i][i] > 0.0).collect();
    let entry = |a: usize, b: usize| {
        let (a, b) = (active[a], active[b]);
        covariance[a][b] / (covariance[a][a] * covariance[b][b]).sqrt()
    };
    // Cholesky's factor of the correlations, whose logarithms sum to half of ln det.
    let mut factor = vec![vec![0.0; active.len()]; active.len()];
    let mut half = 0.0;
    for row in 0..active.len() {
        for column in 0..=row {
            let inner: f64 = (0..column).map(|k| factor[row][k] * factor[column][k]).sum();
            let rest: f64 = entry(row, column) - inner;
            factor[row][column] =
                if row == column { rest.max(0.0).sqrt() } else { rest / factor[column][column] };
        }
        // Rounding may leave a little of a correlation of 1.
        let own = if factor[row][row] < 1e-8 { 0.0 } else { factor[row][row] };
        half += own.ln();
        if own == 0.0 {
            return f64::INFINITY;
        }
    }
    (0.0 - half).max(0.0)
}
