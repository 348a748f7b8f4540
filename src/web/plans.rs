//! The plans of a page. All work on one set of parameters.
//!
//! * `train`: a training step on a minibatch of the run's size;
//! * `evaluate`: the bound of held-out images in minibatches of that size, with the noise of `vae eval`;
//! * `look`: posteriors of many held-out images, images of many latents, and the KL divergence of each dimension;
//! * `point`: the image of one latent;
//! * `given`: the posterior of one image that the page writes, and the likelihood of that image under many latents.

use super::manifest::PlanPart;
use crate::config::Config;
use crate::eval::density::Density;
use crate::graph::{KlTarget, ProgramSpec, Setting, Source, Tensors, lower};
use crate::model::{DensityModel, LatentModel, Task};
use crate::plan::Plan;
use crate::session::plan_task;
use crate::tuning::for_hardware;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Rows of the plans that look at many latents: on the CPU and on software adapters, and on hardware.
const ROWS: [usize; 2] = [64, 256];
/// Latents of an image whose likelihoods one pass computes.
const DENSITIES: [usize; 2] = [128, 512];
/// Most steps in one submit of training.
const STEPS: usize = 16;

/// Images that the page has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) train: usize,
    pub(super) test: usize,
}

/// All plans of the model of `task`, whose parameters `tensors` names; `train` only where there are training images.
///
/// # Errors
/// [`Error::Setting`] if the model has no latents.
pub(super) fn plans(
    config: &Config,
    task: &Task,
    tensors: &Tensors,
    counts: Counts,
) -> Result<BTreeMap<&'static str, PlanPart>> {
    let latent = task.density("vae web")?;
    let setting = |train_images, max_steps| Setting {
        train_images,
        test_images: counts.test.max(1),
        max_steps,
        streamed: false,
    };
    let held = task.clone().for_evaluation();
    let mut plans = BTreeMap::new();
    if counts.train > 0 {
        let plan = plan_task(task, tensors, Some(&config.optimizers()), setting(counts.train, STEPS))?;
        plans.insert("train", both(plan.only(&["train"])));
    }
    if counts.test > 0 {
        let plan = plan_task(&held, tensors, None, setting(0, STEPS))?;
        plans.insert("evaluate", both(plan.only(&["evaluate"])));
    }
    let [few, many] = ROWS.map(|rows| look(&held, latent, tensors, rows, setting(0, 1)));
    plans.insert("look", PlanPart { registers: few?, tiled: tiled(many?) });
    let single = Task { batch: 1, ..held.clone() };
    plans.insert("point", both(plan_task(&single, tensors, None, setting(0, 1))?.only(&["decode"])));
    let [few, many] = DENSITIES.map(|rows| given(latent, tensors, Density::rows_for(latent, rows)));
    plans.insert("given", PlanPart { registers: few?, tiled: tiled(many?) });
    Ok(plans)
}

fn both(plan: Plan) -> PlanPart {
    PlanPart { registers: plan.clone(), tiled: tiled(plan) }
}

fn tiled(plan: Plan) -> Plan {
    plan.with_variants(for_hardware).with_shared_memory()
}

fn look(
    task: &Task,
    latent: &dyn LatentModel,
    tensors: &Tensors,
    rows: usize,
    setting: Setting,
) -> Result<Plan> {
    let task = Task { batch: Density::rows_for(latent, rows), mirror: None, ..task.clone() };
    let mut built = task.model.build(tensors, &task, None)?;
    let mut programs = Vec::new();
    for name in ["encode", "decode"] {
        let program = built.programs.iter().find(|program| program.name == name);
        let lacks = || Error::Internal(format!("the model has no program '{name}'"));
        programs.push(program.ok_or_else(lacks)?.clone());
    }
    let posterior = programs[0].wanted[0];
    let divergence = built.graph.gaussian_kl(posterior, KlTarget::Zero)?;
    let mean = built.graph.mean_divergence(posterior, divergence)?;
    programs.push(ProgramSpec::new("divergences", &[], &[mean]).from_source(Source::Test));
    Ok(lower(&built.graph, &programs, setting)?.with_shared_memory())
}

/// Programs `encode` and, for a model with one group of latents, `density`.
fn given(latent: &dyn LatentModel, tensors: &Tensors, rows: usize) -> Result<Plan> {
    let plan = DensityModel::build(latent, tensors, 1, rows)?.plan(1)?;
    let one = latent.groups().len() == 1;
    Ok(plan.only(if one { &["encode", "density"] } else { &["encode"] }))
}
