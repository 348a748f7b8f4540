//! The cases of `shaders/likelihood.wgsl`.

use super::Content::{Normal, Unit};
use super::{Case, case};
use crate::graph::Activation;
use crate::plan::{Grid, constants};

/// Value, gradient, and both in one.
const KERNELS: [[&str; 3]; 6] = [
    ["bernoulli", "bernoulli_gradient", "bernoulli_with_gradient"],
    ["gaussian", "gaussian_gradient", "gaussian_with_gradient"],
    ["gaussian_shared", "gaussian_shared_gradient", "gaussian_shared_with_gradient"],
    ["gaussian_learned", "gaussian_learned_gradient", "gaussian_learned_with_gradient"],
    ["discretized_logistic", "discretized_logistic_gradient", "discretized_logistic_with_gradient"],
    ["continuous_bernoulli", "continuous_bernoulli_gradient", "continuous_bernoulli_with_gradient"],
];
/// The decoder gives a scale for every mean.
const TWO_SECTIONS: [&str; 2] = ["gaussian_learned", "discretized_logistic"];
const LOGITS: [&str; 2] = ["bernoulli", "continuous_bernoulli"];

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows)) in
        [(1, 1, 1, 1), (3, 2, 15, 2), (9, 1, 66, 9), (17, 3, 785, 16)].into_iter().enumerate()
    {
        let columns = usize::div_ceil(width, 4);
        let values = 4 * samples * batch * columns;
        let chunks = columns.div_ceil(4);
        let total = samples * batch * chunks;
        let mean =
            [Activation::Identity, Activation::Sigmoid, Activation::Tanh, Activation::Softplus][i].number();
        let images = ("images", Unit(4 * batch * columns));
        let sizes = constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width };
        let decoded = ("decoded", Normal(values));
        cases.push(case(
            "continuous_bernoulli_mean",
            sizes.clone(),
            &[decoded, ("expected", Normal(values))],
            Grid::Elements(samples * batch * columns),
            rows,
            1,
        ));
        for [kernel, gradient, both] in KERNELS {
            let sections = if TWO_SECTIONS.contains(&kernel) { 2 } else { 1 };
            let mut constants = sizes.clone();
            if !LOGITS.contains(&kernel) {
                constants.insert("MEAN_ACTIVATION", f64::from(mean));
            }
            if kernel == "gaussian" {
                constants.insert("LOG_VARIANCE", -0.7);
            }
            let mut inputs = vec![("decoded", Normal(sections * values)), images];
            let value = ("value", Normal(total));
            let mut changes = vec![("decoded_gradient", Normal(sections * values))];
            if kernel == "gaussian_shared" {
                inputs.push(("log_variance", Normal(4)));
                changes.push(("log_variance_terms", Normal(total)));
            }
            let grid = Grid::Elements(total);
            for (kernel, outputs) in [
                (kernel, vec![value]),
                (gradient, changes.clone()),
                (both, changes.into_iter().chain([value]).collect()),
            ] {
                let contents = [inputs.clone(), outputs].concat();
                cases.push(case(kernel, constants.clone(), &contents, grid, rows, 16));
            }
        }
    }
    cases
}
