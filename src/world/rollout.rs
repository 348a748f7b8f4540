//! Episodes of many cars at once: physics on the threads of the CPU, pictures, V, M and C on the device.

use super::agent::{Agent, Mind, Sight};
use super::racing::{self, Camera, ROAD_WORDS, Racing, SCENE_WORDS};
use crate::device::OpenDevice;
use crate::plan::Step;
use crate::random::stream;
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most cars that a CPU drives at once: more are no faster.
const CARS_ON_CPU: usize = 32;
/// Most cars that a GPU drives at once.
const CARS_ON_GPU: usize = 1024;
/// Agents get smaller by this factor as episodes end.
const SHRINK: usize = 4;

/// An episode to drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which of the candidates drives.
    pub candidate: usize,
    /// The track.
    pub seed: u64,
}

/// What an episode came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Episode {
    /// The sum of its rewards.
    pub sum: f64,
    /// Its steps.
    pub steps: usize,
    /// Whether the car touched all tiles.
    pub lap: bool,
}

/// When an episode ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most steps.
    pub steps: usize,
    /// Steps without a new tile after which it ends; 0 for none.
    pub patience: usize,
}

/// What a watcher is shown at every step of a car: before the action, the world; and the latents that V drew.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The number of the job.
    pub job: usize,
    /// The car and its track.
    pub racing: &'a Racing,
    /// What V drew of it.
    pub latents: &'a [f32],
    /// What C chose.
    pub action: [f32; 3],
    /// Steps of the episode before this one.
    pub step: usize,
    /// Its return so far.
    pub sum: f64,
}

/// Sees every step.
pub type Watcher<'a> = &'a mut dyn FnMut(&Moment<'_>) -> Result<()>;

/// A car that is driven.
#[derive(Debug)]
struct Seat {
    racing: Racing,
    job: usize,
    so_far: Episode,
    idle: usize,
    done: bool,
}

impl Seat {
    fn new(job: usize, seed: u64) -> Self {
        let racing = Racing::new(seed);
        Self { racing, job, so_far: Episode::default(), idle: 0, done: false }
    }

    fn step(&mut self, action: [f32; 3], limits: Limits) {
        let before = self.racing.visits();
        let outcome = self.racing.step(action);
        let after = self.racing.visits();
        self.so_far.sum += outcome.reward;
        self.so_far.steps += 1;
        self.so_far.lap = after == self.racing.track().tiles.len();
        self.idle = if after > before { 0 } else { self.idle + 1 };
        let impatient = limits.patience > 0 && self.idle >= limits.patience;
        self.done = outcome.terminated || self.so_far.steps >= limits.steps || impatient;
    }
}

/// Cars with the agents that drive them, on a device.
#[derive(Debug)]
pub struct Rollout {
    /// From the largest to the smallest.
    agents: Vec<Agent>,
    camera: Camera,
    device: String,
}

impl Rollout {
    /// Agents for up to `most` episodes at once.
    ///
    /// # Errors
    /// As [`Agent::open`].
    pub fn open(device: &OpenDevice, mind: &Mind, camera: Camera, most: usize) -> Result<Self> {
        let limit = if device.binding_limit().is_some() { CARS_ON_GPU } else { CARS_ON_CPU };
        let largest = most.clamp(1, limit);
        let sizes = std::iter::successors(Some(largest), |&cars| (cars > SHRINK).then_some(cars / SHRINK));
        let agents =
            sizes.map(|cars| Agent::open(device, mind, cars, Sight::Scenes)).collect::<Result<Vec<_>>>()?;
        Ok(Self { agents, camera, device: device.name().to_string() })
    }

    /// The device's name.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Drive all `jobs`; `weights[c]` are C's parameters of candidate `c`. The noise of z follows from `seed`. Equal calls give
    /// equal episodes on one device. `progress` receives the number of finished steps and episodes.
    ///
    /// # Errors
    /// If the device fails; `None` if `interrupt` was set.
    pub fn drive(
        &mut self,
        weights: &[Vec<f32>],
        jobs: &[Job],
        (limits, seed): (Limits, u64),
        interrupt: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
        mut watcher: Option<Watcher<'_>>,
    ) -> Result<Option<Vec<Episode>>> {
        let mut episodes = vec![Episode::default(); jobs.len()];
        let mut waiting = 0..jobs.len();
        let mut level = 0;
        while level + 1 < self.agents.len() && self.agents[level + 1].cars() >= jobs.len() {
            level += 1;
        }
        let mut seats: Vec<Option<Seat>> = (0..self.agents[level].cars()).map(|_| None).collect();
        let (mut steps, mut finished) = (0, 0);
        for counter in 0.. {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            // Free seats take the next jobs.
            for (car, seat) in seats.iter_mut().enumerate().filter(|(_, seat)| seat.is_none()) {
                let Some(job) = waiting.next() else { break };
                let of = jobs.get(job).copied().ok_or_else(|| Error::Internal("a job too many".into()))?;
                let new = Seat::new(job, of.seed);
                let mut road = vec![0; ROAD_WORDS];
                racing::road(new.racing.track(), &mut road)?;
                self.agents[level].begin(car, &weights[of.candidate], Some(&road))?;
                *seat = Some(new);
            }
            let driven = seats.iter().flatten().count();
            if driven == 0 {
                return Ok(Some(episodes));
            }
            while level + 1 < self.agents.len() && driven <= self.agents[level + 1].cars() {
                seats = self.shrink(level, seats, jobs, weights)?;
                level += 1;
            }
            let mut scenes = vec![0; seats.len() * SCENE_WORDS];
            let camera = self.camera;
            let seen = seats.par_iter().zip(scenes.par_chunks_mut(SCENE_WORDS));
            seen.try_for_each(|(seat, scene)| match seat {
                Some(seat) => racing::scene(&seat.racing, camera, scene),
                None => Ok(()),
            })?;
            let step = Step::seeded(seed, stream::EVALUATION_NOISE).at(counter);
            let actions = self.agents[level].act(&scenes, step)?;
            if let Some(watcher) = &mut watcher {
                let latents = self.agents[level].latents()?;
                let width = latents.len() / seats.len();
                for ((seat, latents), action) in seats.iter().zip(latents.chunks(width)).zip(&actions) {
                    if let Some(seat) = seat {
                        watcher(&Moment {
                            job: seat.job,
                            racing: &seat.racing,
                            latents,
                            action: *action,
                            step: seat.so_far.steps,
                            sum: seat.so_far.sum,
                        })?;
                    }
                }
            }
            seats.par_iter_mut().zip(&actions).for_each(|(seat, action)| {
                if let Some(seat) = seat {
                    seat.step(*action, limits);
                }
            });
            steps += driven;
            for seat in &mut seats {
                if let Some(done) = seat.take_if(|seat| seat.done) {
                    episodes[done.job] = done.so_far;
                    finished += 1;
                }
            }
            progress(steps, finished);
        }
        Ok(Some(episodes))
    }

    /// Let the cars of agent number `level` be driven by the next smaller one.
    fn shrink(
        &mut self,
        level: usize,
        seats: Vec<Option<Seat>>,
        jobs: &[Job],
        weights: &[Vec<f32>],
    ) -> Result<Vec<Option<Seat>>> {
        let mut kept = Vec::new();
        let mut road = vec![0; ROAD_WORDS];
        for (car, seat) in seats.into_iter().enumerate() {
            let Some(seat) = seat else { continue };
            let carry = self.agents[level].carry(car)?;
            racing::road(seat.racing.track(), &mut road)?;
            let smaller = &mut self.agents[level + 1];
            smaller.begin(kept.len(), &weights[jobs[seat.job].candidate], Some(&road))?;
            if !carry.is_empty() {
                smaller.set_carry(kept.len(), &carry)?;
            }
            kept.push(Some(seat));
        }
        kept.resize_with(self.agents[level + 1].cars(), || None);
        Ok(kept)
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
