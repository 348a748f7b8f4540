//! Rollouts on a small V and M, whose latents have no noise: what a car does then depends on nothing but its track.

use super::*;
use crate::config::Config;
use crate::graph::{LikelihoodKind, Tensors};
use crate::model::families::mlp::MlpConfig;
use crate::run::Weights;
use crate::world::FRAME_SHAPE;
use crate::world::controller::Inputs;
use crate::world::memory::{MemoryConfig, Parameters};
use crate::world::play::{Native, Trained, play};

fn mind(inputs: Inputs) -> Mind {
    let model = MlpConfig {
        hidden: vec![vec![6]],
        latent: vec![3],
        likelihood: LikelihoodKind::Gaussian.into(),
        ..MlpConfig::default()
    };
    let config = Config { model: model.into(), ..Config::default() }.resolve().unwrap();
    let vision = config.task(FRAME_SHAPE).for_evaluation();
    let tensors = Tensors::default();
    vision.model.build(&tensors, &vision, None).unwrap();
    let named = tensors.all().into_iter().map(|tensor| {
        let log_variance = tensor.name.contains("log_variance");
        let value = |i: usize| match (log_variance, tensor.shape.len()) {
            (true, 1) => -90.0,
            (true, _) => 0.0,
            _ => 0.02 * ((i + tensor.offset) as f32 * 0.7).sin(),
        };
        (tensor.name.clone(), (tensor.shape.clone(), (0..tensor.count()).map(value).collect()))
    });
    let weights = Weights::of(named.collect());
    let memory = MemoryConfig { latent: 3, hidden: 5, ..MemoryConfig::default() };
    let memory = inputs.need_memory().then(|| Parameters::untrained(&memory).unwrap());
    Mind { vision, weights, memory, inputs }
}

/// Two controllers that drive differently.
fn candidates(mind: &Mind) -> Vec<Vec<f32>> {
    let count = mind.parameters().unwrap();
    let of = |by: f32| (0..count).map(|i| (i as f32 * by).sin()).collect();
    vec![of(0.9), of(1.7)]
}

const LIMITS: Limits = Limits { steps: 48, patience: 16 };

fn drive(mind: &Mind, jobs: &[Job], most: usize) -> Vec<Episode> {
    let mut rollout = Rollout::open(&OpenDevice::Cpu, mind, Camera::Hull, most).unwrap();
    let never = AtomicBool::new(false);
    let found = rollout.drive(&candidates(mind), jobs, (LIMITS, 3), &never, &mut |_, _| {}, None);
    found.unwrap().unwrap()
}

#[test]
fn cars_drive_together_as_they_do_alone() {
    for inputs in [Inputs::ZH, Inputs::Z] {
        let mind = mind(inputs);
        let jobs: Vec<Job> =
            (0..7).map(|job| Job { candidate: job % 2, seed: 50 + job as u64 / 2 }).collect();
        // Five seats for seven jobs, which the last ones leave for a smaller agent.
        let together = drive(&mind, &jobs, 5);
        let alone: Vec<Episode> = jobs.iter().flat_map(|job| drive(&mind, &[*job], 1)).collect();
        assert_eq!(together, alone, "{inputs:?}");
        let lengths: Vec<usize> = together.iter().map(|episode| episode.steps).collect();
        assert!(lengths.iter().any(|&steps| steps != lengths[0]), "{lengths:?}");
    }
}

#[test]
fn frames_of_the_host_lead_to_the_same_drive() {
    let mind = mind(Inputs::ZH);
    let weights = candidates(&mind).swap_remove(0);
    let jobs = [60, 61, 62].map(|seed| Job { candidate: 0, seed });
    let limits = Limits { patience: 0, ..LIMITS };
    let never = AtomicBool::new(false);
    let mut rollout = Rollout::open(&OpenDevice::Cpu, &mind, Camera::Hull, 3).unwrap();
    let all = [weights.clone()];
    let on_device = rollout.drive(&all, &jobs, (limits, 3), &never, &mut |_, _| {}, None).unwrap().unwrap();
    let agent = Agent::open(&OpenDevice::Cpu, &mind, 2, Sight::Frames).unwrap();
    let (mut environment, mut policy) = (Native::new(2, Camera::Hull), Trained::new(agent, &weights, 3));
    let mut steps = 0;
    let mut count = |_: &crate::world::play::Played<'_>| {
        steps += 1;
        Ok(())
    };
    let seeds = [60, 61, 62];
    let on_host = play(&mut environment, &mut policy, &seeds, limits, &never, &mut count).unwrap().unwrap();
    assert_eq!(on_device, on_host);
    assert_eq!(steps, 3 * LIMITS.steps);
}

#[test]
fn an_interrupt_stops_a_rollout() {
    let mind = mind(Inputs::Z);
    let mut rollout = Rollout::open(&OpenDevice::Cpu, &mind, Camera::Hull, 1).unwrap();
    let jobs = [Job { candidate: 0, seed: 1 }];
    let now = AtomicBool::new(true);
    let found = rollout.drive(&candidates(&mind), &jobs, (LIMITS, 0), &now, &mut |_, _| {}, None);
    assert_eq!(found.unwrap(), None);
}
