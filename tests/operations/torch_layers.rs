//! Layers of feature maps against PyTorch's numbers, on every device.

use crate::common::devices;
use vae::device::OpenDevice;
use vae::graph::Activation;
use vae::graph::{
    BatchNorm, DepthwiseConvolution, Graph, Init, Mode, ProgramSpec, Setting, Shape, Target, Tensors,
    ValueId, Weight, lower,
};
use vae::optimizer::{Optimizer, OptimizerKind};
use vae::plan::{Executor, Plan, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

/// The scripts' `wave`.
fn wave(count: usize, start: usize) -> Vec<f32> {
    (0..count).map(|i| (1.7 * i as f64 + start as f64).sin() as f32).collect()
}

/// An executor with these parameters and states.
fn begin(
    device: &OpenDevice,
    plan: &Plan,
    tensors: &Tensors,
    values: &[(&str, Vec<f32>)],
) -> Box<dyn Executor> {
    let mut executor = device.executor(plan, 1).unwrap();
    let mut flat = vec![0.0; tensors.length()];
    for (name, values) in values {
        tensors.find(name).unwrap_or_else(|| panic!("no tensor {name}")).put(&mut flat, values);
    }
    write(&mut *executor, plan, "parameters", &flat);
    for (name, values) in tensors.first_states() {
        write(&mut *executor, plan, &name, &values);
    }
    executor
}

fn write(executor: &mut dyn Executor, plan: &Plan, name: &str, values: &[f32]) {
    let words: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
    executor.write(plan.buffer(name).unwrap(), 0, &words).unwrap();
}

fn read(executor: &mut dyn Executor, plan: &Plan, name: &str) -> Vec<f32> {
    let id = plan.buffer(name).unwrap_or_else(|| panic!("no buffer {name}"));
    let words = executor.read(id, 0, plan.buffers[id.0].length).unwrap();
    words.into_iter().map(f32::from_bits).collect()
}

/// What a program leaves, without padding.
fn wanted(executor: &mut dyn Executor, plan: &Plan, program: &str) -> Vec<Vec<f64>> {
    let mut all = Vec::new();
    for port in &plan.program(program).unwrap().wanted {
        let flat = read(executor, plan, &plan.buffers[port.buffer.0].name);
        let rows = (0..port.shape[0]).map(|row| &flat[row * port.strides[0]..][..port.shape[2]]);
        all.push(rows.flatten().map(|&value| f64::from(value)).collect());
    }
    all
}

fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 2e-5 + 2e-5 * expected.abs(), "{what}: {found}, PyTorch {expected}");
}

/// First and last number of each layer's output, and the sum of all times cos(0.3 i), as this script prints them:
///
/// ```python
/// import torch
/// import torch.nn.functional as F
///
/// def wave(count, start):
///     return torch.sin(1.7 * torch.arange(count, dtype=torch.float64) + start)
///
/// def show(name, y):
///     y = y.permute(0, 2, 3, 1) if y.dim() == 4 else y
///     y = y.flatten()
///     weight = torch.cos(0.3 * torch.arange(len(y), dtype=torch.float64))
///     print(name, [round(float(v), 6) for v in [y[0], y[-1], (y * weight).sum()]])
///
/// def rows(maps):
///     return maps.permute(0, 2, 3, 1).flatten(1, 2)
///
/// x = wave(2 * 4 * 6 * 8, 0).view(2, 4, 6, 8).permute(0, 3, 1, 2)
/// w, b = wave(8, 1), wave(8, 2)
/// show("group_norm 4", F.group_norm(x, 4, w, b, 0.01))
/// show("group_norm 1", F.group_norm(x, 1, w, b, 0.01))
/// show("depthwise", F.conv2d(F.pad(x, (2, 1, 1, 0)), wave(8 * 15, 3).view(8, 1, 3, 5), b, (1, 2), groups=8))
/// show("average_pool", F.avg_pool2d(x, (2, 3), (1, 2)))
/// show("global_mean", x.mean((2, 3)))
/// show("upsample", F.interpolate(x, scale_factor=(3, 2), mode="nearest"))
/// show("space_to_depth", F.pixel_unshuffle(x, 2))
/// show("depth_to_space", F.pixel_shuffle(x, 2))
/// show("concat", torch.cat([x, x[:, :3] * 2], 1))
/// show("image", x + wave(8 * 24, 4).view(8, 4, 6))
/// show("softmax", x.softmax(1))
/// four, one = (rows(F.group_norm(x, groups, w, b, 0.01)) for groups in [4, 1])
/// show("attention", F.scaled_dot_product_attention(rows(x), four, one))
/// show("gelu", F.gelu(x))
/// show("layer_norm", F.layer_norm(x.permute(0, 2, 3, 1), [8], w, b, 0.01).flatten(1, 2))
/// ```
const LAYERS: [(&str, [f64; 3]); 14] = [
    ("group_norm 4", [0.911101, 0.64365, -2.442376]),
    ("group_norm 1", [0.908174, 0.645425, -2.451497]),
    ("depthwise", [0.745741, 0.956801, 0.063545]),
    ("average_pool", [0.564486, 0.636545, 0.184407]),
    ("global_mean", [0.008591, 0.0136, -0.006413]),
    ("upsample", [0.0, -0.710579, 0.64475]),
    ("space_to_depth", [0.0, -0.710579, 9.103272]),
    ("depth_to_space", [0.0, -0.710579, 6.538086]),
    ("concat", [0.0, 1.979213, -0.676181]),
    ("image", [-0.756802, 0.209087, 1.91879]),
    ("softmax", [0.102425, 0.05123, 0.506272]),
    ("attention", [0.799027, 0.922598, -0.20497]),
    ("gelu", [0.0, -0.169596, 0.815379]),
    ("layer_norm", [0.942416, 0.687958, -2.386797]),
];

fn layers(graph: &mut Graph, x: ValueId) -> vae::Result<Vec<ValueId>> {
    let depthwise =
        DepthwiseConvolution { kernel: [3, 5], stride: [1, 2], padding: [1, 2, 0, 1], bias: true };
    let three = graph.take_columns("three", x, 0, 3)?;
    let six = graph.add_scaled("six", three, three, 1.0)?;
    let four = graph.group_norm("four", x, 4, 0.01)?;
    let one = graph.group_norm("one", x, 1, 0.01)?;
    Ok(vec![
        four,
        one,
        graph.depthwise("depthwise", x, depthwise)?,
        graph.average_pool("pool", x, [2, 3], [1, 2])?,
        graph.global_mean("mean", x)?,
        graph.upsample("upsample", x, [3, 2])?,
        graph.space_to_depth("deep", x, 2)?,
        graph.depth_to_space("flat", x, 2)?,
        graph.concat("all", &[x, six])?,
        graph.add_image("image", x, Init::Constant(0.0))?,
        graph.softmax("softmax", x)?,
        graph.attention("attention", x, four, one)?,
        graph.activate("gelu", x, Activation::Gelu),
        graph.layer_norm("layer", x, 0.01)?,
    ])
}

#[test]
fn layers_give_what_pytorch_gives() {
    let tensors = Tensors::default();
    let mut graph = Graph::new(&tensors, Mode::Evaluate);
    let x = graph.input("x", Shape::maps(2, [4, 6], 8));
    let outputs = layers(&mut graph, x).unwrap();
    let plan = lower(&graph, &[ProgramSpec::new("values", &[x], &outputs)], SETTING).unwrap();
    let parameters = [
        ("four.weight", wave(8, 1)),
        ("four.bias", wave(8, 2)),
        ("one.weight", wave(8, 1)),
        ("one.bias", wave(8, 2)),
        ("layer.weight", wave(8, 1)),
        ("layer.bias", wave(8, 2)),
        ("depthwise.weight", wave(120, 3)),
        ("depthwise.bias", wave(8, 2)),
        ("image", wave(192, 4)),
    ];
    assert_eq!(tensors.all().len(), parameters.len());
    assert_eq!(tensors.find("depthwise.weight").unwrap().shape, [8, 1, 3, 5]);
    for (device_name, device) in devices() {
        let mut executor = begin(&device, &plan, &tensors, &parameters);
        write(&mut *executor, &plan, "x", &wave(384, 0));
        executor.submit("values", &[Step { rows: 2, ..Step::default() }]).unwrap();
        executor.receive(0).unwrap();
        let found = wanted(&mut *executor, &plan, "values");
        for ((layer, expected), y) in LAYERS.into_iter().zip(found) {
            let sum: f64 = y.iter().enumerate().map(|(i, y)| y * (0.3 * i as f64).cos()).sum();
            for (found, expected) in [y[0], y[y.len() - 1], sum].into_iter().zip(expected) {
                close(found, expected, &format!("{device_name}, {layer}"));
            }
        }
    }
}

/// Three steps of SGD, the last with half a minibatch, then an evaluation: weight, bias, running mean and variance after
/// each step, and the first output, as this script prints them:
///
/// ```python
/// import torch
/// N, H, W, C = 4, 2, 3, 3
/// norm = torch.nn.BatchNorm2d(C)
/// with torch.no_grad():
///     norm.weight.copy_(torch.tensor([0.5, 1.0, -1.5])); norm.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
/// sgd = torch.optim.SGD(norm.parameters(), 0.1)
/// for step, rows in enumerate([4, 4, 2]):
///     i = torch.arange(N * H * W * C, dtype=torch.float64)
///     x = (torch.sin(1.7 * i + step) + 10 * (i % C)).float().view(N, H, W, C)[:rows]
///     loss = torch.tanh(norm(x.permute(0, 3, 1, 2))).sum() / rows
///     sgd.zero_grad(); loss.backward(); sgd.step()
///     for v in [norm.weight, norm.bias, norm.running_mean, norm.running_var]:
///         print([round(float(a), 6) for a in v])
/// norm.eval()
/// print([round(float(a), 6) for a in norm(x.permute(0, 3, 1, 2))[0, :, 0, 0]])
/// ```
const STEPS: [[[f64; 3]; 4]; 3] = [
    [
        [0.548622, 0.937532, -1.545788],
        [-0.379531, -0.5063, 0.104325],
        [-0.006432, 1.004571, 2.005255],
        [0.951603, 0.952027, 0.951888],
    ],
    [
        [0.417101, 0.774852, -1.551234],
        [-0.814565, -0.84934, -0.088078],
        [-0.006089, 1.911542, 3.803115],
        [0.9089, 0.908141, 0.909105],
    ],
    [
        [0.254067, 0.568403, -1.518249],
        [-1.159298, -1.167463, -0.296198],
        [0.005176, 2.716819, 5.413067],
        [0.875812, 0.867887, 0.874649],
    ],
];
const EVALUATED: [f64; 3] = [-0.913845, 2.952955, -22.722023];

#[test]
fn a_batch_norm_trains_as_pytorch_trains_it() {
    let tensors = Tensors::default();
    let group = tensors.group("network");
    let mut graph = Graph::new(&tensors, Mode::Train);
    let shape = Shape::maps(4, [2, 3], 3);
    let x = graph.input("x", shape);
    let y = graph.batch_norm("norm", x, BatchNorm::default()).unwrap();
    let activated = graph.activate("tanh", y, Activation::Tanh);
    let evaluated =
        graph.with_mode(Mode::Evaluate, |g| g.batch_norm("norm", x, BatchNorm::default())).unwrap();
    let loss = graph.loss("loss", activated, 1, Weight::Constant(1.0));
    graph.differentiate(&[loss], &[Target::Group(group)]).unwrap();
    let sgd = Optimizer { beta_1: 0.0, ..Optimizer::new(OptimizerKind::Sgd) };
    graph.step(group, &sgd).unwrap();
    let programs = [
        ProgramSpec::new("train", &[x], &graph.training()),
        ProgramSpec::new("evaluate", &[x], &[evaluated]),
    ];
    let plan = lower(&graph, &programs, SETTING).unwrap();
    let parameters = [("norm.weight", vec![0.5, 1.0, -1.5]), ("norm.bias", vec![0.1, -0.2, 0.3])];
    for (device_name, device) in devices() {
        let mut executor = begin(&device, &plan, &tensors, &parameters);
        for (t, expected) in STEPS.into_iter().enumerate() {
            let mut flat = vec![0.0; shape.length()];
            for i in 0..72 {
                let value = (1.7 * i as f64 + t as f64).sin() + 10.0 * (i % 3) as f64;
                flat[i / 3 * 4 + i % 3] = value as f32;
            }
            if t == 2 {
                // What lies behind the minibatch counts for nothing.
                flat[48..].fill(3e4);
            }
            write(&mut *executor, &plan, "x", &flat);
            let mut step = Step { rows: [4, 4, 2][t], ..Step::default() };
            sgd.prepare(t as u64 + 1, 0.1, 0, &mut step);
            executor.submit("train", &[step]).unwrap();
            executor.receive(0).unwrap();
            let flat = read(&mut *executor, &plan, "parameters");
            let tensor = |name: &str| tensors.find(name).unwrap().take(&flat);
            let running = ["norm.running_mean", "norm.running_var"];
            let [mean, variance] = running.map(|name| read(&mut *executor, &plan, name));
            let found = [tensor("norm.weight"), tensor("norm.bias"), mean, variance];
            for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
                for (&found, expected) in found.iter().zip(expected) {
                    close(f64::from(found), expected, &format!("{device_name}, step {t}, value {number}"));
                }
            }
        }
        executor.submit("evaluate", &[Step { rows: 2, ..Step::default() }]).unwrap();
        executor.receive(0).unwrap();
        let y = wanted(&mut *executor, &plan, "evaluate").remove(0);
        for (&found, expected) in y.iter().zip(EVALUATED) {
            close(found, expected, &format!("{device_name}, evaluated"));
        }
    }
}
