//! The steps of a run: the order of its images, and the numbers of each step that follow from its settings.

use super::schedule;
use crate::config::{Config, ObjectiveConfig, OptimizerConfig, Warmup};
use crate::plan::{Plan, Step};
use crate::random::stream;

/// The steps of a run. They follow from its settings and a step's number: nothing has to be stored to resume.
#[derive(Debug)]
pub struct Steps {
    seed: u64,
    order_version: u32,
    batch: usize,
    images: usize,
    per_epoch: u64,
    objective: ObjectiveConfig,
    /// The optimizer's settings for each group of parameters.
    groups: Vec<OptimizerConfig>,
}

impl Steps {
    /// The steps of a run with the settings `config` on this number of training images.
    pub fn of(config: &Config, images: usize) -> Self {
        Self {
            seed: config.run.seed,
            order_version: config.run.order,
            batch: config.run.batch_size(),
            images,
            per_epoch: config.steps_per_epoch(images),
            objective: config.objective.clone(),
            groups: config.groups().into_iter().map(|name| config.optimizer.of(name)).collect(),
        }
    }

    /// Number of steps in which every image is used once.
    pub fn per_epoch(&self) -> u64 {
        self.per_epoch
    }

    /// Images in a minibatch; the last one of an epoch may have fewer.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The optimizer's settings for each group of parameters.
    pub fn groups(&self) -> &[OptimizerConfig] {
        &self.groups
    }

    /// The order of the images in `epoch`, counted from 0.
    pub fn order(&self, epoch: u64) -> Vec<u32> {
        schedule::epoch_order(self.images, self.seed, epoch, self.order_version)
    }

    /// Weight of the KL divergence at `step`.
    pub fn beta(&self, step: u64) -> f64 {
        let (objective, per_epoch) = (&self.objective, self.per_epoch);
        let step = schedule::step_of_cycle(objective.kl_cycle, step, per_epoch);
        objective.kl_warmup.weight(objective.beta(), step, per_epoch)
    }

    /// KL target at `step`, nats: rises linearly from 0 to the capacity, then stays (Burgess et al., "Understanding
    /// disentangling in beta-VAE", 2018, section 5).
    fn capacity(&self, step: u64) -> f64 {
        let nats = self.objective.capacity.unwrap_or(0.0);
        Warmup::Epochs(self.objective.capacity_epochs).weight(nats, step, self.per_epoch)
    }

    /// Learning rate of a group of parameters at `step`.
    pub fn learning_rate(&self, group: usize, step: u64) -> f64 {
        let settings = &self.groups[group];
        settings.learning_rate() * settings.learning_rate_schedule.factor(step, self.per_epoch)
    }

    /// The record of `step` for `plan`: seed and counter of its noise, KL weight and target, and the numbers of every
    /// group's optimizer.
    pub fn record(&self, plan: &Plan, step: u64) -> Step {
        let mut record = Step::seeded(self.seed, stream::TRAIN_NOISE).at(step);
        plan.set_number(&mut record, "beta", self.beta(step));
        plan.set_number(&mut record, "capacity", self.capacity(step));
        plan.set_number(&mut record, "corruption", self.objective.noise_level());
        plan.set_number(&mut record, "penalty", self.objective.penalty_at(step, self.per_epoch));
        plan.set_number(&mut record, "images", self.images as f64);
        let ends = (step + 1).is_multiple_of(self.per_epoch);
        plan.set_number(&mut record, "epoch_ends", f64::from(u8::from(ends)));
        for (group, settings) in self.groups.iter().enumerate() {
            let rate = self.learning_rate(group, step);
            settings.optimizer().prepare(step + 1, rate, group, &mut record);
        }
        record
    }
}
