//! Every kernel on the shapes of real models.

use super::{Bench, Ceilings, Progress};
use crate::Result;
use crate::config::Config;
use crate::data::ImageShape;
use crate::eval::importance;
use crate::graph::{Activation, LikelihoodKind};
use crate::model::{DensityModel, ObjectiveKind};
use crate::plan::{self, Plan, Setting};
use crate::probe::{Case, IMAGES, Spread};
use crate::session::{MAX_STEPS, PROGRAMS};
use crate::train::OptimizerKind;
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

/// A model, and how to call it. The first is shown whole, the others for the kernels that it does not use.
fn models() -> Vec<(&'static str, Config)> {
    let base = Config { latent: 20, batch_size: 128, ..Config::default() };
    let gaussian = |likelihood, optimizer| Config { likelihood, optimizer, ..base.clone() };
    let learned = gaussian(LikelihoodKind::GaussianLearned, OptimizerKind::Adamax);
    let shared = gaussian(LikelihoodKind::GaussianShared, OptimizerKind::Rmsprop);
    let fixed = gaussian(LikelihoodKind::Gaussian, OptimizerKind::Adagrad);
    let bound = base.clone();
    let likelihood = |likelihood| Config { likelihood, ..bound.clone() };
    let two_layers = Config { upper_hidden: Some(vec![100]), upper_latent: Some(10), ..base.clone() };
    let objective = |objective| Config { objective, importance_samples: Some(5), ..bound.clone() };
    vec![
        ("784-500-20-tanh", base.clone()),
        ("silu", Config { activation: Activation::Silu, optimizer: OptimizerKind::Sgd, ..base }),
        ("gaussian-learned", Config { free_bits: 0.1, clip_norm: 1.0, ..learned }),
        ("gaussian-shared", shared),
        ("gaussian", fixed),
        ("discretized-logistic", likelihood(LikelihoodKind::DiscretizedLogistic)),
        ("continuous-bernoulli", likelihood(LikelihoodKind::ContinuousBernoulli)),
        ("capacity", Config { capacity: Some(25.0), ..bound.clone() }),
        ("iwae", objective(ObjectiveKind::Iwae)),
        ("dreg", objective(ObjectiveKind::Dreg)),
        ("two-layers", two_layers.clone()),
        ("two-layers-free-bits", Config { free_bits: 0.1, ..two_layers.clone() }),
        ("two-layers-capacity", Config { capacity: Some(25.0), ..two_layers }),
    ]
}

/// All cases, with their labels: the whole training step of the first model, then the largest dispatch of each
/// kernel that is not in it.
pub(super) fn all_cases() -> Vec<(String, Case)> {
    let setting =
        Setting { train_images: IMAGES, test_images: IMAGES, max_steps: MAX_STEPS, streamed: false };
    let shape = ImageShape { width: 28, height: 28, channels: 1 };
    let mut cases = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, config) in models() {
        // These settings are fixed, and a test lowers them all.
        let Ok(config) = config.resolve() else { continue };
        let Ok([fused, unfused, passes]) = plans(&config, shape, setting) else { continue };
        let train = match (seen.is_empty(), fused.program("train")) {
            (true, Some(train)) => train.dispatches.clone(),
            _ => Vec::new(),
        };
        seen.extend(train.iter().map(|&number| fused.dispatches[number].kernel));
        cases.extend(train.into_iter().map(|number| labelled(name, &fused, number, &config)));
        // What fusion has left over in no model is measured as it was before.
        for plan in [&fused, &unfused, &passes] {
            let mut largest: Vec<usize> = (0..plan.dispatches.len()).collect();
            largest.sort_by_key(|&number| std::cmp::Reverse(plan.dispatches[number].bytes));
            largest.retain(|&number| seen.insert(plan.dispatches[number].kernel));
            cases.extend(largest.into_iter().map(|number| labelled(name, plan, number, &config)));
        }
        cases.extend(chain_cases(&config, shape, &mut seen).unwrap_or_default());
    }
    cases
}

/// The kernels of Hamiltonian Monte Carlo, and of the noise it walks in where there are two stochastic layers: 8 chains for
/// each of a minibatch's images.
fn chain_cases(
    config: &Config,
    shape: ImageShape,
    seen: &mut BTreeSet<&'static str>,
) -> Result<Vec<(String, Case)>> {
    let plan = DensityModel::build(&config.model(shape), config.batch_size, 8)?.plan(1)?;
    let mut numbers: Vec<usize> = (0..plan.dispatches.len()).collect();
    numbers.retain(|&number| {
        let dispatch = &plan.dispatches[number];
        let file = crate::kernels::kernel(dispatch.kernel).file;
        ["hmc.wgsl", "noncentred.wgsl"].contains(&file) && seen.insert(dispatch.kernel)
    });
    Ok(numbers.into_iter().map(|number| labelled("chains", &plan, number, config)).collect())
}

/// The model's plan as it is run, and without fusion; and that of an importance-weighted bound on its evidence.
fn plans(config: &Config, shape: ImageShape, setting: Setting) -> Result<[Plan; 3]> {
    let mut model = config.model(shape).build()?;
    model.graph.differentiate()?;
    let optimizer = config.optimizer();
    let [fused, unfused] = [plan::lower, plan::lower_unfused]
        .map(|lower| lower(&model.graph, Some(&optimizer), &PROGRAMS, setting));
    Ok([fused, unfused, importance::plan(&config.model(shape))?])
}

fn labelled(model: &str, plan: &Plan, number: usize, config: &Config) -> (String, Case) {
    let label = format!("{model}: {}", plan.dispatches[number].label);
    (label, Case::from_plan(plan, number, config.batch_size))
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
