//! Draws of a pixel from the likelihoods.

/// `floor` and a softplus above it: how the decoder's raw numbers become log-variances and log-scales.
pub(super) fn above(raw: f64, floor: f64) -> f64 {
    let excess = raw - floor;
    floor + excess.max(0.0) + (-excess.abs()).exp().ln_1p()
}

/// The grey level, in [0, 1], of a logistic distribution cut into 256 (Salimans et al. 2017), at quantile `u`.
pub(super) fn discretized_logistic(mean: f64, log_scale: f64, u: f64) -> f64 {
    let value = mean + log_scale.exp() * (u / (1.0 - u)).ln();
    (255.0 * value).round().clamp(0.0, 255.0) / 255.0
}

/// The quantile `u` of a continuous Bernoulli distribution with this logit (Loaiza-Ganem and Cunningham 2019).
pub(super) fn continuous_bernoulli(logit: f64, u: f64) -> f64 {
    match logit {
        s if s.abs() < 1e-6 => u,
        // Both are the same function; each is exact where the other overflows.
        s if s > 0.0 => 1.0 + (u + (1.0 - u) * (-s).exp()).ln() / s,
        s => (u * s.exp_m1()).ln_1p() / s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Averages over even quantiles against what the distributions say of themselves.
    #[test]
    fn draws_have_the_means_of_their_distributions() {
        let average = |draw: &dyn Fn(f64) -> f64| {
            (0..100_000).map(|i| draw((f64::from(i) + 0.5) / 1e5)).sum::<f64>() / 1e5
        };
        for s in [-30.0_f64, -2.0, -1e-9, 0.3, 8.0] {
            let exact = if s.abs() < 1e-3 { 0.5 } else { 1.0 / (1.0 - (-s).exp()) - 1.0 / s };
            assert!((average(&|u| continuous_bernoulli(s, u)) - exact).abs() < 1e-4, "{s}");
        }
        // Far from the ends, and wide against a level, rounding and cutting change nothing.
        assert!((average(&|u| discretized_logistic(0.4, -4.0, u)) - 0.4).abs() < 1e-4);
        assert_eq!(discretized_logistic(0.4, -4.0, 0.0), 0.0);
        assert_eq!(above(-1e3, -7.0), -7.0);
        assert!((above(5.0, -7.0) - 5.0).abs() < 1e-5);
    }
}
