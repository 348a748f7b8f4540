//! The cases of the self-test, a file for each file of kernels.

mod accumulate;
mod activation;
mod attention;
mod bench;
mod channels;
mod codes;
mod columns;
mod convolution;
mod corrupt;
mod distributions;
mod extremes;
mod gate;
mod gather;
mod hmc;
mod importance;
mod large;
mod latent;
mod likelihood;
mod lstm;
mod maps;
mod matmul;
mod matmul_tiled;
mod mixture;
mod noncentred;
mod norm;
mod optimal_variance;
mod optimizer;
mod parts;
mod penalties;
mod racing;
mod sampled_kl;
mod squared_error;
mod sum;

use crate::plan::{Grid, Step};
pub(super) use crate::probe::Content;
use std::collections::BTreeMap;

/// One run of one kernel.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) kernel: &'static str,
    pub(super) constants: BTreeMap<&'static str, f64>,
    pub(super) contents: Vec<(&'static str, Content<'static>)>,
    pub(super) grid: Grid,
    pub(super) step: Step,
    /// Absolute difference tolerated, on top of 2e-5 of the value.
    pub(super) tolerance: f64,
}

impl Case {
    /// Run `kernel` with these constants: one invocation, a minibatch of one.
    fn new(kernel: &'static str, constants: BTreeMap<&'static str, f64>) -> Self {
        let mut step = Step {
            seed_low: 0x1234_5678,
            seed_high: 9,
            counter_low: 17,
            counter_high: 3,
            stream: 1,
            slot: 0,
            rows: 1,
            first_index: 1,
            ..Step::default()
        };
        step.numbers[..3].copy_from_slice(&[0.75, 1.1, 1.5]);
        step.groups[1] = [0.01, 1.5, 3.0, 0.0];
        let case =
            Self { kernel, constants, contents: Vec::new(), grid: Grid::Elements(1), step, tolerance: 0.0 };
        case.reduces(1)
    }

    /// What the kernel's variables hold before it runs.
    fn buffers(self, contents: &[(&'static str, Content<'static>)]) -> Self {
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
        channels::all(),
        accumulate::all(),
        activation::all(),
        attention::all(),
        gather::all(),
        latent::all(),
        likelihood::all(),
        importance::all(),
        sampled_kl::all(),
        noncentred::all(),
        norm::all(),
        maps::all(),
        gate::all(),
        squared_error::all(),
        sum::all(),
        optimizer::all(),
        bench::all(),
        hmc::all(),
        distributions::all(),
        extremes::all(),
        large::all(),
        parts::all(),
        codes::all(),
        columns::all(),
        convolution::all(),
        corrupt::all(),
        // The content of a case follows from its number: later files stand at the end.
        optimal_variance::all(),
        penalties::all(),
        lstm::all(),
        mixture::all(),
        racing::all(),
    ]
    .concat()
}
