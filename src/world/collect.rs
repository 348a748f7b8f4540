//! Frames for V and M: a policy drives, and what it saw is written as arrays.

use super::environment::Environment;
use super::folder::WorldFolder;
use super::play::{Played, Policy, play};
use super::racing::FRAME_VALUES;
use super::rollout::Limits;
use crate::data::{ArrayValues, Arrays, write_arrays};
use crate::{Error, Result};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Longest episode that is collected.
const LONGEST: usize = 1000;
/// The seed of the first track that frames are collected on; the tracks before are for driving.
const FIRST_SEED: u64 = 1_000_000;

/// What an episode showed: action `t` was taken at frame `t`, and reward `t` followed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// `[steps, 64, 64, 3]`
    pub frames: Vec<u8>,
    /// `[steps, 3]`: steering, gas, brake.
    pub actions: Vec<[f32; 3]>,
    /// `[steps]`
    pub rewards: Vec<f32>,
    /// Whether its last step ended the episode.
    pub ended: bool,
}

/// Episodes one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The episodes.
    pub episodes: Vec<Record>,
}

impl Recording {
    /// The return of each episode but the last one, which may be cut.
    pub fn returns(&self) -> Vec<f64> {
        let whole = self.episodes.len().saturating_sub(1).max(1);
        self.episodes.iter().take(whole).map(Record::sum).collect()
    }

    /// Frames of all episodes.
    pub fn frames(&self) -> usize {
        self.episodes.iter().map(|episode| episode.actions.len()).sum()
    }

    /// Play episode after episode until there are `count` frames: the last episode is cut. Equal calls give equal records,
    /// whatever the number of threads.
    ///
    /// # Errors
    /// If the environment or the policy fails; `None` if `interrupt` was set.
    pub fn of(
        count: usize,
        first_seed: u64,
        (environment, policy): (&mut dyn Environment, &mut dyn Policy),
        interrupt: &AtomicBool,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Option<Self>> {
        let (mut recording, mut left) = (Self::default(), count);
        let limits = Limits { steps: LONGEST, patience: 0 };
        let mut seed = first_seed;
        while left > 0 {
            let seeds: Vec<u64> = (seed..).take(environment.count()).collect();
            seed += seeds.len() as u64;
            let mut records = vec![Record::default(); seeds.len()];
            let mut keep = |step: &Played<'_>| -> Result<()> {
                let record = &mut records[step.job];
                record.frames.extend_from_slice(step.frame);
                record.actions.push(step.action);
                record.rewards.push(step.reward as f32);
                record.ended = step.done;
                Ok(())
            };
            if play(environment, policy, &seeds, limits, interrupt, &mut keep)?.is_none() {
                return Ok(None);
            }
            for mut record in records {
                record.cut(left);
                left -= record.actions.len();
                if !record.actions.is_empty() {
                    recording.episodes.push(record);
                }
            }
            progress(count - left);
        }
        Ok(Some(recording))
    }

    /// Write the arrays `frames`, `actions`, `reward`, `done`, `episode` and `t` as `path`, a file `.npz`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let count = self.frames();
        let all = self.episodes.iter();
        let frames: Vec<u8> = all.clone().flat_map(|it| &it.frames).copied().collect();
        let actions: Vec<f32> = all.clone().flat_map(|it| it.actions.as_flattened()).copied().collect();
        let rewards: Vec<f32> = all.clone().flat_map(|it| &it.rewards).copied().collect();
        let steps = all.clone().flat_map(|it| 0..it.actions.len() as u32).collect::<Vec<_>>();
        let numbered = all.clone().zip(0_u32..);
        let episodes: Vec<u32> = numbered.flat_map(|(it, number)| vec![number; it.actions.len()]).collect();
        let last = |it: &Record, step: usize| u8::from(it.ended && step + 1 == it.actions.len());
        let done = all.flat_map(|it| (0..it.actions.len()).map(move |step| last(it, step)));
        let done: Vec<u8> = done.collect();
        write_arrays(
            path,
            &[
                ("frames", &[count, 64, 64, 3], ArrayValues::Bytes(&frames)),
                ("actions", &[count, 3], ArrayValues::Floats(&actions)),
                ("reward", &[count], ArrayValues::Floats(&rewards)),
                ("done", &[count], ArrayValues::Bytes(&done)),
                ("episode", &[count], ArrayValues::Words(&episodes)),
                ("t", &[count], ArrayValues::Words(&steps)),
            ],
        )
    }
}

impl Record {
    /// Keep the first `steps` only.
    fn cut(&mut self, steps: usize) {
        if steps < self.actions.len() {
            self.frames.truncate(steps * FRAME_VALUES);
            self.actions.truncate(steps);
            self.rewards.truncate(steps);
            self.ended = false;
        }
    }

    /// The return: the sum of all rewards.
    pub fn sum(&self) -> f64 {
        self.rewards.iter().map(|reward| f64::from(*reward)).sum()
    }
}

/// The actions of the frames in a file, and the lengths of its episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Actions {
    /// `[frames, 3]`
    pub actions: Vec<f32>,
    /// Frames of each episode, in order.
    pub lengths: Vec<usize>,
}

impl Actions {
    /// Read them.
    ///
    /// # Errors
    /// [`Error::Data`] if the file does not hold `actions` and `episode` of as many frames; [`Error::Io`] if it cannot be
    /// read.
    pub fn read(path: &Path) -> Result<Self> {
        let arrays = Arrays::open(path)?;
        let lacks = |problem: String| {
            let hint = "the arrays needed are frames [n, 64, 64, 3], actions [n, 3] and episode [n]; vae world collect writes them";
            Error::data(path, problem, hint)
        };
        let Some((shape, actions)) = arrays.floats(Some("actions"))? else {
            return Err(lacks("there is no array 'actions'".into()));
        };
        let Some(episodes) = arrays.labels("episode")? else {
            return Err(lacks("there is no array 'episode'".into()));
        };
        if shape != [episodes.len(), 3] {
            let of = format!("'actions' is of shape {shape:?}, and 'episode' of {}", episodes.len());
            return Err(lacks(of));
        }
        let lengths = episodes.chunk_by(|one, next| one == next).map(<[u32]>::len).collect();
        Ok(Self { actions, lengths })
    }
}

impl WorldFolder {
    /// Let `policy` drive in `environment` until there are as many frames as the settings ask for, and write them. An episode
    /// ends with the track, off the field, or after 1000 steps.
    ///
    /// # Errors
    /// If the environment or the policy fails, or the file cannot be written; `None` if `interrupt` was set: nothing is written
    /// then.
    pub fn collect(
        &self,
        way: (&mut dyn Environment, &mut dyn Policy),
        interrupt: &AtomicBool,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Option<Recording>> {
        let frames = &self.settings().frames;
        let first = FIRST_SEED + (frames.seed << 32);
        let Some(recording) = Recording::of(frames.count, first, way, interrupt, progress)? else {
            return Ok(None);
        };
        recording.write(&self.frames())?;
        Ok(Some(recording))
    }
}
