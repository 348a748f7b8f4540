//! Models trained in memory, for figures.

use super::Options;
use crate::Result;
use crate::config::Config;
use crate::data::{Dataset, Part};
use crate::device::OpenDevice;
use crate::graph::Binarize;
use crate::optimizer::Optimizers;
use crate::plan::Step;
use crate::random::stream;
use crate::session::{Session, Which};
use crate::train::epoch_order;

/// A model in training.
pub(super) struct Training<'a> {
    pub(super) session: Session,
    config: &'a Config,
    images: usize,
    step: u64,
}

impl<'a> Training<'a> {
    /// A model of `config` with fresh parameters.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn start(device: &OpenDevice, config: &'a Config, dataset: &Dataset) -> Result<Self> {
        let task = config.task(dataset.shape);
        let mut session = Session::open(device.clone(), &task, Some(&config.optimizers()), dataset)?;
        let start = config.first_parameters(session.table(), &dataset.train);
        session.write_flat("parameters", &start)?;
        Ok(Self { session, config, images: dataset.train.count, step: 0 })
    }

    fn steps_per_epoch(&self) -> u64 {
        self.images.div_ceil(self.config.run.batch_size) as u64
    }

    /// Train until `epochs` passes over the images are done.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn until(&mut self, epochs: f64) -> Result<()> {
        let per_epoch = self.steps_per_epoch();
        let end = (epochs * per_epoch as f64).round() as u64;
        while self.step < end {
            let epoch = self.step / per_epoch;
            let order = epoch_order(self.images, self.config.run.seed, epoch, self.config.run.order);
            let batches: Vec<&[u32]> = order.chunks(self.config.run.batch_size).collect();
            let first = (self.step % per_epoch) as usize;
            let count = batches.len().min(first + (end - self.step) as usize) - first;
            for group in batches[first..first + count].chunks(self.session.max_steps().min(16)) {
                let steps =
                    (self.step..self.step + group.len() as u64).map(|step| self.record(step)).collect();
                self.session.submit("train", Which::Train, group, steps)?;
                self.session.receive(1)?;
                self.step += group.len() as u64;
            }
        }
        self.session.receive(0)?;
        Ok(())
    }

    fn record(&self, step: u64) -> Step {
        let mut record = Step::seeded(self.config.run.seed, stream::TRAIN_NOISE).at(step);
        self.session.plan().set_number(&mut record, "beta", self.config.objective.beta);
        for (group, name) in self.config.model.groups().iter().enumerate() {
            let settings = self.config.optimizer.of(name);
            settings.optimizer().prepare(step + 1, settings.learning_rate(), group, &mut record);
        }
        record
    }

    /// The parameters as they are now.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn parameters(&mut self) -> Result<Vec<f32>> {
        Ok(self.session.read_flat("parameters")?.unwrap_or_default())
    }
}

/// Parameters at a moment of training.
pub(super) struct Snapshot {
    /// Passes over the images.
    pub(super) epochs: f64,
    pub(super) parameters: Vec<f32>,
}

/// The trained model of the figures, with its parameters at moments of training.
pub(super) struct Trained {
    pub(super) config: Config,
    pub(super) session: Session,
    /// Training images.
    pub(super) images: usize,
    /// Ascending; the first is untrained, the last is the model.
    pub(super) snapshots: Vec<Snapshot>,
}

impl Trained {
    /// Train it.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn train(options: &Options<'_>) -> Result<Self> {
        let config = config(options)?;
        let mut training = Training::start(&options.device, &config, options.dataset)?;
        let mut snapshots = vec![Snapshot { epochs: 0.0, parameters: training.parameters()? }];
        let mut epochs = 0.25;
        while epochs < config.run.epochs as f64 {
            training.until(epochs)?;
            snapshots.push(Snapshot { epochs, parameters: training.parameters()? });
            epochs *= 2.0;
        }
        let epochs = config.run.epochs as f64;
        training.until(epochs)?;
        snapshots.push(Snapshot { epochs, parameters: training.parameters()? });
        let session = training.session;
        Ok(Self { session, images: options.dataset.train.count, config, snapshots })
    }

    /// The same model for `images` alone, black or white by a threshold, so that x is given and not drawn, `batch` of
    /// them or of latents at a time. Of every image `samples` latents are drawn; `optimizers` ask for gradients.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn examine(
        &self,
        options: &Options<'_>,
        images: &[Vec<u8>],
        batch: usize,
        samples: usize,
        optimizers: Option<&Optimizers>,
    ) -> Result<Session> {
        let part = Part::of_images(images.concat(), options.dataset.shape);
        let dataset = Dataset {
            name: options.dataset.name.clone(),
            shape: options.dataset.shape,
            train: part.clone(),
            test: part,
            classes: Vec::new(),
        };
        let mut config = self.config.clone();
        config.run.batch_size = batch;
        config.objective.noise_samples = samples;
        config.data.binarize = Some(Binarize::Threshold);
        Session::open_for_inspection(
            options.device.clone(),
            &config.task(dataset.shape),
            optimizers,
            &dataset,
        )
    }
}

/// The settings of the model.
fn config(options: &Options<'_>) -> Result<Config> {
    // With a tenth of the images, the same number of steps needs more passes.
    let epochs = if options.dataset.train.count > 20_000 { 20 } else { 16 };
    let (width, epochs) = if options.quick { (48, 4) } else { (500, epochs) };
    let mut config = Config::default().with(&format!("model.hidden = [{width}]"))?;
    config.run.epochs = epochs;
    config.run.batch_size =
        if options.dataset.train.count > 20_000 { 100 } else { 64 }.min(options.dataset.train.count);
    config.run.seed = options.seed;
    config.resolve()
}
