//! Drives of C on tracks that training did not see.

use super::agent::{Agent, Mind, Sight};
use super::environment::Environment;
use super::folder::WorldFolder;
use super::mind::SHAPE;
use super::play::{NATIVE, Played, Trained, play};
use super::racing::{self, Camera, Pictures, ROAD_WORDS, Racing, SCENE_WORDS};
use super::rollout::{Episode, Job, Limits, Moment, Rollout};
use crate::device::OpenDevice;
use crate::report::Film;
use crate::{Error, Result};
use serde::Serialize;
use std::sync::atomic::AtomicBool;

/// What stands above the pictures of a film.
const SEEN: &str = "what the car sees";
const MADE: &str = "what V makes of it";
/// The noise of z in drives.
const NOISE_SEED: u64 = 1;
/// Most steps of an episode, as in gymnasium.
pub const LONGEST: usize = 1000;
/// One step in four is filmed.
const FILMED: usize = 4;
/// Milliseconds of a moment of a film, in which the car moves as fast as it does.
pub const FILM_DELAY: u32 = 20 * FILMED as u32;

/// Scores on some tracks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The mean of the returns.
    pub mean_return: f64,
    /// Their standard deviation, that of a sample.
    pub standard_deviation: f64,
    /// The return of each track.
    pub returns: Vec<f64>,
    /// The seed of each track.
    pub seeds: Vec<u64>,
    /// Steps of each episode.
    pub steps: Vec<usize>,
    /// Tracks that were driven to the end.
    pub laps: usize,
    /// What was driven.
    pub environment: String,
}

impl Scores {
    /// The scores of episodes on the tracks `seeds`.
    pub fn of(episodes: &[Episode], seeds: &[u64], environment: impl Into<String>) -> Self {
        let returns: Vec<f64> = episodes.iter().map(|episode| episode.sum).collect();
        let count = returns.len().max(1) as f64;
        let mean = returns.iter().sum::<f64>() / count;
        let squares: f64 = returns.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean_return: mean,
            standard_deviation: (squares / (count - 1.0).max(1.0)).sqrt(),
            returns,
            seeds: seeds.to_vec(),
            steps: episodes.iter().map(|episode| episode.steps).collect(),
            laps: episodes.iter().filter(|episode| episode.lap).count(),
            environment: environment.into(),
        }
    }
}

impl std::fmt::Display for Scores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mean_return, standard_deviation, returns, seeds, laps, environment, .. } = self;
        let (first, last) = (seeds.first().copied().unwrap_or(0), seeds.last().copied().unwrap_or(0));
        let tracks = returns.len();
        write!(
            f,
            "mean return {mean_return:.1} ± {standard_deviation:.1} over {tracks} tracks of {environment} \
             (seeds {first} to {last}), {laps} of them driven to the end"
        )
    }
}

/// The picture of `racing`, `[64, 64, 3]`.
fn picture(racing: &Racing, camera: Camera) -> Result<Vec<u8>> {
    let (mut scene, mut road) = (vec![0; SCENE_WORDS], vec![0; ROAD_WORDS]);
    racing::scene(racing, camera, &mut scene)?;
    racing::road(racing.track(), &mut road)?;
    let mut frame = vec![0; SHAPE.pixels()];
    Pictures::default().draw(&scene, &road, &mut frame)?;
    Ok(frame)
}

/// A drive: who drives where.
#[derive(Clone, Copy, Debug)]
pub struct Drive<'a> {
    /// Where V, M and C run.
    pub device: &'a OpenDevice,
    /// V and M.
    pub mind: &'a Mind,
    /// The parameters of C.
    pub weights: &'a [f32],
    /// The tracks.
    pub seeds: &'a [u64],
    /// Most steps of an episode.
    pub longest: usize,
}

impl WorldFolder {
    /// Drive in an environment on the host, such as one from outside, and film the first track.
    ///
    /// # Errors
    /// If the environment or the device fails; `None` if `interrupt` was set.
    pub fn drive_in(
        &self,
        environment: &mut dyn Environment,
        drive: Drive<'_>,
        interrupt: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<(Scores, Film)>> {
        let Drive { device, mind, weights, seeds, longest } = drive;
        let agent = Agent::open(device, mind, environment.count(), Sight::Frames)?;
        let mut policy = Trained::new(agent, weights, NOISE_SEED);
        let (mut frames, mut captions) = (Vec::new(), Vec::new());
        let (mut sum, mut step, mut steps, mut ended) = (0.0, 0, 0, 0);
        let mut watcher = |played: &Played<'_>| -> Result<()> {
            if played.job == 0 {
                if usize::is_multiple_of(step, FILMED) {
                    frames.extend_from_slice(played.frame);
                    captions.push(format!("step {step}, return {sum:.0}"));
                }
                step += 1;
                sum += played.reward;
            }
            steps += 1;
            ended += usize::from(played.done);
            progress(steps, ended);
            Ok(())
        };
        let limits = Limits { steps: longest, patience: 0 };
        let found = play(environment, &mut policy, seeds, limits, interrupt, &mut watcher)?;
        let Some(episodes) = found else { return Ok(None) };
        let scores = Scores::of(&episodes, seeds, environment.version());
        let numbers: Vec<u32> = (0..captions.len() as u32).collect();
        let seen = frames.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        let mut vision = self.see(device, frames)?;
        let means = vision.encode(&numbers)?.means;
        let decoded = vision.decode(&means)?;
        Ok(Some((scores, Film { tracks: vec![(SEEN.into(), seen), (MADE.into(), decoded)], captions })))
    }

    /// Drive in the environment of this program, and film the first track if `filmed`: what the car sees, and what V makes of it.
    ///
    /// # Errors
    /// If the device fails; `None` if `interrupt` was set.
    pub fn drive(
        &self,
        drive: Drive<'_>,
        filmed: bool,
        interrupt: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<(Scores, Option<Film>)>> {
        let Drive { device, mind, weights, seeds, longest } = drive;
        let camera = self.settings().environment.camera;
        let mut rollout = Rollout::open(device, mind, camera, seeds.len())?;
        let jobs: Vec<Job> = seeds.iter().map(|&seed| Job { candidate: 0, seed }).collect();
        let limits = Limits { steps: longest, patience: 0 };
        let (mut frames, mut latents, mut captions) = (Vec::new(), Vec::new(), Vec::new());
        let mut film = |moment: &Moment<'_>| -> Result<()> {
            if moment.job == 0 && moment.step.is_multiple_of(FILMED) {
                let seen = picture(moment.racing, camera)?;
                frames.extend(seen.into_iter().map(|byte| f32::from(byte) / 255.0));
                latents.extend_from_slice(moment.latents);
                captions.push(format!("step {}, return {:.0}", moment.step, moment.sum));
            }
            Ok(())
        };
        let candidates = [weights.to_vec()];
        let watcher = filmed.then_some(&mut film as super::rollout::Watcher<'_>);
        let found = rollout.drive(&candidates, &jobs, (limits, NOISE_SEED), interrupt, progress, watcher)?;
        let Some(episodes) = found else { return Ok(None) };
        let scores = Scores::of(&episodes, seeds, NATIVE);
        if !filmed {
            return Ok(Some((scores, None)));
        }
        let decoded = self.see(device, Vec::new())?.decode(&latents)?;
        if decoded.len() != frames.len() {
            return Err(Error::Internal("a film of unequal tracks".into()));
        }
        let tracks = vec![(SEEN.to_string(), frames), (MADE.to_string(), decoded)];
        Ok(Some((scores, Some(Film { tracks, captions }))))
    }
}
