//! Training: the optimiser, the schedules, the loop, and what is kept of a run.

mod optimizer;

pub use optimizer::{Optimizer, OptimizerKind};
