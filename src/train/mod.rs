//! Training: the optimiser, the schedules, the loop, and what is kept of a run.

mod checkpoint;
mod run;
mod schedule;
mod trainer;

pub use checkpoint::{Checkpoint, TrainState};
pub use run::RunFolder;
pub use schedule::{LearningRateSchedule, beta, capacity, epoch_order, step_of_cycle};
pub use trainer::{Observer, Outcome, Snapshot, Trainer};
