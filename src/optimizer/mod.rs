//! Optimizers: how gradients change the parameters of a group.

mod schedule;

pub use schedule::LearningRateSchedule;

use crate::graph::{Graph, GroupId, Lowering, Node, Operation, Shape};
use crate::kernels::kernel;
use crate::plan::{Binding, Grid, Step, constants};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most elements that one dispatch binds of a buffer: 128 MiB, which every adapter allows.
const PIECE: usize = 32 << 20;

/// How gradients change parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1).
    Adam,
    /// AdaMax, the infinity-norm variant (the same paper, algorithm 2).
    Adamax,
    /// Adagrad (Duchi et al. 2011).
    Adagrad,
    /// RMSProp (Tieleman and Hinton 2012).
    Rmsprop,
    /// Gradient descent with momentum.
    Sgd,
}

impl OptimizerKind {
    /// Adam or its variant.
    pub fn is_adam(self) -> bool {
        matches!(self, Self::Adam | Self::Adamax)
    }
}

/// An optimizer and its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    /// The rule.
    pub kind: OptimizerKind,
    /// Decay rate of the mean of gradients (Adam, AdaMax); momentum of SGD.
    pub beta_1: f64,
    /// Decay rate of the mean of squared gradients (Adam, AdaMax, RMSProp).
    pub beta_2: f64,
    /// Added to denominators.
    pub epsilon: f64,
    /// L2 penalty: this times the parameter is added to its gradient.
    pub weight_decay: f64,
    /// Gradients are scaled so that the norm of all together is at most this; 0 for no limit.
    pub clip_norm: f64,
    /// Each number of a gradient is brought to at most this size, before norms are measured; 0 for no limit.
    pub clip_value: f64,
    /// Decay of the exponential moving averages of the parameters, below 1; 0 for none.
    pub ema_decay: f64,
}

impl Optimizer {
    /// The rule with the settings its paper (or, for RMSProp and SGD, common practice) gives.
    pub fn new(kind: OptimizerKind) -> Self {
        let (beta_1, beta_2, epsilon) = match kind {
            OptimizerKind::Adam | OptimizerKind::Adamax => (0.9, 0.999, 1e-8),
            OptimizerKind::Adagrad => (0.0, 0.0, 1e-10),
            OptimizerKind::Rmsprop => (0.0, 0.99, 1e-8),
            OptimizerKind::Sgd => (0.9, 0.0, 0.0),
        };
        Self {
            kind,
            beta_1,
            beta_2,
            epsilon,
            weight_decay: 0.0,
            clip_norm: 0.0,
            clip_value: 0.0,
            ema_decay: 0.0,
        }
    }

    /// Fill in what the rule needs in step number `t`, counted from 1, for group number `group`.
    pub fn prepare(&self, t: u64, learning_rate: f64, group: usize, step: &mut Step) {
        let correction = |beta: f64| (1.0 / (1.0 - beta.powf(t as f64))) as f32;
        let first = if self.kind.is_adam() { correction(self.beta_1) } else { 1.0 };
        let second = if self.kind == OptimizerKind::Adam { correction(self.beta_2) } else { 1.0 };
        step.groups[group] = [learning_rate as f32, first, second, 0.0];
    }

    fn kernel(&self) -> &'static str {
        match self.kind {
            OptimizerKind::Adam => "adam",
            OptimizerKind::Adamax => "adamax",
            OptimizerKind::Adagrad => "adagrad",
            OptimizerKind::Rmsprop => "rmsprop",
            OptimizerKind::Sgd => "sgd",
        }
    }

    fn constants(&self) -> BTreeMap<&'static str, f64> {
        let mut constants = constants! { WEIGHT_DECAY: self.weight_decay, CLIP_NORM: self.clip_norm };
        if matches!(self.kind, OptimizerKind::Adam | OptimizerKind::Adamax | OptimizerKind::Sgd) {
            constants.insert("BETA_1", self.beta_1);
        }
        if self.kind.is_adam() {
            constants.insert("ONE_MINUS_BETA_1", 1.0 - self.beta_1);
        }
        if matches!(self.kind, OptimizerKind::Adam | OptimizerKind::Adamax | OptimizerKind::Rmsprop) {
            constants.insert("BETA_2", self.beta_2);
        }
        if matches!(self.kind, OptimizerKind::Adam | OptimizerKind::Rmsprop) {
            constants.insert("ONE_MINUS_BETA_2", 1.0 - self.beta_2);
        }
        if self.kind != OptimizerKind::Sgd {
            constants.insert("EPSILON", self.epsilon);
        }
        constants
    }
}

/// The optimizer of each group of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizers {
    /// Of groups that have none of their own.
    pub default: Optimizer,
    /// Names of groups, and their optimizers.
    pub groups: Vec<(String, Optimizer)>,
}

impl Optimizers {
    /// The optimizer of the group `name`.
    pub fn of_group(&self, name: &str) -> &Optimizer {
        self.groups.iter().find(|(own, _)| own == name).map_or(&self.default, |(_, optimizer)| optimizer)
    }
}

impl From<Optimizer> for Optimizers {
    fn from(default: Optimizer) -> Self {
        Self { default, groups: Vec::new() }
    }
}

/// Elements that a workgroup of the kernel `square_sum` adds.
fn share() -> usize {
    kernel("square_sum").constant("SHARE") as usize
}

/// The part of a binding that piece number `piece` covers.
fn piece_of(whole: &Binding, piece: usize) -> Binding {
    let start = piece * PIECE;
    Binding { offset: whole.offset + start, length: PIECE.min(whole.length - start), ..whole.clone() }
}

/// Bring each of `gradients` to at most `limit` in size, where there is a limit.
fn clip(gradients: &Binding, limit: f64, lowering: &mut Lowering<'_>) -> Result<()> {
    if limit == 0.0 {
        return Ok(());
    }
    for piece in 0..gradients.length.div_ceil(PIECE) {
        let gradients = piece_of(gradients, piece);
        let length = gradients.length;
        let constants = constants! { LENGTH: length / 4, LIMIT: limit };
        let (label, grid) = ("clipped gradients".to_string(), Grid::Elements(length / 4));
        lowering.add(label, "clip_gradients", constants, &[("gradients", gradients)], grid, 2 * length)?;
    }
    Ok(())
}

/// Inputs: the gradients of a group, which it clips by value. Outputs: sums of their squares, their norm, and its metric.
#[derive(Debug)]
struct GradientNorm {
    group: GroupId,
    column: usize,
    clip_value: f64,
}

impl Operation for GradientNorm {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let gradients = lowering.bind_group("gradients", self.group)?;
        clip(&gradients, self.clip_value, lowering)?;
        let [squares, norm, metric] = [0, 1, 2].map(|i| node.outputs[i]);
        let shares = lowering.shape(squares).columns;
        for piece in 0..gradients.length.div_ceil(PIECE) {
            let values = piece_of(&gradients, piece);
            let own = values.length.div_ceil(share());
            let mut to = lowering.bind(squares)?;
            (to.offset, to.length) = (piece * (PIECE / share()), own);
            let length = values.length;
            let constants = constants! { LENGTH: length };
            let bindings = [("values", values), ("shares", to)];
            let label = "squared gradients".to_string();
            lowering.add(label, "square_sum", constants, &bindings, Grid::Workgroups(own), 2 * length)?;
        }
        let constants = constants! { LENGTH: shares, TERM: self.column, TERMS: lowering.metric_columns() };
        let values = [("values", squares), ("norm", norm), ("metrics", metric)];
        lowering.dispatch(node, "square_root", constants, &values, Grid::Workgroups(1), shares)
    }
}

/// Inputs: the gradients of a group, and their norm if they are clipped. Output: the parameters of the group; their moving
/// averages, which no other operation reads, follow.
#[derive(Debug)]
struct Update {
    optimizer: Optimizer,
    group: GroupId,
}

impl Operation for Update {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let flat = |name| lowering.bind_group(name, self.group);
        let (gradients, parameters) = (flat("gradients")?, flat("parameters")?);
        let (first, second) = (flat("moments.first")?, flat("moments.second")?);
        let norm = match node.inputs.last() {
            Some(&norm) if self.optimizer.clip_norm > 0.0 => Some(lowering.bind(norm)?),
            _ => None,
        };
        if norm.is_none() {
            clip(&gradients, self.optimizer.clip_value, lowering)?;
        }
        for piece in 0..gradients.length.div_ceil(PIECE) {
            let gradients = piece_of(&gradients, piece);
            let length = gradients.length;
            let mut constants = self.optimizer.constants();
            constants.extend(constants! { LENGTH: length / 4, GROUP: self.group.0 });
            let bindings = [
                // Without a limit the norm is not read: any buffer does.
                ("norm", norm.clone().unwrap_or_else(|| gradients.clone())),
                ("gradients", gradients),
                ("parameters", piece_of(&parameters, piece)),
                ("first", piece_of(&first, piece)),
                ("second", piece_of(&second, piece)),
            ];
            let grid = Grid::Elements(length / 4);
            let kernel = self.optimizer.kernel();
            lowering.add(node.label.clone(), kernel, constants, &bindings, grid, 10 * length)?;
        }
        if self.optimizer.ema_decay > 0.0 { self.average(&parameters, lowering) } else { Ok(()) }
    }
}

impl Update {
    /// Let the averages of the parameters follow them.
    fn average(&self, parameters: &Binding, lowering: &mut Lowering<'_>) -> Result<()> {
        let averages = lowering.bind_group("averages", self.group)?;
        for piece in 0..parameters.length.div_ceil(PIECE) {
            let parameters = piece_of(parameters, piece);
            let length = parameters.length;
            let constants = constants! { LENGTH: length / 4, RATE: 1.0 - self.optimizer.ema_decay };
            let bindings = [("parameters", parameters), ("averages", piece_of(&averages, piece))];
            let (label, grid) = ("averages of parameters".to_string(), Grid::Elements(length / 4));
            lowering.add(label, "average_parameters", constants, &bindings, grid, 3 * length)?;
        }
        Ok(())
    }
}

impl Graph {
    /// Let `optimizer` move the parameters of `group` by their gradients, in every training step. All gradients that are
    /// computed from these parameters must be in the graph before.
    ///
    /// # Errors
    /// [`Error::Internal`] if no gradient of the group has been computed, or a step has no room for its learning rate.
    pub fn step(&mut self, group: GroupId, optimizer: &Optimizer) -> Result<()> {
        let mut inputs = self.gradients_of(group);
        let name = self.group_name(group);
        if inputs.is_empty() || group.0 >= crate::plan::GROUPS {
            return Err(Error::Internal(format!("the group '{name}' has no gradients, or no learning rate")));
        }
        if optimizer.clip_norm > 0.0 {
            let title =
                if group.0 == 0 { "gradient.norm".to_string() } else { format!("gradient.norm.{name}") };
            let (column, metric) = self.metric_value(&title);
            let shares = self.tensors().group_range(group).len().div_ceil(share());
            let squares = self.add_value(format!("gradient.squares.{name}"), Shape::matrix(1, shares));
            let norm = self.add_value(title, Shape::matrix(1, 1));
            let label = "gradient norm".to_string();
            let operation = GradientNorm { group, column, clip_value: optimizer.clip_value };
            self.push(label, operation, &inputs, &[squares, norm, metric]);
            inputs.push(norm);
        }
        let parameters = self.group_value(group);
        let operation = Update { optimizer: *optimizer, group };
        self.push(format!("{} step", optimizer.kernel()), operation, &inputs, &[parameters]);
        self.add_update(parameters);
        Ok(())
    }
}
