//! Reverse-mode differentiation of a graph.

use super::{Graph, Operation, Shape, Stage, Storage, Value, ValueId};
use crate::Result;
use std::collections::HashMap;

/// The graph during the reverse walk, and the gradients found so far.
#[derive(Debug)]
pub struct Gradients<'a> {
    graph: &'a mut Graph,
    found: HashMap<ValueId, ValueId>,
    doubly: HashMap<ValueId, ValueId>,
}

impl Graph {
    /// Append the gradient of the objective with respect to every parameter, by a reverse walk over all nodes.
    ///
    /// # Errors
    /// If a node between a parameter and the objective has no derivative.
    pub fn differentiate(&mut self) -> Result<()> {
        self.begin(Stage::Backward);
        let forward: Vec<_> = self.nodes.clone();
        let trained = self.terms.iter().filter(|term| term.trained);
        let terms: Vec<ValueId> = trained.map(|term| term.value).collect();
        let mut gradients = Gradients { graph: self, found: HashMap::new(), doubly: HashMap::new() };
        for node in forward.iter().rev() {
            let output = node.outputs[0];
            let upstream = gradients.found.get(&output).copied();
            let differentiable = gradients.graph.value(output).differentiable;
            if differentiable && (upstream.is_some() || terms.contains(&output)) {
                node.operation.gradient(node, upstream, &mut gradients)?;
            }
        }
        Ok(())
    }
}

impl Gradients<'_> {
    /// Where the gradient of `value` goes, and whether it must be added to what is there already. `None` if no
    /// parameter has a part in `value`.
    pub(crate) fn target(&mut self, value: ValueId) -> Option<(ValueId, bool)> {
        let of = self.graph.value(value).clone();
        if !of.differentiable {
            return None;
        }
        if let Some(found) = self.found.get(&value) {
            return Some((*found, true));
        }
        let storage = match of.storage {
            Storage::Parameters(offset) => Storage::Gradients(offset),
            _ => Storage::Own,
        };
        let name = format!("gradient.{}", of.name);
        self.graph.values.push(Value { name, shape: of.shape, storage, differentiable: false });
        let gradient = ValueId(self.graph.values.len() - 1);
        self.found.insert(value, gradient);
        Some((gradient, false))
    }

    /// `gradient` is the whole gradient of `value`: for values that have one and the same for many of their elements,
    /// such as the weight of a sample for all terms of its likelihood.
    pub(crate) fn give(&mut self, value: ValueId, gradient: ValueId) {
        self.found.insert(value, gradient);
    }

    /// The gradient of the samples `z`, which have these weights, is to be reparametrized doubly before the parameters
    /// they were drawn with get it.
    pub(crate) fn reparametrize_doubly(&mut self, z: ValueId, weights: ValueId) {
        self.doubly.insert(z, weights);
    }

    /// The weights of the samples `z`, if their gradient is to be reparametrized doubly.
    pub(crate) fn doubly_reparametrized(&self, z: ValueId) -> Option<ValueId> {
        self.doubly.get(&z).copied()
    }

    pub(crate) fn shape(&self, value: ValueId) -> Shape {
        self.graph.shape(value)
    }

    /// Append a node that computes gradients.
    pub(crate) fn push(
        &mut self,
        label: String,
        operation: impl Operation + 'static,
        inputs: &[ValueId],
        outputs: &[ValueId],
    ) {
        self.graph.push(label, operation, inputs, outputs);
    }

    /// A value for use inside a derivative rule.
    pub(crate) fn temporary(&mut self, name: String, shape: Shape) -> ValueId {
        self.graph.add_value(name, shape, false)
    }

    pub(crate) fn name(&self, value: ValueId) -> &str {
        &self.graph.value(value).name
    }
}
