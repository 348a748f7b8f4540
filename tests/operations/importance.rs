//! Importance weights and the bounds they give.

use crate::harness::Check;
use vae::graph::{Shape, Weight, Weighting};

#[test]
fn log_weights() {
    for (batch, samples, chunks) in [(3, 1, 1), (3, 2, 4), (1, 5, 3)] {
        let rows = batch * samples;
        Check::of("LogWeights", &[Shape::matrix(1, rows * chunks), Shape::matrix(1, rows)])
            .rows(batch)
            .number("beta", 0.625)
            .pull_back(|graph, x| Ok(vec![graph.log_weights(x[0], x[1], batch)?]));
    }
}

#[test]
fn log_weights_of_one_input() {
    for constant in [0, 1] {
        Check::of("LogWeights", &[Shape::matrix(1, 12), Shape::matrix(1, 6)])
            .rows(3)
            .number("beta", 0.625)
            .constant(constant)
            .pull_back(|graph, x| Ok(vec![graph.log_weights(x[0], x[1], 3)?]));
    }
}

#[test]
fn log_weights_of_values_that_are_used_twice() {
    Check::of("LogWeights", &[Shape::matrix(1, 12), Shape::matrix(1, 6)])
        .rows(3)
        .number("beta", 0.625)
        .pull_back(|graph, x| Ok(vec![graph.log_weights(x[0], x[1], 3)?, graph.log_weights(x[0], x[1], 3)?]));
}

const WEIGHTINGS: [Weighting; 3] =
    [Weighting::Uniform, Weighting::Importance, Weighting::DoublyReparametrized];

/// Images, samples of each, images of the minibatch.
const SIZES: [(usize, usize, usize); 4] = [(3, 1, 3), (3, 4, 3), (3, 4, 2), (5, 3, 1)];

#[test]
fn bounds() {
    for weighting in WEIGHTINGS {
        for (batch, samples, rows) in SIZES {
            Check::of("ImportanceBound", &[Shape::matrix(1, batch * samples)])
                .rows(rows)
                .pull_back(|graph, x| Ok(vec![graph.importance_bound(x[0], samples, weighting, None)?]));
        }
    }
}

#[test]
fn bounds_as_losses() {
    for weighting in WEIGHTINGS {
        for (batch, samples, rows) in SIZES {
            for weight in [Weight::Constant(1.0), Weight::Constant(0.3), Weight::Step("beta")] {
                let factor = match weight {
                    Weight::Constant(weight) => weight,
                    Weight::Step(_) => 0.625,
                };
                Check::of("ImportanceBound", &[Shape::matrix(1, batch * samples)])
                    .rows(rows)
                    .number("beta", 0.625)
                    .losses(
                        |graph, x| {
                            let weights = graph.declare_weights(batch * samples);
                            let bound = graph.importance_bound(x[0], samples, weighting, Some(weights))?;
                            Ok((vec![bound], vec![graph.loss("bound", bound, 1, weight.clone())]))
                        },
                        |values| factor * values.outputs[0].sum() / rows as f64,
                    );
            }
        }
    }
}

#[test]
fn two_bounds_of_the_same_weights() {
    Check::of("ImportanceBound", &[Shape::matrix(1, 12)]).rows(2).losses(
        |graph, x| {
            let [first, second] = [Weighting::Uniform, Weighting::Importance]
                .map(|weighting| graph.importance_bound(x[0], 4, weighting, None));
            let (first, second) = (first?, second?);
            let losses = vec![graph.mean(first, 1), graph.loss("second", second, 1, Weight::Constant(0.3))];
            Ok((vec![first, second], losses))
        },
        |values| values.outputs[0].sum() / 2.0 + 0.3 * values.outputs[1].sum() / 2.0,
    );
}
