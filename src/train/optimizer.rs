//! Optimisers over the flat buffer of parameters.

use crate::graph::Stage;
use crate::kernels::kernel;
use crate::plan::{Element, Grid, Lowering, Role, Step, constants};
use serde::{Deserialize, Serialize};

/// The rule by which gradients move parameters.
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

/// An optimiser and its settings.
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
        Self { kind, beta_1, beta_2, epsilon, weight_decay: 0.0, clip_norm: 0.0 }
    }

    /// Fill in what the rule wants to know of step number `t`, counted from 1.
    pub fn prepare(&self, t: u64, step: &mut Step) {
        let correction = |beta: f64| (1.0 / (1.0 - beta.powf(t as f64))) as f32;
        step.first_correction = if self.kind.is_adam() { correction(self.beta_1) } else { 1.0 };
        step.second_correction = if self.kind == OptimizerKind::Adam { correction(self.beta_2) } else { 1.0 };
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

    /// Append the dispatches of one step: the norm of the gradients where they are clipped, then the rule.
    pub(crate) fn lower(&self, lowering: &mut Lowering<'_>) {
        let length = lowering.parameter_length();
        let [parameters, gradients, first, second, norm, metrics] =
            ["parameters", "gradients", "moments.first", "moments.second", "gradient.norm", "metrics"]
                .map(|name| lowering.bind_buffer(name));
        if self.clip_norm > 0.0 {
            let shares = length.div_ceil(kernel("square_sum").constant("SHARE") as usize);
            lowering.buffer("gradient.squares", vec![shares], shares, Element::Real, Role::Activation);
            let squares = lowering.bind_buffer("gradient.squares");
            lowering.add(
                Stage::Update,
                "squared gradients".into(),
                "square_sum",
                constants! { LENGTH: length },
                &[("values", gradients.clone()), ("shares", squares.clone())],
                Grid::Workgroups(shares),
                2 * length,
            );
            lowering.add(
                Stage::Update,
                "gradient norm".into(),
                "square_root",
                constants! { LENGTH: shares },
                &[("values", squares), ("norm", norm.clone()), ("metrics", metrics)],
                Grid::Workgroups(1),
                shares,
            );
        }
        let mut constants =
            constants! { LENGTH: length / 4, WEIGHT_DECAY: self.weight_decay, CLIP_NORM: self.clip_norm };
        if matches!(self.kind, OptimizerKind::Adam | OptimizerKind::Adamax | OptimizerKind::Sgd) {
            constants.insert("BETA_1", self.beta_1);
        }
        if matches!(self.kind, OptimizerKind::Adam | OptimizerKind::Adamax | OptimizerKind::Rmsprop) {
            constants.insert("BETA_2", self.beta_2);
        }
        if self.kind != OptimizerKind::Sgd {
            constants.insert("EPSILON", self.epsilon);
        }
        lowering.add(
            Stage::Update,
            format!("{} step", self.kernel()),
            self.kernel(),
            constants,
            &[
                ("gradients", gradients),
                ("norm", norm),
                ("parameters", parameters),
                ("first", first),
                ("second", second),
            ],
            Grid::Elements(length / 4),
            10 * length,
        );
    }
}
