//! Episodes of any environment under any policy, frame by frame on the host.

use super::agent::Agent;
use super::environment::Environment;
use super::racing::{self, Camera, FRAME_VALUES, Pictures, ROAD_WORDS, Racing, RandomPolicy, SCENE_WORDS};
use super::rollout::{Episode, Limits};
use crate::plan::Step;
use crate::random::stream;
use crate::world::environment::View;
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// The environment of this program.
pub(super) const NATIVE: &str = "CarRacing-v3";

/// Chooses actions by what each of some seats sees.
pub trait Policy {
    /// Begin an episode in `seat`, with this seed.
    ///
    /// # Errors
    /// If a device fails.
    fn begin(&mut self, seat: usize, seed: u64) -> Result<()>;

    /// The actions of all seats; `frames` holds a frame for each, `[seats, 64, 64, 3]`, of which those of idle seats mean
    /// nothing.
    ///
    /// # Errors
    /// If a device fails.
    fn act(&mut self, frames: &[u8]) -> Result<Vec<[f32; 3]>>;
}

/// The random policy of the paper in every seat.
#[derive(Debug)]
pub struct AtRandom(Vec<RandomPolicy>);

impl AtRandom {
    /// For `seats` seats.
    pub fn new(seats: usize) -> Self {
        Self((0..seats as u64).map(RandomPolicy::new).collect())
    }
}

impl Policy for AtRandom {
    fn begin(&mut self, seat: usize, seed: u64) -> Result<()> {
        self.0[seat] = RandomPolicy::new(seed);
        Ok(())
    }

    fn act(&mut self, _: &[u8]) -> Result<Vec<[f32; 3]>> {
        Ok(self.0.iter_mut().map(RandomPolicy::act).collect())
    }
}

/// V, M and C, which see by frames.
#[derive(Debug)]
pub struct Trained {
    agent: Agent,
    weights: Vec<f32>,
    seed: u64,
    counter: u64,
}

impl Trained {
    /// Every car of `agent` is driven with `weights`; the noise of z follows from `seed`.
    pub fn new(agent: Agent, weights: &[f32], seed: u64) -> Self {
        Self { agent, weights: weights.to_vec(), seed, counter: 0 }
    }

    /// The latents that the last actions were chosen by, `[seats, latent]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn latents(&mut self) -> Result<Vec<f32>> {
        self.agent.latents()
    }
}

impl Policy for Trained {
    fn begin(&mut self, seat: usize, _: u64) -> Result<()> {
        self.agent.begin(seat, &self.weights, None)
    }

    fn act(&mut self, frames: &[u8]) -> Result<Vec<[f32; 3]>> {
        let seen: Vec<u32> = frames.iter().map(|&byte| (f32::from(byte) / 255.0).to_bits()).collect();
        let step = Step::seeded(self.seed, stream::EVALUATION_NOISE).at(self.counter);
        self.counter += 1;
        self.agent.act(&seen, step)
    }
}

/// A step of an episode.
#[derive(Debug)]
pub struct Played<'a> {
    /// The number of the episode.
    pub job: usize,
    /// What was seen before the action, `[64, 64, 3]`.
    pub frame: &'a [u8],
    /// The action.
    pub action: [f32; 3],
    /// The reward.
    pub reward: f64,
    /// Whether it was the last step.
    pub done: bool,
}

/// Play an episode of each of `seeds`; `watcher` sees every step. The seats of the environment take the next seed as they
/// become free.
///
/// # Errors
/// If the environment or the policy fails; `None` if `interrupt` was set.
pub fn play(
    environment: &mut dyn Environment,
    policy: &mut dyn Policy,
    seeds: &[u64],
    limits: Limits,
    interrupt: &AtomicBool,
    watcher: &mut dyn FnMut(&Played<'_>) -> Result<()>,
) -> Result<Option<Vec<Episode>>> {
    let count = environment.count();
    let mut episodes = vec![Episode::default(); seeds.len()];
    let mut waiting = 0..seeds.len();
    let mut jobs: Vec<Option<usize>> = vec![None; count];
    let mut frames = vec![0; count * FRAME_VALUES];
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let free = (0..count).filter(|&seat| jobs[seat].is_none()).zip(&mut waiting).collect::<Vec<_>>();
        if !free.is_empty() {
            let starts: Vec<(usize, u64)> = free.iter().map(|&(seat, job)| (seat, seeds[job])).collect();
            for view in environment.reset(&starts)? {
                put(&mut frames, &view)?;
            }
            for (seat, job) in free {
                policy.begin(seat, seeds[job])?;
                jobs[seat] = Some(job);
            }
        }
        if jobs.iter().all(Option::is_none) {
            return Ok(Some(episodes));
        }
        let actions = policy.act(&frames)?;
        let driven: Vec<(usize, [f32; 3])> =
            (0..count).filter(|&seat| jobs[seat].is_some()).map(|seat| (seat, actions[seat])).collect();
        for view in environment.step(&driven)? {
            let seat = view.number;
            let Some(job) = jobs.get(seat).copied().flatten() else {
                return Err(Error::Internal(format!("environment {seat} was not asked")));
            };
            let episode = &mut episodes[job];
            episode.sum += view.reward;
            episode.steps += 1;
            let done = view.done() || episode.steps >= limits.steps;
            let frame = &frames[seat * FRAME_VALUES..(seat + 1) * FRAME_VALUES];
            watcher(&Played { job, frame, action: actions[seat], reward: view.reward, done })?;
            put(&mut frames, &view)?;
            if done {
                episode.lap = view.terminated && view.reward > -100.0;
                jobs[seat] = None;
            }
        }
    }
}

/// Put the picture of `view` in the place of its seat.
fn put(frames: &mut [u8], view: &View) -> Result<()> {
    let picture = view.frame();
    let place = frames.get_mut(view.number * FRAME_VALUES..(view.number + 1) * FRAME_VALUES);
    match place {
        Some(place) if picture.len() == place.len() => place.copy_from_slice(&picture),
        _ => return Err(Error::Internal(format!("a picture of {} bytes", picture.len()))),
    }
    Ok(())
}

/// A car of this program.
#[derive(Debug)]
struct Seat {
    racing: Racing,
    road: Vec<u32>,
    pictures: Pictures,
}

/// The environment of this program, seen by `camera`.
#[derive(Debug)]
pub struct Native {
    seats: Vec<Option<Seat>>,
    camera: Camera,
}

impl Native {
    /// `count` cars.
    pub fn new(count: usize, camera: Camera) -> Self {
        Self { seats: (0..count).map(|_| None).collect(), camera }
    }
}

impl Seat {
    fn new(seed: u64) -> Result<Self> {
        let racing = Racing::new(seed);
        let mut road = vec![0; ROAD_WORDS];
        racing::road(racing.track(), &mut road)?;
        Ok(Self { racing, road, pictures: Pictures::default() })
    }

    fn view(&mut self, number: usize, camera: Camera, (reward, terminated): (f64, bool)) -> Result<View> {
        let mut scene = vec![0; SCENE_WORDS];
        racing::scene(&self.racing, camera, &mut scene)?;
        let mut pixels = vec![0; FRAME_VALUES];
        self.pictures.draw(&scene, &self.road, &mut pixels)?;
        Ok(View { number, reward, terminated, truncated: false, pixels })
    }
}

impl Environment for Native {
    fn count(&self) -> usize {
        self.seats.len()
    }

    fn version(&self) -> &str {
        NATIVE
    }

    fn reset(&mut self, starts: &[(usize, u64)]) -> Result<Vec<View>> {
        let camera = self.camera;
        let begin = |&(number, seed): &(usize, u64)| -> Result<(Seat, View)> {
            let mut seat = Seat::new(seed)?;
            let view = seat.view(number, camera, (0.0, false))?;
            Ok((seat, view))
        };
        let begun: Vec<(Seat, View)> = starts.par_iter().map(begin).collect::<Result<_>>()?;
        let mut views = Vec::with_capacity(begun.len());
        for (seat, view) in begun {
            self.seats[view.number] = Some(seat);
            views.push(view);
        }
        Ok(views)
    }

    fn step(&mut self, actions: &[(usize, [f32; 3])]) -> Result<Vec<View>> {
        let camera = self.camera;
        let mut chosen = vec![None; self.seats.len()];
        actions.iter().for_each(|&(number, action)| chosen[number] = Some(action));
        let seats = self.seats.par_iter_mut().zip(chosen).enumerate();
        let views = seats.filter_map(|(number, (seat, action))| {
            let (seat, action) = (seat.as_mut()?, action?);
            let outcome = seat.racing.step(action);
            Some(seat.view(number, camera, (outcome.reward, outcome.terminated)))
        });
        views.collect()
    }
}
