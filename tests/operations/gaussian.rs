//! Reparametrized samples, and the KL divergence in closed form.

use crate::harness::Check;
use crate::values::{Matrix, Values, waves};
use vae::graph::{KlTarget, Samples, Shape, ValueId, Weight};

/// Means and log-variances.
fn posterior(rows: usize, columns: usize) -> Shape {
    Shape::with_sections(rows, 2, columns)
}

fn samples(posterior: ValueId, samples: usize, group: usize) -> Samples {
    Samples { posterior, below: None, samples, group, weights: None }
}

#[test]
fn samples_of_a_posterior() {
    for (rows, width, count, group) in [(3, 5, 1, 0), (3, 2, 4, 1), (2, 4, 3, 2), (1, 1, 1, 0)] {
        Check::of("Reparametrize", &[posterior(rows, width)])
            .pull_back(|graph, x| Ok(vec![graph.reparametrize(&samples(x[0], count, group))?.z]));
    }
}

#[test]
fn samples_in_a_minibatch_that_is_not_full() {
    Check::of("Reparametrize", &[posterior(3, 5)])
        .rows(2)
        .pull_back(|graph, x| Ok(vec![graph.reparametrize(&samples(x[0], 2, 0))?.z]));
}

#[test]
fn noise_has_no_derivative() {
    Check::of("Reparametrize", &[posterior(3, 5)]).pull_back(|graph, x| {
        let drawn = graph.reparametrize(&samples(x[0], 2, 0))?;
        Ok(vec![drawn.z, drawn.noise])
    });
}

#[test]
fn samples_whose_gradient_goes_by_another_value() {
    Check::of("Reparametrize", &[posterior(3, 5)]).pull_back(|graph, x| {
        let own = graph.detach(x[0]);
        Ok(vec![graph.reparametrize(&Samples { below: Some(x[0]), ..samples(own, 2, 0) })?.z])
    });
}

#[test]
fn two_groups_of_samples_of_one_posterior() {
    Check::of("Reparametrize", &[posterior(3, 5)]).pull_back(|graph, x| {
        let [first, second] = [(2, 0), (1, 1)].map(|(count, group)| samples(x[0], count, group));
        Ok(vec![graph.reparametrize(&first)?.z, graph.reparametrize(&second)?.z])
    });
}

#[test]
fn the_divergence() {
    for rows in [3, 2] {
        for width in [1, 4, 5] {
            Check::of("GaussianKl", &[posterior(3, width)])
                .rows(rows)
                .pull_back(|graph, x| Ok(vec![graph.gaussian_kl(x[0], KlTarget::Zero)?]));
        }
    }
}

#[test]
fn samples_and_divergence_of_one_posterior() {
    Check::of("GaussianKl", &[posterior(3, 5)]).rows(2).pull_back(|graph, x| {
        let z = graph.reparametrize(&samples(x[0], 2, 0))?.z;
        Ok(vec![z, graph.gaussian_kl(x[0], KlTarget::Zero)?])
    });
}

/// The divergence of each dimension, averaged over the minibatch.
fn averages(kl: &Matrix, rows: usize) -> Vec<f64> {
    let average = |j| (0..rows).map(|row| kl.at(row, 0, j)).sum::<f64>() / rows as f64;
    (0..kl.columns()).map(average).collect()
}

/// The divergence of each image.
fn of_images(kl: &Matrix, rows: usize) -> Vec<f64> {
    (0..rows).map(|row| (0..kl.columns()).map(|j| kl.at(row, 0, j)).sum()).collect()
}

/// Check the divergence as a loss of this weight; a step's `beta` is 0.625.
fn loss(target: KlTarget, weight: &Weight, rows: usize, capacity: f64) {
    let factor = match weight {
        Weight::Constant(weight) => *weight,
        Weight::Step(_) => 0.625,
    };
    let objective = |values: &Values| {
        let averages = averages(&values.outputs[0], rows);
        let total: f64 = averages.iter().sum();
        factor
            * match target {
                KlTarget::Zero => total,
                KlTarget::FreeBits(nats) => {
                    let open = averages.iter().filter(|&&average| average > nats).count();
                    assert!(open > 0 && open < averages.len(), "{averages:?}");
                    averages.iter().map(|average| average.max(nats)).sum()
                }
                KlTarget::Floor(nats) => {
                    let images = of_images(&values.outputs[0], rows);
                    let open = images.iter().filter(|&&kl| kl >= nats).count();
                    assert!(open > 0 && open < images.len(), "{images:?}");
                    images.iter().map(|kl| kl.max(nats)).sum::<f64>() / rows as f64
                }
                KlTarget::Capacity => (total - capacity).abs(),
            }
    };
    Check::of("GaussianKl", &[posterior(3, 5)])
        .rows(rows)
        // Some dimensions are nearer to the prior than others.
        .contents(|input, row, column| waves(input, row, column) * [0.3, 0.7, 1.0][column % 5 % 3])
        .number("beta", 0.625)
        .number("capacity", capacity)
        .losses(
            |graph, x| {
                let kl = graph.gaussian_kl(x[0], target)?;
                let loss = graph.loss("kl", kl, 1, weight.clone());
                Ok((vec![kl], vec![loss]))
            },
            objective,
        );
}

#[test]
fn the_divergence_as_a_loss() {
    for weight in [Weight::Constant(1.0), Weight::Constant(0.3), Weight::Step("beta")] {
        for rows in [3, 2] {
            loss(KlTarget::Zero, &weight, rows, 0.0);
            loss(KlTarget::FreeBits(0.25), &weight, rows, 0.0);
            loss(KlTarget::Floor(0.985), &weight, rows, 0.0);
            for capacity in [0.5, 8.0] {
                loss(KlTarget::Capacity, &weight, rows, capacity);
            }
        }
    }
}

#[test]
fn a_loss_beside_samples() {
    // Both gradients go to the posterior, and are one kernel.
    for weight in [Weight::Constant(0.3), Weight::Step("beta")] {
        let factor = if weight == Weight::Step("beta") { 0.625 } else { 0.3 };
        Check::of("Reparametrize", &[posterior(3, 5)]).number("beta", 0.625).losses(
            |graph, x| {
                let z = graph.reparametrize(&samples(x[0], 2, 0))?.z;
                let kl = graph.gaussian_kl(x[0], KlTarget::Zero)?;
                let losses = vec![graph.mean(z, 2), graph.loss("kl", kl, 1, weight.clone())];
                Ok((vec![z, kl], losses))
            },
            |values| values.outputs[0].sum() / 6.0 + factor * values.outputs[1].sum() / 3.0,
        );
    }
}

#[test]
fn doubly_reparametrized_samples() {
    // No derivative of anything, but an estimate of one: the pull-back of changed seeds, of which the weights and the
    // density are constants (arXiv 1810.04152, equation 8; for beta see shaders/importance.wgsl).
    let (batch, count, width, rows, beta) = (3, 2, 5, 2, 0.625);
    Check::of("Reparametrize", &[posterior(batch, width), Shape::matrix(1, batch * count)])
        .rows(rows)
        .constant(1)
        .number("beta", beta)
        .pull_back_as(
            |graph, x| {
                let drawn =
                    graph.reparametrize(&Samples { weights: Some(x[1]), ..samples(x[0], count, 0) })?;
                Ok(vec![drawn.z, drawn.noise])
            },
            |values| {
                let (z, noise) = (&values.outputs[0], &values.outputs[1]);
                let each = (0..batch * count).flat_map(|row| (0..width).map(move |j| (row, j)));
                let term = |(row, j): (usize, usize)| {
                    let log_variance = waves(0, row % batch, width + j);
                    let weight = beta * values.inputs[1].at(0, 0, row);
                    let density = weight * noise.at(row, 0, j) * (-0.5 * log_variance).exp();
                    let factor = 1.0 - beta + weight * rows as f64;
                    z.at(row, 0, j) * (values.seeds[0].at(row, 0, j) - density) * factor
                };
                each.map(term).sum()
            },
        );
}
