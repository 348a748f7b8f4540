//! Reverse-mode differentiation of a graph.

use super::loss::{Factor, Loss};
use super::ops::accumulate::{Accumulate, Seed};
use super::{Graph, GroupId, Operation, Shape, Storage, ValueId};
use crate::{Error, Result};
use std::collections::HashMap;

/// What a gradient is taken with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All parameters of a group.
    Group(GroupId),
    /// A value, such as one that the host writes.
    Value(ValueId),
}

/// Gradients of values.
#[derive(Clone, Debug, Default)]
pub struct Derivatives(HashMap<ValueId, ValueId>);

impl Derivatives {
    /// The gradient of `value`.
    ///
    /// # Errors
    /// [`Error::Internal`] if no loss depends on it.
    pub fn of(&self, value: ValueId) -> Result<ValueId> {
        self.0.get(&value).copied().ok_or_else(|| Error::Internal("no loss depends on the value".into()))
    }
}

/// A gradient that has been found.
#[derive(Clone, Copy, Debug)]
struct Found {
    value: ValueId,
    /// Whether it is the gradient of one value only, so that more can be added to it.
    owned: bool,
}

/// The graph during the reverse walk, and the gradients found so far.
#[derive(Debug)]
pub(crate) struct Gradients<'a> {
    graph: &'a mut Graph,
    found: HashMap<ValueId, Found>,
    /// Weights and samples of values that are losses.
    losses: HashMap<ValueId, Vec<(Factor, usize)>>,
    /// Which values the targets have a part in.
    reached: Vec<bool>,
}

impl Graph {
    /// Append the gradient of the weighted sum of `losses` with respect to `targets`, by a reverse walk over all nodes.
    /// Gradients of parameters are added to those of an earlier call.
    ///
    /// # Errors
    /// If a node between a target and a loss has no derivative.
    pub fn differentiate(&mut self, losses: &[Loss], targets: &[Target]) -> Result<Derivatives> {
        let mut weights: HashMap<ValueId, Vec<(Factor, usize)>> = HashMap::new();
        for loss in losses {
            let factor = loss.weight.factor(self)?;
            weights.entry(loss.value).or_default().push((factor, loss.samples));
        }
        self.walk(weights, &[], targets)
    }

    /// Append the products of the transposed Jacobians of values with `seeds`, pairs of a value and a vector of its shape:
    /// the gradient with respect to `targets` of the sum of all elements of all vectors times those of their values.
    ///
    /// # Errors
    /// If a node between a target and a value has no derivative.
    pub fn pull_back(&mut self, seeds: &[(ValueId, ValueId)], targets: &[Target]) -> Result<Derivatives> {
        self.walk(HashMap::new(), seeds, targets)
    }

    fn walk(
        &mut self,
        losses: HashMap<ValueId, Vec<(Factor, usize)>>,
        seeds: &[(ValueId, ValueId)],
        targets: &[Target],
    ) -> Result<Derivatives> {
        let reached = self.reached(targets);
        let forward = self.nodes.clone();
        let mut gradients = Gradients { graph: self, found: HashMap::new(), losses, reached };
        for &(of, seed) in seeds {
            gradients.share(of, seed);
        }
        for node in forward.iter().rev() {
            let has_gradient = |output: &ValueId| {
                gradients.reached[output.0]
                    && (gradients.found.contains_key(output) || gradients.losses.contains_key(output))
            };
            if node.outputs.iter().any(has_gradient) {
                node.operation.gradient(node, &mut gradients)?;
            }
        }
        // A target may itself be a loss.
        let values: Vec<ValueId> = targets
            .iter()
            .filter_map(|target| match target {
                Target::Value(value) => Some(*value),
                Target::Group(_) => None,
            })
            .collect();
        for value in values {
            gradients.upstream(value);
        }
        Ok(Derivatives(gradients.found.iter().map(|(of, found)| (*of, found.value)).collect()))
    }

    /// Which values depend on a target.
    fn reached(&self, targets: &[Target]) -> Vec<bool> {
        let of_target = |(index, value): (usize, &super::Value)| {
            targets.iter().any(|target| match (target, &value.storage) {
                (Target::Group(group), Storage::Parameter(block)) => self.tensors.group_of(*block) == *group,
                (Target::Value(id), _) => id.0 == index,
                _ => false,
            })
        };
        let mut reached: Vec<bool> = self.values.iter().enumerate().map(of_target).collect();
        for node in &self.nodes {
            for (o, output) in node.outputs.iter().enumerate() {
                let mut inputs = node.inputs.iter().enumerate();
                reached[output.0] |=
                    inputs.any(|(i, input)| reached[input.0] && node.operation.carries(i, o));
            }
        }
        reached
    }
}

impl Gradients<'_> {
    /// Whether the gradient of `value` is wanted: whether a target has a part in it.
    pub(crate) fn wants(&self, value: ValueId) -> bool {
        self.reached.get(value.0).copied().unwrap_or(false)
    }

    /// The gradient of an output; `None` if no loss depends on it.
    pub(crate) fn upstream(&mut self, output: ValueId) -> Option<ValueId> {
        for (factor, samples) in self.losses.remove(&output).unwrap_or_default() {
            if let Some((target, accumulate)) = self.target(output) {
                let label = format!("weight of {}", self.name(output));
                let inputs: Vec<ValueId> = if accumulate { vec![target] } else { Vec::new() };
                self.push(label, Seed { factor, samples, accumulate }, &inputs, &[target]);
            }
        }
        self.found.get(&output).map(|found| found.value)
    }

    /// The gradient of an output, for an operation that changes it in place.
    pub(crate) fn own(&mut self, output: ValueId) -> Option<ValueId> {
        let found = self.upstream(output)?;
        match self.found.get(&output) {
            Some(Found { owned: true, .. }) => Some(found),
            _ => self.target(output).map(|(own, _)| own),
        }
    }

    /// The weight of an output that is one loss and nothing else: for operations whose kernels take the weight of a loss,
    /// averaged over `samples` samples.
    pub(crate) fn loss(&mut self, output: ValueId, samples: usize) -> Option<Factor> {
        match self.losses.get(&output).map(Vec::as_slice) {
            Some(&[(factor, own)]) if own == samples && !self.found.contains_key(&output) => {
                self.losses.remove(&output);
                Some(factor)
            }
            _ => None,
        }
    }

    /// The same for operations whose kernels take one weight only: whether the loss has that.
    pub(crate) fn loss_if(&mut self, output: ValueId, samples: usize, wanted: Option<Factor>) -> bool {
        let own = self.losses.get(&output).and_then(|losses| losses.first()).map(|(factor, _)| *factor);
        own.is_some() && own == wanted && self.loss(output, samples).is_some()
    }

    /// Where the gradient of `value` goes, and whether it must be added to what is there already. `None` if it is not
    /// wanted.
    pub(crate) fn target(&mut self, value: ValueId) -> Option<(ValueId, bool)> {
        if !self.wants(value) {
            return None;
        }
        match self.found.get(&value).copied() {
            Some(Found { value: found, owned: true }) => return Some((found, true)),
            Some(Found { value: shared, owned: false }) => {
                let own = self.new_gradient(value);
                self.push(format!("copy of {}", self.name(shared)), Accumulate(false), &[shared], &[own]);
                return Some((own, true));
            }
            None => {}
        }
        let of = self.graph.value(value).clone();
        if let Storage::Parameter(block) = of.storage {
            if let Some(&gradient) = self.graph.gradients.get(&block) {
                self.found.insert(value, Found { value: gradient, owned: true });
                return Some((gradient, true));
            }
            let name = format!("gradient.{}", of.name);
            let gradient = self.graph.add_stored(name, of.shape, Storage::Gradient(block));
            self.graph.gradients.insert(block, gradient);
            self.found.insert(value, Found { value: gradient, owned: true });
            return Some((gradient, false));
        }
        Some((self.new_gradient(value), false))
    }

    fn new_gradient(&mut self, value: ValueId) -> ValueId {
        let of = self.graph.value(value).clone();
        let gradient = self.graph.add_value(format!("gradient.{}", of.name), of.shape);
        self.found.insert(value, Found { value: gradient, owned: true });
        gradient
    }

    /// A place for one part of the gradient of `value`, for operations whose kernel cannot add to what is there. Call
    /// [`Gradients::add`] afterwards. `None` if nothing needs this gradient.
    pub(crate) fn part(&mut self, value: ValueId) -> Option<ValueId> {
        if !self.wants(value) {
            return None;
        }
        let of = self.graph.value(value).clone();
        let has_one = match of.storage {
            Storage::Parameter(block) => self.graph.gradients.contains_key(&block),
            _ => self.found.contains_key(&value),
        };
        if has_one {
            return Some(self.graph.add_value(format!("gradient.{}.part", of.name), of.shape));
        }
        self.target(value).map(|(gradient, _)| gradient)
    }

    /// The same for kernels that write the gradients of several inputs at once: where `value` has no gradient, the result
    /// is thrown away.
    pub(crate) fn part_or_unused(&mut self, value: ValueId) -> ValueId {
        let shape = self.shape(value);
        self.part(value).unwrap_or_else(|| self.graph.add_value("unused".into(), shape))
    }

    /// Count `part`, which [`Gradients::part`] gave, in place of which `changed` stands after operations in place.
    pub(crate) fn add(&mut self, value: ValueId, part: ValueId, changed: ValueId) {
        if !self.wants(value) {
            return;
        }
        if self.found.get(&value).is_some_and(|found| found.value == part) {
            self.found.insert(value, Found { value: changed, owned: true });
        } else if let Some((target, accumulate)) = self.target(value) {
            let label = format!("{} added", self.name(changed));
            let inputs: Vec<ValueId> = [changed].into_iter().chain(accumulate.then_some(target)).collect();
            self.push(label, Accumulate(accumulate), &inputs, &[target]);
        }
    }

    /// Add `gradient` to the gradient of `value`. Several values may share one `gradient`.
    pub(crate) fn share(&mut self, value: ValueId, gradient: ValueId) {
        if !self.wants(value) {
            return;
        }
        if self.found.contains_key(&value) || self.losses.contains_key(&value) {
            if let Some((target, accumulate)) = self.target(value) {
                let label = format!("{} added", self.name(gradient));
                let inputs: Vec<ValueId> =
                    [gradient].into_iter().chain(accumulate.then_some(target)).collect();
                self.push(label, Accumulate(accumulate), &inputs, &[target]);
            }
        } else {
            self.found.insert(value, Found { value: gradient, owned: false });
        }
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

    /// Append a node that adds to its output where `accumulate` is set: the output is then an input too.
    pub(crate) fn push_into(
        &mut self,
        label: String,
        operation: impl Operation + 'static,
        inputs: &[ValueId],
        (target, accumulate): (ValueId, bool),
    ) {
        let inputs: Vec<ValueId> = inputs.iter().copied().chain(accumulate.then_some(target)).collect();
        self.graph.push(label, operation, &inputs, &[target]);
    }

    /// A value for use inside a derivative rule.
    pub(crate) fn temporary(&mut self, name: String, shape: Shape) -> ValueId {
        self.graph.add_value(name, shape)
    }

    /// `value` after an operation in place.
    pub(crate) fn alias(&mut self, name: &str, of: ValueId) -> ValueId {
        self.graph.alias(name, of)
    }

    /// The memory of `of` as a value of another shape.
    pub(crate) fn alias_as(&mut self, name: &str, of: ValueId, shape: Shape) -> ValueId {
        self.graph.alias_as(name, of, shape)
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<usize> {
        self.graph.number(name)
    }

    pub(crate) fn name(&self, value: ValueId) -> &str {
        &self.graph.value(value).name
    }
}
