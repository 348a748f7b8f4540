//! Columns of a matrix, and samples of given noise.

use crate::harness::Check;
use vae::graph::Shape;

#[test]
fn columns() {
    for (width, from, part) in [(9, 2, 5), (4, 0, 4), (7, 6, 1)] {
        Check::of("TakeColumns", &[Shape::matrix(3, width)])
            .pull_back(|graph, x| Ok(vec![graph.take_columns("part", x[0], from, part)?]));
    }
}

#[test]
fn parts_of_one_value() {
    // Apart, touching, and overlapping.
    for (first, second) in [((0, 3), (5, 2)), ((0, 4), (4, 5)), ((1, 5), (3, 6))] {
        Check::of("TakeColumns", &[Shape::matrix(3, 9)]).pull_back(|graph, x| {
            let take = |graph: &mut vae::graph::Graph, name: &str, (from, width)| {
                graph.take_columns(name, x[0], from, width)
            };
            Ok(vec![take(graph, "first", first)?, take(graph, "second", second)?])
        });
    }
}

fn shapes(rows: usize, columns: usize) -> [Shape; 2] {
    [Shape::with_sections(rows, 2, columns), Shape::matrix(rows, columns)]
}

#[test]
fn samples_of_given_noise() {
    for (rows, width) in [(3, 5), (2, 4), (1, 1)] {
        Check::of("ConditionalSample", &shapes(rows, width))
            .pull_back(|graph, x| Ok(vec![graph.conditional_sample("z", x[0], x[1])?]));
    }
}

#[test]
fn samples_of_a_constant_prior_or_noise() {
    for constant in [0, 1] {
        Check::of("ConditionalSample", &shapes(3, 5))
            .constant(constant)
            .pull_back(|graph, x| Ok(vec![graph.conditional_sample("z", x[0], x[1])?]));
    }
}

#[test]
fn a_prior_and_noise_that_are_used_twice() {
    Check::of("ConditionalSample", &shapes(3, 5)).pull_back(|graph, x| {
        let first = graph.conditional_sample("first", x[0], x[1])?;
        let second = graph.conditional_sample("second", x[0], first)?;
        Ok(vec![second, graph.conditional_sample("third", x[0], x[1])?])
    });
}
