//! The graph: a model as a static list of typed operations, written forward only.
//!
//! Shapes are checked when an operation is added. [`Graph::differentiate`] walks the list backward and appends
//! the gradients; each operation's derivative rule stands beside the operation, in its file of `ops/`.
//! [`lower`] turns the list into a [`crate::plan::Plan`]: a program names the values that it is given and those that it is
//! to compute, and gets the operations in between.

mod gradients;
mod loss;
mod lower;
mod ops;
mod order;
mod shape;
mod tensors;

pub use crate::activation::Activation;
pub use crate::likelihood::{Likelihood, LikelihoodChoice, LikelihoodKind};
pub use crate::plan::Window;
pub use gradients::{Derivatives, Target};
pub use loss::{Loss, Weight};
pub(crate) use lower::Lowering;
pub use lower::{ProgramSpec, Setting, Source, lower, lower_unfused};
pub use ops::batch_norm::BatchNorm;
pub use ops::controller::controller_weights;
pub use ops::convolution::ConvolutionOptions;
pub use ops::corrupt::Corruption;
pub use ops::depthwise::DepthwiseConvolution;
pub use ops::gather::{Binarize, ColumnKind, Mirror};
pub use ops::gaussian::{KlTarget, Samples};
pub use ops::hmc::Hmc;
pub use ops::importance::Weighting;
pub use ops::lstm::{Lstm, LstmOutput};
pub use ops::sampled_kl::Drawn;
pub use ops::total_correlation::{Decomposition, Sampling};
pub use shape::Shape;
pub use tensors::{GroupId, Init, Tensor, Tensors};

pub(crate) use gradients::Gradients;
pub(crate) use tensors::State;

use crate::{Error, Result};
use std::collections::HashMap;
use std::fmt::Debug;
use std::rc::Rc;
use tensors::{BlockId, StateId};

/// Index of a [`Value`] in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

/// What a graph is built for: some operations compute something else in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training steps.
    Train,
    /// Everything else.
    Evaluate,
}

/// Where a value lives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Storage {
    /// In a buffer of its own, for the length of a step.
    Own,
    /// In the memory of another value, whose place it takes: the output of an operation in place.
    Alias(ValueId),
    /// In the buffer of all parameters.
    Parameter(BlockId),
    /// In the buffer of all gradients.
    Gradient(BlockId),
    /// The parameters of a group.
    Group(GroupId),
    /// In the buffer of a state.
    State(StateId),
    /// In this column of the metrics.
    Metric(usize),
}

/// A matrix that operations read and write.
#[derive(Clone, Debug)]
pub struct Value {
    /// Name, also of its buffer: `encoder.0`, `gradient.encoder.0`.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Where it lives.
    pub(crate) storage: Storage,
}

/// An operation's behaviour: how it is differentiated and how it is lowered.
pub(crate) trait Operation: Debug {
    /// Append the nodes that turn the gradients of the node's outputs ([`Gradients::upstream`]) into gradients of its
    /// inputs. At least one of the outputs has a gradient or is a loss.
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let _ = gradients;
        Err(Error::Internal(format!("{} has no derivative", node.label)))
    }

    /// Whether output number `output` depends on input number `input`, as far as derivatives are concerned.
    fn carries(&self, input: usize, output: usize) -> bool {
        let _ = (input, output);
        true
    }

    /// Append the dispatches that compute the node.
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()>;
}

/// An operation applied to values. One that works in place lists what it changes among its inputs.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) label: String,
    pub(crate) operation: Rc<dyn Operation>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
}

/// A model's operations, in an order in which they can be run.
#[derive(Clone, Debug)]
pub struct Graph {
    tensors: Tensors,
    mode: Mode,
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    /// The value of each block of parameters, and of its gradient.
    parameters: HashMap<BlockId, ValueId>,
    gradients: HashMap<BlockId, ValueId>,
    /// Names of the metrics, by column.
    metrics: Vec<String>,
    /// The values that are reported, each with the mode it was built for.
    reported: Vec<(ValueId, Mode)>,
    /// Names of the numbers that a step carries.
    numbers: Vec<String>,
    /// What training steps write beside metrics: parameters and states.
    updates: Vec<ValueId>,
    constant: bool,
    /// Operations that drop values; each has a stream.
    dropouts: u32,
}

impl Graph {
    /// An empty graph, whose parameters and states are those of `tensors`.
    pub fn new(tensors: &Tensors, mode: Mode) -> Self {
        Self {
            tensors: tensors.clone(),
            mode,
            values: Vec::new(),
            nodes: Vec::new(),
            parameters: HashMap::new(),
            gradients: HashMap::new(),
            metrics: Vec::new(),
            reported: Vec::new(),
            numbers: Vec::new(),
            updates: Vec::new(),
            constant: false,
            dropouts: 0,
        }
    }

    /// The table of parameters and states.
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// What the graph is built for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// A value that the host writes.
    pub fn input(&mut self, name: &str, shape: Shape) -> ValueId {
        self.add_value(name.into(), shape)
    }

    /// A value that a later operation computes, for those that need to know of it before.
    pub(crate) fn declare(&mut self, name: &str, shape: Shape) -> ValueId {
        self.add_value(name.into(), shape)
    }

    /// The value called `name`.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.values.iter().position(|value| value.name == name).map(ValueId)
    }

    /// The value's name, shape and place.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// Names of the metrics, by column.
    pub fn metrics(&self) -> &[String] {
        &self.metrics
    }

    /// The metrics that were added in `mode`: what a program that reports them wants.
    pub fn reported(&self, mode: Mode) -> impl Iterator<Item = ValueId> {
        self.reported.iter().filter(move |(_, own)| *own == mode).map(|(value, _)| *value)
    }

    /// What a training step is to compute: all metrics, the parameters of groups that an optimiser moves, and states.
    pub fn training(&self) -> Vec<ValueId> {
        self.reported(Mode::Train).chain(self.updates.iter().copied()).collect()
    }

    /// In what `build` adds, parameters are constants: no gradient reaches them.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn with_constant_parameters<T>(&mut self, build: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.constant, true);
        let built = build(self);
        self.constant = before;
        built
    }

    /// What `build` adds behaves as in `mode`: a graph for training also holds programs that evaluate.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn with_mode<T>(&mut self, mode: Mode, build: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.mode, mode);
        let built = build(self);
        self.mode = before;
        built
    }

    pub(crate) fn shape(&self, id: ValueId) -> Shape {
        self.values[id.0].shape
    }

    pub(crate) fn numbers(&self) -> &[String] {
        &self.numbers
    }

    /// The index of the number of each step called `name`.
    ///
    /// # Errors
    /// [`Error::Internal`] if there are more of them than a step carries.
    pub(crate) fn number(&mut self, name: &str) -> Result<usize> {
        if let Some(index) = self.numbers.iter().position(|own| own == name) {
            return Ok(index);
        }
        if self.numbers.len() == crate::plan::NUMBERS {
            return Err(Error::Internal(format!("a step has no room for the number '{name}'")));
        }
        self.numbers.push(name.into());
        Ok(self.numbers.len() - 1)
    }

    /// The number of the next operation that drops values.
    pub(crate) fn next_dropout(&mut self) -> u32 {
        self.dropouts += 1;
        self.dropouts - 1
    }

    /// A name that no other value has: a layer that is applied a second time gets `encoder.0 (2)`.
    fn unique(&self, name: String) -> String {
        let taken = |name: &str| self.values.iter().any(|value| value.name == name);
        if !taken(&name) {
            return name;
        }
        let mut names = (2..).map(|number| format!("{name} ({number})"));
        names.find(|name| !taken(name)).unwrap_or(name)
    }

    pub(crate) fn add_value(&mut self, name: String, shape: Shape) -> ValueId {
        self.add_stored(name, shape, Storage::Own)
    }

    pub(crate) fn add_stored(&mut self, name: String, shape: Shape, storage: Storage) -> ValueId {
        let name = self.unique(name);
        self.values.push(Value { name, shape, storage });
        ValueId(self.values.len() - 1)
    }

    /// The value that `of` is after an operation in place.
    pub(crate) fn alias(&mut self, name: &str, of: ValueId) -> ValueId {
        self.add_stored(name.into(), self.shape(of), Storage::Alias(of))
    }

    /// The memory of `of` as a value of another shape.
    pub(crate) fn alias_as(&mut self, name: &str, of: ValueId, shape: Shape) -> ValueId {
        self.add_stored(name.into(), shape, Storage::Alias(of))
    }

    /// The block of parameters called `name`, which an operation binds as one matrix of `shape`; `tensors` gives its named
    /// tensors with offsets from the start of the block.
    ///
    /// # Errors
    /// [`Error::Shape`] if the block is there already with another shape.
    pub(crate) fn parameter(&mut self, name: &str, shape: Shape, tensors: Vec<Tensor>) -> Result<ValueId> {
        let block = self.tensors.block(name, shape, tensors)?;
        let value = match self.parameters.get(&block) {
            Some(&value) => value,
            None => {
                let value = self.add_stored(name.into(), shape, Storage::Parameter(block));
                self.parameters.insert(block, value);
                value
            }
        };
        Ok(if self.constant { self.detach(value) } else { value })
    }

    /// The state called `name`, kept from step to step and saved as `state.NAME`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the state is there already with another shape.
    pub fn state(&mut self, name: &str, shape: Shape, init: Init) -> Result<ValueId> {
        self.saved_state(&format!("state.{name}"), shape, init)
    }

    /// The state that is saved under `name` as it is: for those that PyTorch has a name for.
    ///
    /// # Errors
    /// [`Error::Shape`] if the state is there already with another shape.
    pub fn saved_state(&mut self, name: &str, shape: Shape, init: Init) -> Result<ValueId> {
        let id = self.tensors.state(name, shape, init)?;
        let found = self.values.iter().position(|value| value.storage == Storage::State(id));
        Ok(match found {
            Some(index) => ValueId(index),
            None => self.add_stored(name.into(), shape, Storage::State(id)),
        })
    }

    /// `state` after all updates that are in the graph.
    pub(crate) fn latest(&self, state: ValueId) -> ValueId {
        let updated = self.updates.iter().rev().find(|&&value| self.root(value) == state);
        updated.copied().unwrap_or(state)
    }

    /// The parameters of the graph whose names `wanted` takes, in the order in which they were added.
    pub fn parameters_named(&self, wanted: impl Fn(&str) -> bool) -> Vec<ValueId> {
        let values = self.values.iter().enumerate();
        let own =
            values.filter(|(_, value)| matches!(value.storage, Storage::Parameter(_)) && wanted(&value.name));
        own.map(|(index, _)| ValueId(index)).collect()
    }

    /// The gradients of a group that have been found.
    pub fn gradients_of(&self, group: GroupId) -> Vec<ValueId> {
        let own = self.gradients.iter().filter(|(block, _)| self.tensors.group_of(**block) == group);
        let mut values: Vec<ValueId> = own.map(|(_, &value)| value).collect();
        values.sort_unstable();
        values
    }

    pub(crate) fn group_name(&self, group: GroupId) -> String {
        self.tensors.groups().swap_remove(group.0).1
    }

    /// The parameters of a group after a step.
    pub(crate) fn group_value(&mut self, group: GroupId) -> ValueId {
        let length = self.tensors.group_range(group).len();
        let name = format!("parameters.{}", self.group_name(group));
        self.add_stored(name, Shape::matrix(1, length), Storage::Group(group))
    }

    /// `value` as something a training step computes.
    pub(crate) fn add_update(&mut self, value: ValueId) {
        self.updates.push(value);
    }

    /// The value whose memory `id` is in, through all operations in place.
    pub(crate) fn root(&self, mut id: ValueId) -> ValueId {
        while let Storage::Alias(of) = self.values[id.0].storage {
            id = of;
        }
        id
    }

    /// Append a node with one output.
    pub(crate) fn apply(
        &mut self,
        name: impl Into<String>,
        operation: impl Operation + 'static,
        inputs: &[ValueId],
        output: Shape,
    ) -> ValueId {
        let name = name.into();
        let output = self.add_value(name.clone(), output);
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
            operation: Rc::new(operation),
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
        });
    }
}
