//! The cases of the self-test, a file for each file of kernels.

mod activation;
mod bench;
mod distributions;
mod gate;
mod gather;
mod hierarchy;
mod hmc;
mod importance;
mod latent;
mod likelihood;
mod matmul;
mod matmul_tiled;
mod noncentred;
mod optimizer;
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

pub(super) fn case(
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    contents: &[(&'static str, Content<'static>)],
    grid: Grid,
    rows: usize,
    reduction: usize,
) -> Case {
    let step = Step {
        seed_low: 0x1234_5678,
        seed_high: 9,
        counter_low: 17,
        counter_high: 3,
        stream: 1,
        slot: 0,
        rows: rows as u32,
        first_index: 1,
        beta: 0.75,
        learning_rate: 0.01,
        first_correction: 1.5,
        second_correction: 3.0,
        capacity: 1.1,
        ..Step::default()
    };
    // Roundings of a sum of n terms of size 1 grow with the square root of n.
    let tolerance = 4e-6 * (reduction as f64).sqrt();
    Case { kernel, constants, contents: contents.to_vec(), grid, step, tolerance }
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
    ]
    .concat()
}
