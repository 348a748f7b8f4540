//! Every kernel on the shapes of real models.

use super::{Bench, Ceilings, Progress};
use crate::Result;
use crate::config::Config;
use crate::data::ImageShape;
use crate::eval::importance;
use crate::graph::{Setting, Tensors, lower, lower_unfused};
use crate::model::DensityModel;
use crate::plan::{Name, Plan};
use crate::probe::{Case, IMAGES, Spread};
use crate::session::MAX_STEPS;
use serde::Serialize;
use std::collections::BTreeSet;

/// One kernel on one shape.
#[derive(Clone, Debug, Serialize)]
pub struct KernelRow {
    /// Its name in the WGSL.
    pub kernel: String,
    /// What it computes, in which model.
    pub label: String,
    /// Workgroups along x, y and z.
    pub workgroups: [u32; 3],
    /// Floating-point operations, a multiply-add counted as two, a transcendental as one.
    pub flops: u64,
    /// Bytes read and written at least, each operand counted once.
    pub bytes: u64,
    /// Time of a run.
    #[serde(flatten)]
    pub time: Option<Spread>,
    /// Billions of operations a second.
    pub gflops: Option<f64>,
    /// Billions of bytes a second.
    pub gigabytes_per_second: Option<f64>,
    /// Share of the ceiling that is nearer; above 1 where operands were in a cache.
    pub share: Option<f64>,
    /// Which ceiling that is: `compute` or `memory`.
    pub ceiling: Option<&'static str>,
    /// Why it was not timed: its result is wrong.
    pub problem: Option<String>,
}

/// Models: a name, and the settings that differ from 784-500-20-tanh in minibatches of 128. The first is shown whole, the
/// others for the kernels that it does not use.
const MODELS: [(&str, &[&str]); 17] = [
    ("784-500-20-tanh", &[]),
    ("silu", &["model.activation = 'silu'", "optimizer.kind = 'sgd'"]),
    (
        "gaussian-learned",
        &[
            "model.likelihood = 'gaussian-learned'",
            "objective.free-bits = 0.1",
            "optimizer = { kind = 'adamax', clip-norm = 1.0 }",
        ],
    ),
    ("gaussian-shared", &["model.likelihood = 'gaussian-shared'", "optimizer.kind = 'rmsprop'"]),
    ("gaussian", &["model.likelihood = 'gaussian'", "optimizer.kind = 'adagrad'"]),
    ("discretized-logistic", &["model.likelihood = 'discretized-logistic'"]),
    ("continuous-bernoulli", &["model.likelihood = 'continuous-bernoulli'"]),
    ("laplace", &["model.likelihood = 'laplace'"]),
    ("capacity", &["objective.capacity = 25.0"]),
    ("kl-floor", &["objective.kl-floor = 16.0"]),
    ("flip", &["data.flip = true"]),
    ("iwae", &["objective = { kind = 'iwae', importance-samples = 5 }"]),
    ("dreg", &["objective = { kind = 'dreg', importance-samples = 5 }"]),
    ("two-layers", &[TWO_LAYERS]),
    ("two-layers-free-bits", &[TWO_LAYERS, "objective.free-bits = 0.1"]),
    ("two-layers-kl-floor", &[TWO_LAYERS, "objective.kl-floor = 16.0"]),
    ("two-layers-capacity", &[TWO_LAYERS, "objective.capacity = 25.0"]),
];
const TWO_LAYERS: &str = "model = { hidden = [[500], [100]], latent = [20, 10] }";

fn config(settings: &[&str]) -> Result<Config> {
    let base = Config::default().with("model.latent = 20\nrun.batch-size = 128")?;
    base.with(&settings.join("\n"))?.resolve()
}

/// All cases, with their labels: the whole training step of the first model, then the largest dispatch of each
/// kernel that is not in it.
pub(super) fn all_cases() -> Vec<(String, Case)> {
    let setting =
        Setting { train_images: IMAGES, test_images: IMAGES, max_steps: MAX_STEPS, streamed: false };
    let shape = ImageShape { width: 28, height: 28, channels: 1 };
    let mut cases = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, settings) in MODELS {
        // These settings are fixed, and a test lowers them all.
        let Ok(config) = config(settings) else { continue };
        let Ok([fused, unfused, passes]) = plans(&config, shape, setting) else { continue };
        let train = match (seen.is_empty(), fused.program("train")) {
            (true, Some(train)) => train.dispatches.clone(),
            _ => Vec::new(),
        };
        seen.extend(train.iter().map(|&number| fused.dispatches[number].kernel.clone()));
        cases.extend(train.into_iter().map(|number| labelled(name, &fused, number, &config)));
        // What fusion has left over in no model is measured as it was before.
        for plan in [&fused, &unfused, &passes] {
            let mut largest: Vec<usize> = (0..plan.dispatches.len()).collect();
            largest.sort_by_key(|&number| std::cmp::Reverse(plan.dispatches[number].bytes));
            largest.retain(|&number| seen.insert(plan.dispatches[number].kernel.clone()));
            cases.extend(largest.into_iter().map(|number| labelled(name, plan, number, &config)));
        }
        cases.extend(chain_cases(&config, shape, &mut seen).unwrap_or_default());
    }
    cases
}

/// The kernels of Hamiltonian Monte Carlo, and of the noise it walks in where there are two stochastic layers: 8 chains for
/// each of a minibatch's images.
fn chain_cases(config: &Config, shape: ImageShape, seen: &mut BTreeSet<Name>) -> Result<Vec<(String, Case)>> {
    let (task, tensors) = (config.task(shape), Tensors::default());
    let plan = DensityModel::build(task.latent("bench")?, &tensors, task.batch, 8)?.plan(1)?;
    let mut numbers: Vec<usize> = (0..plan.dispatches.len()).collect();
    numbers.retain(|&number| {
        let dispatch = &plan.dispatches[number];
        let file = crate::kernels::kernel(&dispatch.kernel).file;
        ["hmc.wgsl", "noncentred.wgsl"].contains(&file) && seen.insert(dispatch.kernel.clone())
    });
    Ok(numbers.into_iter().map(|number| labelled("chains", &plan, number, config)).collect())
}

/// The model's plan as it is run, and without fusion; and that of an importance-weighted bound on its evidence.
fn plans(config: &Config, shape: ImageShape, setting: Setting) -> Result<[Plan; 3]> {
    let (task, tensors) = (config.task(shape), Tensors::default());
    let built = task.model.build(&tensors, &task, Some(&config.optimizers()))?;
    let fused = lower(&built.graph, &built.programs, setting)?;
    let unfused = lower_unfused(&built.graph, &built.programs, setting)?;
    Ok([fused, unfused, importance::plan(&task, &tensors, task.objective.samples)?])
}

fn labelled(model: &str, plan: &Plan, number: usize, config: &Config) -> (String, Case) {
    let label = format!("{model}: {}", plan.dispatches[number].label);
    (label, Case::from_plan(plan, number, config.run.batch_size))
}

fn name(label: &str, case: &Case) -> String {
    format!("kernels/{}/{}", case.dispatch().kernel, label.replace(": ", "/").replace(' ', "-"))
}

impl Bench {
    /// The cases that the filter leaves.
    pub(super) fn kernel_cases(&self) -> Vec<(String, Case)> {
        let mut cases = all_cases();
        cases.retain(|(label, case)| self.options.wants(&name(label, case)));
        cases
    }

    /// Check and time every kernel.
    ///
    /// # Errors
    /// If the device fails.
    pub fn kernels(&self, ceilings: Option<&Ceilings>, progress: Progress<'_>) -> Result<Vec<KernelRow>> {
        self.kernel_cases()
            .into_iter()
            .map(|(label, case)| {
                progress(&name(&label, &case));
                self.kernel(label, &case, ceilings)
            })
            .collect()
    }

    pub(super) fn kernel(
        &self,
        label: String,
        case: &Case,
        ceilings: Option<&Ceilings>,
    ) -> Result<KernelRow> {
        let (time, problem) = match self.measure(case)? {
            Ok(time) => (Some(time), None),
            Err(problem) => (None, Some(problem)),
        };
        let dispatch = case.dispatch();
        let (flops, bytes) = (case.flops, case.bytes());
        let share = time.and_then(|time| ceilings?.share(flops, bytes, &time));
        Ok(KernelRow {
            kernel: dispatch.kernel.to_string(),
            label,
            workgroups: dispatch.grid,
            flops,
            bytes,
            time,
            gflops: time.and_then(|time| time.billions_per_second(flops)),
            gigabytes_per_second: time.and_then(|time| time.billions_per_second(bytes)),
            share: share.map(|share| share.0),
            ceiling: share.map(|share| share.1),
            problem,
        })
    }
}
