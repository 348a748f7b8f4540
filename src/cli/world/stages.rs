//! The stages of a world run, each of which goes on where it was stopped.

use super::flags::by_flags;
use crate::cli::output::say;
use crate::cli::train::{INTERRUPTED, Train, watch_for_interrupts};
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use vae::device::{DeviceChoice, OpenDevice};
use vae::report::human_duration;
use vae::text::thousands;
use vae::train::Outcome;
use vae::world::agent::{Agent, Sight};
use vae::world::controller::{Generation, Progress, Watch};
use vae::world::environment::Environment;
use vae::world::memory::{Episodes, MemoryProgress, train};
use vae::world::{AtRandom, EPISODES, Native, Policy, Trained, WorldFolder};
use vae::{Error, Result};

/// Cars that collect frames at once.
const SEATS: usize = 32;

pub(super) fn exit(outcome: Outcome) -> Result<ExitCode> {
    Ok(match outcome {
        Outcome::Finished => ExitCode::SUCCESS,
        Outcome::Interrupted => ExitCode::from(INTERRUPTED),
    })
}

/// A line that is written over on a terminal, and seldom elsewhere.
pub(super) struct Line {
    terminal: bool,
    since: Instant,
    said: Option<Instant>,
    open: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, since: Instant::now(), said: None, open: false }
    }

    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        let every = Duration::from_millis(if self.terminal { 200 } else { 30_000 });
        if self.said.unwrap_or(self.since).elapsed() < every {
            return;
        }
        self.said = Some(Instant::now());
        if self.terminal {
            self.open = true;
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", text());
        } else {
            say(&text());
        }
    }

    /// Leave the terminal as it was.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.open) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// A line that stays.
    pub(super) fn keep(&mut self, text: &str) {
        self.clear();
        say(text);
    }
}

fn interrupted(line: &mut Line, folder: &WorldFolder, command: &str) -> Outcome {
    line.keep(&format!(
        "interrupted; the same command goes on: vae world {command} {}",
        folder.path().display()
    ));
    Outcome::Interrupted
}

/// The environment of this program, for the settings of `folder`.
pub(super) fn native(folder: &WorldFolder) -> Box<dyn Environment> {
    Box::new(Native::new(SEATS, folder.settings().environment.camera))
}

/// The random policy, or the controller of the world `teacher`, for `seats` seats.
pub(super) fn policy(
    teacher: Option<&WorldFolder>,
    device: &DeviceChoice,
    seats: usize,
) -> Result<Box<dyn Policy>> {
    let Some(teacher) = teacher else { return Ok(Box::new(AtRandom::new(seats))) };
    let (weights, inputs) = teacher.evolved(false)?;
    let mind = teacher.mind(inputs)?;
    let agent = Agent::open(&OpenDevice::open(device)?, &mind, seats, Sight::Frames)?;
    Ok(Box::new(Trained::new(agent, &weights, 0)))
}

/// Frames by the random policy.
pub(in crate::cli) fn collect(folder: &WorldFolder) -> Result<Outcome> {
    if folder.frames().exists() {
        return Ok(Outcome::Finished);
    }
    collect_in(folder, native(folder), Box::new(AtRandom::new(SEATS)))
}

/// Frames of this environment by this policy.
pub(super) fn collect_in(
    folder: &WorldFolder,
    mut environment: Box<dyn Environment>,
    mut policy: Box<dyn Policy>,
) -> Result<Outcome> {
    let interrupt = watch_for_interrupts()?;
    let wanted = folder.settings().frames.count;
    let mut line = Line::new();
    let began = Instant::now();
    let found = folder.collect((environment.as_mut(), policy.as_mut()), interrupt, &mut |frames| {
        line.show(|| format!("{} of {} frames", thousands(frames), thousands(wanted)));
    })?;
    let Some(found) = found else {
        line.keep("interrupted; frames are kept once all are there, and the same command begins again");
        return Ok(Outcome::Interrupted);
    };
    let seconds = began.elapsed().as_secs_f64();
    let returns: Vec<f64> = found.returns();
    line.keep(&format!(
        "{} frames of {} episodes in {} ({} a second); return {:.0} ± {:.0}",
        thousands(found.frames()),
        thousands(returns.len()),
        human_duration(seconds),
        thousands((found.frames() as f64 / seconds) as usize),
        mean(&returns),
        deviation(&returns),
    ));
    Ok(Outcome::Finished)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The standard deviation of the sample.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / values.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// The command line of `vae train`, for a part of this command.
#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    train: Train,
}

/// V, by `vae train`.
pub(in crate::cli) fn vision(folder: &WorldFolder, device: &DeviceChoice) -> Result<Outcome> {
    let frames = folder.needed(folder.frames(), "collect --out")?;
    let steps = folder.settings().vision.steps;
    let vision = folder.vision();
    let begun = vision.join("checkpoint.safetensors").exists();
    let (place, steps) = (vision.display().to_string(), steps.to_string());
    let dataset = format!("{}:frames", frames.display());
    let seed = folder.settings().frames.seed.to_string();
    let device = device.to_string();
    let mut words = vec!["vae", "--device", &device, "--steps", &steps];
    if begun {
        words.extend(["--resume", &place]);
    } else {
        words.extend(["--dataset", &dataset, "--model", "world-models", "--seed", &seed, "--out", &place]);
        // A run that stopped before its first save.
        words.push("--overwrite");
    }
    let typed = Typed::try_parse_from(words).map_err(|error| Error::Internal(error.to_string()))?;
    typed.train.train()
}

/// M: the frames are encoded once.
pub(in crate::cli) fn memory(folder: &WorldFolder, device: &DeviceChoice) -> Result<Outcome> {
    if folder.settings().memory.steps == 0 {
        return Ok(Outcome::Finished);
    }
    let interrupt = watch_for_interrupts()?;
    let device = OpenDevice::open(device)?;
    let mut line = Line::new();
    let place = folder.memory();
    let file = place.join(EPISODES);
    if !file.exists() {
        let began = Instant::now();
        let episodes = folder.encode(&device, &mut |done, all| {
            line.show(|| format!("encoded {} of {} frames", thousands(done), thousands(all)));
        })?;
        std::fs::create_dir_all(&place).map_err(|source| Error::io(&place, source))?;
        episodes.save(&file)?;
        line.keep(&format!("encoded the frames in {}", human_duration(began.elapsed().as_secs_f64())));
    }
    let episodes = Episodes::load(&file)?;
    let settings = folder.memory_settings(episodes.latent);
    let steps = settings.train_steps;
    let mut last = None;
    let mut observer = |progress: &MemoryProgress| {
        line.show(|| format!("M: step {} of {steps}, {:.4} nats", progress.step, progress.train));
        if progress.test.is_some() {
            last = Some(*progress);
        }
    };
    let (state, outcome) =
        train(device, &settings, &episodes, &place, interrupt, &mut observer).map_err(by_flags)?;
    if outcome == Outcome::Interrupted {
        return Ok(interrupted(&mut line, folder, "train-m"));
    }
    if let Some(MemoryProgress { train, test: Some(test), .. }) = last {
        line.keep(&format!(
            "M: {} steps in {}; nats for a dimension and a step: {train:.4} in training, {test:.4} held out",
            thousands(state.step as usize),
            human_duration(state.seconds),
        ));
    }
    Ok(Outcome::Finished)
}

/// Prints an evolution.
struct Shown {
    line: Line,
    last: f64,
    generations: usize,
}

impl Watch for Shown {
    fn progress(&mut self, progress: Progress) {
        let Progress { generation, episodes: [ended, all], steps } = progress;
        let all_generations = self.generations;
        self.line.show(|| {
            let steps = thousands(steps);
            format!("generation {generation} of {all_generations}: {ended} of {all} episodes, {steps} steps")
        });
    }

    fn generation(&mut self, it: &Generation) {
        let tested = it.tested.map_or(String::new(), |tested| format!(", tested {tested:.0}"));
        let seconds = it.seconds - self.last;
        self.last = it.seconds;
        self.line.keep(&format!(
            "generation {:>4}: mean {:>6.1} ({:.0} to {:.0}), sigma {:.4}, {}{tested}",
            it.generation,
            it.mean,
            it.least,
            it.most,
            it.sigma,
            human_duration(seconds),
        ));
    }
}

/// C.
pub(in crate::cli) fn controller(folder: &WorldFolder, device: &DeviceChoice) -> Result<Outcome> {
    let interrupt = watch_for_interrupts()?;
    let device = OpenDevice::open(device)?;
    let last = folder.generations()?.last().map_or(0.0, |last| last.seconds);
    let generations = folder.settings().controller.generations;
    let mut shown = Shown { line: Line::new(), last, generations };
    match folder.evolve(&device, interrupt, &mut shown)? {
        true => Ok(Outcome::Finished),
        false => Ok(interrupted(&mut shown.line, folder, "train-c")),
    }
}
