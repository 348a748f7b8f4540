//! The training loop.

use super::feed::{Feed, Finished};
use super::mark::mean_image_bound;
use super::watch::Watch;
use super::{Observer, Outcome, Snapshot, Steps};
use crate::config::{Config, ObjectiveConfig};
use crate::data::Dataset;
use crate::eval::latents::LatentUse;
use crate::eval::layers::{joined, layer_use};
use crate::pace::SUBMIT;
use crate::report::{EpochRecord, LatentRecord, LatentsFile, MetricsFile, StepsFile};
use crate::run::{Checkpoint, RunFolder, TrainState, Weights};
use crate::session::Session;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The latest checkpoint is never older than this, and an epoch's end.
const SAVE_EVERY: Duration = Duration::from_secs(20);

/// The file of the latest checkpoint.
const CHECKPOINT: &str = "checkpoint.safetensors";
/// Metrics that have a place of their own in the record of an epoch, or are measured on held-out images only.
const KNOWN: [&str; 4] = ["reconstruction", "kl", "bound", "squared_error"];
/// Number of held-out images that show which latent dimensions are in use: enough for averages, and quickly encoded.
const MONITORED: usize = 2000;

/// The parameters that a run begins with.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Drawn as the settings say.
    Drawn,
    /// Drawn, with the tensors of a file in the place of those that fit.
    Weights(&'a Weights),
    /// Those of the run's own checkpoint: the run goes on.
    Checkpoint(&'a Checkpoint),
}

/// A run in progress.
#[derive(Debug)]
pub struct Trainer<'a> {
    session: Session,
    config: Config,
    run: &'a RunFolder,
    metrics: MetricsFile,
    log: Option<StepsFile>,
    images: usize,
    test_images: usize,
    state: TrainState,
    steps: Steps,
    feed: Feed,
    watch: Option<Watch>,
    images_per_second: f64,
    last_save: Instant,
    saved_step: Option<u64>,
}

impl<'a> Trainer<'a> {
    /// Begin a run, or go on with one.
    ///
    /// # Errors
    /// If the checkpoint does not fit, the device fails, or the run folder cannot be written.
    pub fn new(
        mut session: Session,
        config: &Config,
        dataset: &Dataset,
        run: &'a RunFolder,
        start: Start<'_>,
    ) -> Result<Self> {
        let mut state = match start {
            Start::Checkpoint(checkpoint) => {
                checkpoint.restore(&mut session, &run.file(CHECKPOINT))?;
                checkpoint.state.clone()
            }
            Start::Drawn | Start::Weights(_) => {
                let mut values = config.first_parameters(session.table(), &dataset.train);
                if let Start::Weights(weights) = start {
                    weights.put(&mut session, &mut values)?;
                }
                session.write_flat("parameters", &values)?;
                session.write_flat("averages", &values)?;
                TrainState::default()
            }
        };
        let mut metrics = MetricsFile::open(run.file("metrics.csv"))?;
        metrics.truncate_after(state.step)?;
        compare_as_now(&mut state, &config.objective, || MetricsFile::read(run.file("metrics.csv")))?;
        let bound = mean_image_bound(config.model.likelihood(), config.binarization(), dataset);
        // A loss with penalties is not compared with it.
        let compared = !config.objective.kind.is_deterministic();
        state.mean_image = Some(bound).filter(|bound| bound.is_finite() && compared);
        let names = &session.plan().metrics;
        let log = config.run.log_steps.then(|| StepsFile::open(&run.file("steps.csv"), names, state.step));
        let log = log.transpose()?;
        let feed = Feed::new(&session, SUBMIT);
        Ok(Self {
            session,
            config: config.clone(),
            run,
            metrics,
            log,
            images: dataset.train.count,
            test_images: dataset.test.count,
            steps: Steps::of(config, dataset.train.count),
            feed,
            watch: Watch::of(dataset, config.run.disentangle_every),
            images_per_second: 0.0,
            last_save: Instant::now(),
            saved_step: matches!(start, Start::Checkpoint(_)).then_some(state.step),
            state,
        })
    }

    /// The model, to draw pictures from: with the averages of its parameters where the run keeps them.
    ///
    /// # Errors
    /// If the device fails.
    pub fn into_session(mut self) -> Result<Session> {
        self.session.exchange_averages()?;
        Ok(self.session)
    }

    /// Where the run stands.
    pub fn state(&self) -> &TrainState {
        &self.state
    }

    /// Train until all steps are done or `interrupt` is set, saving as it goes.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a loss term is not finite (the last checkpoint stays as it was); else if the device fails
    /// or a file cannot be written.
    pub fn train(&mut self, interrupt: &AtomicBool, observer: &mut dyn Observer) -> Result<Outcome> {
        let total = self.config.total_steps(self.images);
        let per_epoch = self.steps.per_epoch();
        while self.state.step < total {
            let epoch = self.state.step / per_epoch;
            let mut left = self.state.step..((epoch + 1) * per_epoch).min(total);
            let order = self.steps.order(epoch);
            while !left.is_empty() {
                let interrupted = interrupt.load(Ordering::Relaxed);
                if interrupted || self.last_save.elapsed() > SAVE_EVERY {
                    let finished = self.feed.receive(&mut self.session, 0)?;
                    self.account(finished, total, observer)?;
                    self.save(CHECKPOINT)?;
                }
                if interrupted {
                    return Ok(Outcome::Interrupted);
                }
                let finished = self.feed.turn(&mut self.session, &mut left, &order, &self.steps)?;
                self.account(finished, total, observer)?;
            }
            let epoch = self.state.step.div_ceil(per_epoch);
            if epoch.is_multiple_of(self.config.run.evaluate_every) || self.state.step == total {
                self.finish_epoch(observer)?;
            }
        }
        if self.saved_step != Some(self.state.step) {
            self.save(CHECKPOINT)?;
        }
        Ok(Outcome::Finished)
    }

    /// Whether the objective weighs samples: its bound is then another one than the ELBO.
    fn weighs(&self) -> bool {
        self.config.objective.kind.weighting().is_some()
    }

    /// Add steps that have finished to the epoch's sums.
    fn account(&mut self, finished: Finished, total: u64, observer: &mut dyn Observer) -> Result<()> {
        if finished.steps.is_empty() {
            return Ok(());
        }
        for (images, row) in &finished.steps {
            self.account_step(row, *images)?;
        }
        let (images, seconds) =
            (finished.steps.iter().map(|step| step.0).sum::<u64>(), finished.time.as_secs_f64());
        self.state.seconds += seconds;
        self.state.epoch_seconds += seconds;
        let speed = images as f64 / seconds.max(1e-9);
        self.images_per_second =
            if self.images_per_second == 0.0 { speed } else { 0.8 * self.images_per_second + 0.2 * speed };
        let (seen, per_epoch) = (self.state.epoch_images.max(1) as f64, self.steps.per_epoch());
        let left = (total - self.state.step) as f64 * self.images as f64 / per_epoch as f64;
        observer.progress(&Snapshot {
            step: self.state.step,
            total_steps: total,
            epoch: (self.state.step.max(1) - 1) / per_epoch + 1,
            reconstruction: self.state.epoch_reconstruction / seen,
            kl: (self.state.epoch_kl + self.state.penalty()) / seen,
            images_per_second: self.images_per_second,
            seconds_left: left / self.images_per_second,
        });
        Ok(())
    }

    /// Add the metrics of one step to the epoch's sums.
    fn account_step(&mut self, row: &[f32], images: u64) -> Result<()> {
        self.state.step += 1;
        let plan = self.session.plan();
        if let Some((name, &value)) = plan.metrics.iter().zip(row).find(|(_, value)| !value.is_finite()) {
            return Err(self.diverged(name, value));
        }
        if let Some(log) = &mut self.log {
            log.append(self.state.step, images, row)?;
        }
        let metric = |name| plan.metric(name).map_or(0.0, |column| f64::from(row[column]));
        let (reconstruction, kl, bound) = (metric("reconstruction"), metric("kl"), metric("bound"));
        self.state.epoch_images += images;
        self.state.epoch_reconstruction += reconstruction * images as f64;
        self.state.epoch_kl += kl * images as f64;
        self.state.epoch_bound -= bound * images as f64;
        let others = plan.metrics.iter().zip(row).filter(|(name, _)| !KNOWN.contains(&name.as_str()));
        for (name, &value) in others {
            *self.state.epoch_others.entry(name.clone()).or_default() += f64::from(value) * images as f64;
        }
        Ok(())
    }

    fn diverged(&self, term: &str, value: f32) -> Error {
        let clip = if self.steps.groups().iter().any(|group| group.clip_norm > 0.0) {
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

    /// Evaluate, record, and save. The averages over training images are those since the last time.
    fn finish_epoch(&mut self, observer: &mut dyn Observer) -> Result<()> {
        self.session.exchange_averages()?;
        let evaluation = self.session.evaluate(self.test_images, 1)?;
        for (term, value) in [
            ("held-out reconstruction", evaluation.reconstruction),
            ("held-out KL divergence", evaluation.kl),
            ("held-out importance-weighted bound", evaluation.bound),
            ("held-out squared error", evaluation.squared_error.unwrap_or(0.0)),
            ("held-out penalty", evaluation.others.values().sum()),
        ] {
            if !value.is_finite() {
                return Err(self.diverged(term, value as f32));
            }
        }
        let (per_epoch, weighs) = (self.steps.per_epoch(), self.weighs());
        let last = self.state.step.max(1) - 1;
        let (beta, learning_rate) = (self.steps.beta(last), self.steps.learning_rate(0, last));
        let used = self.latent_use()?;
        let scores = self.scores()?;
        self.session.exchange_averages()?;
        let state = &mut self.state;
        let seen = state.epoch_images.max(1) as f64;
        let (reconstruction, kl) = (state.epoch_reconstruction / seen, state.epoch_kl / seen);
        let train_others = state.epoch_others.iter().map(|(name, sum)| (format!("train_{name}"), sum / seen));
        let mut others: BTreeMap<String, f64> = train_others.collect();
        others.extend(evaluation.others.iter().map(|(name, value)| (format!("test_{name}"), *value)));
        others.extend(evaluation.squared_error.map(|it| ("squared_error".to_string(), it)));
        others.extend(scores.clone());
        let mut record = EpochRecord {
            epoch: state.step.div_ceil(per_epoch),
            step: state.step,
            images: state.step / per_epoch * self.images as u64
                + state.step % per_epoch * self.config.run.batch_size() as u64,
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
            others,
        };
        // Of a deterministic autoencoder the penalty is a part of the loss, which stands for the bound.
        let deterministic = self.config.objective.kind.is_deterministic();
        let penalty = if deterministic { record.penalty("test") } else { 0.0 };
        if deterministic {
            record.train_elbo -= record.penalty("train");
            record.test_elbo -= penalty;
        }
        let latents = LatentRecord {
            epoch: record.epoch,
            step: record.step,
            active_units: used.active(),
            train_bound: weighs.then_some(state.epoch_bound / seen),
            test_bound: weighs.then_some(evaluation.bound),
            divergences: used.divergences,
        };
        let compared = self.config.objective.compared();
        let score = match weighs {
            true => evaluation.bound,
            false => -(evaluation.reconstruction + compared * evaluation.kl + penalty),
        };
        let below = state.mean_image.filter(|mark| score < *mark);
        let best = below.is_none() && state.best_elbo.is_none_or(|best| score > best);
        if best {
            state.best_elbo = Some(score);
        }
        // The first epoch may end before anything is learned.
        let warning = below.filter(|_| record.epoch > 1 && !state.warned);
        state.warned |= warning.is_some();
        if state.step.is_multiple_of(per_epoch) {
            state.epoch_images = 0;
            state.epoch_reconstruction = 0.0;
            state.epoch_kl = 0.0;
            state.epoch_bound = 0.0;
            state.epoch_others.clear();
            state.epoch_seconds = 0.0;
        }
        if best {
            self.save("best.safetensors")?;
        }
        // The row is written before the checkpoint: should the program die between the two, resuming drops the row
        // and makes it again.
        self.metrics.append(&record)?;
        LatentsFile::append(&self.run.file("latents.csv"), &latents)?;
        self.save(CHECKPOINT)?;
        observer.latents(&latents);
        observer.epoch(&record);
        if let Some(line) = self.watch.as_ref().and_then(|watch| watch.line(&scores)) {
            observer.message(&line);
        }
        if let Some(mark) = warning {
            observer.message(&format!(
                "warning: the held-out bound, {} nats/image, is below that of the mean training image,\n  {mark:.2}: the \
                 model knows less than that. Parameters are kept as best only above it.\n  A smaller \
                 --learning-rate, or --clip-norm 10, may help",
                nats(score)
            ));
        }
        Ok(())
    }

    /// Use of the latent dimensions, measured on the first held-out images.
    fn latent_use(&mut self) -> Result<LatentUse> {
        let numbers: Vec<u32> = (0..self.test_images.min(MONITORED) as u32).collect();
        let posteriors = self.session.encode(&numbers)?;
        Ok(joined(layer_use(&mut self.session, &posteriors)?))
    }

    /// MIG and the score of FactorVAE, every few epochs and at the end.
    fn scores(&mut self) -> Result<BTreeMap<String, f64>> {
        let epoch = self.state.step.div_ceil(self.steps.per_epoch());
        let done = self.state.step == self.config.total_steps(self.images);
        let due = |watch: &&Watch| done || watch.is_due(epoch, self.config.run.evaluate_every);
        match self.watch.as_ref().filter(due) {
            Some(watch) => watch.scores(&mut self.session),
            None => Ok(BTreeMap::new()),
        }
    }

    fn save(&mut self, name: &str) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.flush()?;
        }
        let checkpoint =
            Checkpoint::take(&mut self.session, &self.config, &self.state).map_err(|error| match error {
                Error::Diverged { term, value, .. } => self.diverged(&term, value),
                other => other,
            })?;
        checkpoint.save(&self.run.file(name))?;
        if name == CHECKPOINT {
            checkpoint.export(self.run)?;
        }
        self.last_save = Instant::now();
        self.saved_step = Some(self.state.step);
        Ok(())
    }
}

/// A bound with two digits, or, where it is very large, with its power of ten.
fn nats(bound: f64) -> String {
    if bound.abs() < 1e6 { format!("{bound:.2}") } else { format!("{bound:.2e}") }
}

/// Where the best epoch so far was chosen by another weight of the KL divergence than `objective` has, as in runs of older
/// versions: its bound by this one.
fn compare_as_now(
    state: &mut TrainState,
    objective: &ObjectiveConfig,
    history: impl FnOnce() -> Result<Vec<EpochRecord>>,
) -> Result<()> {
    let (now, before) =
        (objective.compared(), state.best_weight.unwrap_or_else(|| objective.compared_before()));
    state.best_weight = Some(now);
    if state.best_elbo.is_some() && now != before && objective.kind.weighting().is_none() {
        let history = history()?;
        let kept = EpochRecord::best(&history, before);
        state.best_elbo =
            kept.map(|kept| -(kept.test_reconstruction + now * kept.test_kl)).or(state.best_elbo);
    }
    Ok(())
}
