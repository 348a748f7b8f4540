//! Diagonal Gaussian posteriors, and expectations under them by Gauss-Hermite quadrature.

use crate::Result;
use serde::Serialize;
use std::f64::consts::{PI, TAU};

/// N(mean, diag(exp(log_variance))).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gaussian {
    /// A number a dimension.
    pub mean: Vec<f64>,
    /// A number a dimension.
    pub log_variance: Vec<f64>,
}

impl Gaussian {
    /// The logarithm of the density at `z`.
    pub fn log_density(&self, z: &[f64]) -> f64 {
        let terms = self.mean.iter().zip(&self.log_variance).zip(z);
        terms.map(|((m, v), z)| -0.5 * (TAU.ln() + v + (z - m).powi(2) * (-v).exp())).sum()
    }

    /// KL(this || N(0, I)), nats (Kingma and Welling 2014, appendix B).
    pub fn divergence_to_prior(&self) -> f64 {
        let terms = self.mean.iter().zip(&self.log_variance);
        terms.map(|(m, v)| 0.5 * (m * m + v.exp() - 1.0 - v)).sum()
    }

    /// The standard deviation of dimension `i`.
    pub fn deviation(&self, i: usize) -> f64 {
        (0.5 * self.log_variance[i]).exp()
    }

    /// Nodes and weights of a Gauss-Hermite product rule of `order` nodes a dimension, for expectations under this
    /// Gaussian: nodes as rows `[count, latent]`, weights that sum to 1. Nodes of negligible weight are left out.
    pub fn nodes(&self, order: usize) -> (Vec<f32>, Vec<f64>) {
        let rule = gauss_hermite(order);
        let mut products: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 1.0)];
        for (i, mean) in self.mean.iter().enumerate() {
            let scale = std::f64::consts::SQRT_2 * self.deviation(i);
            products = products
                .into_iter()
                .flat_map(|(z, weight)| {
                    rule.iter().map(move |&(x, w)| {
                        let mut z = z.clone();
                        z.push(mean + scale * x);
                        (z, weight * w)
                    })
                })
                .filter(|(_, weight)| *weight > NEGLIGIBLE)
                .collect();
        }
        let total: f64 = products.iter().map(|(_, weight)| weight).sum();
        let nodes = products.iter().flat_map(|(z, _)| z.iter().map(|&z| z as f32)).collect();
        (nodes, products.iter().map(|(_, weight)| weight / total).collect())
    }
}

/// Weights below it change no digit of an expectation of hundreds of nats.
const NEGLIGIBLE: f64 = 1e-16;

/// Nodes x and weights w with sum w f(x) = E f(x) under the density exp(-x^2) / sqrt(pi), exact for polynomials of
/// degree up to 2 `order` - 1.
///
/// The nodes are the roots of the Hermite polynomial, found by bisection between those of the polynomial one degree
/// lower, which they interlace; the weights are Christoffel numbers (Szegő, "Orthogonal polynomials", section 3.4).
pub fn gauss_hermite(order: usize) -> Vec<(f64, f64)> {
    // Orthonormal polynomials h_0 .. h_n at x.
    let polynomials = |n: usize, x: f64| {
        let mut h = vec![PI.powf(-0.25)];
        for k in 0..n {
            let below = if k == 0 { 0.0 } else { h[k - 1] * (k as f64 / (k + 1) as f64).sqrt() };
            h.push(x * (2.0 / (k + 1) as f64).sqrt() * h[k] - below);
        }
        h
    };
    let mut roots: Vec<f64> = Vec::new();
    for n in 1..=order {
        let bound = (2.0 * n as f64 + 1.0).sqrt();
        let edges: Vec<f64> =
            std::iter::once(-bound).chain(roots.iter().copied()).chain(std::iter::once(bound)).collect();
        let value = |x: f64| polynomials(n, x)[n];
        roots = edges
            .windows(2)
            .map(|pair| {
                let (mut low, mut high) = (pair[0], pair[1]);
                let sign = value(low).signum();
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    if value(middle).signum() == sign { low = middle } else { high = middle }
                }
                0.5 * (low + high)
            })
            .collect();
    }
    let weight = |x: f64| {
        let h = polynomials(order, x);
        1.0 / h[..order].iter().map(|h| h * h).sum::<f64>() / PI.sqrt()
    };
    roots.iter().map(|&x| (x, weight(x))).collect()
}

/// log p(x|z) for rows of latents, one image: what a device or a formula gives.
pub type LogLikelihood<'a> = dyn FnMut(&[f32]) -> Result<Vec<f64>> + 'a;

/// An expectation with the difference to the rule one order below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// The expectation.
    pub value: f64,
    /// By how much the rule below differs.
    pub error: f64,
    /// Nodes a dimension.
    pub order: usize,
}

/// Differences of this many nats between rules or grids are let pass: what rounding of device numbers allows.
pub const TOLERANCE: f64 = 1e-5;

/// E log p(x|z) under `q`, by rules of growing order until two agree.
///
/// # Errors
/// Those of `log_likelihood`.
pub fn expected_log_likelihood(
    q: &Gaussian,
    log_likelihood: &mut LogLikelihood<'_>,
) -> Result<Expectation> {
    let orders: &[usize] = if q.mean.len() == 1 { &[16, 32, 64, 128] } else { &[16, 24, 36, 54, 80] };
    let mut last: Option<Expectation> = None;
    for &order in orders {
        let (nodes, weights) = q.nodes(order);
        let value: f64 = log_likelihood(&nodes)?.iter().zip(&weights).map(|(l, w)| l * w).sum();
        let error = last.map_or(f64::INFINITY, |last| (value - last.value).abs());
        last = Some(Expectation { value, error, order });
        if error < TOLERANCE {
            break;
        }
    }
    last.ok_or_else(|| crate::Error::Internal("no rule".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_nodes_and_weights() {
        // Abramowitz and Stegun, table 25.10, n = 5; weights divided by sqrt(pi).
        let rule = gauss_hermite(5);
        let known = [(0.958_572_464_613_819, 0.393_619_323_152_2), (2.020_182_870_456_086, 1.995_324_205_905e-2)];
        for (i, (x, w)) in [(3, known[0]), (4, known[1])] {
            assert!((rule[i].0 - x).abs() < 1e-12, "{rule:?}");
            assert!((rule[i].1 - w / PI.sqrt()).abs() < 1e-12, "{rule:?}");
        }
    }

    #[test]
    fn rules_are_exact_for_polynomials_and_sum_to_one() {
        for order in [1, 2, 7, 36, 128] {
            let rule = gauss_hermite(order);
            let moment = |p: i32| rule.iter().map(|(x, w)| w * x.powi(p)).sum::<f64>();
            assert!((moment(0) - 1.0).abs() < 1e-12, "{order}: {}", moment(0));
            if order > 4 {
                // E x^8 = 105 / 16 with variance 1/2.
                assert!((moment(8) - 105.0 / 16.0).abs() < 1e-10, "{order}");
                assert!(moment(7).abs() < 1e-10, "{order}");
            }
        }
    }

    #[test]
    fn expectations_of_smooth_functions_converge() {
        let q = Gaussian { mean: vec![0.5, -1.0], log_variance: vec![-2.0, 0.3] };
        // E exp(a z) = exp(a m + a^2 v / 2)
        let mut f = |z: &[f32]| Ok(z.chunks(2).map(|z| f64::from(z[0] - 0.5 * z[1]).exp()).collect());
        let found = expected_log_likelihood(&q, &mut f).unwrap();
        let exact = (0.5 + 0.5 * (-2.0_f64).exp()).exp() * (0.5 + 0.125 * 0.3_f64.exp()).exp();
        assert!((found.value - exact).abs() < 1e-5 && found.error < 1e-5, "{found:?} {exact}");
    }
}
