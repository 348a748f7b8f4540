//! State, and groups of parameters with optimizers of their own, in training programs made by hand.

use crate::common::devices;
use vae::device::OpenDevice;
use vae::graph::{
    Activation, Graph, GroupId, Init, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, Weight,
    lower,
};
use vae::optimizer::{Optimizer, OptimizerKind};
use vae::plan::{Executor, Plan, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
const X: Shape = Shape::matrix(3, 5);

/// Numbers from -0.5 to 0.5.
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    (0..count).map(|i| (seed as f32 + 1.7 * i as f32).sin() * 0.5).collect()
}

fn words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn read(executor: &mut dyn Executor, plan: &Plan, name: &str) -> Vec<f32> {
    let id = plan.buffer(name).unwrap_or_else(|| panic!("no buffer {name}"));
    let words = executor.read(id, 0, plan.buffers[id.0].length).unwrap();
    words.into_iter().map(f32::from_bits).collect()
}

fn write(executor: &mut dyn Executor, plan: &Plan, name: &str, values: &[f32]) {
    executor.write(plan.buffer(name).unwrap(), 0, &words(values)).unwrap();
}

fn close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 2e-5 + 2e-5 * b.abs(), "{what}, element {i}: {a} and {b}");
    }
}

/// Begin with these parameters and this minibatch.
fn begin(device: &OpenDevice, plan: &Plan, tensors: &Tensors) -> Box<dyn Executor> {
    let mut executor = device.executor(plan, 1).unwrap();
    let mut flat = vec![0.0; tensors.length()];
    for (seed, tensor) in (1..).zip(tensors.all()) {
        tensor.put(&mut flat, &numbers(seed, tensor.count()));
    }
    write(&mut *executor, plan, "parameters", &flat);
    let mut x = vec![0.0; X.length()];
    for (row, values) in x.chunks_mut(X.stride()).enumerate() {
        values[..X.columns].copy_from_slice(&numbers(20 + row as u32, X.columns));
    }
    write(&mut *executor, plan, "x", &x);
    executor
}

/// A step of all rows, number `t`, for groups with these optimizers and learning rates.
fn step(t: u64, groups: &[(GroupId, Optimizer, f64)]) -> Step {
    let mut step = Step { rows: X.rows as u32, ..Step::default() };
    for (index, (_, optimizer, rate)) in groups.iter().enumerate() {
        optimizer.prepare(t, *rate, index, &mut step);
    }
    step
}

#[test]
fn a_state_follows_a_value() {
    let tensors = Tensors::default();
    let group = tensors.group("network");
    let mut graph = Graph::new(&tensors, Mode::Train);
    let x = graph.input("x", X);
    let y = graph.linear(&["layer"], x, 3).unwrap();
    let shape = graph.value(y).shape;
    let average = graph.state("average", shape, Init::Constant(0.5)).unwrap();
    let last = graph.state("last", shape, Init::Constant(0.0)).unwrap();
    assert_eq!(graph.state("last", shape, Init::Constant(0.0)).unwrap(), last);
    assert!(graph.state("last", X, Init::Constant(0.0)).is_err(), "another shape");
    assert!(graph.update(last, x, 1.0).is_err(), "another shape");
    graph.update(average, y, 0.25).unwrap();
    graph.update(last, y, 1.0).unwrap();
    let activated = graph.activate("activated", y, Activation::Tanh);
    let loss = graph.loss("loss", activated, 1, Weight::Constant(1.0));
    graph.differentiate(&[loss], &[Target::Group(group)]).unwrap();
    let sgd = Optimizer::new(OptimizerKind::Sgd);
    graph.step(group, &sgd).unwrap();
    let mut wanted = graph.training();
    wanted.push(y);
    let plan = lower(&graph, &[ProgramSpec::new("train", &[x], &wanted)], SETTING).unwrap();
    let mut all = Vec::new();
    for (name, device) in devices() {
        let mut executor = begin(&device, &plan, &tensors);
        let mut start = vec![0.0; shape.length()];
        start.chunks_mut(shape.stride()).for_each(|row| row[..shape.columns].fill(0.5));
        write(&mut *executor, &plan, "state.average", &start);
        let (mut expected, mut history) = (start, Vec::new());
        for t in 1..=2 {
            executor.submit("train", &[step(t, &[(group, sgd, 0.5)])]).unwrap();
            executor.receive(0).unwrap();
            let y = read(&mut *executor, &plan, "layer");
            expected.iter_mut().zip(&y).for_each(|(state, y)| *state += 0.25 * (y - *state));
            close(&read(&mut *executor, &plan, "state.average"), &expected, &format!("{name}, step {t}"));
            assert_eq!(read(&mut *executor, &plan, "state.last"), y, "{name}, step {t}");
            history.extend(y);
            history.extend(&expected);
        }
        let (first, second) = (&history[..shape.length()], &history[2 * shape.length()..3 * shape.length()]);
        assert_ne!(first, second, "{name}: the parameters have moved");
        all.push((name, history));
    }
    for (name, history) in &all[1..] {
        close(history, &all[0].1, name);
    }
}

/// Two networks in two groups. The first loss depends on both and moves the first; the second moves the second.
struct Pair {
    tensors: Tensors,
    plan: Plan,
    groups: Vec<(GroupId, Optimizer, f64)>,
}

fn pair(losses: [bool; 2]) -> Pair {
    let tensors = Tensors::default();
    let a = tensors.group("a");
    let mut graph = Graph::new(&tensors, Mode::Train);
    let x = graph.input("x", X);
    let made = graph.linear(&["first"], x, 4).unwrap();
    let made = graph.activate("first.activation", made, Activation::Tanh);
    let b = tensors.group("b");
    let judge = |graph: &mut Graph, input: ValueId| graph.linear(&["second"], input, 2);
    let judged = judge(&mut graph, made).unwrap();
    let judged = graph.activate("judged", judged, Activation::Softplus);
    let constant = graph.detach(made);
    let seen = judge(&mut graph, constant).unwrap();
    let seen = graph.activate("seen", seen, Activation::Sigmoid);
    let optimizers = [Optimizer::new(OptimizerKind::Sgd), Optimizer::new(OptimizerKind::Adam)];
    let groups = vec![(a, optimizers[0], 0.5), (b, optimizers[1], 0.01)];
    for ((value, name), (wanted, (group, optimizer, _))) in
        [(judged, "judged"), (seen, "seen")].into_iter().zip(losses.into_iter().zip(&groups))
    {
        if wanted {
            let loss = graph.loss(name, value, 1, Weight::Constant(1.0));
            graph.differentiate(&[loss], &[Target::Group(*group)]).unwrap();
            graph.step(*group, optimizer).unwrap();
        }
    }
    let plan = lower(&graph, &[ProgramSpec::new("train", &[x], &graph.training())], SETTING).unwrap();
    Pair { tensors, plan, groups }
}

/// Parameters of both groups after `steps` steps.
fn trained(pair: &Pair, device: &OpenDevice, steps: u64) -> [Vec<f32>; 2] {
    let mut executor = begin(device, &pair.plan, &pair.tensors);
    for t in 1..=steps {
        executor.submit("train", &[step(t, &pair.groups)]).unwrap();
    }
    executor.receive(0).unwrap();
    let flat = read(&mut *executor, &pair.plan, "parameters");
    [0, 1].map(|i| flat[pair.tensors.group_range(pair.groups[i].0)].to_vec())
}

#[test]
fn two_groups_have_two_optimizers_and_two_losses() {
    let [both, first, second] = [[true, true], [true, false], [false, true]].map(pair);
    let mut all = Vec::new();
    for (name, device) in devices() {
        let start = trained(&both, &device, 0);
        let after = trained(&both, &device, 1);
        let of_first = trained(&first, &device, 1);
        let of_second = trained(&second, &device, 1);
        assert!(start[0] != after[0] && start[1] != after[1], "{name}: both groups move");
        assert_eq!(
            of_first,
            [after[0].clone(), start[1].clone()],
            "{name}: the first loss moves the first group"
        );
        assert_eq!(of_second, [start[0].clone(), after[1].clone()], "{name}: the second moves the second");
        // Adam's first step is its learning rate, whatever the gradient.
        let moved = start[1].iter().zip(&after[1]).map(|(before, after)| (before - after).abs());
        assert!(moved.filter(|&change| change > 0.0).all(|change| (change - 0.01).abs() < 1e-5), "{name}");
        all.push((name, trained(&both, &device, 2).concat()));
    }
    for (name, parameters) in &all[1..] {
        close(parameters, &all[0].1, name);
    }
}

/// The problem with a training program of this graph.
fn refused(graph: &Graph, given: &[ValueId]) -> String {
    match lower(graph, &[ProgramSpec::new("train", given, &graph.training())], SETTING) {
        Ok(_) => String::new(),
        Err(problem) => problem.to_string(),
    }
}

#[test]
fn a_gradient_that_needs_a_state_stands_before_its_update() {
    // d z / d log-variance = exp(v / 2) noise / 2 needs the noise as it was.
    let build = |update_first: bool| {
        let tensors = Tensors::default();
        let group = tensors.group("network");
        let mut graph = Graph::new(&tensors, Mode::Train);
        let x = graph.input("x", X);
        let prior = graph.linear(&["mean", "variance"], x, 4).unwrap();
        let noise = graph.state("noise", Shape::matrix(X.rows, 4), Init::Constant(0.5)).unwrap();
        let z = graph.conditional_sample("z", prior, noise).unwrap();
        let loss = graph.loss("loss", z, 1, Weight::Constant(1.0));
        if update_first {
            graph.update(noise, z, 1.0).unwrap();
        }
        graph.differentiate(&[loss], &[Target::Group(group)]).unwrap();
        if !update_first {
            graph.update(noise, z, 1.0).unwrap();
        }
        graph.step(group, &Optimizer::new(OptimizerKind::Sgd)).unwrap();
        refused(&graph, &[x])
    };
    assert_eq!(build(false), "");
    let problem = build(true);
    assert!(problem.contains("reads 'state.noise' after it has been changed"), "{problem}");
}

#[test]
fn a_gradient_that_needs_parameters_stands_before_their_step() {
    // The first group's gradient goes through the second's weights.
    let build = |step_first: bool| {
        let tensors = Tensors::default();
        let a = tensors.group("a");
        let mut graph = Graph::new(&tensors, Mode::Train);
        let x = graph.input("x", X);
        let made = graph.linear(&["first"], x, 4).unwrap();
        let b = tensors.group("b");
        let judged = graph.linear(&["second"], made, 2).unwrap();
        let sgd = Optimizer::new(OptimizerKind::Sgd);
        let losses = ["one", "two"].map(|name| graph.loss(name, judged, 1, Weight::Constant(1.0)));
        graph.differentiate(&losses[..1], &[Target::Group(b)]).unwrap();
        if step_first {
            graph.step(b, &sgd).unwrap();
        }
        graph.differentiate(&losses[1..], &[Target::Group(a)]).unwrap();
        if !step_first {
            graph.step(b, &sgd).unwrap();
        }
        graph.step(a, &sgd).unwrap();
        refused(&graph, &[x])
    };
    assert_eq!(build(false), "");
    let problem = build(true);
    assert!(problem.contains("reads 'second.weight' after it has been changed"), "{problem}");
}

#[test]
fn averages_follow_the_parameters() {
    const DECAY: f64 = 0.75;
    let tensors = Tensors::default();
    let groups = ["a", "b"].map(|name| tensors.group(name));
    tensors.group("a");
    let mut graph = Graph::new(&tensors, Mode::Train);
    let x = graph.input("x", X);
    let y = graph.linear(&["first"], x, 3).unwrap();
    let y = graph.activate("activated", y, Activation::Tanh);
    tensors.group("b");
    let y = graph.linear(&["second"], y, 2).unwrap();
    let loss = graph.loss("loss", y, 1, Weight::Constant(1.0));
    graph.differentiate(&[loss], &groups.map(Target::Group)).unwrap();
    let sgd = Optimizer { ema_decay: DECAY, ..Optimizer::new(OptimizerKind::Sgd) };
    let adam = Optimizer::new(OptimizerKind::Adam);
    let both = [(groups[0], sgd, 0.5), (groups[1], adam, 0.1)];
    both.iter().for_each(|(group, optimizer, _)| graph.step(*group, optimizer).unwrap());
    let plan = lower(&graph, &[ProgramSpec::new("train", &[x], &graph.training())], SETTING).unwrap();
    for (name, device) in devices() {
        let mut executor = begin(&device, &plan, &tensors);
        let start = read(&mut *executor, &plan, "parameters");
        write(&mut *executor, &plan, "averages", &start);
        // d^n p_0 + (1 - d) (d^(n-1) p_1 + .. + p_n)
        let steps = 5;
        let mut expected: Vec<f64> =
            start.iter().map(|&value| DECAY.powi(steps) * f64::from(value)).collect();
        for t in 1..=steps {
            executor.submit("train", &[step(t as u64, &both)]).unwrap();
            executor.receive(0).unwrap();
            let parameters = read(&mut *executor, &plan, "parameters");
            let weight = (1.0 - DECAY) * DECAY.powi(steps - t);
            expected.iter_mut().zip(parameters).for_each(|(sum, value)| *sum += weight * f64::from(value));
        }
        let expected: Vec<f32> = expected.into_iter().map(|value| value as f32).collect();
        let averages = read(&mut *executor, &plan, "averages");
        let [first, second] = groups.map(|group| tensors.group_range(group));
        close(&averages[first.clone()], &expected[first.clone()], name.as_str());
        assert!(averages[first.clone()] != start[first], "{name}: the averages have moved");
        // The second group keeps none.
        assert_eq!(averages[second.clone()], start[second], "{name}");
    }
}
