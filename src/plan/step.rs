//! What differs from one step to the next.

use bytemuck::{Pod, Zeroable};

/// Numbers that the parts of a plan may ask of a step, see [`Step::numbers`].
pub const NUMBERS: usize = 16;
/// Groups of parameters that a step has learning rates for.
pub const GROUPS: usize = 4;
/// Stands for the index of a number where a kernel asks for none: it takes 1.
pub const WITHOUT_NUMBER: usize = NUMBERS;

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
    /// Weights of losses and other numbers; [`super::Plan::numbers`] names them.
    pub numbers: [f32; 16],
    /// For each group of parameters: learning rate; `1 / (1 - beta1^t)` for Adam, `t` counted from 1, else 1;
    /// `1 / (1 - beta2^t)` for Adam, else 1; unused.
    pub groups: [[f32; 4]; 4],
    /// Filler up to 256 bytes, the distance of two records on a device.
    pub padding: [[u32; 4]; 6],
}

impl Step {
    /// A step whose random numbers have the key `seed` and belong to `stream` (see [`crate::random::stream`]).
    pub fn seeded(seed: u64, stream: u32) -> Self {
        Self { seed_low: seed as u32, seed_high: (seed >> 32) as u32, stream, ..Self::default() }
    }

    /// The same with the random numbers of step number `counter`.
    #[must_use]
    pub fn at(self, counter: u64) -> Self {
        Self { counter_low: counter as u32, counter_high: (counter >> 32) as u32, ..self }
    }
}
