//! What every device can do with a plan.

use super::BufferId;
use crate::Result;
use bytemuck::{Pod, Zeroable};

/// What differs from one step to the next. The host fills one record a step; kernels read it as the
/// uniform `step` (`shaders/shared/step.wgsl`, same order).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Step {
    /// Low word of the run's seed: the key of the random numbers.
    pub seed_low: u32,
    /// High word of the seed.
    pub seed_high: u32,
    /// Low word of the counter that tells one step's random numbers from another's.
    pub counter_low: u32,
    /// High word of that counter.
    pub counter_high: u32,
    /// Which family of draws: training or evaluation (see [`crate::random::stream`]).
    pub stream: u32,
    /// Row of `metrics` this step writes.
    pub slot: u32,
    /// Images in this minibatch; rows past it are computed but count for nothing.
    pub rows: u32,
    /// Where this minibatch starts in `indices`.
    pub first_index: u32,
    /// Weight of the KL divergence.
    pub beta: f32,
    /// Learning rate.
    pub learning_rate: f32,
    /// Adam: `1 / (1 - beta1^t)`, `t` counted from 1. Other optimisers: 1.
    pub first_correction: f32,
    /// Adam: `1 / (1 - beta2^t)`.
    pub second_correction: f32,
    /// Nats the KL divergence is drawn to, where the objective has such a target.
    pub capacity: f32,
    /// Filler up to 64 bytes.
    pub padding: [u32; 3],
}

/// One step's row of `metrics`: means over the minibatch, in nats per image.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Metrics {
    /// Negative log-likelihood of the images given their latents.
    pub reconstruction: f32,
    /// KL divergence from the posterior to the prior, unweighted.
    pub kl: f32,
    /// Norm of all gradients together; 0 when it was not computed.
    pub gradient_norm: f32,
    /// Negative importance-weighted bound, see [`Metrics::bound`].
    pub reserved: f32,
}

impl Metrics {
    /// The bound on the evidence that the objective is the negative of, where it weighs samples (Burda et al. 2016);
    /// 0 where it does not.
    pub fn bound(&self) -> f32 {
        -self.reserved
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

    /// Write `words` into `buffer` from element `offset` on, ordered with the submits before and after.
    fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()>;

    /// Read `length` elements of `buffer` from `offset` on, after all submits before.
    fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>>;

    /// Run program `name` once for each of `steps`, in order. May return before the work is done.
    /// `steps[i].slot` must be `i`: the program's row of `metrics`.
    fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()>;

    /// Wait until at most `pending` submits are unfinished; return the metrics of those that have finished
    /// since the last call, one `Vec` a submit, in order.
    fn receive(&mut self, pending: usize) -> Result<Vec<Vec<Metrics>>>;
}
