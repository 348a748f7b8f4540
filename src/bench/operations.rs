//! Operations that no preset has, alone: each with its gradient.

use crate::Result;
use crate::graph::{ConvolutionOptions, Graph, GroupId, Init, Lstm, Mode, ProgramSpec, Setting, Shape};
use crate::graph::{Target, Tensors, ValueId, Window, controller_weights, lower_unfused};
use crate::plan::Plan;

/// The plan of these operations on maps of 32 by 32 pixels and 32 channels, and on sequences of 128 steps.
///
/// # Errors
/// If an operation refuses these maps.
pub(super) fn plan(items: usize) -> Result<Plan> {
    let tensors = Tensors::default();
    let mut graph = Graph::new(&tensors, Mode::Train);
    let [x, ragged] = [32, 30]
        .map(|channels| Shape::maps(items, [32, 32], channels))
        .map(|shape| graph.input("maps", shape));
    // Every position attends to every other.
    let small = graph.input("small maps", Shape::maps(items, [16, 16], 64));
    let gate = graph.input("gate", Shape::matrix(items, 32));
    let sequences = graph.input("sequences", Shape::matrix(items * 128, 35));
    let window = Window::convolution([32, 32, 32], 32, [3; 2], [1; 2], [1; 4])?;
    let mask = [1.0; 32 * 32 * 9];
    // The density, draws and actions of World Models, over 128 steps of each item.
    let mixtures = graph.input("mixtures", Shape::matrix(128 * items, 480));
    let latents = graph.input("latents", Shape::matrix(128 * items, 32));
    let features = graph.input("features", Shape::matrix(items, 288));
    let weights = graph.input("weights", Shape::matrix(items, controller_weights(288, None)));
    let unseeded = [graph.mixture_draw(mixtures, 5)?, graph.controller(features, weights, None)?];
    let outputs = [
        graph.mixture_negative_log_likelihood(mixtures, latents, items, 5)?,
        graph.average_pool("average pool", x, [2, 2], [2, 2])?,
        graph.global_mean("global mean", x)?,
        graph.upsample("nearest upsampling", x, [2, 2])?,
        graph.space_to_depth("space to depth", x, 2)?,
        graph.depth_to_space("depth to space", x, 2)?,
        graph.add_scaled("residual connection", x, x, 0.1)?,
        graph.add_image("learned image", x, Init::Constant(0.0))?,
        graph.multiply_channels("scale of channels", x, Init::Constant(1.0))?,
        graph.gate_channels("gate of channels", x, gate)?,
        graph.concat("channels side by side", &[x, x])?,
        graph.flatten("maps as rows", ragged)?,
        graph.group_norm("group norm", x, 8, 1e-5)?,
        graph.layer_norm("layer norm", x, 1e-5)?,
        graph.affine("scale and shift", x, 2.0, -1.0),
        graph.dropout("dropout", x, 0.1)?,
        graph.clamp("clamp", x, [-1.0, 1.0])?,
        graph.attention("attention", small, small, small)?,
        graph.lstm("long short-term memory", sequences, Lstm { hidden: 256, steps: 128, carry: None })?.h,
        graph.convolution(
            "masked convolution",
            x,
            &window,
            ConvolutionOptions { mask: Some(&mask), ..Default::default() },
        )?,
    ];
    let seed = |(number, &output): (usize, &ValueId)| {
        let shape = graph.value(output).shape;
        (output, graph.input(&format!("seed {number}"), shape))
    };
    let seeds: Vec<(ValueId, ValueId)> = outputs.iter().enumerate().map(seed).collect();
    let inputs = [x, ragged, small, gate, sequences, mixtures];
    let groups: Vec<GroupId> = tensors.groups().into_iter().map(|(group, _)| group).collect();
    let values = inputs.into_iter().map(Target::Value);
    let targets: Vec<Target> = values.chain(groups.iter().map(|&group| Target::Group(group))).collect();
    let derivatives = graph.pull_back(&seeds, &targets)?;
    let data = [latents, features, weights];
    let given: Vec<ValueId> =
        inputs.into_iter().chain(data).chain(seeds.iter().map(|(_, seed)| *seed)).collect();
    let gradients = inputs.into_iter().map(|input| derivatives.of(input)).collect::<Result<Vec<_>>>()?;
    let of_parameters = groups.iter().flat_map(|&group| graph.gradients_of(group));
    let wanted: Vec<ValueId> =
        outputs.into_iter().chain(unseeded).chain(gradients).chain(of_parameters).collect();
    let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
    lower_unfused(&graph, &[ProgramSpec::new("operations", &given, &wanted)], setting)
}
