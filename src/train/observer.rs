//! Reports of a run while it trains.

use crate::report::{EpochRecord, LatentRecord};

/// How far a run is, between epochs.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Epoch in work, counted from 1.
    pub epoch: u64,
    /// Averages over the epoch so far, nats per image.
    pub reconstruction: f64,
    /// The same for the KL divergence, and for the penalty of a deterministic autoencoder.
    pub kl: f64,
    /// Training speed of the last submits.
    pub images_per_second: f64,
    /// Time left at that speed, evaluation left out.
    pub seconds_left: f64,
}

/// Receives a run's progress.
pub trait Observer {
    /// Some steps are done.
    fn progress(&mut self, snapshot: &Snapshot);
    /// Use of the latent dimensions, measured at an epoch's end; comes before [`Observer::epoch`].
    fn latents(&mut self, record: &LatentRecord) {
        let _ = record;
    }
    /// Something that people should know before the next epoch.
    fn message(&mut self, text: &str) {
        let _ = text;
    }
    /// An epoch is done and evaluated.
    fn epoch(&mut self, record: &EpochRecord);
}

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// It was interrupted, and saved.
    Interrupted,
}
