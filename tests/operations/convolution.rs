//! Convolutions, transposed convolutions, and layers between maps and rows.

use crate::harness::Check;
use vae::graph::{
    Activation, ConvolutionOptions, Graph, Mode, ProgramSpec, Setting, Shape, Target, Tensors, Window, lower,
};

/// Windows that differ in everything, small enough for finite differences: even sizes, strides beyond the window, maps of one
/// pixel, other padding on each side.
fn windows() -> [Window; 6] {
    let window = |large, channels, kernel, stride, around| {
        Window::convolution(large, channels, kernel, stride, around).unwrap()
    };
    [
        window([3, 4, 3], 2, [2, 2], [1, 2], [1, 0, 0, 1]),
        window([2, 2, 5], 6, [2, 2], [2, 2], [0; 4]),
        window([5, 4, 1], 3, [2, 1], [3, 2], [0; 4]),
        window([2, 3, 4], 5, [1, 1], [1, 1], [0; 4]),
        window([1, 1, 2], 3, [3, 3], [1, 1], [1; 4]),
        Window::transposed([2, 1, 4], 3, [2, 3], [2, 2], [1, 0, 0, 1], [1, 0]).unwrap(),
    ]
}

fn maps(items: usize, [height, width, channels]: [usize; 3]) -> Shape {
    Shape::maps(items, [height, width], channels)
}

fn flat(items: usize, size: [usize; 3]) -> Shape {
    Shape::matrix(items, size.iter().product())
}

#[test]
fn convolutions() {
    for (i, window) in windows().iter().enumerate() {
        for flat_input in [false, true] {
            let shape = if flat_input { flat(2, window.large) } else { maps(2, window.large) };
            let options = ConvolutionOptions { packed: i % 2 == 1, ..Default::default() };
            Check::of("Convolution", &[shape])
                .pull_back(|graph, x| Ok(vec![graph.convolution("layer", x[0], window, options)?]));
        }
    }
}

#[test]
fn transposed_convolutions() {
    for window in &windows() {
        for packed in [false, true] {
            let options = ConvolutionOptions { packed, ..Default::default() };
            Check::of("TransposedConvolution", &[maps(2, window.small)]).pull_back(|graph, x| {
                Ok(vec![graph.transposed_convolution("layer", x[0], window, options)?])
            });
        }
    }
    let window = Window::transposed([1, 2, 4], 1, [2, 2], [2, 2], [0; 4], [0; 2]).unwrap();
    Check::of("TransposedConvolution", &[flat(2, window.small)]).pull_back(|graph, x| {
        Ok(vec![graph.transposed_convolution("layer", x[0], &window, ConvolutionOptions::default())?])
    });
}

#[test]
fn convolutions_without_a_bias() {
    let [window, ..] = windows();
    let options = ConvolutionOptions { bias: false, ..Default::default() };
    Check::of("Convolution", &[maps(2, window.large)])
        .pull_back(|graph, x| Ok(vec![graph.convolution("layer", x[0], &window, options)?]));
    for packed in [false, true] {
        let options = ConvolutionOptions { packed, ..options };
        Check::of("TransposedConvolution", &[maps(2, window.small)])
            .pull_back(|graph, x| Ok(vec![graph.transposed_convolution("layer", x[0], &window, options)?]));
    }
}

#[test]
fn masked_convolutions() {
    let [window, ..] = windows();
    let mask: Vec<f32> = (0..2 * 3 * 2 * 2).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
    let options = ConvolutionOptions { mask: Some(&mask), ..Default::default() };
    Check::of("Masked", &[maps(2, window.large)])
        .pull_back(|graph, x| Ok(vec![graph.convolution("layer", x[0], &window, options)?]));
    Check::of("Masked", &[maps(2, window.small)])
        .pull_back(|graph, x| Ok(vec![graph.transposed_convolution("layer", x[0], &window, options)?]));
}

#[test]
fn a_convolution_that_is_applied_twice() {
    // The gradients of its parameters and of its input are sums.
    let window = Window::convolution([3, 3, 2], 2, [3, 3], [1, 1], [1; 4]).unwrap();
    Check::of("Convolution", &[maps(2, window.large)]).pull_back(|graph, x| {
        let options = ConvolutionOptions::default();
        let once = graph.convolution("layer", x[0], &window, options)?;
        let twice = graph.convolution("layer", once, &window, options)?;
        Ok(vec![twice, graph.transposed_convolution("back", once, &window, options)?])
    });
}

#[test]
fn activations_between_convolutions() {
    let down = Window::convolution([4, 4, 1], 3, [2, 2], [2, 2], [0; 4]).unwrap();
    let up = Window::transposed([2, 2, 3], 1, [2, 2], [2, 2], [0; 4], [0; 2]).unwrap();
    for kind in [Activation::Tanh, Activation::Silu, Activation::Gelu, Activation::Elu] {
        Check::of("Convolution", &[flat(2, down.large)]).pull_back(|graph, x| {
            let hidden = graph.convolution("down", x[0], &down, ConvolutionOptions::default())?;
            let hidden = graph.activate("down.activation", hidden, kind);
            let options = ConvolutionOptions { packed: true, ..Default::default() };
            let image = graph.transposed_convolution("up", hidden, &up, options)?;
            Ok(vec![graph.activate("up.activation", image, kind)])
        });
    }
}

/// Kernels of a program that computes an image from an image, and the gradients of both.
#[test]
fn activations_are_fused_with_convolutions() {
    let tensors = Tensors::default();
    let group = tensors.group("network");
    let mut graph = Graph::new(&tensors, Mode::Train);
    let down = Window::convolution([4, 4, 1], 3, [2, 2], [2, 2], [0; 4]).unwrap();
    let up = Window::transposed([2, 2, 3], 1, [2, 2], [2, 2], [0; 4], [0; 2]).unwrap();
    let x = graph.input("x", flat(2, down.large));
    let options = ConvolutionOptions::default();
    let hidden = graph.convolution("down", x, &down, options).unwrap();
    let hidden = graph.activate("down.activation", hidden, Activation::Relu);
    let same = Window::convolution([2, 2, 3], 3, [1, 1], [1, 1], [0; 4]).unwrap();
    let hidden = graph.convolution("same", hidden, &same, options).unwrap();
    let hidden = graph.activate("same.activation", hidden, Activation::Relu);
    let image = graph
        .transposed_convolution("up", hidden, &up, ConvolutionOptions { packed: true, ..options })
        .unwrap();
    let image = graph.activate("up.activation", image, Activation::Sigmoid);
    let seed = graph.input("seed", graph.value(image).shape);
    graph.pull_back(&[(image, seed)], &[Target::Group(group)]).unwrap();
    let wanted = [graph.gradients_of(group), vec![image]].concat();
    let program = ProgramSpec::new("all", &[x, seed], &wanted);
    let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
    let plan = lower(&graph, &[program], setting).unwrap();
    let kernels: Vec<&str> = plan.dispatches.iter().map(|dispatch| &*dispatch.kernel).collect();
    assert_eq!(
        kernels,
        [
            "conv_nt",
            "conv_nt",
            "conv_nn_bias_packed",
            "activate_gradient",
            "conv_tn",
            "channel_sum",
            "column_sum",
            "conv_nt_derivative",
            "conv_tn",
            "column_sum",
            "conv_nn_derivative",
            "conv_tn",
            "column_sum",
        ]
    );
}

#[test]
fn layers_from_and_to_maps() {
    Check::of("Linear", &[Shape::maps(2, [2, 3], 3)])
        .pull_back(|graph, x| Ok(vec![graph.linear_from_maps(&["mean", "deviation"], x[0], 2)?]));
    Check::of("Linear", &[Shape::matrix(2, 3)]).pull_back(|graph, x| {
        let maps = graph.linear_to_maps("layer", x[0], [3, 2], 3)?;
        Ok(vec![graph.activate("activation", maps, Activation::Softplus)])
    });
    Check::of("Linear", &[Shape::maps(2, [2, 2], 3)])
        .pull_back(|graph, x| Ok(vec![graph.linear(&["pixelwise"], x[0], 5)?]));
}
