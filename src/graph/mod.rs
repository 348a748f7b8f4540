//! The graph: a model as a static list of typed operations, written forward only.
//!
//! Shapes are checked when an operation is added. [`Graph::differentiate`] walks the list backward and appends
//! the gradients; each operation's derivative rule stands beside the operation, in the file of its family.
//! [`crate::plan::lower`] turns the list into a [`crate::plan::Plan`].

mod activation;
mod gate;
mod gradients;
mod hierarchy;
mod hmc;
mod importance;
mod input;
mod latent;
mod likelihood;
mod linear;
mod noncentred;
mod parameters;
mod samples;
mod shape;

pub use crate::activation::Activation;
pub use crate::likelihood::{Likelihood, LikelihoodKind};
pub use gradients::Gradients;
pub use hierarchy::{LowerLayer, UpperValues};
pub use hmc::Hmc;
pub use importance::Weighting;
pub use input::Binarize;
pub use latent::{KlTarget, LatentShape};
pub use linear::Receivers;
pub use parameters::{Parameter, Tensor, TensorKind};
pub use shape::Shape;

use crate::plan::Lowering;
use crate::{Error, Result};
use std::fmt::Debug;
use std::rc::Rc;

/// Index of a [`Value`] in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

/// Where a value lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Storage {
    /// In a buffer of its own, for the length of a step.
    Own,
    /// In the buffer of all parameters, from this element on.
    Parameters(usize),
    /// In the buffer of all gradients, from this element on.
    Gradients(usize),
}

/// A matrix that operations read and write.
#[derive(Clone, Debug)]
pub struct Value {
    /// Name, also of its buffer: `encoder.0`, `gradient.encoder.0`.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Where it lives.
    pub storage: Storage,
    /// Whether a parameter has a part in it, so that a gradient must pass through it.
    pub differentiable: bool,
}

/// What a part of the graph is for. A program of a plan is a choice of stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Gather a minibatch of training images.
    TrainInput,
    /// Gather a minibatch of held-out images.
    TestInput,
    /// Images to posterior.
    Encode,
    /// Posterior to latents.
    Sample,
    /// Latents to the posterior of an upper stochastic layer.
    Upper,
    /// Latents of an upper layer to the prior of those below.
    Prior,
    /// Latents to the parameters of the likelihood.
    Decode,
    /// Those parameters to expected images, for pictures.
    Picture,
    /// Loss terms.
    Objective,
    /// Importance weights gathered over passes: their beginning.
    BeginStream,
    /// Importance weights gathered over passes: a further pass.
    Stream,
    /// Gradients.
    Backward,
    /// The optimiser's step.
    Update,
    /// Chains of Hamiltonian Monte Carlo begin.
    Reset,
    /// A transition of such chains begins.
    Start,
    /// One of its leapfrog steps.
    Leap,
    /// Its end: accept or reject.
    Accept,
}

/// An operation's behaviour: how it is differentiated and how it is lowered.
pub(crate) trait Operation: Debug {
    /// Append the nodes that turn `upstream`, the gradient of the node's first output, into gradients of its
    /// inputs. `upstream` is `None` for a loss term, whose gradient is its weight in the objective.
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let _ = (upstream, gradients);
        Err(Error::Internal(format!("{} has no derivative", node.label)))
    }

    /// Append the dispatches that compute the node.
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>);
}

/// An operation applied to values.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) label: String,
    pub(crate) stage: Stage,
    pub(crate) operation: Rc<dyn Operation>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
}

/// A part of the objective: `value`, summed and scaled, is a mean over the minibatch in nats per image.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) value: ValueId,
    /// Column of `metrics`.
    pub(crate) column: usize,
    /// 1 / noise samples for terms that are summed over samples.
    pub(crate) scale: f64,
    /// Whether it is a part of the objective of its own, or reported only.
    pub(crate) trained: bool,
}

/// A model's operations, in an order in which they can be run.
#[derive(Clone, Debug)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) terms: Vec<Term>,
    pub(crate) parameters: Vec<Parameter>,
    stage: Stage,
    frozen: bool,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            nodes: Vec::new(),
            terms: Vec::new(),
            parameters: Vec::new(),
            stage: Stage::Encode,
            frozen: false,
        }
    }
}

impl Graph {
    /// Operations added from here on belong to `stage`.
    pub fn begin(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// Parameters added from here on get no gradients: only what the host writes can ([`Graph::input`]).
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// A value that the host writes, and whether gradients are wanted of it.
    pub fn input(&mut self, name: &str, shape: Shape, differentiable: bool) -> ValueId {
        self.add_value(name.into(), shape, differentiable)
    }

    /// The value called `name`.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.values.iter().position(|value| value.name == name).map(ValueId)
    }

    /// The value's name, shape and place.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// All parameters, in the order of their offsets.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Elements of the buffer that holds all parameters, padding included.
    pub fn parameter_length(&self) -> usize {
        self.parameters.last().map_or(0, Parameter::end)
    }

    pub(crate) fn shape(&self, id: ValueId) -> Shape {
        self.values[id.0].shape
    }

    pub(crate) fn add_value(&mut self, name: String, shape: Shape, differentiable: bool) -> ValueId {
        self.values.push(Value { name, shape, storage: Storage::Own, differentiable });
        ValueId(self.values.len() - 1)
    }

    /// Append a node with one output, which is differentiable if an input is.
    pub(crate) fn apply(
        &mut self,
        name: impl Into<String>,
        operation: impl Operation + 'static,
        inputs: &[ValueId],
        output: Shape,
    ) -> ValueId {
        let name = name.into();
        let differentiable = inputs.iter().any(|input| self.values[input.0].differentiable);
        let output = self.add_value(name.clone(), output, differentiable);
        self.push(name, operation, inputs, &[output]);
        output
    }

    pub(crate) fn push(
        &mut self,
        label: impl Into<String>,
        operation: impl Operation + 'static,
        inputs: &[ValueId],
        outputs: &[ValueId],
    ) {
        self.nodes.push(Node {
            label: label.into(),
            stage: self.stage,
            operation: Rc::new(operation),
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
        });
    }

    /// Make `value` a term of the objective, reported in `column` of the metrics.
    pub(crate) fn add_term(&mut self, value: ValueId, column: usize, scale: f64) {
        self.terms.push(Term { value, column, scale, trained: true });
    }
}
