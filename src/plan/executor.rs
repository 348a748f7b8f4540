//! What every device can do with a plan.

use super::{BufferId, Step};
use crate::Result;
use std::time::Duration;

/// The rows of `metrics` that one submit has written, a row a step; [`super::Plan::metrics`] names the columns. They are
/// means over the minibatch, in nats per image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricRows {
    /// Numbers in a row.
    pub columns: usize,
    /// All rows, one after the other.
    pub values: Vec<f32>,
}

impl MetricRows {
    /// Row by row.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.columns.max(1))
    }
}

/// A device that holds a plan's buffers and runs its programs.
///
/// Buffers start as zeros. Data crosses as 4-byte words: bit patterns of `f32` for
/// [`super::Element::Real`] buffers (an `f64` executor converts).
pub trait Executor {
    /// The device's name, for logs and results.
    fn device_name(&self) -> String;

    /// Most steps one [`Executor::submit`] takes.
    fn max_steps(&self) -> usize;

    /// The time above which the operating system may take one submit for a hung device; `None` where it waits.
    fn longest_submit(&self) -> Option<Duration> {
        None
    }

    /// Write `words` into `buffer` from element `offset` on, ordered with the submits before and after.
    ///
    /// # Errors
    /// If the device fails.
    fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()>;

    /// Read `length` elements of `buffer` from `offset` on, after all submits before.
    ///
    /// # Errors
    /// If the device fails.
    fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>>;

    /// Run program `name` once for each of `steps`, in order. May return before the work is done.
    /// `steps[i].slot` must be `i`: the program's row of `metrics`.
    ///
    /// # Errors
    /// If there is no such program, or the device fails.
    fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()>;

    /// Wait until at most `pending` submits are unfinished; return the metrics of those that have finished
    /// since the last call, one entry a submit, in order.
    ///
    /// # Errors
    /// If the device fails.
    fn receive(&mut self, pending: usize) -> Result<Vec<MetricRows>>;
}
