//! Dropout.

use crate::common::devices;
use crate::harness::Check;
use vae::graph::{Graph, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, lower};
use vae::plan::{Plan, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

#[test]
fn dropped_values() {
    for (shape, rate) in
        [(Shape::matrix(5, 7), 0.5), (Shape::maps(2, [3, 2], 4), 0.1), (Shape::with_sections(3, 2, 5), 0.25)]
    {
        Check::of("Dropout", &[shape]).pull_back(|graph, x| Ok(vec![graph.dropout("dropped", x[0], rate)?]));
    }
    Check::of("Dropout", &[Shape::matrix(5, 7)]).pull_back(|graph, x| {
        let first = graph.dropout("first", x[0], 0.3)?;
        Ok(vec![graph.dropout("second", first, 0.3)?, graph.dropout("third", x[0], 0.3)?])
    });
}

fn program(mode: Mode, rate: f64) -> (Plan, Vec<ValueId>) {
    let mut graph = Graph::new(&Tensors::default(), mode);
    let x = graph.input("x", Shape::matrix(100, 101));
    let first = graph.dropout("first", x, rate).unwrap();
    let second = graph.dropout("second", x, rate).unwrap();
    if mode == Mode::Evaluate || rate == 0.0 {
        assert_eq!((first, second), (x, x));
    }
    let seed = graph.input("seed", Shape::matrix(100, 101));
    let gradient = graph.pull_back(&[(first, seed)], &[Target::Value(x)]).unwrap().of(x).unwrap();
    let wanted = vec![first, second, gradient];
    (lower(&graph, &[ProgramSpec::new("all", &[x, seed], &wanted)], SETTING).unwrap(), wanted)
}

#[test]
fn each_step_and_each_layer_drops_others() {
    let rate = 0.2;
    let (plan, _) = program(Mode::Train, rate);
    let ports = plan.program("all").unwrap().wanted.clone();
    let mut all = Vec::new();
    for (name, device) in devices() {
        let mut executor = device.executor(&plan, 1).unwrap();
        for input in ["x", "seed"] {
            let id = plan.buffer(input).unwrap();
            let ones: Vec<u32> = (0..plan.buffers[id.0].length)
                .map(|i| if i % 104 < 101 { 1.0_f32.to_bits() } else { 0 })
                .collect();
            executor.write(id, 0, &ones).unwrap();
        }
        let mut results = Vec::new();
        for counter in [1, 2, 1] {
            let step = Step { rows: 100, ..Step::seeded(3, 0) }.at(counter);
            executor.submit("all", &[step]).unwrap();
            executor.receive(0).unwrap();
            for port in &ports {
                let length = plan.buffers[port.buffer.0].length;
                let words = executor.read(port.buffer, 0, length).unwrap();
                results.push(words.into_iter().map(f32::from_bits).collect::<Vec<f32>>());
            }
        }
        let [first, second, gradient, later, ..] = &results[..] else { panic!("nine results") };
        // What is kept is the same going back, and the same in the same step.
        assert!(first == gradient && *first == results[6] && first != second && first != later, "{name}");
        for values in [first, second, later] {
            assert!(values.iter().all(|&value| value == 0.0 || (value - 1.25).abs() < 1e-6), "{name}");
            let kept = values.iter().filter(|&&value| value > 0.0).count() as f64;
            // Five standard deviations of a binomial number.
            let (mean, deviation) = (10_100.0 * (1.0 - rate), (10_100.0 * rate * (1.0 - rate)).sqrt());
            assert!((kept - mean).abs() < 5.0 * deviation, "{name}: {kept} are kept, of {mean} expected");
        }
        all.push(results);
    }
    assert!(all.iter().all(|results| *results == all[0]), "devices drop the same values");
}

#[test]
fn nothing_is_dropped_in_evaluation() {
    let mut graph = Graph::new(&Tensors::default(), Mode::Evaluate);
    let x = graph.input("x", Shape::matrix(2, 3));
    assert_eq!(graph.dropout("dropped", x, 0.5).unwrap(), x);
    let mut graph = Graph::new(&Tensors::default(), Mode::Train);
    let x = graph.input("x", Shape::matrix(2, 3));
    assert_eq!(graph.dropout("dropped", x, 0.0).unwrap(), x);
    for rate in [1.0, -0.1, f64::NAN] {
        assert!(graph.dropout("dropped", x, rate).is_err());
    }
}
