//! `[optimizer]`: the optimizer of all parameter groups, and `[optimizer.GROUP]`, which overrides it for one group.

use crate::checks::{below_one, is_zero, not_negative, positive};
use crate::model::{Initialisation, OutputBias};
use crate::optimizer::{LearningRateSchedule, Optimizer, OptimizerKind};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The optimizer, and the parameters it starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The algorithm.
    pub kind: OptimizerKind,
    /// Learning rate; depends on the algorithm where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Learning rate over the epochs.
    pub learning_rate_schedule: LearningRateSchedule,
    /// Epsilon in the denominators of `adam` and `adamax`.
    pub adam_epsilon: f64,
    /// Decay rate of Adam's mean of gradients; also of AdaMax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adam_beta_1: Option<f64>,
    /// Decay rate of Adam's mean of squared gradients; also of AdaMax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adam_beta_2: Option<f64>,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Largest gradient norm; 0 for no limit.
    pub clip_norm: f64,
    /// Largest size of each number of a gradient; 0 for no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub clip_value: f64,
    /// Decay of the exponential moving averages of the parameters, which evaluation then uses; 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub ema_decay: f64,
    /// Initial parameters.
    pub init: Initialisation,
    /// Initial bias of the decoder's output layer.
    pub output_bias: OutputBias,
    /// Overrides for single parameter groups, by the group's name.
    // Written beside the keys above; read by hand, because serde forgets the line of an error in a flattened map.
    #[serde(flatten, skip_deserializing)]
    pub groups: BTreeMap<String, GroupConfig>,
}

/// Overrides of the shared settings for one parameter group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct GroupConfig {
    /// The algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<OptimizerKind>,
    /// Learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Learning rate over the epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate_schedule: Option<LearningRateSchedule>,
    /// Epsilon in the denominators of `adam` and `adamax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adam_epsilon: Option<f64>,
    /// Decay rate of Adam's mean of gradients; also of AdaMax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adam_beta_1: Option<f64>,
    /// Decay rate of Adam's mean of squared gradients; also of AdaMax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adam_beta_2: Option<f64>,
    /// L2 penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Largest gradient norm; 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Largest size of each number of a gradient; 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            learning_rate: None,
            learning_rate_schedule: LearningRateSchedule::Constant,
            adam_epsilon: 1e-8,
            adam_beta_1: None,
            adam_beta_2: None,
            weight_decay: 0.0,
            clip_norm: 0.0,
            clip_value: 0.0,
            ema_decay: 0.0,
            init: Initialisation::FanIn,
            output_bias: OutputBias::Drawn,
            groups: BTreeMap::new(),
        }
    }
}

/// The learning rate of an optimizer where none is given.
fn default_rate(kind: OptimizerKind) -> f64 {
    match kind {
        OptimizerKind::Adam | OptimizerKind::Adamax => 2e-3,
        OptimizerKind::Rmsprop => 1e-3,
        OptimizerKind::Adagrad => 1e-2,
        OptimizerKind::Sgd => 1e-4,
    }
}

impl OptimizerConfig {
    /// The settings of one parameter group: its sub-table before the shared ones.
    #[must_use]
    pub fn of(&self, group: &str) -> Self {
        let mut settings = Self { groups: BTreeMap::new(), ..self.clone() };
        let Some(group) = self.groups.get(group).cloned() else { return settings };
        if let Some(kind) = group.kind.filter(|&kind| kind != settings.kind) {
            settings.kind = kind;
            // These two belong to the shared algorithm.
            settings.adam_epsilon =
                if kind.is_adam() { settings.adam_epsilon } else { Self::default().adam_epsilon };
            settings.learning_rate = None;
            if !kind.is_adam() {
                (settings.adam_beta_1, settings.adam_beta_2) = (None, None);
            }
        }
        settings.learning_rate = group.learning_rate.or(settings.learning_rate);
        let schedule = group.learning_rate_schedule;
        settings.learning_rate_schedule = schedule.unwrap_or(settings.learning_rate_schedule);
        settings.adam_epsilon = group.adam_epsilon.unwrap_or(settings.adam_epsilon);
        settings.adam_beta_1 = group.adam_beta_1.or(settings.adam_beta_1);
        settings.adam_beta_2 = group.adam_beta_2.or(settings.adam_beta_2);
        settings.weight_decay = group.weight_decay.unwrap_or(settings.weight_decay);
        settings.clip_norm = group.clip_norm.unwrap_or(settings.clip_norm);
        settings.clip_value = group.clip_value.unwrap_or(settings.clip_value);
        settings
    }

    /// The algorithm with its settings. Groups are left out: see [`OptimizerConfig::of`].
    pub fn optimizer(&self) -> Optimizer {
        let standard = Optimizer::new(self.kind);
        Optimizer {
            epsilon: if self.kind.is_adam() { self.adam_epsilon } else { standard.epsilon },
            beta_1: self.adam_beta_1.unwrap_or(standard.beta_1),
            beta_2: self.adam_beta_2.unwrap_or(standard.beta_2),
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
            clip_value: self.clip_value,
            ema_decay: self.ema_decay,
            ..standard
        }
    }

    /// The learning rate before the schedule.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or_else(|| default_rate(self.kind))
    }

    /// Refuse settings that make no sense, and groups that are not among `groups`; fill in the learning rate.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key path.
    pub fn resolve(mut self, groups: &[&str]) -> Result<Self> {
        if let Some(name) = self.groups.keys().find(|name| !groups.contains(&name.as_str())) {
            let problem = "the model has no parameter group of this name";
            let hint =
                format!("leave the table out, or name one of the model's groups: {}", groups.join(", "));
            return Err(Error::setting(format!("optimizer.{name}"), problem, hint));
        }
        self.learning_rate = Some(self.learning_rate());
        self.check("optimizer")?;
        for name in self.groups.keys() {
            self.of(name).check(&format!("optimizer.{name}"))?;
        }
        Ok(self)
    }

    /// Refuse values that make no sense. `table` is where they stand.
    fn check(&self, table: &str) -> Result<()> {
        let path = |key: &str| format!("{table}.{key}");
        positive(&path("learning-rate"), self.learning_rate())?;
        not_negative(&path("weight-decay"), self.weight_decay)?;
        not_negative(&path("clip-norm"), self.clip_norm)?;
        not_negative(&path("clip-value"), self.clip_value)?;
        below_one("optimizer.ema-decay", self.ema_decay)?;
        for (key, beta) in [("adam-beta-1", self.adam_beta_1), ("adam-beta-2", self.adam_beta_2)] {
            if beta.is_some() && !self.kind.is_adam() {
                let problem = "the optimizer is neither adam nor adamax";
                return Err(Error::setting(
                    path(key),
                    problem,
                    "leave it out, or choose optimizer.kind = adam",
                ));
            }
            below_one(&path(key), beta.unwrap_or(0.0))?;
        }
        let epsilon = self.adam_epsilon;
        if !self.kind.is_adam() && epsilon != Self::default().adam_epsilon {
            let problem = "the optimizer is neither adam nor adamax";
            let hint = "leave it out, or choose optimizer.kind = adam";
            return Err(Error::setting(path("adam-epsilon"), problem, hint));
        }
        // Outside of these it is 0 or infinite in single precision, or no small number.
        if !(1e-30..=1e3).contains(&epsilon) {
            let problem = format!("{epsilon} is not between 1e-30 and 1000");
            return Err(Error::setting(
                path("adam-epsilon"),
                problem,
                "give a small number such as 1e-8 or 1e-4",
            ));
        }
        Ok(())
    }
}
