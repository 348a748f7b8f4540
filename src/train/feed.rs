//! The training loop's inner part: minibatches go to the device, metrics come back.

use super::Steps;
use crate::Result;
use crate::pace::Pace;
use crate::session::{Session, Which};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Trains a session on minibatch after minibatch, in submits of about the wanted length.
#[derive(Debug)]
pub(crate) struct Feed {
    pace: Pace,
    /// Images in the minibatches of each submit that is still in the queue.
    queue: VecDeque<Vec<u32>>,
    /// When the device began with what is in the queue, or finished what was last received.
    since: Instant,
}

/// Steps that have finished.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// For each step the number of images and the row of metrics.
    pub(crate) steps: Vec<(u64, Vec<f32>)>,
    /// Time from the steps received before to these.
    pub(crate) time: Duration,
}

impl Feed {
    /// Begin with one step a submit; later submits take about `wanted`.
    pub(crate) fn new(session: &Session, wanted: Duration) -> Self {
        let pace = session.pace(wanted);
        Self { pace, queue: VecDeque::new(), since: Instant::now() }
    }

    /// Steps of the next submit.
    pub(crate) fn steps(&self) -> usize {
        self.pace.steps()
    }

    /// Submit the next of the steps `left`, take them off it, and receive what has finished. Step `s` trains on minibatch
    /// number `s` of `order`, which repeats. One submit stays in the queue, so that the device does not idle while the
    /// host prepares the next; at the end of `left` all are waited for.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn turn(
        &mut self,
        session: &mut Session,
        left: &mut Range<u64>,
        order: &[u32],
        steps: &Steps,
    ) -> Result<Finished> {
        if self.queue.is_empty() {
            self.since = Instant::now();
        }
        let end = left.end.min(left.start + self.pace.steps() as u64);
        let minibatches: Vec<&[u32]> = order.chunks(steps.batch()).collect();
        let now = left.start..end;
        let batches: Vec<&[u32]> =
            now.clone().map(|step| minibatches[(step % minibatches.len() as u64) as usize]).collect();
        let records = now.map(|step| steps.record(session.plan(), step)).collect();
        session.submit("train", Which::Train, &batches, records)?;
        self.queue.push_back(batches.iter().map(|batch| batch.len() as u32).collect());
        left.start = end;
        self.receive(session, usize::from(!left.is_empty()))
    }

    /// Receive what has finished, and wait until at most `pending` submits are in the queue.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn receive(&mut self, session: &mut Session, pending: usize) -> Result<Finished> {
        let submits = session.receive(pending)?;
        let mut finished = Finished::default();
        for submit in submits {
            let sizes = self.queue.pop_front().unwrap_or_default();
            let rows = submit.rows().map(<[f32]>::to_vec);
            finished.steps.extend(sizes.into_iter().map(u64::from).zip(rows));
        }
        if !finished.steps.is_empty() {
            finished.time = self.since.elapsed();
            self.since = Instant::now();
            self.pace.learn(finished.steps.len(), finished.time);
        }
        Ok(finished)
    }
}
