//! The cases of `shaders/total_correlation.wgsl`, `covariance.wgsl`, `discrepancy.wgsl`, `permute.wgsl` and
//! `cross_entropy.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};
use std::collections::BTreeMap;

/// Images of a minibatch, those that are in it, and latent dimensions.
const SIZES: [(usize, usize, usize); 5] = [(1, 1, 1), (2, 2, 3), (5, 4, 2), (33, 33, 7), (21, 17, 10)];

type Constants = BTreeMap<&'static str, f64>;

fn joined(parts: &[&Constants]) -> Constants {
    parts.iter().flat_map(|part| part.iter().map(|(&name, &value)| (name, value))).collect()
}

pub(super) fn all() -> Vec<Case> {
    [correlations(), covariances(), discrepancies(), classes()].concat()
}

fn correlations() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (batch, rows, width)) in SIZES.into_iter().enumerate() {
        let columns = usize::div_ceil(width, 4);
        let sizes = constants! { BATCH: batch, COLUMNS: columns, WIDTH: width };
        let stride = 4 * columns;
        let posterior = ("posterior", Normal(2 * batch * stride));
        let (z, upstream) = (("z", Normal(batch * stride)), ("upstream", Normal(batch)));
        let (joint, sums) = (Normal(batch * batch), Unit(batch * (width + 1)));
        for stratified in [false, true] {
            // The number 2 of a step is 1.5: fewer images than the minibatch count as many.
            let weights = joined(&[&sizes, &constants! { IMAGES: 2, STRATIFIED: stratified }]);
            let case = |kernel, constants: Constants, contents: &[_], count: usize| {
                let case = Case::new(kernel, constants).buffers(contents).grid(Grid::Elements(count));
                case.rows(rows).reduces(64 * batch)
            };
            let contents = [posterior, z, ("joint", joint)];
            cases.push(case("pair_log_densities", weights.clone(), &contents, batch * batch));
            let contents = [posterior, z, ("joint_used", joint), ("sums", sums)];
            cases.push(case("pair_log_sums", weights.clone(), &contents, batch * (width + 1)));
            let used = [posterior, z, ("joint_used", joint), ("sums_used", sums), upstream];
            let accumulate = constants! { ACCUMULATE: number % 2 };
            let all = joined(&[&weights, &accumulate]);
            let contents = [&used[..], &[("z_gradient", Normal(batch * stride))]].concat();
            cases.push(case("total_correlation_z_gradient", all.clone(), &contents, batch * stride));
            let contents = [&used[..], &[("posterior_gradient", Normal(2 * batch * stride))]].concat();
            cases.push(case("total_correlation_posterior_gradient", all, &contents, batch * stride));
        }
        let outputs = ["information", "correlation", "dimensions"].map(|name| (name, Normal(batch)));
        let contents = [&[posterior, z, ("sums_used", sums)][..], &outputs].concat();
        let case = Case::new("total_correlation", sizes).buffers(&contents).grid(Grid::Elements(batch));
        cases.push(case.rows(rows).reduces(16 * width));
    }
    cases
}

fn covariances() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (batch, rows, width)) in SIZES.into_iter().enumerate() {
        let columns = usize::div_ceil(width, 4);
        let stride = 4 * columns;
        let sizes = constants! { COLUMNS: columns, WIDTH: width };
        let (posterior, means) = (("posterior", Normal(2 * batch * stride)), Normal(width));
        let (matrix, square) = (Normal(width * width), width * width);
        let contents = [posterior, ("means", means)];
        let case = Case::new("column_means", sizes.clone()).buffers(&contents).grid(Grid::Elements(width));
        cases.push(case.rows(rows).reduces(batch));
        let contents = [("matrix_used", matrix), ("penalty", Normal(batch))];
        let constants = constants! { BATCH: batch, WIDTH: width, DIAGONAL: 10 };
        let case = Case::new("covariance_penalty", constants).buffers(&contents).grid(Grid::Elements(batch));
        cases.push(case.rows(rows).reduces(100 * square));
        for variances in [false, true] {
            let with = constants! { VARIANCES: variances };
            let contents = [posterior, ("means_used", means), ("matrix", matrix)];
            let case = Case::new("covariance", joined(&[&sizes, &with])).buffers(&contents);
            cases.push(case.grid(Grid::Elements(square)).rows(rows).reduces(4 * batch));
            let more = constants! { BATCH: batch, DIAGONAL: 10, ACCUMULATE: number % 2 };
            let contents = [
                posterior,
                ("means_used", means),
                ("matrix_used", matrix),
                ("upstream", Normal(batch)),
                ("posterior_gradient", Normal(2 * batch * stride)),
            ];
            let case = Case::new("covariance_gradient", joined(&[&sizes, &with, &more])).buffers(&contents);
            cases.push(case.grid(Grid::Elements(batch * stride)).rows(rows).reduces(400 * (batch + width)));
        }
    }
    cases
}

fn discrepancies() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (batch, rows, width)) in SIZES.into_iter().enumerate() {
        let columns = usize::div_ceil(width, 4);
        let values = 4 * batch * columns;
        let sizes = constants! { BATCH: batch, COLUMNS: columns, WIDTH: width };
        let grid = Grid::Elements(batch * columns);
        let with = joined(&[&sizes, &constants! { STREAM: 1 << 28 }]);
        let mut case = Case::new("prior_samples", with).buffers(&[("prior", Normal(values))]).grid(grid);
        // As the numbers of Box and Muller.
        case.tolerance = 1e-3;
        cases.push(case.rows(rows));
        let points = [("z", Normal(values)), ("prior_used", Normal(values))];
        let contents = [&points[..], &[("discrepancy", Normal(batch))]].concat();
        let case = Case::new("kernel_discrepancy", sizes.clone()).buffers(&contents);
        cases.push(case.grid(Grid::Elements(batch)).rows(rows).reduces(64 * batch));
        let with = joined(&[&sizes, &constants! { ACCUMULATE: number % 2 }]);
        let contents = [&points[..], &[("upstream", Normal(batch)), ("z_gradient", Normal(values))]].concat();
        let case = Case::new("kernel_discrepancy_gradient", with).buffers(&contents).grid(grid);
        cases.push(case.rows(rows).reduces(64 * batch));
    }
    cases
}

fn classes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (batch, rows, width)) in SIZES.into_iter().enumerate() {
        let columns = usize::div_ceil(width, 4);
        let values = 4 * batch * columns;
        let sizes = constants! { BATCH: batch, COLUMNS: columns, WIDTH: width };
        let with = joined(&[&sizes, &constants! { STREAM: 1 << 29 }]);
        let contents = [("input", Normal(values)), ("output", Normal(values))];
        let case = Case::new("permute_columns", with).buffers(&contents);
        cases.push(case.grid(Grid::Elements(batch * columns)).rows(rows));
        let (logits, upstream) = (("logits", Normal(values)), ("upstream", Normal(batch)));
        let gradient = ("logits_gradient", Normal(values));
        let grid = Grid::Elements(batch);
        let class = constants! { CLASS: width / 2 };
        let accumulate = constants! { ACCUMULATE: number % 2 };
        let case = Case::new("cross_entropy", joined(&[&sizes, &class]));
        cases.push(case.buffers(&[logits, ("loss", Normal(batch))]).grid(grid).rows(rows).reduces(8));
        let case = Case::new("cross_entropy_gradient", joined(&[&sizes, &class, &accumulate]));
        cases.push(case.buffers(&[logits, upstream, gradient]).grid(grid).rows(rows).reduces(8));
        let sizes = constants! { BATCH: batch, COLUMNS: columns };
        let case = Case::new("contrast", sizes.clone());
        cases.push(case.buffers(&[logits, ("difference", Normal(batch))]).grid(grid).rows(rows));
        let case = Case::new("contrast_gradient", joined(&[&sizes, &accumulate]));
        cases.push(case.buffers(&[upstream, gradient]).grid(grid).rows(rows));
    }
    cases
}
