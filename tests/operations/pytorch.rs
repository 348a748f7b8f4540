//! Convolutions against PyTorch's numbers, which this script wrote, run in the root of the repository:
//!
//! ```python
//! import json, torch
//! import torch.nn.functional as F
//!
//! def content(shape, seed):
//!     count = 1
//!     for n in shape: count *= n
//!     values = [((i * 31 + seed * 17) % 101 - 50) / 64 for i in range(count)]
//!     return torch.tensor(values, dtype=torch.float64).reshape(shape).requires_grad_()
//!
//! # kind, [items, channels, height, width], channels of the output, kernel, stride, padding, output padding
//! CASES = [
//!     ("convolution", [2, 3, 8, 8], 4, [4, 4], [2, 2], [0, 0], None),
//!     ("convolution", [2, 1, 31, 17], 3, [4, 4], [2, 2], [1, 1], None),
//!     ("convolution", [1, 5, 7, 6], 6, [3, 3], [1, 1], [1, 1], None),
//!     ("convolution", [2, 3, 9, 7], 2, [2, 1], [3, 4], [0, 0], None),
//!     ("convolution", [3, 6, 1, 1], 5, [1, 1], [1, 1], [0, 0], None),
//!     ("convolution", [2, 2, 1, 1], 3, [3, 3], [1, 1], [1, 1], None),
//!     ("convolution", [2, 8, 4, 3], 5, [4, 3], [1, 1], [0, 0], None),
//!     ("convolution", [1, 4, 6, 5], 9, [5, 2], [2, 3], [2, 1], None),
//!     ("transposed", [2, 6, 1, 1], 4, [5, 5], [2, 2], [0, 0], [0, 0]),
//!     ("transposed", [2, 4, 5, 5], 3, [6, 6], [2, 2], [0, 0], [0, 0]),
//!     ("transposed", [1, 3, 7, 4], 1, [3, 3], [2, 2], [1, 1], [1, 1]),
//!     ("transposed", [2, 5, 3, 2], 2, [2, 2], [3, 3], [0, 0], [0, 2]),
//!     ("transposed", [1, 2, 3, 4], 8, [4, 3], [1, 2], [2, 1], [0, 1]),
//!     ("transposed", [2, 4, 3, 3], 7, [1, 1], [1, 1], [0, 0], [0, 0]),
//! ]
//! result = []
//! for kind, size, out, kernel, stride, padding, extra in CASES:
//!     x = content(size, 1)
//!     channels = [out, size[1]] if kind == "convolution" else [size[1], out]
//!     weight, bias = content(channels + kernel, 2), content([out], 3)
//!     if kind == "convolution":
//!         y = F.conv2d(x, weight, bias, stride, padding)
//!     else:
//!         y = F.conv_transpose2d(x, weight, bias, stride, padding, extra)
//!     y.backward(content(list(y.shape), 4).detach())
//!     numbers = lambda t: [round(v * 4096) for v in t.detach().flatten().tolist()]
//!     result.append(dict(kind=kind, input=size, channels=out, kernel=kernel, stride=stride, padding=padding,
//!         output_padding=extra or [0, 0], size=list(y.shape[2:]), output=numbers(y), input_gradient=numbers(x.grad),
//!         weight_gradient=numbers(weight.grad), bias_gradient=numbers(bias.grad)))
//! text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in result)
//! open("tests/fixtures/convolution.json", "w").write("[\n" + text + "\n]\n")
//! ```
//!
//! Every number is a multiple of 1/4096, and the file holds the multiples.

use crate::common::devices;
use vae::device::OpenDevice;
use vae::graph::{
    ConvolutionOptions, Graph, GroupId, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, Window,
    lower,
};
use vae::plan::{Executor, Plan, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

/// The script's `content`.
fn content(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| (((i * 31 + seed * 17) % 101) as f32 - 50.0) / 64.0).collect()
}

/// A case of the file.
#[derive(Clone, Debug, serde::Deserialize)]
struct Case {
    kind: String,
    input: [usize; 4],
    channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    size: [usize; 2],
    output: Vec<f64>,
    input_gradient: Vec<f64>,
    weight_gradient: Vec<f64>,
    bias_gradient: Vec<f64>,
}

/// Maps of items, channels, height and width, and whether they are flat.
#[derive(Clone, Copy)]
struct Maps([usize; 4], bool);

impl Maps {
    fn shape(self) -> Shape {
        let Self([items, channels, height, width], flat) = self;
        if flat {
            Shape::matrix(items, channels * height * width)
        } else {
            Shape::maps(items, [height, width], channels)
        }
    }

    /// Where each number lies, in PyTorch's order.
    fn positions(self) -> Vec<usize> {
        let (Self([items, channels, height, width], flat), shape) = (self, self.shape());
        let pixel = if flat { channels } else { shape.stride() };
        let item = shape.length() / items;
        let mut positions = Vec::new();
        for i in 0..items {
            for channel in 0..channels {
                positions.extend((0..height * width).map(|at| i * item + at * pixel + channel));
            }
        }
        positions
    }

    fn put(self, values: &[f32]) -> Vec<u32> {
        let mut words = vec![0; self.shape().length()];
        self.positions().iter().zip(values).for_each(|(&at, value)| words[at] = value.to_bits());
        words
    }
}

impl Case {
    fn window(&self) -> Window {
        let ([_, channels, height, width], [top, left]) = (self.input, self.padding);
        let (size, around) = ([height, width, channels], [top, left, top, left]);
        if self.kind == "convolution" {
            Window::convolution(size, self.channels, self.kernel, self.stride, around).unwrap()
        } else {
            Window::transposed(size, self.channels, self.kernel, self.stride, around, self.output_padding)
                .unwrap()
        }
    }

    fn add(&self, graph: &mut Graph, x: ValueId, packed: bool) -> vae::Result<ValueId> {
        let options = ConvolutionOptions { packed, ..Default::default() };
        if self.kind == "convolution" {
            graph.convolution("layer", x, &self.window(), options)
        } else {
            graph.transposed_convolution("layer", x, &self.window(), options)
        }
    }

    /// Compare output and gradients on `device`, with flat inputs and outputs or with maps.
    fn check(&self, device: &(String, OpenDevice), flat_input: bool, packed: bool) {
        let tensors = Tensors::default();
        let group = tensors.group("network");
        let mut graph = Graph::new(&tensors, Mode::Train);
        let from = Maps(self.input, flat_input);
        let to = Maps([self.input[0], self.channels, self.size[0], self.size[1]], packed);
        let x = graph.input("x", from.shape());
        let y = self.add(&mut graph, x, packed).unwrap();
        assert_eq!(graph.value(y).shape, to.shape(), "{self:?}");
        let seed = graph.input("seed", to.shape());
        let targets = [Target::Value(x), Target::Group(group)];
        let gradient = graph.pull_back(&[(y, seed)], &targets).unwrap().of(x).unwrap();
        let wanted: Vec<ValueId> = [y, gradient].into_iter().chain(graph.gradients_of(group)).collect();
        let plan = lower(&graph, &[ProgramSpec::new("all", &[x, seed], &wanted)], SETTING).unwrap();

        let mut executor = device.1.executor(&plan, 1).unwrap();
        let mut flat = vec![0.0; tensors.length()];
        for (number, tensor) in (2..).zip(tensors.all()) {
            tensor.put(&mut flat, &content(tensor.count(), number));
        }
        let flat: Vec<u32> = flat.into_iter().map(f32::to_bits).collect();
        write(&mut *executor, &plan, "parameters", &flat);
        write(&mut *executor, &plan, "x", &from.put(&content(self.input.iter().product(), 1)));
        write(&mut *executor, &plan, "seed", &to.put(&content(self.output.len(), 4)));
        executor.submit("all", &[Step { rows: self.input[0] as u32, ..Step::default() }]).unwrap();
        executor.receive(0).unwrap();

        let what = format!("{}: {} {}, flat {flat_input} {packed}", device.0, self.kind, self.window());
        let take =
            |values: &[f32], maps: Maps| maps.positions().iter().map(|&i| values[i]).collect::<Vec<_>>();
        let output = read(&mut *executor, &plan, &graph.value(y).name);
        close(&take(&output, to), &self.output, &what);
        let input_gradient = read(&mut *executor, &plan, &graph.value(gradient).name);
        close(&take(&input_gradient, from), &self.input_gradient, &format!("{what}, input gradient"));
        let gradients = read(&mut *executor, &plan, "gradients");
        for (tensor, expected) in tensors.all().iter().zip([&self.weight_gradient, &self.bias_gradient]) {
            close(&tensor.take(&gradients), expected, &format!("{what}, gradient of {}", tensor.name));
        }
    }
}

fn write(executor: &mut dyn Executor, plan: &Plan, name: &str, words: &[u32]) {
    executor.write(plan.buffer(name).unwrap(), 0, words).unwrap();
}

fn read(executor: &mut dyn Executor, plan: &Plan, name: &str) -> Vec<f32> {
    let id = plan.buffer(name).unwrap_or_else(|| panic!("no buffer {name}"));
    let words = executor.read(id, 0, plan.buffers[id.0].length).unwrap();
    words.into_iter().map(f32::from_bits).collect()
}

/// `expected` counts in units of 1/4096.
fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (f64::from(found), expected / 4096.0);
        let difference = (found - expected).abs();
        // NaN is never within the limit.
        assert!(difference <= 1e-5 * expected.abs().max(1.0), "{what}, element {i}: {found} and {expected}");
    }
}

#[test]
fn convolutions_give_pytorchs_numbers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/convolution.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for device in &devices() {
        let thorough = matches!(device.1, OpenDevice::Cpu);
        for (i, case) in cases.iter().enumerate() {
            let [_, channels, height, width] = case.input;
            // A transposed convolution takes flat maps where these are the same in memory.
            let flat = case.kind == "convolution" || channels % 4 == 0 || height * width == 1;
            // An adapter compiles the kernels of each case anew.
            if thorough || i % 2 == 0 {
                case.check(device, false, false);
            }
            if thorough || i % 2 == 1 {
                case.check(device, flat, true);
            }
        }
    }
}

#[test]
fn layers_from_and_to_maps_take_weights_in_the_order_of_pytorch() {
    // Flatten after NCHW maps, and a linear layer whose output is reshaped to such maps: rows are channel, row, column.
    let (maps, width) = (Maps([2, 3, 2, 4], false), 5);
    let x = content(48, 1);
    for (name, device) in devices() {
        for to_maps in [false, true] {
            let tensors = Tensors::default();
            let group: GroupId = tensors.group("network");
            let mut graph = Graph::new(&tensors, Mode::Train);
            let rows = Maps([2, width, 1, 1], false);
            let (from, to) = if to_maps { (rows, maps) } else { (maps, rows) };
            let input = graph.input("x", from.shape());
            let y = if to_maps {
                graph.linear_to_maps("layer", input, [2, 4], 3).unwrap()
            } else {
                graph.linear_from_maps(&["layer"], input, width).unwrap()
            };
            assert_eq!(tensors.group_range(group).len(), tensors.length());
            let plan = lower(&graph, &[ProgramSpec::new("all", &[input], &[y])], SETTING).unwrap();
            let mut executor = device.executor(&plan, 1).unwrap();
            let mut flat = vec![0.0; tensors.length()];
            let all = tensors.all();
            let (inner, outer) = if to_maps { (width, 24) } else { (24, width) };
            assert_eq!((&all[0].shape, &all[1].shape), (&vec![outer, inner], &vec![outer]));
            let (weight, bias) = (content(outer * inner, 2), content(outer, 3));
            all[0].put(&mut flat, &weight);
            all[1].put(&mut flat, &bias);
            let flat: Vec<u32> = flat.into_iter().map(f32::to_bits).collect();
            write(&mut *executor, &plan, "parameters", &flat);
            write(&mut *executor, &plan, "x", &from.put(&x[..2 * inner]));
            executor.submit("all", &[Step { rows: 2, ..Step::default() }]).unwrap();
            executor.receive(0).unwrap();
            let output = read(&mut *executor, &plan, &graph.value(y).name);
            let found: Vec<f32> = to.positions().iter().map(|&i| output[i]).collect();
            let expected = |i: usize| {
                let (row, o) = (&x[i / outer * inner..][..inner], i % outer);
                let sum: f32 = row.iter().zip(&weight[o * inner..]).map(|(x, w)| x * w).sum();
                4096.0 * f64::from(sum + bias[o])
            };
            let expected: Vec<f64> = (0..2 * outer).map(expected).collect();
            close(&found, &expected, &format!("{name}, to maps: {to_maps}"));
        }
    }
}
