//! Total correlation, covariance, discrepancy, and the losses of a discriminator.

use crate::harness::Check;
use vae::cpu::CpuExecutor;
use vae::graph::{Drawn, Graph, Mode, ProgramSpec, Sampling, Setting, Shape, Tensors, ValueId, lower};
use vae::plan::{Executor, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

fn posterior(rows: usize, columns: usize) -> Shape {
    Shape::with_sections(rows, 2, columns)
}

/// The terms of given posteriors and samples.
fn drawn(x: &[ValueId]) -> Drawn {
    Drawn { posterior: x[0], z: x[1], noise: x[1] }
}

#[test]
fn the_total_correlation() {
    for (rows, batch, width) in [(4, 4, 3), (3, 5, 2), (2, 2, 5)] {
        for sampling in [Sampling::Stratified, Sampling::Weighted] {
            Check::of("TotalCorrelation", &[posterior(batch, width), Shape::matrix(batch, width)])
                .rows(rows)
                .number("images", 1000.0)
                .pull_back(|graph, x| Ok(vec![graph.decompose_kl(drawn(x), sampling)?.correlation]));
        }
    }
}

#[test]
fn the_covariance() {
    for (rows, batch, width) in [(4, 4, 3), (3, 5, 2), (2, 3, 5)] {
        for variances in [false, true] {
            Check::of("CovariancePenalty", &[posterior(batch, width)])
                .rows(rows)
                .pull_back(|graph, x| Ok(vec![graph.covariance_penalty(x[0], 10.0, variances)?]));
        }
    }
}

#[test]
fn the_discrepancy() {
    for (rows, batch, width) in [(4, 4, 3), (3, 5, 2), (1, 1, 2), (2, 3, 5)] {
        Check::of("KernelDiscrepancy", &[Shape::matrix(batch, width)])
            .rows(rows)
            .pull_back(|graph, x| Ok(vec![graph.kernel_discrepancy(x[0])?]));
    }
}

#[test]
fn classes_of_rows() {
    for (rows, batch, width) in [(4, 4, 3), (3, 5, 2)] {
        Check::of("Classes", &[Shape::matrix(batch, width)]).rows(rows).pull_back(|graph, x| {
            let losses = [graph.cross_entropy(x[0], 0)?, graph.cross_entropy(x[0], 1)?];
            Ok(vec![losses[0], losses[1], graph.contrast(x[0])?])
        });
    }
    let mut graph = Graph::new(&Tensors::default(), Mode::Train);
    let logits = graph.input("logits", Shape::matrix(3, 1));
    assert!(graph.cross_entropy(logits, 1).is_err() && graph.contrast(logits).is_err());
}

/// What `build` gives for inputs that are filled by `contents`, in f64: the first `count` numbers of each output.
fn values(
    shapes: &[Shape],
    contents: impl Fn(usize, usize, usize, usize) -> f64,
    step: &Step,
    images: f64,
    build: impl Fn(&mut Graph, &[ValueId]) -> vae::Result<Vec<ValueId>>,
) -> Vec<Vec<f64>> {
    let mut graph = Graph::new(&Tensors::default(), Mode::Train);
    let inputs: Vec<ValueId> =
        shapes.iter().enumerate().map(|(i, &shape)| graph.input(&format!("x{i}"), shape)).collect();
    let wanted = build(&mut graph, &inputs).unwrap();
    let plan = lower(&graph, &[ProgramSpec::new("all", &inputs, &wanted)], SETTING).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&plan, 1).unwrap();
    for (input, &shape) in shapes.iter().enumerate() {
        let id = plan.buffer(&format!("x{input}")).unwrap();
        let mut words = vec![0; plan.buffers[id.0].length];
        for row in 0..shape.rows {
            for section in 0..shape.sections {
                for column in 0..shape.columns {
                    let stride = shape.columns.next_multiple_of(4);
                    let at = (row * shape.sections + section) * stride + column;
                    words[at] = (contents(input, row, section, column) as f32).to_bits();
                }
            }
        }
        executor.write(id, 0, &words).unwrap();
    }
    let mut step = *step;
    plan.set_number(&mut step, "images", images);
    executor.submit("all", &[step]).unwrap();
    executor.receive(0).unwrap();
    let ports = plan.program("all").unwrap().wanted.clone();
    ports.iter().map(|port| executor.real(port.buffer).to_vec()).collect()
}

const ROWS: usize = 64;
const WIDTH: usize = 10;

/// Means over the minibatch of mutual information, total correlation and the divergences of dimensions, of 1,000 images.
fn terms(sampling: Sampling, apart: bool) -> [f64; 3] {
    let contents = |input: usize, row: usize, section: usize, _: usize| match (apart, input, section) {
        (true, 0, 1) => -10.0,
        (true, ..) => 1000.0 * row as f64,
        // Posteriors that are the prior, and some samples.
        (false, 0, _) => 0.0,
        (false, ..) => 0.3 * (row as f64 * 0.7).sin(),
    };
    let step = Step { rows: ROWS as u32, ..Step::seeded(1, 0) };
    let shapes = [posterior(ROWS, WIDTH), Shape::matrix(ROWS, WIDTH)];
    let outputs = values(&shapes, contents, &step, 1000.0, |graph, x| {
        let terms = graph.decompose_kl(drawn(x), sampling)?;
        Ok(vec![terms.information, terms.correlation, terms.dimensions])
    });
    [0, 1, 2].map(|i| outputs[i][..ROWS].iter().sum::<f64>() / ROWS as f64)
}

#[test]
fn estimators_on_known_posteriors() {
    let n = 1000.0_f64.ln();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    let [information, correlation, dimensions] = terms(Sampling::Stratified, false);
    near(information, 0.0);
    near(correlation, 0.0);
    near(dimensions, 0.0);
    let [_, correlation, _] = terms(Sampling::Weighted, false);
    near(correlation, 9.0 * n);
    assert!((correlation - 62.17).abs() < 0.005);
    let [information, correlation, _] = terms(Sampling::Stratified, true);
    near(information, n);
    near(correlation, 9.0 * n);
}

#[test]
fn the_terms_add_up_to_the_divergence() {
    let step = Step { rows: 4, ..Step::seeded(1, 0) };
    let contents = |input: usize, row: usize, section: usize, column: usize| {
        ((1 + input + 3 * row + 7 * section + 5 * column) as f64).sin()
    };
    let shapes = [posterior(5, 3), Shape::matrix(5, 3)];
    for sampling in [Sampling::Stratified, Sampling::Weighted] {
        let outputs = values(&shapes, contents, &step, 50.0, |graph, x| {
            let terms = graph.decompose_kl(drawn(x), sampling)?;
            Ok(vec![terms.information, terms.correlation, terms.dimensions])
        });
        for row in 0..4 {
            let log_ratio: f64 = (0..3)
                .map(|d| {
                    let [m, v] = [0, 1].map(|section| f64::from(contents(0, row, section, d) as f32));
                    let z = f64::from(contents(1, row, 0, d) as f32);
                    0.5 * (z * z - v - (z - m) * (z - m) * (-v).exp())
                })
                .sum();
            let sum: f64 = outputs.iter().map(|output| output[row]).sum();
            assert!((sum - log_ratio).abs() < 1e-9, "{sum} {log_ratio}");
        }
    }
}

#[test]
fn the_kernel_and_the_mean_of_the_discrepancy() {
    // Latents that are drawn as the prior is: on average nothing.
    let rows = 64;
    let mut sum = 0.0;
    for seed in 0..20 {
        let step = Step { rows: rows as u32, ..Step::seeded(seed, 0) };
        let mut random = vae::random::Philox::new(1000 + seed, 1, 0);
        let draws: Vec<f64> = (0..rows * 2).map(|_| random.normal()).collect();
        let contents = |_: usize, row: usize, _: usize, column: usize| draws[2 * row + column];
        let outputs = values(&[Shape::matrix(rows, 2)], contents, &step, 1.0, |graph, x| {
            Ok(vec![graph.kernel_discrepancy(x[0])?])
        });
        sum += outputs[0][..rows].iter().sum::<f64>() / rows as f64;
    }
    assert!((sum / 20.0).abs() < 0.02, "{}", sum / 20.0);
    // One latent far away: only the draws are left, whose kernels lie between 0 and 7.
    let step = Step { rows: 1, ..Step::seeded(1, 0) };
    let far = values(
        &[Shape::matrix(1, 2)],
        |_, _, _, _| 1e6,
        &step,
        1.0,
        |graph, x| Ok(vec![graph.kernel_discrepancy(x[0])?]),
    );
    assert!(far[0][0].abs() < 1e-6);
}

#[test]
fn each_column_is_permuted_for_itself() {
    let (rows, width) = (50, 6);
    let step = |counter| Step { rows: rows as u32, ..Step::seeded(5, 0) }.at(counter);
    let contents = |_: usize, row: usize, _: usize, column: usize| (100 * column + row) as f64;
    let permuted = |counter| {
        let shapes = [Shape::matrix(rows + 3, width)];
        values(&shapes, contents, &step(counter), 1.0, |graph, x| Ok(vec![graph.permute_columns(x[0])?]))
            .remove(0)
    };
    let (first, later) = (permuted(1), permuted(2));
    let column = |of: &[f64], c: usize| -> Vec<usize> {
        (0..rows).map(|r| of[8 * r + c] as usize - 100 * c).collect()
    };
    let mut orders: Vec<Vec<usize>> =
        (0..width).flat_map(|c| [column(&first, c), column(&later, c)]).collect();
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..rows));
    }
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 2 * width, "all orders differ");
    assert!(first[8 * rows..8 * (rows + 3)].iter().all(|&value| value == 0.0));
}
