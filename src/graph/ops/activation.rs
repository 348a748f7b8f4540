//! Activation functions.

use crate::Result;
use crate::graph::{Activation, Gradients, Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};

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
