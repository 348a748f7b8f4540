//! Training of M.

use super::{Episodes, Memory, MemoryConfig, NATS, Parameters, windows};
use crate::device::OpenDevice;
use crate::files::write_atomically;
use crate::pace::{Pace, SUBMIT};
use crate::plan::{MetricRows, Step};
use crate::random::stream;
use crate::session::{EVALUATION_SEED, Session, Which};
use crate::train::{Outcome, epoch_order};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The latest checkpoint is never older than this.
const SAVE_EVERY: Duration = Duration::from_secs(20);
const HEADER: &str = "step,train_nats,test_nats,seconds";

/// Where training stands. Random numbers and the order of sequences follow from the step and the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MemoryState {
    /// Steps done.
    pub step: u64,
    /// Seconds of training, evaluation left out.
    pub seconds: f64,
    /// Sum over the steps since the last evaluation of their loss, nats for each dimension and step.
    pub nats: f64,
    /// These steps.
    pub steps: u64,
    /// The lowest held-out loss so far, nats for each dimension and step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<f64>,
}

/// What an observer of training sees: after each submit, and after each evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryProgress {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// Mean loss of the steps since the last evaluation, nats for each latent dimension and step.
    pub train: f64,
    /// The same of held-out sequences, after an evaluation.
    pub test: Option<f64>,
    /// Seconds of training so far.
    pub seconds: f64,
}

/// Train M on `episodes`, in the folder `folder` of a world run, until all steps are done or `interrupt` is set. It goes on from the
/// folder's checkpoint if there is one: a training that was stopped ends bit for bit as others. The folder gets
///
/// * `config.toml`, the settings;
/// * `metrics.csv`: step, training and held-out loss in nats for each latent dimension and step, and seconds, a line an evaluation;
/// * `checkpoint.safetensors`, the last parameters with the optimizer's moments;
/// * `best.safetensors`, the parameters of the lowest held-out loss.
///
/// # Errors
/// [`Error::Setting`] and [`Error::Data`] if settings and episodes do not fit; [`Error::Checkpoint`] if the folder's checkpoint was
/// trained with other settings; [`Error::Diverged`] if the loss is not finite; else if the device fails or a file cannot be written.
pub fn train(
    device: OpenDevice,
    config: &MemoryConfig,
    episodes: &Episodes,
    folder: &Path,
    interrupt: &AtomicBool,
    observer: &mut dyn FnMut(&MemoryProgress),
) -> Result<(MemoryState, Outcome)> {
    config.check()?;
    let dataset = windows(episodes, config)?;
    let memory = Memory { config: *config };
    let optimizers = config.optimizer().into();
    let mut session = Session::open(device, &memory.task(), Some(&optimizers), &dataset)?;
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let checkpoint = folder.join("checkpoint.safetensors");
    let state = if checkpoint.is_file() {
        let saved = Parameters::load(&checkpoint)?;
        if let Some(key) = saved.config.difference(config) {
            let problem = format!("it was trained with another memory.{key}");
            let hint = "put the old value back, or delete the file to train M anew";
            return Err(Error::checkpoint(&checkpoint, problem, hint));
        }
        saved.restore(&mut session, &checkpoint)?;
        saved.state
    } else {
        let first = memory.first_parameters(session.table(), config.seed);
        session.write_flat("parameters", &first)?;
        MemoryState::default()
    };
    let toml = toml::to_string(config).map_err(|error| Error::Internal(format!("memory: {error}")))?;
    write_atomically(&folder.join("config.toml"), toml.as_bytes())?;
    let metrics = Metrics::open(folder.join("metrics.csv"), state.step)?;
    let (pace, evaluation) = (session.pace(SUBMIT), session.pace(SUBMIT));
    let mut trainer = Trainer {
        session,
        config: *config,
        folder,
        checkpoint,
        sequences: [dataset.train.count, dataset.test.count],
        state,
        metrics,
        paces: [pace, evaluation],
        last_save: Instant::now(),
    };
    let outcome = trainer.run(interrupt, observer)?;
    Ok((trainer.state, outcome))
}

struct Trainer<'a> {
    session: Session,
    config: MemoryConfig,
    folder: &'a Path,
    checkpoint: PathBuf,
    /// Training and held-out sequences.
    sequences: [usize; 2],
    state: MemoryState,
    metrics: Metrics,
    /// Of training and of evaluation.
    paces: [Pace; 2],
    last_save: Instant,
}

impl Trainer<'_> {
    fn run(&mut self, interrupt: &AtomicBool, observer: &mut dyn FnMut(&MemoryProgress)) -> Result<Outcome> {
        let (total, every) = (self.config.train_steps, self.config.evaluate_every);
        while self.state.step < total {
            let per_epoch = self.sequences[0].div_ceil(self.config.batch_size) as u64;
            let step = self.state.step;
            let ends = [total, (step / every + 1) * every, (step / per_epoch + 1) * per_epoch];
            let most = step + self.paces[0].steps() as u64;
            let end = ends.into_iter().fold(most, u64::min);
            self.train_until(end, per_epoch)?;
            let mut progress = self.progress();
            if end.is_multiple_of(every) || end == total {
                progress.test = Some(self.evaluated()?);
            }
            let stop = interrupt.load(Ordering::Relaxed);
            if progress.test.is_some() || stop || self.last_save.elapsed() > SAVE_EVERY {
                self.save()?;
            }
            observer(&progress);
            if stop && end < total {
                return Ok(Outcome::Interrupted);
            }
        }
        Ok(Outcome::Finished)
    }

    fn progress(&self) -> MemoryProgress {
        MemoryProgress {
            step: self.state.step,
            steps: self.config.train_steps,
            train: self.state.nats / self.state.steps.max(1) as f64,
            test: None,
            seconds: self.state.seconds,
        }
    }

    /// Train to step `end`, which is of the same epoch.
    fn train_until(&mut self, end: u64, per_epoch: u64) -> Result<()> {
        let start = Instant::now();
        let (config, first) = (self.config, self.state.step);
        let order = epoch_order(self.sequences[0], config.seed, first / per_epoch, 2);
        let all: Vec<&[u32]> = order.chunks(config.batch_size).collect();
        let own = (first % per_epoch) as usize..(first % per_epoch + (end - first)) as usize;
        let optimizer = config.optimizer();
        let record = |step: u64| {
            let mut record = Step::seeded(config.seed, stream::TRAIN_NOISE).at(step);
            optimizer.prepare(step + 1, config.learning_rate, 0, &mut record);
            record
        };
        let steps = (first..end).map(record).collect();
        let [pace, _] = &mut self.paces;
        let rows = self.session.run_at_pace(pace, "train", Which::Train, &all[own], steps)?;
        for nats in of_metric(&self.session, &rows) {
            if !nats.is_finite() {
                let term = "loss".to_string();
                let hint = "; use a smaller memory.learning-rate".to_string();
                return Err(Error::Diverged { step: self.state.step, term, value: nats, hint });
            }
            self.state.step += 1;
            self.state.steps += 1;
            self.state.nats += f64::from(nats);
        }
        self.state.seconds += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Evaluate on held-out sequences, under fixed noise, and keep the parameters if they are the best.
    fn evaluated(&mut self) -> Result<f64> {
        let numbers: Vec<u32> = (0..self.sequences[1] as u32).collect();
        let batches: Vec<&[u32]> = numbers.chunks(self.config.batch_size).collect();
        let record = |batch: usize| Step::seeded(EVALUATION_SEED, stream::EVALUATION_NOISE).at(batch as u64);
        let (mut done, mut sum) = (0, 0.0);
        while done < batches.len() {
            let [_, pace] = &mut self.paces;
            let end = batches.len().min(done + pace.steps());
            let (own, steps) = (&batches[done..end], (done..end).map(record).collect());
            let rows = self.session.run_at_pace(pace, "evaluate", Which::Test, own, steps)?;
            let nats = of_metric(&self.session, &rows);
            sum += nats.iter().zip(own).map(|(&nats, own)| f64::from(nats) * own.len() as f64).sum::<f64>();
            done = end;
        }
        let test = sum / numbers.len() as f64;
        let progress = self.progress();
        self.metrics.add(&progress, test)?;
        (self.state.nats, self.state.steps) = (0.0, 0);
        if self.state.best.is_none_or(|best| test < best) {
            self.state.best = Some(test);
            let best = Parameters::take(&mut self.session, &self.config, &self.state, false)?;
            best.save(&self.folder.join("best.safetensors"))?;
        }
        Ok(test)
    }

    fn save(&mut self) -> Result<()> {
        let all = Parameters::take(&mut self.session, &self.config, &self.state, true)?;
        all.save(&self.checkpoint)?;
        self.last_save = Instant::now();
        Ok(())
    }
}

/// The loss of each step.
fn of_metric(session: &Session, received: &[MetricRows]) -> Vec<f32> {
    let column = session.plan().metric(NATS).unwrap_or_default();
    received.iter().flat_map(MetricRows::rows).map(|row| row[column]).collect()
}

/// The file of the curve.
struct Metrics {
    path: PathBuf,
    text: String,
}

impl Metrics {
    /// Open the file, without the lines after step `step`.
    fn open(path: PathBuf, step: u64) -> Result<Self> {
        let mut text = format!("{HEADER}\n");
        if step > 0 {
            let old = std::fs::read_to_string(&path).unwrap_or_default();
            let kept = |line: &&str| {
                let number = line.split(',').next().and_then(|first| first.parse::<u64>().ok());
                number.is_some_and(|number| number <= step)
            };
            for line in old.lines().filter(kept) {
                text += line;
                text.push('\n');
            }
        }
        Ok(Self { path, text })
    }

    fn add(&mut self, progress: &MemoryProgress, test: f64) -> Result<()> {
        let MemoryProgress { step, train, seconds, .. } = progress;
        self.text += &format!("{step},{train:.5},{test:.5},{seconds:.2}\n");
        write_atomically(&self.path, self.text.as_bytes())
    }
}
