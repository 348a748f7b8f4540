//! Averages with standard errors.

/// The mean of `values` and its standard error. The error of a single value is not a number, which JSON writes
/// as null.
pub fn mean_and_error(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.into_iter().collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_errors() {
        assert_eq!(mean_and_error([1.0, 3.0]), (2.0, 1.0));
        let (mean, error) = mean_and_error([3.0]);
        assert_eq!(mean, 3.0);
        assert!(error.is_nan(), "{error}");
    }
}
