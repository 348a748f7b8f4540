//! Training: the optimiser, the schedules and the loop.

mod schedule;
mod trainer;

pub use schedule::{beta, capacity, epoch_order, step_of_cycle};
pub use trainer::{Observer, Outcome, Snapshot, Trainer};
