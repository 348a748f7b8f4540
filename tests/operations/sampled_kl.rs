//! The KL divergence that is estimated from samples.

use crate::harness::Check;
use crate::values::{Values, waves};
use vae::graph::{Drawn, KlTarget, Samples, Shape, ValueId, Weight};

/// Shapes of posterior, z, noise, and a prior.
fn shapes(posterior_rows: usize, rows: usize, columns: usize) -> [Shape; 4] {
    let pair = |rows| Shape::with_sections(rows, 2, columns);
    let z = Shape::matrix(rows, columns);
    [pair(posterior_rows), z, z, pair(rows)]
}

fn drawn(x: &[ValueId]) -> Drawn {
    Drawn { posterior: x[0], z: x[1], noise: x[2] }
}

/// Images, samples of each, rows of the posterior, latents, images of the minibatch.
const SIZES: [(usize, usize, usize, usize, usize); 5] =
    [(3, 1, 3, 5, 3), (3, 2, 3, 5, 2), (3, 2, 6, 3, 2), (2, 4, 2, 4, 2), (3, 3, 9, 1, 1)];

#[test]
fn against_a_standard_normal_prior() {
    for (batch, samples, posterior_rows, width, rows) in SIZES {
        let shapes = shapes(posterior_rows, batch * samples, width);
        Check::of("SampledKl", &shapes[..3])
            .rows(rows)
            .constant(2)
            .pull_back(|graph, x| Ok(vec![graph.sampled_kl(drawn(x), None, batch, KlTarget::Zero, None)?]));
    }
}

#[test]
fn against_a_prior_of_another_group() {
    for (batch, samples, posterior_rows, width, rows) in SIZES {
        Check::of("SampledKl", &shapes(posterior_rows, batch * samples, width))
            .rows(rows)
            .constant(2)
            .pull_back(|graph, x| {
                Ok(vec![graph.sampled_kl(drawn(x), Some(x[3]), batch, KlTarget::Zero, None)?])
            });
    }
}

#[test]
fn some_inputs_without_a_gradient() {
    let shapes = shapes(3, 6, 5);
    for constant in [[0, 1], [0, 3], [1, 3]] {
        let check = Check::of("SampledKl", &shapes).constant(2);
        constant.into_iter().fold(check, Check::constant).pull_back(|graph, x| {
            Ok(vec![graph.sampled_kl(drawn(x), Some(x[3]), 3, KlTarget::Zero, None)?])
        });
    }
}

#[test]
fn added_to_the_divergence_of_another_group() {
    let [posterior, z, noise, prior] = shapes(3, 6, 5);
    for with_prior in [false, true] {
        let mut shapes = vec![posterior, z, noise, Shape::matrix(1, 6)];
        shapes.extend(with_prior.then_some(prior));
        Check::of("SampledKl", &shapes).rows(2).constant(2).pull_back(|graph, x| {
            let prior = x.get(4).copied();
            Ok(vec![graph.sampled_kl(drawn(x), prior, 3, KlTarget::Zero, Some(x[3]))?])
        });
    }
}

#[test]
fn a_divergence_before_that_is_used_elsewhere_too() {
    let [posterior, z, noise, _] = shapes(3, 6, 5);
    Check::of("SampledKl", &[posterior, z, noise, Shape::matrix(1, 6)]).constant(2).pull_back(|graph, x| {
        let first = graph.sampled_kl(drawn(x), None, 3, KlTarget::Zero, Some(x[3]))?;
        let second = graph.sampled_kl(drawn(x), None, 3, KlTarget::Zero, Some(x[3]))?;
        let both = graph.sampled_kl(drawn(x), None, 3, KlTarget::Zero, Some(first))?;
        Ok(vec![first, second, both])
    });
}

#[test]
fn latents_that_are_used_elsewhere_too() {
    // Gradients are added to those that are there: of z, of the posterior and of the prior.
    Check::of("SampledKl", &shapes(3, 6, 5)).rows(2).constant(2).pull_back(|graph, x| {
        let first = graph.sampled_kl(drawn(x), Some(x[3]), 3, KlTarget::Zero, None)?;
        let second = graph.sampled_kl(drawn(x), None, 3, KlTarget::Zero, None)?;
        let third = graph.sampled_kl(drawn(x), Some(x[3]), 3, KlTarget::Zero, None)?;
        Ok(vec![first, second, third])
    });
}

#[test]
fn latents_drawn_in_the_graph() {
    // Through the samples and through the density at once: the whole derivative of the divergence.
    for samples in [1, 2] {
        for rows in [3, 2] {
            Check::of("SampledKl", &[Shape::with_sections(3, 2, 5)]).rows(rows).pull_back(|graph, x| {
                let how = Samples { posterior: x[0], below: None, samples, group: 0, weights: None };
                let drawn = graph.reparametrize(&how)?;
                Ok(vec![graph.sampled_kl(drawn, None, 3, KlTarget::Zero, None)?])
            });
        }
    }
}

/// The divergence of each dimension, averaged over samples and minibatch, by the formula.
fn averages(values: &Values, (batch, rows): (usize, usize), prior: bool) -> Vec<f64> {
    let [posterior, z, noise] = [0, 1, 2].map(|i| &values.inputs[i]);
    let counted: Vec<usize> = (0..z.rows()).filter(|row| row % batch < rows).collect();
    let of_dimension = |j: usize| {
        let of_row = |&row: &usize| {
            let log_variance = posterior.at(row % posterior.rows(), 1, j);
            let (mean, of_prior) = match prior {
                true => (values.inputs[3].at(row, 0, j), values.inputs[3].at(row, 1, j)),
                false => (0.0, 0.0),
            };
            let away = (z.at(row, 0, j) - mean).powi(2) * (-of_prior).exp();
            0.5 * (of_prior - log_variance - noise.at(row, 0, j).powi(2) + away)
        };
        counted.iter().map(of_row).sum::<f64>() / counted.len() as f64
    };
    (0..z.columns()).map(of_dimension).collect()
}

#[test]
fn free_bits_close_and_open_dimensions() {
    for (batch, samples, posterior_rows, rows) in [(3, 1, 3, 3), (3, 2, 3, 2), (3, 2, 6, 2)] {
        for prior in [false, true] {
            for weight in [Weight::Constant(0.3), Weight::Step("beta")] {
                let factor = if weight == Weight::Step("beta") { 0.625 } else { 0.3 };
                let shapes = shapes(posterior_rows, batch * samples, 5);
                let nats = 0.45;
                Check::of("SampledKl", &shapes[..3 + usize::from(prior)])
                    .rows(rows)
                    .constant(2)
                    // The latents of two dimensions are further from the prior than the rest.
                    .contents(|input, row, column| {
                        waves(input, row, column) * if input == 1 && column < 2 { 2.0 } else { 0.3 }
                    })
                    .number("beta", 0.625)
                    .losses(
                        |graph, x| {
                            let target = KlTarget::FreeBits(nats);
                            let kl = graph.sampled_kl(drawn(x), x.get(3).copied(), batch, target, None)?;
                            Ok((vec![kl], vec![graph.loss("kl", kl, samples, weight.clone())]))
                        },
                        |values| {
                            let averages = averages(values, (batch, rows), prior);
                            let open = averages.iter().filter(|&&average| average > nats).count();
                            assert!(open > 0 && open < averages.len(), "{averages:?}");
                            factor * averages.iter().map(|average| average.max(nats)).sum::<f64>()
                        },
                    );
            }
        }
    }
}

#[test]
fn down_to_a_floor() {
    for (samples, rows) in [(1, 3), (2, 3), (2, 2)] {
        let shapes = shapes(3, 3 * samples, 5);
        let nats = 0.5;
        Check::of("DownToFloor", &shapes[..3]).rows(rows).constant(2).number("beta", 0.625).losses(
            |graph, x| {
                let kl = graph.sampled_kl(drawn(x), None, 3, KlTarget::Zero, None)?;
                let kl = graph.down_to_floor(kl, samples, nats)?;
                Ok((vec![kl], vec![graph.loss("kl", kl, samples, Weight::Step("beta"))]))
            },
            |values| {
                let of_image = |image: usize| {
                    let own = (0..samples).map(|sample| values.outputs[0].at(0, 0, sample * 3 + image));
                    own.sum::<f64>() / samples as f64
                };
                let images: Vec<f64> = (0..rows).map(of_image).collect();
                let open = images.iter().filter(|&&kl| kl >= nats).count();
                assert!(open > 0 && open < images.len(), "{images:?}");
                0.625 * images.iter().map(|kl| kl.max(nats)).sum::<f64>() / rows as f64
            },
        );
    }
}

#[test]
fn towards_a_capacity() {
    for (samples, rows) in [(1, 3), (2, 3), (2, 2)] {
        for capacity in [-4.0, 6.0] {
            let shapes = shapes(3, 3 * samples, 5);
            Check::of("TowardsCapacity", &shapes[..3])
                .rows(rows)
                .constant(2)
                .number("beta", 0.625)
                .number("capacity", capacity)
                .losses(
                    |graph, x| {
                        let kl = graph.sampled_kl(drawn(x), None, 3, KlTarget::Zero, None)?;
                        let kl = graph.towards_capacity(kl, samples)?;
                        Ok((vec![kl], vec![graph.loss("kl", kl, samples, Weight::Step("beta"))]))
                    },
                    |values| {
                        let average = values.outputs[0].sum() / (samples * rows) as f64;
                        0.625 * (average - capacity).abs()
                    },
                );
        }
    }
}
