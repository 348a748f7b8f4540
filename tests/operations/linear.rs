//! Linear layers, activation functions and values that are cut off.

use crate::harness::Check;
use vae::graph::{Activation, Graph, Mode, Shape, Tensors};

#[test]
fn one_layer_of_ragged_widths() {
    for (rows, from, to) in [(3, 5, 2), (1, 1, 1), (2, 4, 8), (7, 6, 9)] {
        Check::of("Linear", &[Shape::matrix(rows, from)])
            .pull_back(|graph, x| Ok(vec![graph.linear(&["layer"], x[0], to)?]));
    }
}

#[test]
fn several_layers_that_share_their_input() {
    for width in [1, 3, 4] {
        Check::of("Linear", &[Shape::matrix(3, 5)])
            .pull_back(|graph, x| Ok(vec![graph.linear(&["mean", "variance", "more"], x[0], width)?]));
    }
}

#[test]
fn a_layer_that_is_applied_twice() {
    // One after the other, so that its input's gradient comes from its own; and side by side.
    Check::of("Linear", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        let hidden = graph.linear(&["layer"], x[0], 5)?;
        Ok(vec![graph.linear(&["layer"], hidden, 5)?])
    });
    Check::of("Linear", &[Shape::matrix(3, 5), Shape::matrix(2, 5)]).pull_back(|graph, x| {
        Ok(vec![graph.linear(&["layer"], x[0], 3)?, graph.linear(&["layer"], x[1], 3)?])
    });
}

#[test]
fn a_layer_of_constant_parameters() {
    Check::of("Linear", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        let output = graph.with_constant_parameters(|graph| graph.linear(&["layer"], x[0], 2))?;
        assert_eq!(graph.tensors().all().len(), 2);
        Ok(vec![output])
    });
}

#[test]
fn a_layer_that_is_constant_in_one_of_two_places() {
    // The second output depends on the weights, but must not count for their gradient: only the first has a seed.
    Check::of("Linear", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        graph.with_constant_parameters(|graph| graph.linear(&["layer"], x[0], 2))?;
        Ok(vec![graph.linear(&["layer"], x[0], 2)?])
    });
}

#[test]
fn every_activation() {
    for kind in Activation::ALL {
        if kind == Activation::Identity {
            continue;
        }
        for shape in [Shape::matrix(3, 5), Shape::with_sections(2, 2, 3)] {
            Check::of("Activate", &[shape]).pull_back(|graph, x| Ok(vec![graph.activate("a", x[0], kind)]));
        }
    }
}

#[test]
fn activations_after_and_before_a_layer() {
    // Products with an activation, and with its derivative, are one kernel.
    for kind in Activation::ALL {
        Check::of("Linear", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
            let hidden = graph.linear(&["first"], x[0], 6)?;
            let hidden = graph.activate("first.activation", hidden, kind);
            let output = graph.linear(&["second"], hidden, 3)?;
            Ok(vec![graph.activate("second.activation", output, kind)])
        });
    }
}

#[test]
fn values_that_are_cut_off() {
    for (shape, ends) in [
        (Shape::with_sections(3, 2, 5), [-0.55, 0.65]),
        (Shape::maps(2, [2, 1], 4), [0.31, 0.75]),
        (Shape::matrix(1, 1), [-30.0, 20.0]),
    ] {
        Check::of("Clamp", &[shape]).pull_back(|graph, x| Ok(vec![graph.clamp("clamped", x[0], ends)?]));
    }
    Check::of("Clamp", &[Shape::matrix(3, 5)]).pull_back(|graph, x| {
        let first = graph.clamp("first", x[0], [-0.55, 0.65])?;
        Ok(vec![graph.clamp("second", first, [-2.0, 0.33])?, graph.clamp("third", x[0], [0.12, 2.0])?])
    });
    let mut graph = Graph::new(&Tensors::default(), Mode::Train);
    let x = graph.input("x", Shape::matrix(1, 1));
    for ends in [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0]] {
        assert!(graph.clamp("clamped", x, ends).is_err());
    }
}
