//! Attention and the softmax.

use crate::harness::Check;
use crate::values::waves;
use vae::graph::{Graph, Mode, Shape, Tensors};

#[test]
fn softmax_of_matrices_and_maps() {
    for shape in [Shape::matrix(3, 5), Shape::maps(2, [2, 1], 4), Shape::matrix(1, 7), Shape::matrix(4, 2)] {
        Check::of("Softmax", &[shape]).pull_back(|graph, x| Ok(vec![graph.softmax("softmax", x[0])?]));
    }
}

#[test]
fn a_softmax_that_is_used_twice() {
    Check::of("Softmax", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        let first = graph.softmax("first", x[0])?;
        Ok(vec![graph.softmax("second", first)?, graph.softmax("third", x[0])?])
    });
}

#[test]
fn attention_over_positions() {
    for shape in [Shape::maps(2, [2, 3], 5), Shape::maps(1, [2, 2], 4), Shape::maps(3, [3, 1], 1)] {
        Check::of("ItemProduct", &[shape; 3])
            .pull_back(|graph, x| Ok(vec![graph.attention("attention", x[0], x[1], x[2])?]));
    }
    // With one position the weights are 1 whatever queries and keys are.
    Check::of("ItemProduct", &[Shape::maps(2, [1, 1], 5); 3])
        .constant(0)
        .constant(1)
        .pull_back(|graph, x| Ok(vec![graph.attention("attention", x[0], x[1], x[2])?]));
}

#[test]
fn attention_to_itself_and_with_constants() {
    let shape = Shape::maps(2, [2, 3], 5);
    Check::of("ItemProduct", &[shape]).pull_back(|graph, x| {
        let first = graph.attention("first", x[0], x[0], x[0])?;
        Ok(vec![graph.attention("second", first, x[0], first)?])
    });
    for constant in 0..3 {
        Check::of("ItemProduct", &[shape; 3])
            .constant(constant)
            .pull_back(|graph, x| Ok(vec![graph.attention("attention", x[0], x[1], x[2])?]));
    }
}

#[test]
fn attention_without_preference_is_the_mean_over_positions() {
    let shape = Shape::maps(2, [2, 3], 5);
    Check::of("ItemProduct", &[shape; 3])
        .constant(0)
        .constant(1)
        .contents(|input, row, column| if input < 2 { 0.0 } else { waves(input, row, column) })
        .pull_back_as(
            |graph, x| Ok(vec![graph.attention("attention", x[0], x[1], x[2])?]),
            |values| {
                let (y, seed) = (&values.outputs[0], &values.seeds[0]);
                let mut sum = 0.0;
                for (row, column) in (0..12).flat_map(|row| (0..5).map(move |column| (row, column))) {
                    let item = (0..6).map(|pixel| values.inputs[2].at(row / 6 * 6 + pixel, 0, column));
                    let mean = item.sum::<f64>() / 6.0;
                    assert!((y.at(row, 0, column) - mean).abs() < 1e-12);
                    sum += mean * seed.at(row, 0, column);
                }
                sum
            },
        );
}

#[test]
fn attention_to_what_does_not_fit_is_refused() {
    let mut graph = Graph::new(&Tensors::default(), Mode::Train);
    let q = graph.input("q", Shape::maps(2, [2, 3], 5));
    let large = graph.input("large", Shape::maps(1, [200, 200], 1));
    for other in [Shape::maps(2, [3, 2], 5), Shape::maps(2, [2, 3], 4), Shape::with_sections(2, 2, 5)] {
        let other = graph.input("other", other);
        assert!(graph.attention("attention", q, other, q).is_err());
        assert!(graph.attention("attention", q, q, other).is_err());
    }
    assert!(graph.attention("attention", large, large, large).unwrap_err().to_string().contains("32000"));
    let sections = graph.input("sections", Shape::with_sections(2, 2, 5));
    assert!(graph.softmax("softmax", sections).is_err());
}
