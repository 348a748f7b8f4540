//! Sums of gradients, the weight of a loss, constants for gradients, and the update of a state.

use crate::graph::loss::Factor;
use crate::graph::{Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: a value, and the output where it is added to that. Output: a sum or a copy.
#[derive(Debug)]
pub(in crate::graph) struct Accumulate(pub(in crate::graph) bool);

impl Operation for Accumulate {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        // What follows the last number of a value may be stale.
        let length = lowering.shape(node.inputs[0]).extent();
        lowering.dispatch(
            node,
            "accumulate",
            constants! { LENGTH: length, ACCUMULATE: self.0 },
            &[("part", node.inputs[0]), ("total", node.outputs[0])],
            Grid::Elements(length),
            length,
        )
    }
}

/// Output: the gradient of a loss with respect to its terms, a constant. Input: the output where it is added to that.
#[derive(Debug)]
pub(in crate::graph) struct Seed {
    pub(in crate::graph) factor: Factor,
    pub(in crate::graph) samples: usize,
    pub(in crate::graph) accumulate: bool,
}

impl Operation for Seed {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.outputs[0]).length();
        lowering.dispatch(
            node,
            "seed",
            constants! {
                LENGTH: length, SAMPLES: self.samples, WEIGHT: self.factor.weight, NUMBER: self.factor.number,
                ACCUMULATE: self.accumulate,
            },
            &[("total", node.outputs[0])],
            Grid::Elements(length),
            0,
        )
    }
}

/// Input: a value. Output: the same, a constant for gradients.
#[derive(Debug)]
struct Detach;

impl Operation for Detach {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, _: &Node, _: &mut Lowering<'_>) -> Result<()> {
        Ok(())
    }
}

/// Inputs: a value, a state. Output: the state.
#[derive(Debug)]
struct Update {
    rate: f64,
}

impl Operation for Update {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.inputs[0]).length();
        lowering.dispatch(
            node,
            "update_state",
            constants! { LENGTH: length, RATE: self.rate },
            &[("part", node.inputs[0]), ("total", node.outputs[0])],
            Grid::Elements(length),
            3 * length,
        )
    }
}

impl Graph {
    /// `value` as a constant: no gradient passes.
    pub fn detach(&mut self, value: ValueId) -> ValueId {
        let name = format!("{}.constant", self.value(value).name);
        let output = self.alias(&name, value);
        self.push(name, Detach, &[value], &[output]);
        output
    }

    /// Move `state` towards `value` in every training step: state += rate (value - state). A rate of 1 replaces it.
    ///
    /// # Errors
    /// [`Error::Shape`] if their shapes differ.
    pub fn update(&mut self, state: ValueId, value: ValueId, rate: f64) -> Result<ValueId> {
        let (of_state, of_value) = (self.shape(state), self.shape(value));
        let name = self.value(state).name.clone();
        if of_state != of_value {
            return Err(Error::shape(name, format!("the state is {of_state}, its new value {of_value}")));
        }
        let updated = self.alias(&format!("{name}.updated"), state);
        self.push(format!("update of {name}"), Update { rate }, &[value, state], &[updated]);
        self.add_update(updated);
        Ok(updated)
    }
}
