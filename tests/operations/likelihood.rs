//! Likelihoods.

use crate::harness::Check;
use crate::values::{pixel, waves};
use vae::graph::{Activation, Likelihood, LikelihoodKind, Mode, Shape, Weight};

/// Images, samples of each, pixels, images of the minibatch.
const SIZES: [(usize, usize, usize, usize); 3] = [(3, 1, 7, 3), (3, 2, 37, 2), (2, 3, 16, 2)];

fn all() -> Vec<Likelihood> {
    let with = |kind| {
        let activations = [Activation::Identity, Activation::Sigmoid];
        activations.map(move |mean_activation| Likelihood { kind, sigma: 0.7, mean_activation })
    };
    LikelihoodKind::ALL.into_iter().flat_map(with).collect()
}

/// The decoder's output, and images.
fn shapes(likelihood: Likelihood, (batch, samples, pixels): (usize, usize, usize)) -> [Shape; 2] {
    let sections = likelihood.kind.outputs().len();
    [Shape::with_sections(batch * samples, sections, pixels), Shape::matrix(batch, pixels)]
}

/// Pixels of a Laplace distribution, which has a kink at its mean, are darker than all means.
fn check(shapes: &[Shape], rows: usize, likelihood: Likelihood) -> Check<'_> {
    let scale = if likelihood.kind == LikelihoodKind::Laplace { 0.09 } else { 1.0 };
    let contents = move |input, row, column| match input {
        1 => scale * pixel(row, column),
        _ => waves(input, row, column),
    };
    Check::of("NegativeLogLikelihood", shapes).rows(rows).constant(1).contents(contents)
}

/// The optimal deviation of a minibatch is a constant for gradients: that is right for sums with equal weights, which all
/// objectives are that take it. With others it is checked as evaluation has it.
#[test]
fn with_a_seed_for_each_chunk() {
    for likelihood in all() {
        let mode =
            if likelihood.kind == LikelihoodKind::GaussianOptimal { Mode::Evaluate } else { Mode::Train };
        for (batch, samples, pixels, rows) in SIZES {
            let shapes = shapes(likelihood, (batch, samples, pixels));
            check(&shapes, rows, likelihood).pull_back(|graph, x| {
                graph
                    .with_mode(mode, |graph| Ok(vec![graph.negative_log_likelihood(x[0], x[1], likelihood)?]))
            });
        }
    }
}

#[test]
fn as_losses() {
    for likelihood in all() {
        for weight in [Weight::Constant(1.0), Weight::Constant(0.3), Weight::Step("beta")] {
            let factor = match weight {
                Weight::Constant(weight) => weight,
                Weight::Step(_) => 0.625,
            };
            for (batch, samples, pixels, rows) in SIZES {
                let shapes = shapes(likelihood, (batch, samples, pixels));
                check(&shapes, rows, likelihood).number("beta", 0.625).losses(
                    |graph, x| {
                        let value = graph.negative_log_likelihood(x[0], x[1], likelihood)?;
                        Ok((vec![value], vec![graph.loss("reconstruction", value, samples, weight.clone())]))
                    },
                    |values| factor * values.outputs[0].sum() / (samples * rows) as f64,
                );
            }
        }
    }
}

#[test]
fn of_a_decoder_output_that_is_constant() {
    let likelihood = Likelihood { kind: LikelihoodKind::GaussianShared, ..all()[0] };
    let shapes = shapes(likelihood, (3, 2, 7));
    check(&shapes, 2, likelihood)
        .constant(0)
        .pull_back(|graph, x| Ok(vec![graph.negative_log_likelihood(x[0], x[1], likelihood)?]));
}

#[test]
fn of_values_that_are_used_twice() {
    for likelihood in all() {
        let shapes = shapes(likelihood, (3, 2, 7));
        check(&shapes, 2, likelihood).losses(
            |graph, x| {
                let first = graph.negative_log_likelihood(x[0], x[1], likelihood)?;
                let second = graph.negative_log_likelihood(x[0], x[1], likelihood)?;
                let losses =
                    vec![graph.mean(first, 2), graph.loss("second", second, 2, Weight::Constant(0.3))];
                Ok((vec![first, second], losses))
            },
            |values| (values.outputs[0].sum() + 0.3 * values.outputs[1].sum()) / 4.0,
        );
    }
}

#[test]
fn expected_images() {
    // Those that a kernel computes have no derivative: pictures are only looked at.
    for likelihood in all() {
        let identity = likelihood.mean_activation == Activation::Identity && !likelihood.kind.takes_logits();
        if identity || likelihood.kind == LikelihoodKind::ContinuousBernoulli {
            continue;
        }
        let sections = likelihood.kind.outputs().len();
        Check::of("Activate", &[Shape::with_sections(3, sections, 7)])
            .pull_back(|graph, x| Ok(vec![graph.expected_image(x[0], likelihood)]));
    }
}
