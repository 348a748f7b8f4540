//! Feature maps: depthwise convolution, pooling, resizing, and other shapes of the same elements.

use crate::harness::Check;
use vae::graph::{Activation, DepthwiseConvolution, Graph, Init, Shape, ValueId};

/// The operation once, and as one of two uses of its input.
fn both(check: &Check<'_>, build: impl Fn(&mut Graph, &str, ValueId) -> vae::Result<ValueId>) {
    check.pull_back(|graph, x| Ok(vec![build(graph, "y", x[0])?]));
    check.pull_back(|graph, x| {
        let used = graph.activate("used", x[0], Activation::Tanh);
        Ok(vec![build(graph, "first", x[0])?, build(graph, "second", used)?, used])
    });
}

#[test]
fn depthwise_convolutions() {
    let convolution = |kernel, stride, padding, bias| DepthwiseConvolution { kernel, stride, padding, bias };
    for (space, channels, how) in [
        ([5, 4], 5, convolution([3, 3], [1, 1], [1, 1, 1, 1], false)),
        ([5, 6], 3, convolution([5, 5], [1, 1], [2, 2, 2, 2], true)),
        ([7, 5], 4, convolution([2, 3], [3, 2], [0, 1, 1, 0], true)),
        ([4, 4], 1, convolution([1, 2], [2, 3], [0, 0, 0, 0], false)),
        ([1, 1], 6, convolution([3, 3], [2, 2], [1, 1, 1, 1], false)),
    ] {
        let shape = Shape::maps(2, space, channels);
        both(&Check::of("Depthwise", &[shape]), |graph, _, x| graph.depthwise("layer", x, how));
    }
}

#[test]
fn average_pooling() {
    for (kernel, stride) in [([2, 2], [2, 2]), ([3, 2], [1, 3]), ([1, 2], [3, 1]), ([5, 4], [1, 1])] {
        both(&Check::of("WindowSum", &[Shape::maps(2, [5, 4], 3)]), |graph, name, x| {
            graph.average_pool(name, x, kernel, stride)
        });
    }
}

#[test]
fn means_over_all_pixels() {
    both(&Check::of("WindowSum", &[Shape::maps(3, [3, 2], 5)]), vae::graph::Graph::global_mean);
    // In two steps.
    Check::of("WindowSum", &[Shape::maps(1, [33, 32], 1)]).pull_back(|graph, x| {
        let mean = graph.global_mean("mean", x[0])?;
        Ok(vec![graph.add_scaled("multiple", mean, mean, 20.0)?])
    });
}

#[test]
fn nearest_upsampling() {
    for factors in [[2, 2], [1, 3], [3, 2]] {
        both(&Check::of("WindowSpread", &[Shape::maps(2, [2, 3], 5)]), |graph, name, x| {
            graph.upsample(name, x, factors)
        });
    }
}

#[test]
fn lines_through_each_number() {
    for shape in [Shape::maps(2, [2, 3], 5), Shape::with_sections(3, 2, 4), Shape::matrix(1, 1)] {
        both(&Check::of("Affine", &[shape]), |graph, name, x| Ok(graph.affine(name, x, -1.5, 0.25)));
    }
}

#[test]
fn squares_of_pixels_as_channels_and_back() {
    for (channels, factor) in [(3, 2), (1, 3), (4, 2)] {
        both(
            &Check::of("SpaceToDepth", &[Shape::maps(2, [2 * factor, factor], channels)]),
            |graph, name, x| graph.space_to_depth(name, x, factor),
        );
        let deep = Shape::maps(2, [1, 3], channels * factor * factor);
        both(&Check::of("SpaceToDepth", &[deep]), |graph, name, x| graph.depth_to_space(name, x, factor));
    }
}

#[test]
fn a_residual_connection() {
    for shape in [Shape::maps(2, [3, 2], 5), Shape::matrix(3, 4), Shape::with_sections(2, 2, 3)] {
        Check::of("AddScaled", &[shape, shape])
            .pull_back(|graph, x| Ok(vec![graph.add_scaled("sum", x[0], x[1], 0.25)?]));
        // Of a function of the same value, and of the value itself.
        Check::of("AddScaled", &[shape]).pull_back(|graph, x| {
            let inner = graph.activate("inner", x[0], Activation::Tanh);
            let sum = graph.add_scaled("sum", x[0], inner, -0.5)?;
            Ok(vec![graph.add_scaled("twice", sum, sum, 0.5)?])
        });
        for constant in [0, 1] {
            Check::of("AddScaled", &[shape, shape])
                .constant(constant)
                .pull_back(|graph, x| Ok(vec![graph.add_scaled("sum", x[0], x[1], 0.25)?]));
        }
    }
}

#[test]
fn learned_images_and_numbers_of_channels() {
    for shape in [Shape::maps(3, [2, 3], 5), Shape::maps(67, [1, 2], 1), Shape::matrix(3, 4)] {
        both(&Check::of("AddImage", &[shape]), |graph, _, x| {
            graph.add_image("image", x, Init::Constant(0.0))
        });
        both(&Check::of("AddImage", &[shape]), |graph, _, x| {
            graph.add_to_channels("bias", x, Init::Constant(0.0))
        });
        both(&Check::of("Gain", &[shape]), |graph, _, x| {
            graph.multiply_channels("gain", x, Init::Constant(1.0))
        });
    }
}

#[test]
fn gates_of_channels() {
    for (space, channels) in [([2, 3], 5), ([1, 1], 4), ([3, 1], 1)] {
        let (maps, gate) = (Shape::maps(2, space, channels), Shape::matrix(2, channels));
        Check::of("GateChannels", &[maps, gate])
            .pull_back(|graph, x| Ok(vec![graph.gate_channels("gated", x[0], x[1])?]));
        // Squeeze and excitation: the gate is a function of the maps.
        Check::of("GateChannels", &[maps]).pull_back(|graph, x| {
            let mean = graph.global_mean("mean", x[0])?;
            let gate = graph.activate("gate", mean, Activation::Sigmoid);
            let gated = graph.gate_channels("gated", x[0], gate)?;
            Ok(vec![graph.gate_channels("again", gated, gate)?])
        });
    }
}

#[test]
fn columns_side_by_side() {
    for widths in [[3, 2], [4, 4], [1, 6], [5, 3]] {
        let shapes = widths.map(|width| Shape::maps(2, [1, 3], width));
        Check::of("Concat", &shapes).pull_back(|graph, x| Ok(vec![graph.concat("all", x)?]));
        Check::of("Concat", &shapes).pull_back(|graph, x| {
            let all = graph.concat("all", &[x[1], x[0], x[1]])?;
            Ok(vec![all, graph.take_columns("part", all, 2, 4)?])
        });
    }
    Check::of("TakeColumns", &[Shape::maps(2, [2, 3], 7)]).pull_back(|graph, x| {
        let part = graph.take_columns("part", x[0], 1, 5)?;
        assert_eq!(graph.value(part).shape, Shape::maps(2, [2, 3], 5));
        Ok(vec![part])
    });
}

#[test]
fn sections_from_matrices_and_back() {
    for width in [1, 4, 5] {
        let shapes = [Shape::matrix(3, width); 2];
        Check::of("Concat", &shapes).pull_back(|graph, x| {
            let both = graph.stack_sections("both", x)?;
            assert_eq!(graph.value(both).shape, Shape::with_sections(3, 2, width));
            let used = graph.activate("used", both, Activation::Tanh);
            Ok(vec![both, graph.take_section("second", used, 1)?])
        });
    }
}

/// A change of shape alone, between two layers, and of a value that is used on.
fn reshaped(check: &Check<'_>, to: Shape) {
    both(check, |graph, name, x| graph.reshape(name, x, to));
    check.pull_back(|graph, x| {
        let first = graph.activate("first", x[0], Activation::Tanh);
        let other = graph.reshape("other", first, to)?;
        let used = graph.activate("used", other, Activation::Softplus);
        Ok(vec![used, graph.add_scaled("sum", used, other, 2.0)?, first])
    });
}

#[test]
fn the_same_elements_in_another_shape() {
    // In the same memory.
    for (from, to) in [
        (Shape::maps(2, [2, 3], 4), Shape::matrix(2, 24)),
        (Shape::matrix(2, 16), Shape::maps(2, [1, 2], 8)),
        (Shape::maps(2, [1, 3], 5), Shape::maps(2, [3, 1], 5)),
        (Shape::with_sections(2, 3, 5), Shape::maps(2, [3, 1], 5)),
    ] {
        reshaped(&Check::of("Reshape", &[from]), to);
    }
    // Padding is in the way.
    for (from, to) in [
        (Shape::maps(2, [2, 3], 5), Shape::matrix(2, 30)),
        (Shape::matrix(2, 12), Shape::maps(2, [2, 2], 3)),
        (Shape::maps(2, [3, 3], 1), Shape::with_sections(2, 3, 3)),
    ] {
        reshaped(&Check::of("Repack", &[from]), to);
    }
}

#[test]
fn flat_maps_are_pixel_by_pixel() {
    Check::of("Repack", &[Shape::maps(2, [2, 3], 5)]).pull_back(|graph, x| {
        let flat = graph.flatten("flat", x[0])?;
        assert_eq!(graph.value(flat).shape, Shape::matrix(2, 30));
        Ok(vec![graph.linear(&["layer"], flat, 3)?])
    });
}
