//! The cases of the self-test.

use super::cases_hmc as hmc;
use crate::graph::Activation;
use crate::kernels;
use crate::plan::{Grid, Step, constants};
use crate::random::{Philox, stream};
use rand::RngExt;
use std::collections::BTreeMap;

/// What a buffer holds before the kernel runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// Standard normal numbers.
    Normal(usize),
    /// Numbers from 0 to 1.
    Unit(usize),
    /// Numbers from 0 to 0.01.
    Hundredth(usize),
    /// Random words.
    Words(usize),
    /// Random numbers below the second.
    Below(usize, u32),
}

impl Content {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Normal(n) | Self::Unit(n) | Self::Hundredth(n) | Self::Words(n) | Self::Below(n, _) => n,
        }
    }

    pub(super) fn is_words(self) -> bool {
        matches!(self, Self::Words(_) | Self::Below(..))
    }

    /// The same words for the same case and variable, always.
    pub(super) fn words(self, case: usize, variable: &str) -> Vec<u32> {
        let item = variable.bytes().fold(case as u64, |hash, byte| hash.wrapping_mul(131) + u64::from(byte));
        let mut random = Philox::new(11, stream::PRIOR, item);
        (0..self.length())
            .map(|_| match self {
                Self::Normal(_) => (random.normal() as f32).to_bits(),
                Self::Unit(_) => random.random::<f32>().to_bits(),
                Self::Hundredth(_) => (0.01 * random.random::<f32>()).to_bits(),
                Self::Words(_) => random.random::<u32>(),
                Self::Below(_, bound) => random.random_range(0..bound),
            })
            .collect()
    }
}

/// One run of one kernel.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) kernel: &'static str,
    pub(super) constants: BTreeMap<&'static str, f64>,
    pub(super) contents: Vec<(&'static str, Content)>,
    pub(super) grid: Grid,
    pub(super) step: Step,
    /// Absolute difference tolerated, on top of 2e-5 of the value.
    pub(super) tolerance: f64,
}

use Content::{Below, Normal, Unit, Words};

pub(super) fn case(
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    contents: &[(&'static str, Content)],
    grid: Grid,
    rows: usize,
    reduction: usize,
) -> Case {
    let step = Step {
        seed_low: 0x1234_5678,
        seed_high: 9,
        counter_low: 17,
        counter_high: 3,
        stream: 1,
        slot: 0,
        rows: rows as u32,
        first_index: 1,
        beta: 0.75,
        learning_rate: 0.01,
        first_correction: 1.5,
        second_correction: 3.0,
        capacity: 1.1,
        ..Step::default()
    };
    // Roundings of a sum of n terms of size 1 grow with the square root of n.
    let tolerance = 4e-6 * (reduction as f64).sqrt();
    Case { kernel, constants, contents: contents.to_vec(), grid, step, tolerance }
}

/// All cases.
pub(super) fn all() -> Vec<Case> {
    [
        matmul(),
        tiled(),
        split(),
        activation(),
        gather(),
        latent(),
        likelihood(),
        super::importance_cases::all(),
        super::hierarchy_cases::all(),
        sums(),
        optimizers(),
        ceilings(),
        hmc::all(),
        distributions(),
    ]
    .concat()
}

/// (rows, vec4 columns, vec4 inner): one, tile edges and one beyond, primes, and a real layer.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (8, 2, 3), (9, 3, 1), (7, 17, 5), (67, 33, 13), (128, 49, 125)];

fn matmul() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, &(m, n, k)) in SHAPES.iter().enumerate() {
        let kind = Activation::ALL[i % 8].number();
        let tiles = Grid::Tiles { rows: m, columns: n };
        // Two sections where the columns allow it.
        let section = if n % 2 == 1 { n } else { n / 2 };
        cases.push(case(
            "matmul_nt",
            constants! {
                ROWS: m, COLUMNS: n, INNER: k, ACTIVATION: kind, SECTION: section, WIDTH: 4 * section - i % 4,
            },
            &[
                ("a_elements", Normal(4 * m * k)),
                ("b_elements", Normal(16 * n * k)),
                ("bias", Normal(4 * n)),
                ("output", Normal(4 * m * n)),
            ],
            tiles,
            m,
            4 * k,
        ));
        let accumulate = i % 2 == 1;
        let operands =
            [("a_elements", Normal(4 * m * k)), ("b", Normal(16 * n * k)), ("output", Normal(4 * m * n))];
        cases.push(case(
            "matmul_nn",
            constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate },
            &operands,
            tiles,
            m,
            4 * k,
        ));
        cases.push(case(
            "matmul_nn_derivative",
            constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate, ACTIVATION: Activation::ALL[7 - i].number() },
            &[operands[0], operands[1], operands[2], ("saved", Normal(4 * m * n))],
            tiles,
            m,
            4 * k,
        ));
        // Here k runs over the minibatch, and both dimensions of the output are padded.
        cases.push(case(
            "matmul_tn",
            constants! { ROWS: 4 * k, COLUMNS: n, INNER: m, ACCUMULATE: accumulate },
            &[("a", Normal(4 * m * k)), ("b", Normal(4 * m * n)), ("output", Normal(16 * k * n))],
            Grid::Tiles { rows: 4 * k, columns: n },
            m,
            m,
        ));
        // The bias lies behind the weights, with a gap.
        let start = 4 * k * n + 3;
        cases.push(case(
            "matmul_tn_bias",
            constants! { ROWS: 4 * k, COLUMNS: n, INNER: m, ACCUMULATE: accumulate, BIAS_START: start },
            &[("a", Normal(4 * m * k)), ("b", Normal(4 * m * n)), ("output", Normal(4 * (start + k)))],
            Grid::Tiles { rows: 4 * k, columns: n },
            m,
            m,
        ));
        cases.push(case(
            "column_sum",
            constants! { COLUMNS: n, INNER: m, ACCUMULATE: accumulate },
            &[("a", Normal(4 * m * n)), ("output", Normal(4 * n))],
            Grid::Elements(n),
            m,
            m,
        ));
    }
    cases
}

/// Products by tiles of workgroup memory: one row, column and k beyond several. One size a kernel, as software adapters
/// take long to compile these.
fn tiled() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (side, tile_inner)) in [(32, 32), (64, 16), (128, 16)].into_iter().enumerate() {
        let (m, n, k): (usize, usize, usize) = (side + 1, side / 4 + 1, tile_inner / 2 + 1);
        let name = |entry: &str| kernels::kernel(&format!("{entry}_tiled_{side}")).name.as_str();
        let accumulate = i % 2 == 1;
        let tiles = Grid::WorkgroupTiles { rows: m, columns: n, parts: 1 };
        let (a, output) = (("a", Normal(4 * m * k)), ("output", Normal(4 * m * n)));
        cases.push(case(
            name("matmul_nt"),
            constants! { ROWS: m, COLUMNS: n, INNER: k, ACTIVATION: 1, SECTION: n, WIDTH: 4 * n - 2 },
            &[a, ("b", Normal(16 * n * k)), ("bias", Normal(4 * n)), output],
            tiles,
            m,
            4 * k,
        ));
        let b = ("b", Normal(16 * n * k));
        let constants = constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate };
        cases.push(case(name("matmul_nn"), constants.clone(), &[a, b, output], tiles, m, 4 * k));
        let mut with_derivative = constants;
        with_derivative.insert("ACTIVATION", 6.0);
        let contents = [a, b, ("saved", Normal(4 * m * n)), output];
        cases.push(case(name("matmul_nn_derivative"), with_derivative, &contents, tiles, m, 4 * k));
        // Here rows are padded, and k takes any length.
        let (m, k) = (m.next_multiple_of(4), 4 * k - 3);
        let tiles = Grid::WorkgroupTiles { rows: m, columns: n, parts: 1 };
        let operands = [("a", Normal(m * k)), ("b", Normal(4 * n * k))];
        let mut constants = constants! { ROWS: m, COLUMNS: n, INNER: k, ACCUMULATE: accumulate };
        let contents = [operands[0], operands[1], ("output", Normal(4 * m * n))];
        cases.push(case(name("matmul_tn"), constants.clone(), &contents, tiles, m, k));
        let start = m * n + 3;
        constants.insert("BIAS_START", start as f64);
        let contents = [operands[0], operands[1], ("output", Normal(4 * start + m))];
        cases.push(case(name("matmul_tn_bias"), constants, &contents, tiles, m, k));
    }
    cases
}

/// Both halves of products whose sum over k is split: a last part that is shorter, and parts of one tile.
fn split() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (m, n, k, part, parts)) in [(33, 9, 17, 32, 3), (7, 3, 40, 64, 3)].into_iter().enumerate() {
        let tiles = Grid::WorkgroupTiles { rows: m, columns: n, parts };
        let constants = constants! { ROWS: m, COLUMNS: n, INNER: k, PART: part };
        let contents =
            [("a", Normal(4 * m * k)), ("b", Normal(16 * n * k)), ("parts", Normal(4 * parts * m * n))];
        for kernel in ["partial_nt_tiled_32", "partial_nn_tiled_32"] {
            cases.push(case(kernel, constants.clone(), &contents, tiles, m, part));
        }
        let (rows, inner) = (m.next_multiple_of(4), 4 * k - 1);
        let length = parts * (4 * rows * n + rows);
        cases.push(case(
            "partial_tn_tiled_32",
            constants! { ROWS: rows, COLUMNS: n, INNER: inner, PART: part },
            &[("a", Normal(rows * inner)), ("b", Normal(4 * n * inner)), ("parts", Normal(length))],
            Grid::WorkgroupTiles { rows, columns: n, parts },
            m,
            part,
        ));

        let accumulate = i % 2 == 1;
        let elements = Grid::Elements(m * n);
        let (sums, output) = (("parts", Normal(4 * parts * m * n)), ("output", Normal(4 * m * n)));
        cases.push(case(
            "finish_nt",
            constants! { ROWS: m, COLUMNS: n, PARTS: parts, ACTIVATION: 1 + i, SECTION: n, WIDTH: 4 * n - 1 },
            &[sums, ("bias", Normal(4 * n)), output],
            elements,
            m,
            parts,
        ));
        let mut constants = constants! { ROWS: m, COLUMNS: n, PARTS: parts, ACCUMULATE: accumulate };
        cases.push(case("finish_nn", constants.clone(), &[sums, output], elements, m, parts));
        constants.insert("ACTIVATION", 6.0);
        let contents = [sums, ("saved", Normal(4 * m * n)), output];
        cases.push(case("finish_nn_derivative", constants, &contents, elements, m, parts));
        let mut constants = constants! { ROWS: rows, COLUMNS: n, PARTS: parts, ACCUMULATE: accumulate };
        let contents = [("parts", Normal(length)), ("output", Normal(4 * rows * n))];
        cases.push(case("finish_tn", constants.clone(), &contents, Grid::Elements(rows * n), m, parts));
        let start = rows * n + 5;
        constants.insert("BIAS_START", start as f64);
        let contents = [("parts", Normal(length)), ("output", Normal(4 * start + rows))];
        let elements = Grid::Elements(rows * n + rows / 4);
        cases.push(case("finish_tn_bias", constants, &contents, elements, m, parts));
    }
    cases
}

fn activation() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, kind) in Activation::ALL.into_iter().enumerate() {
        let (m, n) = [(1, 1), (5, 13), (37, 7), (64, 16)][i % 4];
        let values = 4 * m * n;
        cases.push(case(
            "activate",
            constants! { ROWS: m, COLUMNS: n, SECTION: n, WIDTH: 4 * n - i % 3, ACTIVATION: kind.number() },
            &[("input", Normal(values)), ("output", Normal(values))],
            Grid::Elements(m * n),
            m,
            1,
        ));
        cases.push(case(
            "activate_gradient",
            constants! { ROWS: m, COLUMNS: n, ACTIVATION: kind.number(), ACCUMULATE: i % 2 },
            &[("input", Normal(values)), ("saved", Normal(values)), ("output", Normal(values))],
            Grid::Elements(m * n),
            m,
            1,
        ));
    }
    cases
}

fn gather() -> Vec<Case> {
    let mut cases = Vec::new();
    for (binarize, (batch, columns, rows)) in
        [(3, 1, 3), (5, 7, 4), (13, 49, 13), (65, 11, 61)].into_iter().enumerate()
    {
        for streamed in [false, true] {
            // With `first_index` 1 the list is one longer than the batch.
            let images = batch + 1;
            cases.push(case(
                "gather",
                constants! { BATCH: batch, COLUMNS: columns, BINARIZE: binarize, STREAMED: streamed },
                &[
                    ("images", Words(images * columns)),
                    ("indices", Below(images, images as u32)),
                    ("batch", Normal(4 * batch * columns)),
                ],
                Grid::Elements(batch * columns),
                rows,
                1,
            ));
        }
    }
    cases
}

fn latent() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows)) in
        [(1, 1, 1, 1), (5, 3, 2, 4), (33, 2, 7, 33), (129, 1, 20, 128)].into_iter().enumerate()
    {
        let columns = usize::div_ceil(width, 4);
        let (n, l) = (4 * batch * columns, 4 * samples * batch * columns);
        let accumulate = i % 2;
        let posterior = ("posterior", Normal(2 * n));
        let gradient = ("posterior_gradient", Normal(2 * n));
        cases.push(case(
            "reparametrize",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, STREAM: 4 * (i % 2) },
            &[posterior, ("z", Normal(l)), ("noise", Normal(l))],
            Grid::Elements(samples * batch * columns),
            rows,
            4,
        ));
        cases.push(case(
            "reparametrize_gradient",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, ACCUMULATE: accumulate },
            &[posterior, ("z_gradient", Normal(l)), ("noise_used", Normal(l)), gradient],
            Grid::Elements(batch * columns),
            rows,
            samples,
        ));
        cases.push(case(
            "reparametrize_kl",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width, STREAM: 4 * (i % 2) },
            &[posterior, ("z", Normal(l)), ("noise", Normal(l)), ("divergence", Normal(n))],
            Grid::Elements(samples * batch * columns),
            rows,
            4,
        ));
        cases.push(case(
            "reparametrize_kl_gradient",
            constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, ACCUMULATE: accumulate },
            &[posterior, ("z_gradient", Normal(l)), ("noise_used", Normal(l)), gradient],
            Grid::Elements(batch * columns),
            rows,
            samples,
        ));
        cases.push(case(
            "gaussian_kl",
            constants! { BATCH: batch, COLUMNS: columns },
            &[posterior, ("divergence", Normal(n))],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_gradient",
            constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate },
            &[posterior, gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_gradient_free_bits",
            constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate, FREE_BITS: 0.4 },
            &[posterior, ("average", Unit(4 * columns)), gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "gaussian_kl_gradient_capacity",
            constants! { BATCH: batch, COLUMNS: columns, ACCUMULATE: accumulate },
            &[posterior, ("average", Unit(4 * columns)), gradient],
            Grid::Elements(batch * columns),
            rows,
            1,
        ));
        cases.push(case(
            "batch_mean",
            constants! { COLUMNS: columns },
            &[("divergence_read", Normal(n)), ("batch_average", Normal(4 * columns))],
            Grid::Elements(columns),
            rows,
            1,
        ));
    }
    cases
}

fn likelihood() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows)) in
        [(1, 1, 1, 1), (3, 2, 15, 2), (9, 1, 66, 9), (17, 3, 785, 16)].into_iter().enumerate()
    {
        let columns = usize::div_ceil(width, 4);
        let values = 4 * samples * batch * columns;
        let chunks = columns.div_ceil(4);
        let total = samples * batch * chunks;
        let mean =
            [Activation::Identity, Activation::Sigmoid, Activation::Tanh, Activation::Softplus][i].number();
        let images = ("images", Unit(4 * batch * columns));
        let sizes = constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width };
        let decoded = ("decoded", Normal(values));
        cases.push(case(
            "continuous_bernoulli_mean",
            sizes.clone(),
            &[decoded, ("expected", Normal(values))],
            Grid::Elements(samples * batch * columns),
            rows,
            1,
        ));
        for (kernel, gradient, sections) in [
            ("discretized_logistic", "discretized_logistic_gradient", 2),
            ("continuous_bernoulli", "continuous_bernoulli_gradient", 1),
        ] {
            let mut constants = sizes.clone();
            if sections == 2 {
                constants.insert("MEAN_ACTIVATION", f64::from(mean));
            }
            let decoded = ("decoded", Normal(sections * values));
            let (value, change) = (("value", Normal(total)), ("decoded_gradient", Normal(sections * values)));
            let grid = Grid::Elements(total);
            cases.push(case(kernel, constants.clone(), &[decoded, images, value], grid, rows, 16));
            cases.push(case(gradient, constants, &[decoded, images, change], grid, rows, 16));
        }
        for (kernel, sections) in
            [("bernoulli", 1), ("gaussian", 1), ("gaussian_shared", 1), ("gaussian_learned", 2)]
        {
            let mut constants = sizes.clone();
            if kernel != "bernoulli" {
                constants.insert("MEAN_ACTIVATION", f64::from(mean));
            }
            if kernel == "gaussian" {
                constants.insert("LOG_VARIANCE", -0.7);
            }
            let mut contents = vec![("decoded", Normal(sections * values)), images];
            let mut gradient_contents = contents.clone();
            contents.push(("value", Normal(total)));
            gradient_contents.push(("decoded_gradient", Normal(sections * values)));
            if kernel == "gaussian_shared" {
                contents.push(("log_variance", Normal(4)));
                gradient_contents.push(("log_variance", Normal(4)));
                gradient_contents.push(("log_variance_terms", Normal(total)));
            }
            let (gradient, both) = match kernel {
                "bernoulli" => ("bernoulli_gradient", "bernoulli_with_gradient"),
                "gaussian" => ("gaussian_gradient", "gaussian_with_gradient"),
                "gaussian_shared" => ("gaussian_shared_gradient", "gaussian_shared_with_gradient"),
                _ => ("gaussian_learned_gradient", "gaussian_learned_with_gradient"),
            };
            let mut all_contents = gradient_contents.clone();
            all_contents.push(("value", Normal(total)));
            let grid = Grid::Elements(total);
            cases.push(case(kernel, constants.clone(), &contents, grid, rows, 16));
            cases.push(case(gradient, constants.clone(), &gradient_contents, grid, rows, 16));
            cases.push(case(both, constants, &all_contents, grid, rows, 16));
        }
    }
    cases
}

fn sums() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [1, 255, 257, 40_009] {
        let values = ("values", Normal(length));
        let metrics = ("metrics", Normal(16));
        let one = Grid::Workgroups(1);
        let partials = usize::div_ceil(length, 16_384);
        cases.push(case(
            "sum",
            constants! { LENGTH: length },
            &[values, ("total", Normal(4))],
            one,
            3,
            length,
        ));
        cases.push(case(
            "sum_metric",
            constants! { LENGTH: length, SCALE: 0.5, TERM: 1 },
            &[values, metrics],
            one,
            3,
            length,
        ));
        cases.push(case(
            "sum_two_metrics",
            constants! {
                LENGTH: length, SCALE: 0.5, TERM: 1, SECOND_LENGTH: 777, SECOND_SCALE: 2.0, SECOND_TERM: 0,
            },
            &[values, metrics, ("second_values", Normal(777))],
            Grid::Workgroups(2),
            3,
            length + 777,
        ));
        cases.push(case(
            "square_sum",
            constants! { LENGTH: length },
            &[values, ("shares", Normal(partials))],
            Grid::Workgroups(partials),
            3,
            length,
        ));
        cases.push(case(
            "square_root",
            constants! { LENGTH: length },
            &[("values", Unit(length)), ("norm", Normal(4)), metrics],
            one,
            3,
            length,
        ));
    }
    cases
}

fn optimizers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, length) in [1, 63, 65, 1021].into_iter().enumerate() {
        let n = 4 * length;
        let (decay, clip) = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.01, 100.0)][i];
        let common = constants! { LENGTH: length, WEIGHT_DECAY: decay, CLIP_NORM: clip };
        let base = [("gradients", Normal(n)), ("norm", Unit(4)), ("parameters", Normal(n))];
        let (first, second) = (("first", Normal(n)), ("second", Unit(n)));
        for (kernel, constants, moments) in [
            ("adam", constants! { BETA_1: 0.9, BETA_2: 0.999, EPSILON: 1e-6 }, vec![first, second]),
            ("adamax", constants! { BETA_1: 0.9, BETA_2: 0.999, EPSILON: 1e-6 }, vec![first, second]),
            ("adagrad", constants! { EPSILON: 1e-6 }, vec![second]),
            ("rmsprop", constants! { BETA_2: 0.99, EPSILON: 1e-6 }, vec![second]),
            ("sgd", constants! { BETA_1: 0.9 }, vec![first]),
        ] {
            let mut all = common.clone();
            all.extend(constants);
            let contents: Vec<_> = base.iter().copied().chain(moments).collect();
            cases.push(case(kernel, all, &contents, Grid::Elements(length), 3, 1));
        }
    }
    cases
}

fn ceilings() -> Vec<Case> {
    let mut cases = Vec::new();
    for (length, iterations) in [(1, 1), (70, 5), (257, 100)] {
        let output = ("output", Normal(4 * length));
        let grid = Grid::Elements(length);
        let constants = constants! { LENGTH: length, ITERATIONS: iterations };
        cases.push(case("multiply_add", constants, &[("input", Unit(4)), output], grid, 3, 8));
        let constants = constants! { LENGTH: length };
        cases.push(case("copy", constants, &[("input", Normal(4 * length)), output], grid, 3, 1));
    }
    cases
}

fn distributions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (count, nodes, components) in [(1, 1, 1), (63, 5, 2), (65, 7, 3), (1021, 4, 5)] {
        let grid = Grid::Elements(count);
        cases.push(case(
            "network_samples",
            constants! { COUNT: count, NODES: nodes },
            // Up to 8 values, parents that are any variable or none, and rows anywhere.
            &[("nodes", Below(4 * 8, 9)), ("cumulative", Unit(1024)), ("outcome", Normal(count))],
            grid,
            1,
            1,
        ));
        cases.push(case(
            "cholesky_samples",
            constants! { COUNT: count },
            &[("factor", Normal(16)), ("mean", Normal(4)), ("samples", Normal(4 * count))],
            grid,
            1,
            4,
        ));
        cases.push(case(
            "mixture_density",
            constants! { COUNT: count, COMPONENTS: components },
            &[
                ("components", Normal(8 * components)),
                ("points", Normal(4 * count)),
                ("density", Normal(4 * count)),
            ],
            grid,
            1,
            // Quadratic forms of some 16 products, of numbers that add up to more than they come to.
            64,
        ));
    }
    cases
}
