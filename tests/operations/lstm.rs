//! Long short-term memory: finite differences, and PyTorch's numbers on every device.

use crate::common::devices;
use crate::harness::Check;
use vae::graph::{Graph, Lstm, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, lower};
use vae::plan::{Executor, Plan, Step};

fn scan(
    graph: &mut Graph,
    x: ValueId,
    [hidden, steps]: [usize; 2],
    carry: Option<ValueId>,
) -> vae::Result<ValueId> {
    Ok(graph.lstm("lstm", x, Lstm { hidden, steps, carry })?.h)
}

#[test]
fn sequences_of_ragged_sizes() {
    for (batch, steps, inputs, hidden) in [(2, 3, 3, 5), (1, 4, 2, 1), (3, 2, 5, 4)] {
        Check::of("LstmScan", &[Shape::matrix(batch * steps, inputs)])
            .pull_back(|graph, x| Ok(vec![scan(graph, x[0], [hidden, steps], None)?]));
    }
}

/// A gradient goes back through 20 steps, and from one window of steps into the one before.
#[test]
fn many_steps() {
    Check::of("LstmScan", &[Shape::matrix(20, 2)])
        .pull_back(|graph, x| Ok(vec![scan(graph, x[0], [3, 20], None)?]));
    Check::of("LstmScan", &[Shape::matrix(34, 1)])
        .pull_back(|graph, x| Ok(vec![scan(graph, x[0], [2, 34], None)?]));
}

#[test]
fn a_carry_of_data() {
    let shapes = [Shape::matrix(2 * 3, 3), Shape::with_sections(2, 2, 5)];
    Check::of("LstmScan", &shapes)
        .constant(1)
        .pull_back(|graph, x| Ok(vec![scan(graph, x[0], [5, 3], Some(x[1]))?]));
    // A step for itself.
    let shapes = [Shape::matrix(6, 3), Shape::with_sections(6, 2, 2)];
    Check::of("LstmScan", &shapes)
        .constant(1)
        .pull_back(|graph, x| Ok(vec![scan(graph, x[0], [2, 1], Some(x[1]))?]));
}

/// Layers upon each other, one applied twice, one of constant parameters, one of data.
#[test]
fn several_scans() {
    Check::of("LstmScan", &[Shape::matrix(6, 4)]).pull_back(|graph, x| {
        let first = scan(graph, x[0], [4, 3], None)?;
        let other = graph.lstm("other", first, Lstm { hidden: 3, steps: 2, carry: None })?;
        Ok(vec![scan(graph, first, [4, 3], None)?, other.h])
    });
    Check::of("LstmScan", &[Shape::matrix(6, 4)]).pull_back(|graph, x| {
        let h = graph.with_constant_parameters(|graph| scan(graph, x[0], [3, 3], None))?;
        Ok(vec![h])
    });
    let shape = Shape::matrix(6, 4);
    Check::of("LstmScan", &[shape, shape]).constant(0).pull_back(|graph, x| {
        Ok(vec![scan(graph, x[0], [3, 3], None)?, graph.affine("other", x[1], 2.0, 0.0)])
    });
}

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
const NAMES: [&str; 3] = ["lstm.input.weight", "lstm.recurrent.weight", "lstm.bias"];

/// The script's `wave`.
fn wave(count: usize, start: usize, scale: f64) -> Vec<f32> {
    (0..count).map(|i| (scale * (1.7 * i as f64 + start as f64).sin()) as f32).collect()
}

fn write(executor: &mut dyn Executor, plan: &Plan, name: &str, values: &[f32], columns: usize) {
    let mut words = Vec::new();
    for row in values.chunks(columns) {
        words.extend(row.iter().map(|value| value.to_bits()));
        words.resize(words.len().next_multiple_of(4), 0);
    }
    executor.write(plan.buffer(name).unwrap(), 0, &words).unwrap();
}

/// The rows of a buffer, without padding.
fn read(executor: &mut dyn Executor, plan: &Plan, name: &str, columns: usize) -> Vec<f64> {
    let id = plan.buffer(name).unwrap_or_else(|| panic!("no buffer {name}"));
    let words = executor.read(id, 0, plan.buffers[id.0].length).unwrap();
    let rows = words.chunks(columns.next_multiple_of(4));
    rows.flat_map(|row| row[..columns].iter().map(|&word| f64::from(f32::from_bits(word)))).collect()
}

fn waves_product(values: &[f64]) -> [f64; 3] {
    let weight = |i: usize| (0.3 * i as f64).cos();
    let sum = values.iter().enumerate().map(|(i, value)| value * weight(i)).sum();
    [values[0], values[values.len() - 1], sum]
}

/// First and last number of each output and gradient, and the sum of all times cos(0.3 i), as this script prints them:
///
/// ```python
/// import torch
///
/// def wave(count, start, scale=1.0):
///     return scale * torch.sin(1.7 * torch.arange(count, dtype=torch.float64) + start)
///
/// def show(name, y):
///     y = y.flatten()
///     weight = torch.cos(0.3 * torch.arange(len(y), dtype=torch.float64))
///     print(name, [round(float(v), 6) for v in [y[0], y[-1], (y * weight).sum()]])
///
/// lstm = torch.nn.LSTM(3, 5, batch_first=True).double()
/// for own, values in zip(lstm.parameters(), [wave(60, 1, 0.5), wave(100, 2, 0.5), wave(20, 3, 0.5), torch.zeros(20)]):
///     own.data.copy_(values.view(own.shape))
/// lstm.bias_ih_l0.data[5:10] += 1  # The forget gate.
/// x = wave(3 * 7 * 3, 4).view(3, 7, 3).requires_grad_()
/// start = wave(3 * 2 * 5, 5).view(3, 2, 5)
/// h, last = lstm(x, [start[None, :, 0].contiguous(), start[None, :, 1].contiguous()])
/// (h * wave(3 * 7 * 5, 6).view(3, 7, 5)).sum().backward()
/// show("h", h)
/// show("carry", torch.stack([part[0] for part in last], 1))
/// show("gradient of x", x.grad)
/// show("gradient of the input weight", lstm.weight_ih_l0.grad)
/// show("gradient of the recurrent weight", lstm.weight_hh_l0.grad)
/// show("gradient of the bias", lstm.bias_ih_l0.grad)
/// ```
const NUMBERS: [(&str, [f64; 3]); 6] = [
    ("h", [0.172027, 0.187411, 1.101334]),
    ("carry", [0.054791, 0.401901, -0.989943]),
    ("gradient of x", [0.038376, -0.212777, -0.428745]),
    ("gradient of the input weight", [0.038254, -0.050174, -0.201333]),
    ("gradient of the recurrent weight", [-0.003544, 0.042274, 0.238551]),
    ("gradient of the bias", [0.062837, 0.1309, 0.125501]),
];

#[test]
fn a_scan_gives_what_pytorch_gives() {
    let (batch, steps, inputs, hidden) = (3, 7, 3, 5);
    let tensors = Tensors::default();
    let mut graph = Graph::new(&tensors, Mode::Train);
    let x = graph.input("x", Shape::matrix(batch * steps, inputs));
    let start = graph.input("start", Shape::with_sections(batch, 2, hidden));
    let seed = graph.input("seed", Shape::matrix(batch * steps, hidden));
    let output = graph.lstm("lstm", x, Lstm { hidden, steps, carry: Some(start) }).unwrap();
    let group = tensors.groups()[0].0;
    let derivatives =
        graph.pull_back(&[(output.h, seed)], &[Target::Value(x), Target::Group(group)]).unwrap();
    let mut wanted = vec![output.h, output.carry, derivatives.of(x).unwrap()];
    wanted.extend(graph.gradients_of(group));
    let plan = lower(&graph, &[ProgramSpec::new("all", &[x, start, seed], &wanted)], SETTING).unwrap();
    for (device_name, device) in devices() {
        let mut executor = device.executor(&plan, 1).unwrap();
        let mut flat = vec![0.0; tensors.length()];
        for (i, name) in NAMES.iter().enumerate() {
            let tensor = tensors.find(name).unwrap();
            tensor.put(&mut flat, &wave(tensor.count(), i + 1, 0.5));
        }
        write(&mut *executor, &plan, "parameters", &flat, 4);
        write(&mut *executor, &plan, "x", &wave(batch * steps * inputs, 4, 1.0), inputs);
        write(&mut *executor, &plan, "start", &wave(batch * 2 * hidden, 5, 1.0), hidden);
        write(&mut *executor, &plan, "seed", &wave(batch * steps * hidden, 6, 1.0), hidden);
        executor.submit("all", &[Step { rows: 1, ..Step::default() }]).unwrap();
        let mut found = vec![
            read(&mut *executor, &plan, "lstm", hidden),
            read(&mut *executor, &plan, "lstm.carry", hidden),
            read(&mut *executor, &plan, "gradient.x", inputs),
        ];
        let gradients: Vec<f64> = read(&mut *executor, &plan, "gradients", 4);
        found.extend(NAMES.map(|name| tensors.find(name).unwrap().take(&gradients)));
        for (values, (what, expected)) in found.iter().zip(NUMBERS) {
            for (found, expected) in waves_product(values).into_iter().zip(expected) {
                let near = (found - expected).abs() <= 2e-5 + 2e-5 * expected.abs();
                assert!(near, "{device_name}: {what}: {found}, PyTorch {expected}");
            }
        }
    }
}
