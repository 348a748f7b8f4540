//! Batch, group and layer normalisation.

use crate::harness::Check;
use vae::graph::{Activation, BatchNorm, Graph, Mode, Shape, ValueId};

fn how(samples: usize) -> BatchNorm {
    BatchNorm { samples, epsilon: 0.01, ..BatchNorm::default() }
}

#[test]
fn batch_norm_of_matrices_and_maps() {
    let shapes = [(Shape::matrix(5, 3), 5), (Shape::maps(2, [3, 2], 5), 2), (Shape::maps(3, [5, 5], 4), 3)];
    for (shape, items) in shapes {
        Check::of("Normalise", &[shape])
            .rows(items)
            .pull_back(|graph, x| Ok(vec![graph.batch_norm("norm", x[0], how(1))?]));
    }
}

#[test]
fn items_past_the_minibatch_count_for_nothing() {
    // Room for three items, of which two are in use; also with two samples of each.
    for samples in [1, 2] {
        let shape = Shape::maps(3 * samples, [2, 3], 5);
        Check::of("Normalise", &[shape]).rows(2).pull_back_as(
            |graph, x| Ok(vec![graph.batch_norm("norm", x[0], how(samples))?]),
            |values| {
                let (y, seed) = (&values.outputs[0], &values.seeds[0]);
                let rows = (0..y.rows()).filter(|row| row / 6 % 3 < 2);
                rows.flat_map(|row| (0..5).map(move |c| y.at(row, 0, c) * seed.at(row, 0, c))).sum()
            },
        );
    }
}

#[test]
fn a_batch_norm_of_running_statistics() {
    let shape = Shape::maps(2, [3, 2], 5);
    let build = |graph: &mut Graph, x: ValueId| {
        graph.with_mode(Mode::Evaluate, |graph| graph.batch_norm("norm", x, how(1)))
    };
    Check::of("Normalise", &[shape]).rows(1).pull_back(|graph, x| Ok(vec![build(graph, x[0])?]));
    Check::of("Normalise", &[shape]).rows(2).pull_back(|graph, x| {
        let y = graph.with_constant_parameters(|graph| build(graph, x[0]))?;
        Ok(vec![y])
    });
}

#[test]
fn a_batch_norm_that_is_applied_twice() {
    Check::of("Normalise", &[Shape::maps(2, [3, 2], 5)]).rows(2).pull_back(|graph, x| {
        let first = graph.batch_norm("norm", x[0], how(1))?;
        Ok(vec![graph.batch_norm("norm", first, how(1))?, graph.batch_norm("other", x[0], how(1))?])
    });
}

#[test]
fn a_batch_norm_of_constant_parameters_or_data() {
    let shape = Shape::maps(2, [3, 2], 5);
    Check::of("Normalise", &[shape]).rows(2).pull_back(|graph, x| {
        let y = graph.with_constant_parameters(|graph| graph.batch_norm("norm", x[0], how(1)))?;
        Ok(vec![y])
    });
    Check::of("Normalise", &[shape, shape]).rows(2).constant(0).pull_back(|graph, x| {
        Ok(vec![graph.batch_norm("norm", x[0], how(1))?, graph.batch_norm("norm", x[1], how(1))?])
    });
}

#[test]
fn group_norm_of_matrices_and_maps() {
    for (shape, groups) in [
        (Shape::maps(2, [3, 2], 6), 2),
        (Shape::maps(3, [2, 2], 5), 1),
        (Shape::maps(1, [3, 3], 4), 4),
        (Shape::matrix(3, 12), 4),
    ] {
        Check::of("GroupNorm", &[shape])
            .pull_back(|graph, x| Ok(vec![graph.group_norm("norm", x[0], groups, 0.01)?]));
    }
}

#[test]
fn a_group_norm_that_is_applied_twice() {
    Check::of("GroupNorm", &[Shape::maps(2, [3, 2], 6)]).rows(2).pull_back(|graph, x| {
        let first = graph.group_norm("norm", x[0], 3, 0.01)?;
        Ok(vec![graph.group_norm("norm", first, 3, 0.01)?, graph.group_norm("other", x[0], 2, 0.01)?])
    });
    Check::of("GroupNorm", &[Shape::maps(2, [3, 2], 6)]).pull_back(|graph, x| {
        let y = graph.with_constant_parameters(|graph| graph.group_norm("norm", x[0], 3, 0.01))?;
        Ok(vec![y])
    });
}

/// The activation is part of the normalisation in a fused plan: with a derivative from its value, and with one from its argument.
#[test]
fn a_norm_and_its_activation() {
    for kind in [Activation::Relu, Activation::Silu, Activation::Softplus] {
        for (shape, groups) in [(Shape::matrix(5, 3), 1), (Shape::maps(5, [2, 2], 6), 3)] {
            Check::of("Normalise", &[shape]).rows(5).pull_back(|graph, x| {
                let y = graph.batch_norm("norm", x[0], how(1))?;
                Ok(vec![graph.activate("act", y, kind)])
            });
            Check::of("GroupNorm", &[shape]).rows(5).pull_back(|graph, x| {
                let y = graph.group_norm("norm", x[0], groups, 0.01)?;
                Ok(vec![graph.activate("act", y, kind)])
            });
        }
        // Both the normalisation and its activation are used.
        Check::of("GroupNorm", &[Shape::maps(2, [2, 2], 6)]).rows(2).pull_back(|graph, x| {
            let y = graph.group_norm("norm", x[0], 2, 0.01)?;
            let activated = graph.activate("act", y, kind);
            Ok(vec![y, activated, graph.activate("again", activated, kind)])
        });
    }
}

#[test]
fn layer_norm_of_matrices_and_maps() {
    for shape in [Shape::matrix(3, 5), Shape::maps(2, [3, 2], 6), Shape::matrix(1, 4), Shape::matrix(70, 2)] {
        Check::of("LayerNorm", &[shape])
            .pull_back(|graph, x| Ok(vec![graph.layer_norm("norm", x[0], 0.01)?]));
    }
}

#[test]
fn a_layer_norm_that_is_applied_twice_or_constant() {
    Check::of("LayerNorm", &[Shape::matrix(3, 6)]).pull_back(|graph, x| {
        let first = graph.layer_norm("norm", x[0], 0.01)?;
        Ok(vec![graph.layer_norm("norm", first, 0.01)?, graph.layer_norm("other", x[0], 0.02)?])
    });
    Check::of("LayerNorm", &[Shape::matrix(3, 6)]).pull_back(|graph, x| {
        let y = graph.with_constant_parameters(|graph| graph.layer_norm("norm", x[0], 0.01))?;
        Ok(vec![y])
    });
}

/// One group over maps of one pixel: the same objective, and so the same gradient.
#[test]
fn a_layer_norm_is_a_group_norm_of_one_group_on_one_pixel() {
    Check::of("LayerNorm", &[Shape::maps(4, [1, 1], 6)]).pull_back_as(
        |graph, x| Ok(vec![graph.layer_norm("norm", x[0], 0.01)?, graph.group_norm("norm", x[0], 1, 0.01)?]),
        |values| {
            let mut sum = 0.0;
            let [layer, group] = &values.outputs[..] else { panic!("two outputs") };
            for (layer, group) in layer.elements().iter().zip(group.elements()) {
                assert!((layer - group).abs() < 1e-12);
            }
            for (y, seed) in [layer, group].into_iter().zip(&values.seeds) {
                sum += y.dot(seed);
            }
            sum
        },
    );
}
