//! The start-up check: four kernels on an adapter, against answers that are known without any kernel.

use crate::Result;
use crate::activation::Activation;
use crate::gpu::{AdapterInfo, Gpu, GpuExecutor};
use crate::kernels;
use crate::plan::{self, BufferId, Element, Executor, Grid, Plan, Program, Step, constants};
use crate::random::{philox4x32, stream};
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// How an adapter fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All numbers are right.
    Passed,
    /// What is wrong.
    Failed(String),
    /// Why it could not be checked.
    Unknown(String),
}

/// The program of the check.
const CHECK: &str = "check";
const SEED: u64 = 0x0123_4567_89ab_cdef;

/// Rows, columns and inner length of the product.
const PRODUCT: [usize; 3] = [9, 12, 40];
/// More than the lanes of a workgroup.
const SUMMED: usize = 1000;
/// Draws of four normal numbers.
const DRAWS: usize = 70;
/// Arguments of tanh: 44 and more give NaN on some Metal drivers (tracel-ai/burn#520).
const ARGUMENTS: [f32; 12] = [0.0, 0.5, -0.5, 1.0, 15.5, 44.0, 100.0, -100.0, 1e4, -1e4, 1e30, -1e30];

/// A kernel with its inputs and the known answer.
struct Question {
    /// For messages: what is wrong, where it is.
    what: &'static str,
    kernel: &'static str,
    inputs: Vec<(&'static str, Vec<f32>)>,
    output: &'static str,
    answer: Vec<f64>,
    tolerance: f64,
}

/// Small whole numbers, which f32 adds and multiplies exactly.
fn whole(i: usize) -> f32 {
    (i * 7 % 11) as f32 - 5.0
}

fn product() -> Question {
    let [rows, columns, inner] = PRODUCT;
    let numbers = |count: usize, from: usize| (0..count).map(|i| whole(i + from)).collect::<Vec<f32>>();
    let (a, b, bias) = (numbers(rows * inner, 0), numbers(columns * inner, 3), numbers(columns, 6));
    let answer = (0..rows * columns).map(|i| {
        let (row, column) = (i / columns, i % columns);
        let terms = (0..inner).map(|k| a[row * inner + k] * b[column * inner + k]);
        f64::from(terms.sum::<f32>() + bias[column])
    });
    Question {
        what: "a matrix product",
        kernel: "matmul_nt",
        answer: answer.collect(),
        inputs: vec![("a_elements", a), ("b_elements", b), ("bias", bias)],
        output: "output",
        tolerance: 0.0,
    }
}

fn sum() -> Question {
    let values: Vec<f32> = (0..SUMMED).map(|i| whole(i) + (i % 3) as f32).collect();
    Question {
        what: "a sum through workgroup memory",
        kernel: "sum",
        answer: vec![f64::from(values.iter().sum::<f32>())],
        inputs: vec![("values", values)],
        output: "total",
        tolerance: 0.0,
    }
}

/// Normal numbers by Philox and Box and Muller, as in shaders/shared/philox.wgsl.
fn random() -> Question {
    let identity = (0..16).map(|i| if i % 5 == 0 { 1.0 } else { 0.0 }).collect();
    let uniform = |word: u32| (f64::from(word >> 9) + 0.5) / f64::from(1 << 23);
    let answer = (0..DRAWS as u32).flat_map(|i| {
        let words = philox4x32([i, 0, 0, stream::FIGURES], [SEED as u32, (SEED >> 32) as u32]);
        let [first, second] = [0, 1].map(|pair| {
            let radius = (-2.0 * uniform(words[pair]).ln()).sqrt();
            let angle = TAU * uniform(words[2 + pair]);
            [radius * angle.cos(), radius * angle.sin()]
        });
        [first[0], second[0], first[1], second[1]]
    });
    Question {
        what: "random numbers",
        kernel: "cholesky_samples",
        answer: answer.collect(),
        inputs: vec![("factor", identity), ("mean", vec![0.0; 4])],
        output: "samples",
        tolerance: 1e-4,
    }
}

fn tanh() -> Question {
    Question {
        what: "tanh",
        kernel: "activate",
        answer: ARGUMENTS.iter().map(|&x| f64::from(x).tanh()).collect(),
        inputs: vec![("input", ARGUMENTS.to_vec())],
        output: "output",
        tolerance: 1e-5,
    }
}

fn questions() -> [Question; 4] {
    [product(), sum(), random(), tanh()]
}

/// The plan that answers all questions in one program.
fn plan(questions: &[Question]) -> Plan {
    let mut plan = Plan::default();
    let [rows, columns, inner] = PRODUCT;
    for (number, question) in questions.iter().enumerate() {
        let (constants, grid) = match question.kernel {
            "matmul_nt" => (
                constants! {
                    ROWS: rows, COLUMNS: columns / 4, INNER: inner / 4,
                    ACTIVATION: Activation::Identity.number(), SECTION: columns / 4, WIDTH: columns,
                },
                Grid::Tiles { rows, columns: columns / 4 },
            ),
            "sum" => (constants! { LENGTH: SUMMED }, Grid::Workgroups(1)),
            "cholesky_samples" => (constants! { COUNT: DRAWS }, Grid::Elements(DRAWS)),
            _ => {
                let length = ARGUMENTS.len();
                (
                    constants! {
                        ROWS: 1, COLUMNS: length / 4, SECTION: length / 4, WIDTH: length,
                        ACTIVATION: Activation::Tanh.number(),
                    },
                    Grid::Elements(length / 4),
                )
            }
        };
        let mut sizes: Vec<_> =
            question.inputs.iter().map(|(name, values)| (*name, values.len(), Element::Real)).collect();
        sizes.push((question.output, question.answer.len(), Element::Real));
        plan::append(&mut plan, &format!("{number}."), question.kernel, constants, &sizes, grid);
    }
    let dispatches = (0..questions.len()).collect();
    plan.programs.push(Program { name: CHECK.into(), dispatches, ..Program::default() });
    plan
}

/// What is wrong with `found`, if anything is.
fn compare(question: &Question, found: &[f32]) -> Option<String> {
    let wrong = |(found, answer): &(&f32, &f64)| {
        let difference = (f64::from(**found) - **answer).abs();
        difference.is_nan() || difference > question.tolerance
    };
    let all = found.iter().zip(&question.answer);
    let (found, answer) = all.clone().find(wrong)?;
    let count = all.filter(wrong).count();
    let of = question.answer.len();
    Some(format!("{} is wrong: {count} of {of} numbers, such as {found} for {answer}", question.what))
}

/// Ask `executor`, which was made for the plan of `questions`. The inner error says what is wrong.
fn ask(
    executor: &mut dyn Executor,
    plan: &Plan,
    questions: &[Question],
) -> Result<std::result::Result<(), String>> {
    let buffer = |number: usize, name: &str| plan.buffer(&format!("{number}.{name}")).unwrap_or(BufferId(0));
    for (number, question) in questions.iter().enumerate() {
        for (name, values) in &question.inputs {
            executor.write(buffer(number, name), 0, bytemuck::cast_slice(values))?;
        }
    }
    executor.submit(CHECK, &[Step { rows: 1, ..Step::seeded(SEED, stream::FIGURES) }])?;
    executor.receive(0)?;
    for (number, question) in questions.iter().enumerate() {
        let words = executor.read(buffer(number, question.output), 0, question.answer.len())?;
        if let Some(problem) = compare(question, bytemuck::cast_slice(&words)) {
            return Ok(Err(problem));
        }
    }
    Ok(Ok(()))
}

/// Open `adapter` in this process and check it.
pub(super) fn run(adapter: &AdapterInfo) -> Outcome {
    let gpu = match Gpu::open(adapter) {
        Ok(gpu) => gpu,
        Err(error) => return Outcome::Unknown(first_line(&error)),
    };
    let questions = questions();
    let plan = plan(&questions);
    let asked =
        GpuExecutor::new(&gpu, &plan, 1).and_then(|mut executor| ask(&mut executor, &plan, &questions));
    match asked {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(problem)) => Outcome::Failed(problem),
        Err(error) => Outcome::Failed(first_line(&error)),
    }
}

fn first_line(error: &crate::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

/// What the outcome depends on beside the adapter: the kernels.
pub(super) fn version() -> String {
    let mut crc = flate2::Crc::new();
    for question in questions() {
        crc.update(kernels::source(kernels::kernel(question.kernel).file).as_bytes());
    }
    format!("vae {}, kernels {:08x}", env!("CARGO_PKG_VERSION"), crc.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuExecutor;
    use crate::plan::MetricRows;

    /// The CPU, which gives `wrong` for the first number of the answers to question `question`.
    struct Faulty {
        honest: CpuExecutor<f32>,
        buffer: BufferId,
        wrong: fn(f32) -> f32,
    }

    impl Executor for Faulty {
        fn device_name(&self) -> String {
            "faulty".into()
        }
        fn max_steps(&self) -> usize {
            1
        }
        fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()> {
            self.honest.write(buffer, offset, words)
        }
        fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
            let mut words = self.honest.read(buffer, offset, length)?;
            if buffer == self.buffer {
                words.iter_mut().for_each(|word| *word = (self.wrong)(f32::from_bits(*word)).to_bits());
            }
            Ok(words)
        }
        fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()> {
            self.honest.submit(name, steps)
        }
        fn receive(&mut self, pending: usize) -> Result<Vec<MetricRows>> {
            self.honest.receive(pending)
        }
    }

    #[test]
    fn the_cpu_knows_the_answers() {
        let questions = questions();
        let plan = plan(&questions);
        let mut executor = CpuExecutor::<f32>::new(&plan, 1).unwrap();
        assert_eq!(ask(&mut executor, &plan, &questions).unwrap(), Ok(()));
    }

    #[test]
    fn wrong_answers_are_named() {
        let questions = questions();
        let plan = plan(&questions);
        for (number, question) in questions.iter().enumerate() {
            let faults: [fn(f32) -> f32; 3] = [|_| f32::NAN, |_| 0.0, |x| x + 0.001];
            for wrong in faults {
                let honest = CpuExecutor::<f32>::new(&plan, 1).unwrap();
                let buffer = plan.buffer(&format!("{number}.{}", question.output)).unwrap();
                let problem =
                    ask(&mut Faulty { honest, buffer, wrong }, &plan, &questions).unwrap().unwrap_err();
                assert!(problem.starts_with(&format!("{} is wrong", question.what)), "{problem}");
            }
        }
    }

    /// Each adapter of this machine that can be used.
    #[test]
    fn adapters_pass() {
        for info in crate::gpu::adapters().iter().filter(|info| info.unusable.is_none()) {
            assert_eq!(run(info), Outcome::Passed, "{info}");
        }
    }
}
