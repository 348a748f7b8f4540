//! Activation functions on the host.

use serde::{Deserialize, Serialize};

/// An elementwise function between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// max(x, 0)
    Relu,
    /// x above 0, 0.01 x below.
    LeakyRelu,
    /// x above 0, exp(x) - 1 below.
    Elu,
    /// log(1 + exp(x))
    Softplus,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// x sigmoid(x), also called swish.
    Silu,
    /// x Phi(x) with the standard normal distribution function Phi (Hendrycks and Gimpel, arXiv 1606.08415), exactly.
    Gelu,
    /// x above 0, 0.2 x below.
    SteepLeakyRelu,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Identity,
        Self::Tanh,
        Self::Relu,
        Self::LeakyRelu,
        Self::Elu,
        Self::Softplus,
        Self::Sigmoid,
        Self::Silu,
        Self::Gelu,
        Self::SteepLeakyRelu,
    ];

    /// The number kernels know it by (`shaders/shared/activation.wgsl`).
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Whether the derivative can be computed from the function's value; else it needs the argument.
    pub fn derivative_from_value(self) -> bool {
        !matches!(self, Self::Silu | Self::Gelu)
    }

    /// The argument that gives `y`, a value from 0 to 1, ends excluded.
    pub fn inverse(self, y: f64) -> f64 {
        match self {
            Self::Identity | Self::Relu | Self::LeakyRelu | Self::Elu | Self::SteepLeakyRelu => y,
            Self::Tanh => y.atanh(),
            Self::Softplus => y.exp_m1().ln(),
            Self::Sigmoid => (y / (1.0 - y)).ln(),
            // No formula; it rises for positive arguments.
            Self::Silu => bisect(y, 0.0, 2.0, |x| x / (1.0 + (-x).exp())),
            Self::Gelu => bisect(y, 0.0, 2.0, |x| x * normal_distribution(x)),
        }
    }
}

/// The argument between `low` and `high` at which a rising function is `y`.
pub(crate) fn bisect(y: f64, mut low: f64, mut high: f64, rising: impl Fn(f64) -> f64) -> f64 {
    // Halved until it is as small as the arguments are exact.
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if rising(middle) < y {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability that a standard normal number is below `x`, within some units in the last place.
pub(crate) fn normal_distribution(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let size = x.abs();
    if size < 2.0 {
        // 1/2 + density (x + x^3 / 3 + x^5 / 15 + ..)
        let (mut term, mut sum) = (x, x);
        for odd in (3..100).step_by(2) {
            term *= x * x / f64::from(odd);
            sum += term;
        }
        return 0.5 + density * sum;
    }
    // The tail is density / (x + 1 / (x + 2 / (x + 3 / ..))).
    let fraction = (1..=80).rev().fold(size, |below, k| size + f64::from(k) / below);
    let tail = density / fraction;
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `scipy.stats.norm.cdf`.
    #[test]
    fn the_normal_distribution_is_known() {
        for (x, expected) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (-1.0, 0.158_655_253_931_457_07),
            (1.96, 0.975_002_104_851_779_5),
            (-2.0, 0.022_750_131_948_179_195),
            (-5.0, 2.866_515_718_791_933e-7),
            (-30.0, 4.906_713_927_148_187e-198),
            (9.0, 1.0),
        ] {
            let found = normal_distribution(x);
            assert!((found - expected).abs() < 1e-14 * expected, "{x}: {found:e} should be {expected:e}");
        }
        let (below, above) = (normal_distribution(2.0 - 1e-12), normal_distribution(2.0));
        assert!((below - above).abs() < 1e-12);
    }
}
