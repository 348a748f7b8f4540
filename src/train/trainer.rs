//! The training loop.

use super::schedule;
use crate::config::{Config, OptimizerConfig};
use crate::data::Dataset;
use crate::eval::latents::LatentUse;
use crate::eval::layers::{joined, layer_use};
use crate::pace::Pace;
use crate::plan::Step;
use crate::random::stream;
use crate::report::{EpochRecord, LatentRecord, LatentsFile, MetricsFile};
use crate::run::{Checkpoint, RunFolder, TrainState};
use crate::session::{Session, Which};
use crate::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A submit should take about this long: long enough that submitting costs nothing, short enough that an interrupt is
/// answered at once and no operating system takes the device for hung.
const SUBMIT: Duration = Duration::from_millis(200);
/// The latest checkpoint is never older than this, and an epoch's end.
const SAVE_EVERY: Duration = Duration::from_secs(20);

/// Held-out images whose posteriors tell which latent dimensions are in use: enough for averages, few enough to cost
/// next to nothing.
const MONITORED: usize = 2000;

/// How far a run is, between epochs.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Epoch in work, counted from 1.
    pub epoch: u64,
    /// Averages over the epoch so far, nats per image.
    pub reconstruction: f64,
    /// The same for the KL divergence.
    pub kl: f64,
    /// Training speed of the last submits.
    pub images_per_second: f64,
    /// Time left at that speed, evaluation left out.
    pub seconds_left: f64,
}

/// Is told of a run's progress.
pub trait Observer {
    /// Some steps are done.
    fn progress(&mut self, snapshot: &Snapshot);
    /// What the latent dimensions carry, measured at an epoch's end; comes before [`Observer::epoch`].
    fn latents(&mut self, record: &LatentRecord) {
        let _ = record;
    }
    /// An epoch is done and evaluated.
    fn epoch(&mut self, record: &EpochRecord);
}

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// It was interrupted, and saved.
    Interrupted,
}

/// A run in progress.
#[derive(Debug)]
pub struct Trainer<'a> {
    session: Session,
    config: Config,
    /// The optimizer's settings for each parameter group.
    groups: Vec<OptimizerConfig>,
    run: &'a RunFolder,
    metrics: MetricsFile,
    images: usize,
    test_images: usize,
    state: TrainState,
    /// Order of the images in the epoch `order.0`.
    order: (u64, Vec<u32>),
    pace: Pace,
    /// (number of steps, images) of submits not yet received.
    pending: VecDeque<Vec<u32>>,
    images_per_second: f64,
    last_save: Instant,
    saved_step: Option<u64>,
}

impl<'a> Trainer<'a> {
    /// Start a run with fresh parameters, or go on from `checkpoint`.
    ///
    /// # Errors
    /// If the checkpoint does not fit, the device fails, or the run folder cannot be written.
    pub fn new(
        mut session: Session,
        config: &Config,
        dataset: &Dataset,
        run: &'a RunFolder,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Self> {
        let state = match checkpoint {
            Some(checkpoint) => {
                checkpoint.restore(&mut session, &run.file("checkpoint.safetensors"))?;
                checkpoint.state.clone()
            }
            None => {
                let values = config.first_parameters(session.table(), &dataset.train);
                session.write_flat("parameters", &values)?;
                TrainState::default()
            }
        };
        let mut metrics = MetricsFile::open(run.file("metrics.csv"))?;
        metrics.truncate_after(state.step)?;
        let groups = config.model.groups().iter().map(|name| config.optimizer.of(name)).collect();
        let pace = Pace::new(SUBMIT, session.max_steps());
        Ok(Self {
            session,
            config: config.clone(),
            groups,
            run,
            metrics,
            images: dataset.train.count,
            test_images: dataset.test.count,
            order: (u64::MAX, Vec::new()),
            pace,
            pending: VecDeque::new(),
            images_per_second: 0.0,
            last_save: Instant::now(),
            saved_step: checkpoint.map(|_| state.step),
            state,
        })
    }

    /// The model, to draw pictures from.
    pub fn into_session(self) -> Session {
        self.session
    }

    /// Where the run stands.
    pub fn state(&self) -> &TrainState {
        &self.state
    }

    fn steps_per_epoch(&self) -> u64 {
        self.images.div_ceil(self.config.run.batch_size) as u64
    }

    /// Train until all steps are done or `interrupt` is set, saving as it goes.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a loss term is not finite (the last checkpoint stays as it was); else if the device fails
    /// or a file cannot be written.
    pub fn train(&mut self, interrupt: &AtomicBool, observer: &mut dyn Observer) -> Result<Outcome> {
        let total = self.config.total_steps(self.images);
        let mut queued = self.state.step;
        let mut last = Instant::now();
        while self.state.step < total {
            if interrupt.load(Ordering::Relaxed) {
                self.receive(0, &mut last, total, observer)?;
                self.save("checkpoint.safetensors")?;
                return Ok(Outcome::Interrupted);
            }
            let per_epoch = self.steps_per_epoch();
            let epoch_end = ((queued / per_epoch + 1) * per_epoch).min(total);
            let count = (self.pace.steps() as u64).min(epoch_end - queued);
            self.queue(queued, count)?;
            queued += count;
            // At the end of an epoch all is waited for; else one submit stays in the queue, so that the device
            // does not idle while the host prepares the next.
            let at_end = queued == epoch_end;
            self.receive(usize::from(!at_end), &mut last, total, observer)?;
            if at_end {
                self.finish_epoch(observer)?;
                last = Instant::now();
            }
            if self.last_save.elapsed() > SAVE_EVERY && !at_end {
                self.receive(0, &mut last, total, observer)?;
                self.save("checkpoint.safetensors")?;
            }
        }
        if self.saved_step != Some(self.state.step) {
            self.save("checkpoint.safetensors")?;
        }
        Ok(Outcome::Finished)
    }

    /// Submit steps `first..first + count`, all of one epoch.
    fn queue(&mut self, first: u64, count: u64) -> Result<()> {
        let per_epoch = self.steps_per_epoch();
        let epoch = first / per_epoch;
        if self.order.0 != epoch {
            let (seed, order) = (self.config.run.seed, self.config.run.order);
            self.order = (epoch, schedule::epoch_order(self.images, seed, epoch, order));
        }
        let batch = self.config.run.batch_size;
        let place = (first % per_epoch) as usize;
        let batches: Vec<&[u32]> = self.order.1.chunks(batch).skip(place).take(count as usize).collect();
        let steps = (first..first + count).map(|step| self.step_record(step)).collect();
        self.session.submit("train", Which::Train, &batches, steps)?;
        self.pending.push_back(batches.iter().map(|batch| batch.len() as u32).collect());
        Ok(())
    }

    /// Weight of the KL divergence at `step`.
    fn beta(&self, step: u64) -> f64 {
        let (config, per_epoch) = (&self.config, self.steps_per_epoch());
        let step = schedule::step_of_cycle(config.objective.kl_cycle, step, per_epoch);
        schedule::beta(config.objective.beta, config.objective.kl_warmup, step, per_epoch)
    }

    /// Nats that the KL divergence is drawn to at `step`.
    fn capacity(&self, step: u64) -> f64 {
        let objective = &self.config.objective;
        let nats = objective.capacity.unwrap_or(0.0);
        schedule::capacity(nats, objective.capacity_epochs, step, self.steps_per_epoch())
    }

    /// Learning rate of a group at `step`.
    fn learning_rate(&self, group: &OptimizerConfig, step: u64) -> f64 {
        group.learning_rate() * group.learning_rate_schedule.factor(step, self.steps_per_epoch())
    }

    /// Whether the objective weighs samples, and so has a bound of its own.
    fn weighs(&self) -> bool {
        self.config.objective.kind.weighting().is_some()
    }

    fn step_record(&self, step: u64) -> Step {
        let mut record = Step::seeded(self.config.run.seed, stream::TRAIN_NOISE).at(step);
        let plan = self.session.plan();
        plan.set_number(&mut record, "beta", self.beta(step));
        plan.set_number(&mut record, "capacity", self.capacity(step));
        for (group, settings) in self.groups.iter().enumerate() {
            let rate = self.learning_rate(settings, step);
            settings.optimizer().prepare(step + 1, rate, group, &mut record);
        }
        record
    }

    /// Take in what has finished, until at most `left` submits are in the queue.
    fn receive(
        &mut self,
        left: usize,
        last: &mut Instant,
        total: u64,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let finished = self.session.receive(left)?;
        if finished.is_empty() {
            return Ok(());
        }
        let (mut steps, mut images) = (0, 0_u64);
        for submit in finished {
            let sizes = self.pending.pop_front().unwrap_or_default();
            for (row, size) in submit.rows().zip(sizes) {
                self.account(row, u64::from(size))?;
                steps += 1;
                images += u64::from(size);
            }
        }
        let elapsed = last.elapsed();
        *last = Instant::now();
        self.state.seconds += elapsed.as_secs_f64();
        self.state.epoch_seconds += elapsed.as_secs_f64();
        self.pace.learn(steps, elapsed);
        let speed = images as f64 / elapsed.as_secs_f64().max(1e-9);
        self.images_per_second =
            if self.images_per_second == 0.0 { speed } else { 0.8 * self.images_per_second + 0.2 * speed };
        let seen = self.state.epoch_images.max(1) as f64;
        let left = (total - self.state.step) as f64 * self.images as f64 / self.steps_per_epoch() as f64;
        observer.progress(&Snapshot {
            step: self.state.step,
            total_steps: total,
            epoch: (self.state.step.max(1) - 1) / self.steps_per_epoch() + 1,
            reconstruction: self.state.epoch_reconstruction / seen,
            kl: self.state.epoch_kl / seen,
            images_per_second: self.images_per_second,
            seconds_left: left / self.images_per_second,
        });
        Ok(())
    }

    /// Add one step's row of metrics to the epoch's.
    fn account(&mut self, row: &[f32], images: u64) -> Result<()> {
        self.state.step += 1;
        if let Some((name, &value)) =
            self.session.plan().metrics.iter().zip(row).find(|(_, value)| !value.is_finite())
        {
            return Err(self.diverged(&name.clone(), value));
        }
        let metric = |name| self.session.plan().metric(name).map_or(0.0, |column| f64::from(row[column]));
        let (reconstruction, kl, bound) = (metric("reconstruction"), metric("kl"), metric("bound"));
        self.state.epoch_images += images;
        self.state.epoch_reconstruction += reconstruction * images as f64;
        self.state.epoch_kl += kl * images as f64;
        self.state.epoch_bound -= bound * images as f64;
        Ok(())
    }

    fn diverged(&self, term: &str, value: f32) -> Error {
        let clip = if self.groups.iter().any(|group| group.clip_norm > 0.0) {
            "a smaller --clip-norm"
        } else {
            "a --clip-norm such as 10"
        };
        let mut hint = format!("begin a new run with a smaller --learning-rate, or {clip}");
        if let Some(step) = self.saved_step {
            let path = self.run.path().display();
            hint += &format!("\n  the parameters of step {step} are kept in {path}");
        }
        Error::Diverged { step: self.state.step, term: term.into(), value, hint }
    }

    /// Evaluate, record, and save.
    fn finish_epoch(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let evaluation = self.session.evaluate(self.test_images, 1)?;
        for (term, value) in [
            ("held-out reconstruction", evaluation.reconstruction),
            ("held-out KL divergence", evaluation.kl),
            ("held-out importance-weighted bound", evaluation.bound),
        ] {
            if !value.is_finite() {
                return Err(self.diverged(term, value as f32));
            }
        }
        let (per_epoch, weighs) = (self.steps_per_epoch(), self.weighs());
        let last = self.state.step.max(1) - 1;
        let (beta, learning_rate) = (self.beta(last), self.learning_rate(&self.groups[0], last));
        let used = self.latent_use()?;
        let state = &mut self.state;
        let seen = state.epoch_images.max(1) as f64;
        let (reconstruction, kl) = (state.epoch_reconstruction / seen, state.epoch_kl / seen);
        let record = EpochRecord {
            epoch: state.step.div_ceil(per_epoch),
            step: state.step,
            images: state.step / per_epoch * self.images as u64
                + state.step % per_epoch * self.config.run.batch_size as u64,
            seconds: state.seconds,
            train_elbo: -(reconstruction + kl),
            train_reconstruction: reconstruction,
            train_kl: kl,
            test_elbo: evaluation.elbo(),
            test_reconstruction: evaluation.reconstruction,
            test_kl: evaluation.kl,
            beta,
            learning_rate,
            images_per_second: seen / state.epoch_seconds.max(1e-9),
            others: BTreeMap::new(),
        };
        let latents = LatentRecord {
            epoch: record.epoch,
            step: record.step,
            active_units: used.active(),
            train_bound: weighs.then_some(state.epoch_bound / seen),
            test_bound: weighs.then_some(evaluation.bound),
            divergences: used.divergences,
        };
        let score = if weighs { evaluation.bound } else { evaluation.elbo() };
        let best = state.best_elbo.is_none_or(|best| score > best);
        if best {
            state.best_elbo = Some(score);
        }
        if state.step.is_multiple_of(per_epoch) {
            state.epoch_images = 0;
            state.epoch_reconstruction = 0.0;
            state.epoch_kl = 0.0;
            state.epoch_bound = 0.0;
            state.epoch_seconds = 0.0;
        }
        if best {
            self.save("best.safetensors")?;
        }
        // The row is written before the checkpoint: should the program die between the two, resuming drops the row
        // and makes it again.
        self.metrics.append(&record)?;
        LatentsFile::append(&self.run.file("latents.csv"), &latents)?;
        self.save("checkpoint.safetensors")?;
        observer.latents(&latents);
        observer.epoch(&record);
        Ok(())
    }

    /// What the latent dimensions carry, on the first held-out images.
    fn latent_use(&mut self) -> Result<LatentUse> {
        let numbers: Vec<u32> = (0..self.test_images.min(MONITORED) as u32).collect();
        let posteriors = self.session.encode(&numbers)?;
        Ok(joined(layer_use(&mut self.session, &posteriors)?))
    }

    fn save(&mut self, name: &str) -> Result<()> {
        let checkpoint =
            Checkpoint::take(&mut self.session, &self.config, &self.state).map_err(|error| match error {
                Error::Diverged { term, value, .. } => self.diverged(&term, value),
                other => other,
            })?;
        checkpoint.save(&self.run.file(name))?;
        self.last_save = Instant::now();
        self.saved_step = Some(self.state.step);
        Ok(())
    }
}
