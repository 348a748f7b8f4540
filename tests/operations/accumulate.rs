//! Values that are used several times, losses that are used on, and constants.

use crate::harness::Check;
use vae::graph::{Activation, KlTarget, Likelihood, LikelihoodKind, Samples, Shape, Weight};

#[test]
fn a_value_that_is_used_several_times() {
    for uses in [2, 3] {
        Check::of("Activate", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
            let kinds = [Activation::Tanh, Activation::Softplus, Activation::Silu];
            Ok(kinds[..uses].iter().map(|&kind| graph.activate("used", x[0], kind)).collect())
        });
        Check::of("Linear", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
            ["first", "second", "third"][..uses].iter().map(|name| graph.linear(&[name], x[0], 4)).collect()
        });
    }
}

#[test]
fn an_output_that_is_used_on() {
    // The seed of the first output is what the host wrote: the gradient of its further use must not be added to it.
    Check::of("Activate", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        let first = graph.activate("first", x[0], Activation::Tanh);
        let second = graph.linear(&["layer"], first, 3)?;
        Ok(vec![first, graph.activate("second", first, Activation::Silu), second])
    });
}

#[test]
fn an_input_that_is_an_output() {
    Check::of("Activate", &[Shape::matrix(3, 5)])
        .pull_back(|graph, x| Ok(vec![x[0], graph.activate("used", x[0], Activation::Tanh)]));
}

#[test]
fn an_output_that_is_named_twice() {
    Check::of("Activate", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        let output = graph.activate("used", x[0], Activation::Tanh);
        Ok(vec![output, output])
    });
}

#[test]
fn a_loss_that_is_used_on() {
    Check::of("Linear", &[Shape::matrix(3, 5)]).number("beta", 0.625).losses(
        |graph, x| {
            let first = graph.linear(&["first"], x[0], 5)?;
            let second = graph.activate("second", first, Activation::Tanh);
            let third = graph.linear(&["first"], second, 5)?;
            let losses = vec![
                graph.loss("first", first, 1, Weight::Step("beta")),
                graph.mean(second, 2),
                graph.loss("third", third, 1, Weight::Constant(0.3)),
            ];
            Ok((vec![first, second, third], losses))
        },
        |values| {
            let sums = [0, 1, 2].map(|i| values.outputs[i].sum());
            (0.625 * sums[0] + sums[1] / 2.0 + 0.3 * sums[2]) / 3.0
        },
    );
}

#[test]
fn an_input_that_is_a_loss() {
    Check::of("Activate", &[Shape::matrix(3, 5)]).losses(
        |graph, x| {
            let used = graph.activate("used", x[0], Activation::Tanh);
            Ok((vec![used], vec![graph.mean(x[0], 1), graph.mean(used, 1)]))
        },
        |values| (values.inputs[0].sum() + values.outputs[0].sum()) / 3.0,
    );
}

#[test]
fn a_value_that_is_two_losses() {
    Check::of("Activate", &[Shape::matrix(3, 5)]).number("beta", 0.625).losses(
        |graph, x| {
            let used = graph.activate("used", x[0], Activation::Tanh);
            let losses = vec![graph.mean(used, 1), graph.loss("again", used, 2, Weight::Step("beta"))];
            Ok((vec![used], losses))
        },
        |values| values.outputs[0].sum() * (1.0 + 0.625 / 2.0) / 3.0,
    );
}

#[test]
fn a_divergence_that_is_two_losses() {
    // Kernels that take the weight of a loss take one.
    let shape = Shape::with_sections(3, 2, 5);
    Check::of("GaussianKl", &[shape]).rows(2).number("beta", 0.625).losses(
        |graph, x| {
            let kl = graph.gaussian_kl(x[0], KlTarget::Zero)?;
            Ok((vec![kl], vec![graph.mean(kl, 1), graph.loss("again", kl, 1, Weight::Step("beta"))]))
        },
        |values| values.outputs[0].sum() * 1.625 / 2.0,
    );
}

#[test]
fn a_divergence_that_is_a_loss_and_used_on() {
    let shape = Shape::with_sections(3, 2, 5);
    Check::of("GaussianKl", &[shape]).rows(3).number("beta", 0.625).losses(
        |graph, x| {
            let kl = graph.gaussian_kl(x[0], KlTarget::Zero)?;
            let used = graph.activate("used", kl, Activation::Tanh);
            Ok((vec![kl, used], vec![graph.loss("kl", kl, 1, Weight::Step("beta")), graph.mean(used, 1)]))
        },
        |values| (0.625 * values.outputs[0].sum() + values.outputs[1].sum()) / 3.0,
    );
}

#[test]
fn a_constant_beside_the_value_itself() {
    // Twice the same function of x, of which one counts: half the derivative that there would be.
    let shapes = [Shape::matrix(3, 5), Shape::matrix(3, 5)];
    let contents = |_, row, column| crate::values::waves(0, row, column);
    Check::of("Activate", &shapes).contents(contents).unreached(1).pull_back(|graph, x| {
        let constant = graph.detach(x[1]);
        let first = graph.activate("first", x[0], Activation::Tanh);
        Ok(vec![first, graph.activate("second", constant, Activation::Tanh)])
    });
}

#[test]
fn an_operation_of_a_value_and_the_same_as_a_constant() {
    let shape = Shape::with_sections(3, 2, 5);
    // z = f(p, noise), KL of the detached p: the gradient goes through z only. By the formula the KL of z and p has
    // the derivative of its first part, sum of z z / 2.
    Check::of("SampledKl", &[shape]).losses(
        |graph, x| {
            let how = Samples { posterior: x[0], below: None, samples: 2, group: 0, weights: None };
            let mut drawn = graph.reparametrize(&how)?;
            drawn.posterior = graph.detach(x[0]);
            let kl = graph.sampled_kl(drawn, None, 3, KlTarget::Zero, None)?;
            Ok((vec![drawn.z], vec![graph.mean(kl, 2)]))
        },
        |values| values.outputs[0].dot(&values.outputs[0]) / 2.0 / 6.0,
    );
}

#[test]
fn gradients_of_parameters_add_up_over_losses() {
    Check::of("Linear", &[Shape::matrix(3, 5)]).constant(0).number("beta", 0.625).separately().losses(
        |graph, x| {
            let first = graph.linear(&["first"], x[0], 5)?;
            let second = graph.linear(&["first"], first, 5)?;
            let third = graph.activate("third", second, Activation::Tanh);
            let losses = vec![
                graph.mean(first, 1),
                graph.loss("second", second, 2, Weight::Constant(0.3)),
                graph.loss("third", third, 1, Weight::Step("beta")),
            ];
            Ok((vec![first, second, third], losses))
        },
        |values| {
            let sums = [0, 1, 2].map(|i| values.outputs[i].sum());
            (sums[0] + 0.15 * sums[1] + 0.625 * sums[2]) / 3.0
        },
    );
}

#[test]
fn a_shared_log_variance_over_several_losses() {
    let likelihood = Likelihood {
        kind: LikelihoodKind::GaussianShared,
        sigma: 0.7,
        mean_activation: Activation::Identity,
    };
    let shapes = [Shape::matrix(6, 7), Shape::matrix(3, 7)];
    Check::of("NegativeLogLikelihood", &shapes).rows(2).constant(0).constant(1).separately().losses(
        |graph, x| {
            let first = graph.negative_log_likelihood(x[0], x[1], likelihood)?;
            let second = graph.negative_log_likelihood(x[0], x[1], likelihood)?;
            let losses = vec![graph.mean(first, 2), graph.loss("second", second, 2, Weight::Constant(0.3))];
            Ok((vec![first, second], losses))
        },
        |values| (values.outputs[0].sum() + 0.3 * values.outputs[1].sum()) / 4.0,
    );
}
