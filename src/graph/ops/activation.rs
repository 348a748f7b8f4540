//! Activation functions.

use crate::Result;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
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
pub(super) fn bisect(y: f64, mut low: f64, mut high: f64, rising: impl Fn(f64) -> f64) -> f64 {
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

#[derive(Debug)]
struct Activate(Activation);

impl Operation for Activate {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let saved = if self.0.derivative_from_value() { node.outputs[0] } else { node.inputs[0] };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, ActivateGradient(self.0, target.1), &[upstream, saved], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "activate",
            constants! {
                ROWS: shape.rows, COLUMNS: shape.stride() / 4, SECTION: shape.section_stride() / 4,
                WIDTH: shape.columns, ACTIVATION: self.0.number(),
            },
            &[("input", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            4 * shape.length(),
        )
    }
}

/// Inputs: upstream gradient, saved value (or argument).
#[derive(Debug)]
struct ActivateGradient(Activation, bool);

impl Operation for ActivateGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "activate_gradient",
            constants! {
                ROWS: shape.rows, COLUMNS: shape.stride() / 4, ACTIVATION: self.0.number(),
                ACCUMULATE: self.1,
            },
            &[("input", node.inputs[0]), ("saved", node.inputs[1]), ("output", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            4 * shape.length(),
        )
    }
}

impl Graph {
    /// Apply `kind` to each element of `input`; the identity adds nothing to the graph.
    pub fn activate(&mut self, name: &str, input: ValueId, kind: Activation) -> ValueId {
        if kind == Activation::Identity {
            return input;
        }
        let shape = self.shape(input);
        self.apply(name, Activate(kind), &[input], shape)
    }
}
