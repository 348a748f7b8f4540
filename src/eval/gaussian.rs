//! Diagonal Gaussian posteriors, and expectations under them by Gauss-Hermite quadrature.

use crate::Result;
use crate::session::Posteriors;
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

    /// Nodes and weights of a product rule for expectations under this Gaussian: nodes as rows `[count, latent]`,
    /// weights that sum to 1. Nodes of negligible weight are left out.
    pub fn nodes(&self, rule: Rule) -> (Vec<f32>, Vec<f64>) {
        let one = rule.standard();
        let mut products: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 1.0)];
        for (i, mean) in self.mean.iter().enumerate() {
            let scale = self.deviation(i);
            products = products
                .into_iter()
                .flat_map(|(z, weight)| {
                    one.iter().map(move |&(x, w)| {
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

/// A rule for expectations under a Gaussian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Gauss-Hermite with this number of nodes a dimension: for smooth functions.
    GaussHermite(usize),
    /// The trapezoidal rule with this number of nodes a standard deviation: for functions with kinks, such as those of `relu`
    /// layers. Gauss-Hermite converges no faster there, and its nodes are farther apart.
    Trapezoid(usize),
}

impl Rule {
    /// Nodes and weights for a standard normal distribution.
    fn standard(self) -> Vec<(f64, f64)> {
        match self {
            Self::GaussHermite(order) => {
                gauss_hermite(order).into_iter().map(|(x, w)| (std::f64::consts::SQRT_2 * x, w)).collect()
            }
            Self::Trapezoid(density) => {
                let count = (REACH * density) as i64;
                let at = |i: i64| i as f64 / density as f64;
                let weight = |x: f64| (-0.5 * x * x).exp() / (TAU.sqrt() * density as f64);
                (-count..=count).map(|i| (at(i), weight(at(i)))).collect()
            }
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::GaussHermite(order) => write!(f, "Gauss-Hermite, {order} nodes a dimension"),
            Self::Trapezoid(density) => write!(f, "trapezoidal rule under q, {density} nodes a deviation"),
        }
    }
}

/// Standard deviations that the trapezoidal rule covers on each side.
const REACH: usize = 8;

impl Posteriors {
    /// The posterior of each image, in `width` dimensions.
    pub fn gaussians(&self, width: usize) -> Vec<Gaussian> {
        let numbers = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        let rows = self.means.chunks(width).zip(self.log_variances.chunks(width));
        rows.map(|(m, v)| Gaussian { mean: numbers(m), log_variance: numbers(v) }).collect()
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
    // The orthonormal polynomials h_n and h_(n-1) at x, and the sum of the squares of those below h_n.
    let polynomials = |n: usize, x: f64| {
        let (mut below, mut h, mut squares) = (0.0, PI.powf(-0.25), 0.0);
        for k in 0..n {
            squares += h * h;
            let up = (k + 1) as f64;
            (below, h) = (h, x * (2.0 / up).sqrt() * h - below * (k as f64 / up).sqrt());
        }
        (h, below, squares)
    };
    let mut roots: Vec<f64> = Vec::new();
    for n in 1..=order {
        let bound = (2.0 * n as f64 + 1.0).sqrt();
        let edges: Vec<f64> =
            std::iter::once(-bound).chain(roots.iter().copied()).chain(std::iter::once(bound)).collect();
        roots = edges
            .windows(2)
            .map(|pair| {
                let (mut low, mut high) = (pair[0], pair[1]);
                let sign = polynomials(n, low).0.signum();
                for _ in 0..22 {
                    let middle = 0.5 * (low + high);
                    if polynomials(n, middle).0.signum() == sign { low = middle } else { high = middle }
                }
                // Newton's steps from there: the derivative of h_n is sqrt(2 n) h_(n-1).
                let mut x = 0.5 * (low + high);
                for _ in 0..3 {
                    let (h, below, _) = polynomials(n, x);
                    x -= h / ((2.0 * n as f64).sqrt() * below);
                }
                x
            })
            .collect();
    }
    let weight = |x: f64| 1.0 / (polynomials(order, x).2 * PI.sqrt());
    roots.iter().map(|&x| (x, weight(x))).collect()
}

/// log p(x|z) for rows of latents, one image: what a device or a formula gives.
pub type LogLikelihood<'a> = dyn FnMut(&[f32]) -> Result<Vec<f64>> + 'a;

/// An expectation with the difference to the next coarser rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// The expectation.
    pub value: f64,
    /// By how much the next coarser rule differs.
    pub error: f64,
    /// The rule.
    pub rule: Rule,
}

/// Differences of this many nats between rules or grids are let pass: what rounding of device numbers allows.
pub const TOLERANCE: f64 = 1e-5;

/// E log p(x|z) under `q`: by Gauss-Hermite rules of growing order until two agree; where none do, by trapezoidal rules
/// of growing density.
///
/// # Errors
/// Those of `log_likelihood`.
pub fn expected_log_likelihood(q: &Gaussian, log_likelihood: &mut LogLikelihood<'_>) -> Result<Expectation> {
    let one = q.mean.len() == 1;
    let orders: &[usize] = if one { &[16, 32, 64] } else { &[16, 24, 36, 54] };
    let densities: &[usize] = if one { &[16, 64, 256, 1024] } else { &[6, 11, 20] };
    let mut result = None;
    for rules in [
        orders.iter().map(|&order| Rule::GaussHermite(order)).collect::<Vec<_>>(),
        densities.iter().map(|&density| Rule::Trapezoid(density)).collect(),
    ] {
        let mut coarser: Option<f64> = None;
        for rule in rules {
            let (nodes, weights) = q.nodes(rule);
            let value: f64 = log_likelihood(&nodes)?.iter().zip(&weights).map(|(l, w)| l * w).sum();
            let error = coarser.map_or(f64::INFINITY, |coarser| (value - coarser).abs());
            coarser = Some(value);
            let found = Expectation { value, error, rule };
            if error < TOLERANCE {
                return Ok(found);
            }
            result = Some(found);
        }
    }
    result.ok_or_else(|| crate::Error::Internal("no rule".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_nodes_and_weights() {
        // Abramowitz and Stegun, table 25.10, n = 5; weights divided by sqrt(pi).
        let rule = gauss_hermite(5);
        let known =
            [(0.958_572_464_613_819, 0.393_619_323_152_2), (2.020_182_870_456_086, 1.995_324_205_905e-2)];
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
        assert!(matches!(found.rule, Rule::GaussHermite(_)), "{found:?}");
    }

    /// E |z - 0.1| under N(0, 1), and a kink along a slanting line in two dimensions.
    #[test]
    fn expectations_of_functions_with_kinks_have_an_honest_error() {
        let phi = |x: f64| (-0.5 * x * x).exp() / TAU.sqrt();
        // E |z - a| = 2 phi(a) + a (2 Phi(a) - 1), with Phi(0.1) from tables.
        let exact = 2.0 * phi(0.1) + 0.1 * (2.0 * 0.539_827_837_277_029 - 1.0);
        for d in [1, 2] {
            let q = Gaussian { mean: vec![0.0; d], log_variance: vec![0.0; d] };
            let root = (d as f64).sqrt();
            let mut f = |z: &[f32]| {
                let value = |z: &[f32]| (z.iter().map(|&z| f64::from(z)).sum::<f64>() / root - 0.1).abs();
                Ok(z.chunks(d).map(value).collect())
            };
            let found = expected_log_likelihood(&q, &mut f).unwrap();
            assert!((found.value - exact).abs() < 2e-4, "{found:?} {exact}");
            assert!((found.value - exact).abs() < 2.0 * found.error + 1e-6, "{found:?} {exact}");
        }
    }
}
