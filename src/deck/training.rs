//! Models trained in memory, for figures.

use super::Options;
use crate::Result;
use crate::config::Config;
use crate::data::{Dataset, Part};
use crate::device::OpenDevice;
use crate::graph::Binarize;
use crate::optimizer::Optimizers;
use crate::session::Session;
use crate::train::{Feed, Steps};
use std::time::Duration;

/// Work in one submit.
const SUBMIT: Duration = Duration::from_millis(100);

/// A model in training.
pub(super) struct Training {
    pub(super) session: Session,
    steps: Steps,
    feed: Feed,
    step: u64,
}

impl Training {
    /// A model of `config` with fresh parameters.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn start(device: &OpenDevice, config: &Config, dataset: &Dataset) -> Result<Self> {
        let task = config.task(dataset.shape);
        let mut session = Session::open(device.clone(), &task, Some(&config.optimizers()), dataset)?;
        let start = config.first_parameters(session.table(), &dataset.train);
        session.write_flat("parameters", &start)?;
        let (steps, feed) = (Steps::of(config, dataset.train.count), Feed::new(&session, SUBMIT));
        Ok(Self { session, steps, feed, step: 0 })
    }

    /// Train until `epochs` passes over the images are done.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn until(&mut self, epochs: f64) -> Result<()> {
        let per_epoch = self.steps.per_epoch();
        let end = (epochs * per_epoch as f64).round() as u64;
        while self.step < end {
            let epoch = self.step / per_epoch;
            let order = self.steps.order(epoch);
            let mut left = self.step..end.min((epoch + 1) * per_epoch);
            self.step = left.end;
            while !left.is_empty() {
                self.feed.turn(&mut self.session, &mut left, &order, &self.steps)?;
            }
        }
        Ok(())
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
        while epochs < config.run.epochs() as f64 {
            training.until(epochs)?;
            snapshots.push(Snapshot { epochs, parameters: training.parameters()? });
            epochs *= 2.0;
        }
        let epochs = config.run.epochs() as f64;
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
        let dataset = Dataset::new(&*options.dataset.name, options.dataset.shape, part.clone(), part);
        let mut config = self.config.clone();
        config.run.batch_size = Some(batch);
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
    config.run.epochs = Some(epochs);
    let batch = if options.dataset.train.count > 20_000 { 100 } else { 64 };
    config.run.batch_size = Some(batch.min(options.dataset.train.count));
    config.run.seed = options.seed;
    config.resolve()
}
