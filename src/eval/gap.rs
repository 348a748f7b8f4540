//! The best diagonal Gaussian for one image, found by optimisation: the ELBO that the family can reach, and so the encoder's
//! loss (Cremer, Li and Duvenaud, "Inference suboptimality in variational autoencoders", arXiv 1801.03558).

use super::gaussian::{Gaussian, Rule};
use crate::Result;

/// log p(x|z) and its gradient for rows of latents.
pub type LikelihoodGradient<'a> = dyn FnMut(&[f32]) -> Result<(Vec<f64>, Vec<f64>)> + 'a;

/// Steps at most.
const STEPS: usize = 60;
/// Gains below this many nats end the search.
const LEAST_GAIN: f64 = 1e-7;

/// The ELBO and the terms of a natural-gradient step: its gradient with respect to the mean, and the precision
/// that would make the step vanish.
struct Slope {
    elbo: f64,
    mean: Vec<f64>,
    precision: Vec<f64>,
}

fn slope(q: &Gaussian, order: usize, likelihood: &mut LikelihoodGradient<'_>) -> Result<Slope> {
    let d = q.mean.len();
    let (nodes, weights) = q.nodes(Rule::GaussHermite(order));
    let (values, gradients) = likelihood(&nodes)?;
    let mut found = Slope {
        elbo: -q.divergence_to_prior(),
        mean: q.mean.iter().map(|m| -m).collect(),
        precision: vec![1.0; d],
    };
    for (k, weight) in weights.iter().enumerate() {
        found.elbo += weight * values[k];
        for i in 0..d {
            let g = gradients[k * d + i];
            found.mean[i] += weight * g;
            // E of the negative second derivative, by Stein's identity.
            let aside = f64::from(nodes[k * d + i]) - q.mean[i];
            found.precision[i] -= weight * g * aside * (-q.log_variance[i]).exp();
        }
    }
    Ok(found)
}

/// Climb the ELBO from `start` by natural-gradient steps (Opper and Archambeau 2009; Khan and Nielsen 2018), halved
/// where they overshoot. Gives the Gaussian and its ELBO by a rule of `order` nodes a dimension.
///
/// # Errors
/// Those of `likelihood`.
pub fn best_gaussian(
    start: &Gaussian,
    order: usize,
    likelihood: &mut LikelihoodGradient<'_>,
) -> Result<(Gaussian, f64)> {
    let mut best = start.clone();
    let mut at = slope(&best, order, likelihood)?;
    let mut share: f64 = 0.5;
    for _ in 0..STEPS {
        let mut next = best.clone();
        for i in 0..best.mean.len() {
            let precision = (-best.log_variance[i]).exp();
            // Where the density is not log-concave the precision may come out negative: then it falls by half at most.
            let wanted = at.precision[i].max(0.5 * precision);
            let precision = (1.0 - share) * precision + share * wanted;
            next.log_variance[i] = -precision.ln();
            next.mean[i] += share * at.mean[i] / precision;
        }
        let there = slope(&next, order, likelihood)?;
        let gain = there.elbo - at.elbo;
        if gain > 0.0 {
            (best, at) = (next, there);
            share = (1.5 * share).min(1.0);
            if gain < LEAST_GAIN {
                break;
            }
        } else {
            share *= 0.5;
            if share < 1e-3 {
                break;
            }
        }
    }
    Ok((best, at.elbo))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For a Gaussian posterior with precision P the best diagonal Gaussian has its mean and the variances 1 / P_ii.
    #[test]
    fn a_correlated_gaussian_has_the_known_optimum() {
        let (a, b, c, m) = (30.0, 12.0, 8.0, [0.4, -0.2]);
        let mut likelihood = |z: &[f32]| {
            let (mut values, mut gradients) = (Vec::new(), Vec::new());
            for z in z.chunks(2) {
                let (x, y) = (f64::from(z[0]) - m[0], f64::from(z[1]) - m[1]);
                // Less the prior, so that the posterior is this Gaussian.
                let square = 0.5 * (f64::from(z[0]).powi(2) + f64::from(z[1]).powi(2));
                values.push(-0.5 * (a * x * x + 2.0 * b * x * y + c * y * y) + square);
                gradients.push(-a * x - b * y + f64::from(z[0]));
                gradients.push(-b * x - c * y + f64::from(z[1]));
            }
            Ok((values, gradients))
        };
        let start = Gaussian { mean: vec![-0.5, 1.0], log_variance: vec![0.0, -1.0] };
        let (best, _) = best_gaussian(&start, 12, &mut likelihood).unwrap();
        for i in 0..2 {
            assert!((best.mean[i] - m[i]).abs() < 1e-3, "{best:?}");
            assert!((best.log_variance[i] + [a, c][i].ln()).abs() < 1e-3, "{best:?}");
        }
    }
}
