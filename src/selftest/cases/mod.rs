//! The cases of the self-test, a file for each file of kernels.

mod activation;
mod bench;
mod distributions;
mod extremes;
mod gate;
mod gather;
mod hierarchy;
mod hmc;
mod importance;
mod large;
mod latent;
mod likelihood;
mod matmul;
mod matmul_tiled;
mod noncentred;
mod optimizer;
mod sum;

use crate::activation::Activation;
use crate::cpu;
use crate::plan::{Grid, Step};
use crate::random::{Philox, stream};
use rand::RngExt;
use std::collections::BTreeMap;

/// What a buffer holds before the kernel runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// Standard normal numbers.
    Normal(usize),
    /// Numbers from 0 to 1.
    Unit(usize),
    /// Numbers from 0 to 0.01.
    Hundredth(usize),
    /// Random words.
    Words(usize),
    /// Random numbers below the second.
    Below(usize, u32),
    /// These numbers.
    Given(usize, fn(usize) -> f32),
    /// These words.
    GivenWords(usize, fn(usize) -> u32),
    /// The activation of these numbers.
    Activated(usize, Activation, fn(usize) -> f32),
}

impl Content {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Normal(n) | Self::Unit(n) | Self::Hundredth(n) | Self::Words(n) | Self::Below(n, _) => n,
            Self::Given(n, _) | Self::GivenWords(n, _) | Self::Activated(n, ..) => n,
        }
    }

    pub(super) fn is_words(self) -> bool {
        matches!(self, Self::Words(_) | Self::Below(..) | Self::GivenWords(..))
    }

    /// The same words for the same case and variable, always.
    pub(super) fn words(self, case: usize, variable: &str) -> Vec<u32> {
        let item = variable.bytes().fold(case as u64, |hash, byte| hash.wrapping_mul(131) + u64::from(byte));
        let mut random = Philox::new(11, stream::PRIOR, item);
        (0..self.length())
            .map(|i| match self {
                Self::Normal(_) => (random.normal() as f32).to_bits(),
                Self::Unit(_) => random.random::<f32>().to_bits(),
                Self::Hundredth(_) => (0.01 * random.random::<f32>()).to_bits(),
                Self::Words(_) => random.random::<u32>(),
                Self::Below(_, bound) => random.random_range(0..bound),
                Self::Given(_, number) => number(i).to_bits(),
                Self::GivenWords(_, word) => word(i),
                Self::Activated(_, kind, number) => {
                    (cpu::activate(kind, f64::from(number(i))) as f32).to_bits()
                }
            })
            .collect()
    }
}

/// One run of one kernel.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) kernel: &'static str,
    pub(super) constants: BTreeMap<&'static str, f64>,
    pub(super) contents: Vec<(&'static str, Content)>,
    pub(super) grid: Grid,
    pub(super) step: Step,
    /// Absolute difference tolerated, on top of 2e-5 of the value.
    pub(super) tolerance: f64,
}

impl Case {
    /// Run `kernel` with these constants: one invocation, a minibatch of one.
    fn new(kernel: &'static str, constants: BTreeMap<&'static str, f64>) -> Self {
        let step = Step {
            seed_low: 0x1234_5678,
            seed_high: 9,
            counter_low: 17,
            counter_high: 3,
            stream: 1,
            slot: 0,
            rows: 1,
            first_index: 1,
            beta: 0.75,
            learning_rate: 0.01,
            first_correction: 1.5,
            second_correction: 3.0,
            capacity: 1.1,
            ..Step::default()
        };
        let case =
            Self { kernel, constants, contents: Vec::new(), grid: Grid::Elements(1), step, tolerance: 0.0 };
        case.reduces(1)
    }

    /// What the kernel's variables hold before it runs.
    fn buffers(self, contents: &[(&'static str, Content)]) -> Self {
        Self { contents: contents.to_vec(), ..self }
    }

    fn grid(self, grid: Grid) -> Self {
        Self { grid, ..self }
    }

    /// Images in the minibatch.
    fn rows(self, rows: usize) -> Self {
        Self { step: Step { rows: rows as u32, ..self.step }, ..self }
    }

    /// A number of the output is the sum of about this many terms of size 1: roundings grow with its square root.
    fn reduces(self, terms: usize) -> Self {
        Self { tolerance: 4e-6 * (terms as f64).sqrt(), ..self }
    }
}

/// All cases.
pub(super) fn all() -> Vec<Case> {
    [
        matmul::all(),
        matmul_tiled::all(),
        activation::all(),
        gather::all(),
        latent::all(),
        likelihood::all(),
        importance::all(),
        hierarchy::all(),
        noncentred::all(),
        gate::all(),
        sum::all(),
        optimizer::all(),
        bench::all(),
        hmc::all(),
        distributions::all(),
        extremes::all(),
        large::all(),
    ]
    .concat()
}
