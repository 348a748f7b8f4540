//! The evolution of C: candidates drive, and CMA-ES moves towards the better ones.

use super::curve::{read_curve, write_curve};
use super::{Generation, Inputs};
use crate::device::OpenDevice;
use crate::random::{Philox, stream};
use crate::world::cmaes::Cmaes;
use crate::world::folder::WorldFolder;
use crate::world::rollout::{Episode, Job, Limits, Rollout};
use crate::world::settings::ControllerSettings;
use crate::{Error, Result};
use rand::RngExt;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The evolution, to go on with.
const CHECKPOINT: &str = "checkpoint.safetensors";
/// The mean of the latest generation.
const LATEST: &str = "controller.safetensors";
/// That of the generation with the best test.
const BEST: &str = "best.safetensors";
/// The curve.
const CURVE: &str = "metrics.csv";
/// The tensor that holds the parameters.
const PARAMETERS: &str = "controller";
/// Generations from one test of the mean to the next.
const TEST_EVERY: u64 = 10;
/// Tracks of a test: the first one, and how many.
const TESTS: (u64, usize) = (900_000, 16);
/// Training tracks have numbers from here up to this many more.
const TRACKS: (u64, u64) = (2_000_000, 1 << 31);

/// What a generation is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Its number, counted from 1.
    pub generation: u64,
    /// Episodes that have ended, and all.
    pub episodes: [usize; 2],
    /// Steps of all cars in this generation.
    pub steps: usize,
}

/// Sees an evolution.
pub trait Watch {
    /// During a generation.
    fn progress(&mut self, progress: Progress);
    /// After it.
    fn generation(&mut self, generation: &Generation);
}

impl ControllerSettings {
    fn limits(&self) -> Limits {
        Limits { steps: self.longest, patience: self.patience }
    }

    /// The tracks of generation number `generation`: all candidates drive the same ones.
    fn tracks(&self, generation: u64) -> Vec<u64> {
        let mut random = Philox::new(self.seed, stream::TRACKS, generation);
        (0..self.episodes).map(|_| TRACKS.0 + random.random_range(0..TRACKS.1)).collect()
    }
}

fn mean(episodes: &[Episode]) -> f64 {
    episodes.iter().map(|episode| episode.sum).sum::<f64>() / episodes.len().max(1) as f64
}

fn singles(candidate: &[f64]) -> Vec<f32> {
    candidate.iter().map(|value| *value as f32).collect()
}

impl WorldFolder {
    /// Evolve C, or go on with it, up to the generations of the settings. Every generation is saved.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if V or M are missing, or the files of C are broken or of other settings; else if the device
    /// fails. `false` if `interrupt` was set.
    pub fn evolve(&self, device: &OpenDevice, interrupt: &AtomicBool, watch: &mut dyn Watch) -> Result<bool> {
        let settings = &self.settings().controller;
        let mind = self.mind(settings.inputs)?;
        let folder = self.controller();
        std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
        let (checkpoint, curve_file) = (folder.join(CHECKPOINT), folder.join(CURVE));
        let count = mind.parameters()?;
        let mut strategy = match checkpoint.exists() {
            true => resumed(&checkpoint, settings, count)?,
            false => Cmaes::new(&vec![0.0; count], settings.sigma, settings.population, settings.seed)?,
        };
        let mut curve = read_curve(&curve_file)?;
        curve.retain(|generation| generation.generation <= strategy.generation());
        if strategy.generation() >= settings.generations as u64 {
            return Ok(true);
        }
        let camera = self.settings().environment.camera;
        let cars = settings.population * settings.episodes;
        let mut rollout = Rollout::open(device, &mind, camera, cars)?;
        let (mut steps, mut seconds) = curve.last().map_or((0, 0.0), |last| (last.steps, last.seconds));
        let mut best = curve.iter().filter_map(|generation| generation.tested).reduce(f64::max);
        while strategy.generation() < settings.generations as u64 {
            let began = Instant::now();
            let number = strategy.generation() + 1;
            let candidates = strategy.ask()?;
            let weights: Vec<Vec<f32>> = candidates.iter().map(|it| singles(it)).collect();
            let tracks = settings.tracks(number);
            let job = |candidate| tracks.iter().map(move |&seed| Job { candidate, seed });
            let jobs: Vec<Job> = (0..weights.len()).flat_map(job).collect();
            let all = jobs.len();
            let mut progress = |steps, ended| {
                watch.progress(Progress { generation: number, episodes: [ended, all], steps });
            };
            let noise = settings.seed.wrapping_mul(1 << 32).wrapping_add(number);
            let way = (settings.limits(), noise);
            let Some(episodes) = rollout.drive(&weights, &jobs, way, interrupt, &mut progress, None)? else {
                return Ok(false);
            };
            let returns: Vec<f64> = episodes.chunks(tracks.len()).map(mean).collect();
            let costs: Vec<f64> = returns.iter().map(|it| -it).collect();
            strategy.tell(&candidates, &costs)?;
            let last = number == settings.generations as u64;
            let tested = if number.is_multiple_of(TEST_EVERY) || last {
                let jobs: Vec<Job> =
                    (0..TESTS.1).map(|test| Job { candidate: 0, seed: TESTS.0 + test as u64 }).collect();
                let limits = settings.limits();
                let own = [singles(strategy.mean())];
                let tests = rollout.drive(&own, &jobs, (limits, 0), interrupt, &mut |_, _| {}, None)?;
                let Some(tests) = tests else { return Ok(false) };
                Some(mean(&tests))
            } else {
                None
            };
            steps += episodes.iter().map(|episode| episode.steps as u64).sum::<u64>();
            seconds += began.elapsed().as_secs_f64();
            curve.push(Generation {
                generation: number,
                mean: returns.iter().sum::<f64>() / returns.len() as f64,
                least: returns.iter().copied().fold(f64::INFINITY, f64::min),
                most: returns.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                sigma: strategy.sigma(),
                tested,
                steps,
                seconds,
            });
            let own = singles(strategy.mean());
            if tested.is_some_and(|it| best.is_none_or(|best| it > best)) {
                best = tested;
                save(&folder.join(BEST), &own, settings.inputs)?;
            }
            save(&folder.join(LATEST), &own, settings.inputs)?;
            // The curve is written before the evolution: a run that dies between the two makes its last row again.
            write_curve(&curve_file, &curve)?;
            strategy.save(&checkpoint, &notes(settings))?;
            if let Some(last) = curve.last() {
                watch.generation(last);
            }
        }
        Ok(true)
    }

    /// The generations of C so far.
    ///
    /// # Errors
    /// See [`read_curve`].
    pub fn generations(&self) -> Result<Vec<Generation>> {
        read_curve(&self.controller().join(CURVE))
    }

    /// The parameters of C that tested best, or the latest ones, and what they see.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if C is not there or its file is broken.
    pub fn evolved(&self, latest: bool) -> Result<(Vec<f32>, Inputs)> {
        let best = self.controller().join(BEST);
        let file = if best.exists() && !latest { best } else { self.controller().join(LATEST) };
        load(&self.needed(file, "train-c")?)
    }
}

/// What must be the same for an evolution to go on.
fn notes(settings: &ControllerSettings) -> HashMap<String, String> {
    let ControllerSettings { inputs, population, episodes, sigma, patience, longest, seed, .. } = settings;
    let text = format!(
        "{inputs:?} population={population} episodes={episodes} sigma={sigma} patience={patience} longest={longest} seed={seed}"
    );
    HashMap::from([("settings".to_string(), text)])
}

fn resumed(path: &Path, settings: &ControllerSettings, count: usize) -> Result<Cmaes> {
    let (strategy, found) = Cmaes::load(path)?;
    let hint = "put the settings back in world.toml, or delete the folder of C to begin anew";
    let (was, is) = (found.get("settings").cloned().unwrap_or_default(), notes(settings).remove("settings"));
    if is.as_ref() != Some(&was) {
        let problem = format!("C was evolved with {was}, and the settings say {}", is.unwrap_or_default());
        return Err(Error::checkpoint(path, problem, hint));
    }
    if strategy.dimension() != count {
        let problem = format!("C has {} parameters, and needs {count}", strategy.dimension());
        return Err(Error::checkpoint(path, problem, hint));
    }
    Ok(strategy)
}

fn save(path: &Path, parameters: &[f32], inputs: Inputs) -> Result<()> {
    let internal = |problem: &dyn std::fmt::Display| Error::Internal(format!("a controller: {problem}"));
    let view = TensorView::new(Dtype::F32, vec![parameters.len()], bytemuck::cast_slice(parameters));
    let view = view.map_err(|problem| internal(&problem))?;
    let inputs = serde_json::to_string(&inputs).map_err(|problem| internal(&problem))?;
    let metadata = HashMap::from([("inputs".to_string(), inputs)]);
    let bytes = safetensors::serialize([(PARAMETERS, view)], Some(metadata));
    crate::files::write_atomically(path, &bytes.map_err(|problem| internal(&problem))?)
}

fn load(path: &Path) -> Result<(Vec<f32>, Inputs)> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    let hint = "evolve it again with vae world train-c";
    let broken = |problem: &dyn std::fmt::Display| {
        Error::checkpoint(path, format!("it holds no controller: {problem}"), hint)
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|problem| broken(&problem))?;
    let inputs = metadata.metadata().as_ref().and_then(|all| all.get("inputs"));
    let inputs = inputs.ok_or_else(|| broken(&"it does not say what the controller sees"))?;
    let inputs = serde_json::from_str(inputs).map_err(|problem| broken(&problem))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|problem| broken(&problem))?;
    let tensor = file.tensor(PARAMETERS).map_err(|problem| broken(&problem))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(broken(&format!("the parameters are {:?}", tensor.dtype())));
    }
    Ok((bytemuck::pod_collect_to_vec(tensor.data()), inputs))
}
