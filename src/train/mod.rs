//! Training: the steps of a run, the loop that feeds them to a device, and the epochs.

mod feed;
mod mark;
mod observer;
mod schedule;
mod steps;
mod trainer;
mod watch;

pub(crate) use feed::Feed;
pub use observer::{Observer, Outcome, Snapshot};
pub use schedule::{epoch_order, step_of_cycle};
pub use steps::Steps;
pub use trainer::{Start, Trainer};
