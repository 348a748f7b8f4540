//! The operations, a file for each family: what they compute, their derivative rules, and the kernels they become.

pub(super) mod accumulate;
pub(super) mod activation;
mod affine;
mod attention;
pub(super) mod batch_norm;
mod blocks;
mod clamp;
mod classes;
mod codes;
pub(super) mod controller;
pub(super) mod convolution;
pub(super) mod corrupt;
mod covariance;
pub(super) mod depthwise;
mod discrepancy;
mod dropout;
pub(super) mod gate;
pub(super) mod gather;
pub(super) mod gaussian;
mod group_norm;
pub(super) mod hmc;
mod idle;
pub(super) mod importance;
mod keep_largest;
mod layer_norm;
pub(super) mod likelihood;
mod linear;
pub(super) mod lstm;
mod mask;
mod mixture;
mod noncentred;
mod optimal_variance;
mod pool;
mod racing;
mod residual;
pub(super) mod sampled_kl;
mod shape;
mod softmax;
mod squared_error;
pub(super) mod total_correlation;
mod unit_columns;

use super::Shape;

/// One number for each of some rows: a matrix of one row, so that nothing is padded in between. What follows the last
/// number may be stale ([`Shape::extent`]).
fn one_a_row(rows: usize) -> Shape {
    Shape::matrix(1, rows)
}
