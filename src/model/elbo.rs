//! The evidence lower bound and importance-weighted bounds of any latent model: losses, training step and programs.

use super::{Built, Inferred, LatentModel, Objective, Reparametrized, Task, deterministic};
use crate::graph::{
    Graph, KlTarget, Loss, Mode, ProgramSpec, Source, Target, Tensors, ValueId, Weight, Weighting,
};
use crate::optimizer::Optimizers;
use crate::{Error, Result};

/// Build `model` for `task`: `train` with `optimizers`, `evaluate`, and the programs of a latent model, see
/// [`Built::programs`].
///
/// # Errors
/// [`Error::Shape`] if a size is zero, or an objective other than the ELBO has free bits, a floor, a capacity or
/// the optimal deviation.
pub(super) fn build(
    model: &dyn LatentModel,
    tensors: &Tensors,
    task: &Task,
    optimizers: Option<&Optimizers>,
) -> Result<Built> {
    if task.objective.kind.is_deterministic() {
        return deterministic::build(model, tensors, task, optimizers);
    }
    let mode = if optimizers.is_some() { Mode::Train } else { Mode::Evaluate };
    let Objective { kind, samples, target, .. } = task.objective;
    if target != KlTarget::Zero && kind.weighting().is_some() {
        let problem = format!("{kind} has no free bits, floor or capacity: these are for elbo");
        return Err(Error::shape("objective", problem));
    }
    let of_likelihood = model.likelihood().kind.depends_on_mode();
    if of_likelihood && kind.weighting().is_some() {
        let problem = format!("{kind} weighs samples, and the optimal deviation is that of equal weights");
        return Err(Error::shape("likelihood", problem));
    }
    tensors.group("vae");
    let mut graph = Graph::new(tensors, mode);
    let images = graph.minibatch(task.batch, model.pixels(), task.binarize, task.mirror)?;
    let doubly = kind.weighting() == Some(Weighting::DoublyReparametrized);
    let weights = doubly.then(|| graph.declare_weights(samples * task.batch));
    let inferred = model.infer(&mut graph, images, &mut Reparametrized { samples, weights })?;
    let mut losses = losses(&mut graph, model, task, (&inferred, images, weights))?;
    let trained = inferred.clone();
    let twice = mode == Mode::Train && (model.depends_on_mode() || of_likelihood);
    let evaluated = if twice {
        graph.with_mode(Mode::Evaluate, |graph| {
            let weights = doubly.then(|| graph.declare_weights(samples * task.batch));
            let inferred = match model.depends_on_mode() {
                true => model.infer(graph, images, &mut Reparametrized { samples, weights })?,
                false => inferred,
            };
            self::losses(graph, model, task, (&inferred, images, weights))?;
            Ok(inferred)
        })?
    } else {
        inferred
    };
    let mut metrics: Vec<ValueId> = graph.reported(if twice { Mode::Evaluate } else { mode }).collect();
    let picture = graph.expected_image(evaluated.decoded, model.likelihood());
    // The squared error is measured on held-out images only.
    metrics.push(graph.with_mode(Mode::Evaluate, |graph| {
        let difference = graph.squared_error(picture, images)?;
        Ok(graph.metric("squared_error", difference, samples))
    })?);
    let mut programs = Vec::new();
    if let (Some(penalty), None) = (task.objective.penalty, optimizers) {
        penalty.declare(&mut graph, evaluated.groups[0].drawn.z)?;
    }
    if let Some(optimizers) = optimizers {
        // After the metrics of evaluation are chosen: a penalty is one of training.
        if let Some(penalty) = task.objective.penalty {
            losses.extend(penalty.losses(&mut graph, &trained, kind)?);
        }
        let groups = tensors.groups();
        let targets: Vec<Target> = groups.iter().map(|(group, _)| Target::Group(*group)).collect();
        graph.differentiate(&losses, &targets)?;
        for (group, name) in &groups {
            graph.step(*group, optimizers.of_group(name))?;
        }
        programs.push(ProgramSpec::new("train", &[], &graph.training()).from_source(Source::Train));
    }
    programs.push(ProgramSpec::new("evaluate", &[], &metrics).from_source(Source::Test));
    programs.extend(latent_programs(&evaluated, picture));
    Ok(Built { graph, programs })
}

/// The losses of the task's objective. All terms are reported: `reconstruction`, `kl`, and `bound` where the objective
/// weighs samples or a divergence is known at samples only.
fn losses(
    graph: &mut Graph,
    model: &dyn LatentModel,
    task: &Task,
    (inferred, images, weights): (&Inferred, ValueId, Option<ValueId>),
) -> Result<Vec<Loss>> {
    let Objective { kind, samples, target, .. } = task.objective;
    let terms = graph.negative_log_likelihood(inferred.decoded, images, model.likelihood())?;
    let single = inferred.groups.len() == 1;
    if let (true, None) = (single, kind.weighting()) {
        let reconstruction = graph.loss("reconstruction", terms, samples, Weight::Constant(1.0));
        let divergence = graph.gaussian_kl(inferred.groups[0].posterior, target)?;
        return Ok(vec![reconstruction, graph.loss("kl", divergence, 1, Weight::Step("beta"))]);
    }
    graph.metric("reconstruction", terms, samples);
    if single {
        let divergence = graph.gaussian_kl(inferred.groups[0].posterior, KlTarget::Zero)?;
        graph.metric("kl", divergence, 1);
    }
    let mut divergence = sampled_divergence(graph, inferred, task.batch, target)?;
    if !single {
        graph.metric("kl", divergence, samples);
    }
    match target {
        KlTarget::Floor(nats) => divergence = graph.down_to_floor(divergence, samples, nats)?,
        KlTarget::Capacity => divergence = graph.towards_capacity(divergence, samples)?,
        KlTarget::Zero | KlTarget::FreeBits(_) => {}
    }
    let weighting = kind.weighting().unwrap_or(Weighting::Uniform);
    let log_weights = graph.log_weights(terms, divergence, task.batch)?;
    let bound = graph.importance_bound(log_weights, samples, weighting, weights)?;
    Ok(vec![graph.loss("bound", bound, 1, Weight::Constant(1.0))])
}

/// log q(z|x) - log p(z) of each sample, all groups together.
fn sampled_divergence(
    graph: &mut Graph,
    inferred: &Inferred,
    batch: usize,
    target: KlTarget,
) -> Result<ValueId> {
    let mut divergence = None;
    for group in &inferred.groups {
        divergence = Some(graph.sampled_kl(group.drawn, group.prior, batch, target, divergence)?);
    }
    divergence.ok_or_else(|| Error::shape("latent", "the model has no groups of latents".to_string()))
}

fn latent_programs(inferred: &Inferred, picture: ValueId) -> Vec<ProgramSpec> {
    let groups = &inferred.groups;
    let mut programs = vec![
        ProgramSpec::new("encode", &[], &[groups[0].posterior]).from_source(Source::Test),
        ProgramSpec::new("decode", &[groups[0].drawn.z], &[picture]),
    ];
    for (number, pair) in (1..).zip(groups.windows(2)) {
        let encode = format!("encode.layer{}", number + 1);
        programs.push(ProgramSpec::new(encode, &[pair[0].drawn.z], &[pair[1].posterior]));
        if let Some(prior) = pair[0].prior {
            let program = ProgramSpec::new(format!("prior.layer{number}"), &[pair[1].drawn.z], &[prior]);
            programs.push(program);
        }
    }
    programs
}

/// The importance weights of `samples` samples of each image, gathered over many passes: programs `begin` (encode a
/// minibatch) and `pass`, which leaves the log-sum-exp of each image's weights so far ([`Graph::begin_log_sum`]).
///
/// # Errors
/// [`Error::Setting`] if the model has no latents, [`Error::Shape`] if a size is zero.
pub fn importance_program(task: &Task, tensors: &Tensors, samples: usize) -> Result<Built> {
    let model = task.density("--importance-samples")?;
    let mut graph = Graph::new(tensors, Mode::Evaluate);
    let images = graph.minibatch(task.batch, model.pixels(), task.binarize, task.mirror)?;
    let inferred = model.infer(&mut graph, images, &mut Reparametrized { samples, weights: None })?;
    let posterior = inferred.groups[0].posterior;
    let begun = graph.begin_log_sum(task.batch);
    let terms = graph.negative_log_likelihood(inferred.decoded, images, model.likelihood())?;
    let divergence = sampled_divergence(&mut graph, &inferred, task.batch, KlTarget::Zero)?;
    let log_weights = graph.log_weights(terms, divergence, task.batch)?;
    let log_sum = graph.add_to_log_sum(log_weights, begun);
    let carried = [images, posterior, begun];
    let programs = vec![
        ProgramSpec::new("begin", &[], &carried).from_source(Source::Test),
        ProgramSpec::new("pass", &carried, &[log_sum]),
    ];
    Ok(Built { graph, programs })
}
