//! What is kept of a run: its folder, its checkpoints, and the trained model that is read back from them.

mod checkpoint;
mod folder;
mod images;
mod kept;
mod known;
mod trained;
mod weights;

pub use checkpoint::{Checkpoint, TrainState};
pub use folder::RunFolder;
pub use images::{PartName, Place, Wanted};
pub use known::{Change, KnownData};
pub use trained::{RunHeader, TrainedModel, check_same_model, check_same_settings};
pub use weights::{Fit, Weights};
