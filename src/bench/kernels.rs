//! Every kernel on the shapes of real models.

use super::presets::PRESETS;
use super::{Bench, Ceilings, Measurement, Progress, operations};
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
    /// Share of the nearer ceiling.
    pub share: Option<f64>,
    /// Which ceiling that is: `compute` or `memory`.
    pub ceiling: Option<&'static str>,
    /// Its result is wrong, and so it was not timed; or its share of a ceiling cannot be.
    pub problem: Option<String>,
}

/// Models: a name, and the settings that differ from 784-500-20-tanh in minibatches of 128. The first is shown whole, the
/// others for the kernels that it does not use.
const MODELS: [(&str, &[&str]); 28] = [
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
    ("gaussian-optimal", &["model.likelihood = 'gaussian-optimal'"]),
    ("gaussian", &["model.likelihood = 'gaussian'", "optimizer.kind = 'adagrad'"]),
    ("discretized-logistic", &["model.likelihood = 'discretized-logistic'"]),
    ("continuous-bernoulli", &["model.likelihood = 'continuous-bernoulli'"]),
    ("laplace", &["model.likelihood = 'laplace'"]),
    ("average", &["optimizer = { ema-decay = 0.999, clip-value = 1.0 }"]),
    ("capacity", &["objective.capacity = 25.0"]),
    ("kl-floor", &["objective.kl-floor = 16.0"]),
    ("flip", &["data.flip = true"]),
    ("iwae", &["objective = { kind = 'iwae', importance-samples = 5 }"]),
    ("dreg", &["objective = { kind = 'dreg', importance-samples = 5 }"]),
    ("denoising", &["objective.kind = 'denoising'"]),
    ("sparse", &["objective.kind = 'sparse'"]),
    ("contractive", &["model.hidden = []", "objective.kind = 'contractive'"]),
    ("rae", &["objective.kind = 'rae'"]),
    (
        "topk",
        &[
            "model = { hidden = [], likelihood = 'gaussian' }",
            "objective = { kind = 'topk', active-units = 4 }",
        ],
    ),
    ("factor", &["objective.kind = 'factor'"]),
    ("tc", &["objective.kind = 'tc'"]),
    ("dip-2", &["objective.kind = 'dip-2'"]),
    ("wae", &["objective.kind = 'wae'"]),
    ("two-layers", &[TWO_LAYERS]),
    ("two-layers-free-bits", &[TWO_LAYERS, "objective.free-bits = 0.1"]),
    ("two-layers-kl-floor", &[TWO_LAYERS, "objective.kl-floor = 16.0"]),
    ("two-layers-capacity", &[TWO_LAYERS, "objective.capacity = 25.0"]),
];
const TWO_LAYERS: &str = "model = { hidden = [[500], [100]], latent = [20, 10] }";

/// Settings of a convolutional model for the kernels that no preset uses, on images as `burgess` takes them.
const GROUP_NORM: &str = "model = { family = 'conv', norm = 'group', upsampling = 'nearest' }";

fn config(settings: &[&str]) -> Result<Config> {
    let base = Config::default().with("model.latent = 20\nrun.batch-size = 128")?;
    base.with(&settings.join("\n"))?.resolve()
}

/// Cases with their labels, and the kernels that they have.
#[derive(Default)]
struct Cases {
    cases: Vec<(String, Case)>,
    seen: BTreeSet<Name>,
}

impl Cases {
    /// All dispatches of `program`.
    fn whole(&mut self, model: &str, plan: &Plan, program: &str, rows: usize) {
        let numbers = plan.program(program).map_or_else(Vec::new, |program| program.dispatches.clone());
        for number in numbers {
            self.seen.insert(plan.dispatches[number].kernel.clone());
            self.push(model, plan, number, rows);
        }
    }

    /// The largest dispatch of each kernel that is not there yet.
    fn largest(&mut self, model: &str, plan: &Plan, rows: usize) {
        let mut numbers: Vec<usize> = (0..plan.dispatches.len()).collect();
        numbers.sort_by_key(|&number| std::cmp::Reverse(plan.dispatches[number].bytes));
        for number in numbers {
            if self.seen.insert(plan.dispatches[number].kernel.clone()) {
                self.push(model, plan, number, rows);
            }
        }
    }

    fn push(&mut self, model: &str, plan: &Plan, number: usize, rows: usize) {
        let label = format!("{model}: {}", plan.dispatches[number].label);
        self.cases.push((label, Case::from_plan(plan, number, rows)));
    }
}

/// All cases, with their labels: the whole training step of the first model, then the largest dispatch of each
/// kernel that is not in it. Convolutional models have minibatches of `items` images.
pub(super) fn all_cases(items: usize) -> Vec<(String, Case)> {
    let shape = ImageShape { width: 28, height: 28, channels: 1 };
    let mut cases = Cases::default();
    for (name, settings) in MODELS {
        // These settings are fixed, and a test lowers them all.
        let Ok(config) = config(settings) else { continue };
        let Ok(plans) = plans(&config, shape) else { continue };
        let rows = config.run.batch_size();
        if cases.seen.is_empty() {
            cases.whole(name, &plans[0], "train", rows);
        }
        // What fusion has left over in no model is measured as it was before.
        for plan in &plans {
            cases.largest(name, plan, rows);
        }
        if let Ok(plan) = chains(&config, shape, &cases.seen) {
            cases.largest("chains", &plan, rows);
        }
    }
    let group_norm = || {
        let config =
            Config::default().with(GROUP_NORM)?.with(&format!("run.batch-size = {items}"))?.resolve()?;
        let shape = ImageShape { width: 32, height: 32, channels: 1 };
        Ok((config.for_images(shape)?, shape))
    };
    let presets = PRESETS.iter().map(|preset| (preset.name, preset.config(items)));
    for (name, config) in presets.chain([("group norm", group_norm())]) {
        let Ok((config, shape)) = config else { continue };
        let Ok(plans) = plans(&config, shape) else { continue };
        plans.iter().for_each(|plan| cases.largest(name, plan, items));
    }
    if let Ok(plan) = operations::plan(items) {
        cases.largest("alone", &plan, items);
    }
    cases.cases
}

/// The kernels of Hamiltonian Monte Carlo, and of the noise it walks in where there are two stochastic layers: 8 chains for
/// each of a minibatch's images.
fn chains(config: &Config, shape: ImageShape, seen: &BTreeSet<Name>) -> Result<Plan> {
    let (task, tensors) = (config.task(shape), Tensors::default());
    let mut plan = DensityModel::build(task.density("bench")?, &tensors, task.batch, 8)?.plan(1)?;
    plan.dispatches.retain(|dispatch| {
        let file = crate::kernels::kernel(&dispatch.kernel).file;
        ["hmc.wgsl", "noncentred.wgsl"].contains(&file) && !seen.contains(&dispatch.kernel)
    });
    Ok(plan)
}

/// The model's plan as it is run, and without fusion; and that of an importance-weighted bound on its evidence, where it
/// has one.
fn plans(config: &Config, shape: ImageShape) -> Result<Vec<Plan>> {
    let (task, tensors) = (config.task(shape), Tensors::default());
    let setting =
        Setting { train_images: IMAGES, test_images: IMAGES, max_steps: MAX_STEPS, streamed: false };
    let built = task.model.build(&tensors, &task, Some(&config.optimizers()))?;
    let fused = lower(&built.graph, &built.programs, setting)?;
    let unfused = lower_unfused(&built.graph, &built.programs, setting)?;
    let mut plans = vec![fused, unfused];
    if !task.objective.kind.is_deterministic() {
        plans.push(importance::plan(&task, &tensors, task.objective.samples)?);
    }
    Ok(plans)
}

fn name(label: &str, case: &Case) -> String {
    format!("kernels/{}/{}", case.dispatch().kernel, label.replace(": ", "/").replace(' ', "-"))
}

impl Bench {
    /// The cases that the filter leaves.
    pub(super) fn kernel_cases(&self) -> Vec<(String, Case)> {
        let mut cases = all_cases(self.items());
        cases.retain(|(label, case)| self.options.wants(&name(label, case)));
        cases
    }

    /// Check and time every kernel.
    ///
    /// # Errors
    /// If the device fails.
    pub fn kernels(
        &self,
        mut ceilings: Option<&mut Ceilings>,
        progress: Progress<'_>,
    ) -> Result<Vec<KernelRow>> {
        self.kernel_cases()
            .into_iter()
            .map(|(label, case)| self.kernel(label, &case, ceilings.as_deref_mut(), progress))
            .collect()
    }

    fn kernel(
        &self,
        label: String,
        case: &Case,
        ceilings: Option<&mut Ceilings>,
        progress: Progress<'_>,
    ) -> Result<KernelRow> {
        let Measurement { time, share, problem } =
            self.measure(&name(&label, case), case, ceilings, progress)?;
        let dispatch = case.dispatch();
        Ok(KernelRow {
            kernel: dispatch.kernel.to_string(),
            label,
            workgroups: dispatch.grid,
            flops: case.flops,
            bytes: case.bytes,
            time,
            gflops: time.and_then(|time| time.billions_per_second(case.flops)),
            gigabytes_per_second: time.and_then(|time| time.billions_per_second(case.bytes)),
            share: share.map(|share| share.0),
            ceiling: share.map(|share| share.1),
            problem,
        })
    }
}
