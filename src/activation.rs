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
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Tanh,
        Self::Relu,
        Self::LeakyRelu,
        Self::Elu,
        Self::Softplus,
        Self::Sigmoid,
        Self::Silu,
    ];

    /// The number kernels know it by (`shaders/shared/activation.wgsl`).
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Whether the derivative can be computed from the function's value; else it needs the argument.
    pub fn derivative_from_value(self) -> bool {
        self != Self::Silu
    }

    /// The argument that gives `y`, a value from 0 to 1, ends excluded.
    pub fn inverse(self, y: f64) -> f64 {
        match self {
            Self::Identity | Self::Relu | Self::LeakyRelu | Self::Elu => y,
            Self::Tanh => y.atanh(),
            Self::Softplus => y.exp_m1().ln(),
            Self::Sigmoid => (y / (1.0 - y)).ln(),
            // No formula; it rises for positive arguments.
            Self::Silu => bisect(y, 0.0, 2.0, |x| x / (1.0 + (-x).exp())),
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
