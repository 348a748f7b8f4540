//! Penalties of deterministic autoencoders.

use crate::common::devices;
use crate::harness::Check;
use vae::cpu::CpuExecutor;
use vae::graph::{Graph, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, Weight, lower};
use vae::plan::{Executor, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

/// Numbers between 0 and 1.
fn units(input: usize, row: usize, column: usize) -> f64 {
    0.5 + 0.4 * ((1 + 3 * input + 2 * row + column) as f64).sin()
}

#[test]
fn squares_of_codes_and_of_weights() {
    for (rows, width) in [(3, 5), (2, 4), (1, 1)] {
        let shape = Shape::matrix(rows, width);
        Check::of("Squares", &[shape]).pull_back(|graph, x| Ok(vec![graph.code_squares(x[0], 0.3)]));
        Check::of("Squares", &[shape])
            .pull_back(|graph, x| Ok(vec![graph.code_squares(x[0], 0.3), graph.code_squares(x[0], 0.5)]));
        let weights = [shape, Shape::matrix(width, rows)];
        Check::of("AddSquareSum", &weights)
            .rows(7)
            .pull_back(|graph, x| Ok(graph.square_sum(&[x[0], x[1], x[0]], 0.3).into_iter().collect()));
    }
}

#[test]
fn the_largest_of_a_row() {
    for (rows, width, keep) in [(3, 5, 2), (2, 4, 4), (1, 1, 1)] {
        Check::of("Masked", &[Shape::matrix(rows, width)])
            .pull_back(|graph, x| Ok(vec![graph.keep_largest("largest", x[0], keep)?]));
    }
}

#[test]
fn idle_units_and_shared_layers() {
    for (rows, width, outputs) in [(3, 5, 4), (2, 4, 8), (1, 1, 4)] {
        let shapes = [Shape::matrix(rows, width), Shape::matrix(1, width)];
        Check::of("IdleOnly", &shapes)
            .unreached(1)
            .contents(units)
            .pull_back(|graph, x| Ok(vec![graph.idle_only("idle", x[0], x[1], 0)?]));
        let shapes = [Shape::matrix(rows, width), Shape::matrix(outputs, width), Shape::matrix(1, outputs)];
        Check::of("Linear", &shapes)
            .pull_back(|graph, x| Ok(vec![graph.linear_with("layer", x[0], [x[1], x[2]])?]));
    }
}

/// Of equal numbers those further left are kept; a row has as many as are asked for, on every device.
#[test]
fn equal_numbers_are_kept_from_the_left() {
    let rows: [[f32; 7]; 4] = [
        [1.0, 3.0, 1.0, 1.0, 2.0, 1.0, -1.0],
        [0.0, -0.0, 0.0, -0.0, -1.0, -0.5, -0.0],
        [-2.0; 7],
        [f32::MAX, 1e-30, -1e-30, 0.0, f32::MIN, 5.0, 5.0],
    ];
    let expected: [[u8; 7]; 4] =
        [[1, 1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1]];
    let mut graph = Graph::new(&Tensors::default(), Mode::Evaluate);
    let x = graph.input("x", Shape::matrix(4, 7));
    graph.keep_largest("largest", x, 4).unwrap();
    let kept = graph.find("largest.kept").unwrap();
    let plan = lower(&graph, &[ProgramSpec::new("all", &[x], &[kept])], SETTING).unwrap();
    for (name, device) in devices() {
        let mut executor = device.executor(&plan, 1).unwrap();
        let padded = rows.iter().flat_map(|row| row.iter().copied().chain([9.0]));
        let words: Vec<u32> = padded.map(f32::to_bits).collect();
        executor.write(plan.buffer("x").unwrap(), 0, &words).unwrap();
        executor.submit("all", &[Step { rows: 4, ..Step::default() }]).unwrap();
        executor.receive(0).unwrap();
        let found = executor.read(plan.program("all").unwrap().wanted[0].buffer, 0, 32).unwrap();
        for (row, expected) in found.chunks(8).zip(expected) {
            let row: Vec<u8> = row.iter().map(|&word| f32::from_bits(word) as u8).collect();
            assert_eq!((&row[..7], row[7]), (&expected[..], 0), "{name}");
        }
    }
}

#[test]
fn contraction_and_sparsity() {
    for (rows, width, pixels) in [(3, 5_usize, 6), (2, 4, 3), (1, 1, 1)] {
        // A weight has a row for each code and for the padding.
        let weight = Shape::matrix(width.next_multiple_of(4), pixels);
        let shapes = [Shape::matrix(rows, width), weight];
        let contraction = |graph: &mut Graph, x: &[ValueId]| Ok(vec![graph.contraction(x[0], x[1], 30.0)?]);
        Check::of("SlopeSquares", &shapes).contents(units).pull_back(contraction);
        Check::of("RowSquares", &shapes).constant(0).pull_back(contraction);
        Check::of("Sparsity", &shapes[..1])
            .contents(units)
            .pull_back(|graph, x| Ok(vec![graph.sparsity(x[0], 0.05, 0.3)?, graph.code_squares(x[0], 1.0)]));
    }
}

/// The loss that `build` makes of inputs with these rows, over as many images as the first has rows, and its gradient with
/// respect to the first.
fn loss(inputs: &[&[&[f64]]], build: impl Fn(&mut Graph, &[ValueId]) -> ValueId) -> (f64, Vec<f64>) {
    let mut graph = Graph::new(&Tensors::default(), Mode::Train);
    let rows = inputs[0].len();
    // A weight has rows for the padding of codes.
    let shape = |number: usize, input: &[&[f64]]| {
        Shape::matrix(if number == 0 { rows } else { input.len().next_multiple_of(4) }, input[0].len())
    };
    let values: Vec<ValueId> =
        inputs.iter().enumerate().map(|(i, it)| graph.input(&format!("input.{i}"), shape(i, it))).collect();
    let value = build(&mut graph, &values);
    let loss = graph.loss("penalty", value, 1, Weight::Constant(1.0));
    let gradient = graph.differentiate(&[loss], &[Target::Value(values[0])]).unwrap().of(values[0]).unwrap();
    let wanted: Vec<ValueId> = graph.reported(Mode::Train).chain([gradient]).collect();
    let plan = lower(&graph, &[ProgramSpec::new("all", &values, &wanted)], SETTING).unwrap();
    let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
    for (i, input) in inputs.iter().enumerate() {
        let buffer = plan.buffer(&format!("input.{i}")).unwrap();
        for (to, from) in cpu.real_mut(buffer).chunks_mut(4).zip(*input) {
            to[..from.len()].copy_from_slice(from);
        }
    }
    cpu.submit("all", &[Step { rows: rows as u32, ..Step::default() }]).unwrap();
    let metric = cpu.real(plan.buffer("metrics").unwrap())[plan.metric("penalty").unwrap()];
    (metric, cpu.real(plan.buffer("gradient.input.0").unwrap()).to_vec())
}

/// KL(.05 || .5) = .494632, and its derivative with respect to the mean code, 1.8, is shared by the images.
#[test]
fn the_sparsity_of_a_unit_has_the_known_value() {
    let (value, gradient) = loss(&[&[&[0.3], &[0.7]]], |graph, x| graph.sparsity(x[0], 0.05, 1.0).unwrap());
    assert!((value - 0.494_632).abs() < 1e-6, "{value}");
    assert!((gradient[0] - 0.9).abs() < 1e-12 && (gradient[4] - 0.9).abs() < 1e-12, "{gradient:?}");
}

/// W = [[1, 2], [3, 4]], x = (1, .5), b = 0.
#[test]
fn the_jacobian_of_a_layer_has_the_known_norm() {
    let h = [2.0_f64, 5.0].map(|a| 1.0 / (1.0 + (-a).exp()));
    let (value, _) =
        loss(&[&[&h], &[&[1.0, 2.0], &[3.0, 4.0]]], |graph, x| graph.contraction(x[0], x[1], 1.0).unwrap());
    assert!((value - 0.056_223_2).abs() < 1e-7, "{value}");
    // As many images with the same code: the mean is the same.
    let (twice, _) = loss(&[&[&h, &h], &[&[1.0, 2.0], &[3.0, 4.0]]], |graph, x| {
        graph.contraction(x[0], x[1], 1.0).unwrap()
    });
    assert!((value - twice).abs() < 1e-15);
}

/// The squares of weights do not depend on the number of images.
#[test]
fn the_squares_of_weights_count_once() {
    for rows in [&[&[0.0][..]][..], &[&[0.0], &[0.0], &[0.0]]] {
        let (value, _) = loss(&[rows, &[&[1.0, 2.0], &[3.0, 4.0]]], |graph, x| {
            graph.square_sum(&[x[0], x[1]], 0.5).unwrap()
        });
        assert!((value - 15.0).abs() < 1e-12, "{value}");
    }
}
