//! Training: the optimiser, the schedules and the loop.

mod optimizer;
mod schedule;
mod trainer;

pub use optimizer::{Optimizer, OptimizerKind};
pub use schedule::{LearningRateSchedule, beta, capacity, epoch_order, step_of_cycle};
pub use trainer::{Observer, Outcome, Snapshot, Trainer};
