//! A run taken apart into a manifest and files of numbers.

use super::manifest::{
    DatasetPart, FORMAT, FilePart, InitPart, Manifest, RunPart, SchedulePart, StatePart, StepPart,
    kernels_of, streams,
};
use super::plans::{Counts, plans};
use crate::config::Config;
use crate::data::{Dataset, ImageShape};
use crate::device::OpenDevice;
use crate::model::Task;
use crate::plan::Plan;
use crate::run::{Checkpoint, TrainedModel};
use crate::session::{Session, Which, columns};
use crate::{Error, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;

/// Bytes of pixels, before compression, that a page has of training images and of held-out ones where no number is given.
const TRAIN_BYTES: usize = 32 << 20;
const TEST_BYTES: usize = 2 << 20;
/// Most held-out images of a page.
const TEST_IMAGES: usize = 2000;
/// Most parameters of which the optimizer's moments are in the page, which are as large again, twice. Of larger models
/// training goes on with moments of zero.
const MOMENTS: usize = 1 << 20;
/// Training images where no number is given.
const TRAIN_IMAGES: usize = 10_000;

/// What a page holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Training images: the first of the run; where not given up to 10,000.
    pub images: Option<usize>,
    /// No images at all, and parameters in half precision: the page explores the model and does not train it.
    pub no_train: bool,
}

/// A model as plain data.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Everything but the numbers.
    pub manifest: Manifest,
    /// Files by name, gzipped. [`Manifest::files`] has their types and lengths.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// The bundle of a run, whose dataset has the images that are at hand.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model has no latents or `images` is less than a minibatch; [`Error::Checkpoint`] if the
    /// checkpoint cannot be read.
    pub fn of(model: &mut TrainedModel, options: Options) -> Result<Self> {
        let (config, step) = (model.config.clone(), model.state.step);
        let chosen = chosen(&model.dataset, &config, options)?;
        if chosen.train.count == 0 {
            return Self::of_session(&config, &mut model.session, &model.dataset, step, options);
        }
        // With what the optimizer keeps.
        let checkpoint = Checkpoint::load(&model.checkpoint)?;
        let task = config.task(chosen.shape);
        let mut session = Session::open(OpenDevice::Cpu, &task, Some(&config.optimizers()), &chosen)?;
        checkpoint.restore(&mut session, &model.checkpoint)?;
        Self::of_session(&config, &mut session, &model.dataset, step, options)
    }

    /// The bundle of the model that `session` holds, after `step` steps on `dataset` under `config`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model has no latents or `images` is less than a minibatch; else if the device fails.
    pub fn of_session(
        config: &Config,
        session: &mut Session,
        dataset: &Dataset,
        step: u64,
        options: Options,
    ) -> Result<Self> {
        let why_not_training = why_not(dataset, options);
        let dataset = chosen(dataset, config, options)?;
        let (shape, train, test) = (dataset.shape, dataset.train.count, dataset.test.count);
        let (task, tensors) = (config.task(shape), session.table().clone());
        let plans = plans(config, &task, &tensors, Counts { train, test })?;
        let all = plans.values().flat_map(|plan| [&plan.registers, &plan.tiled]);
        let (kernels, modules) = kernels_of(all.clone());
        let mut files = Files::default();
        for name in ["parameters", "moments.first", "moments.second", "averages"] {
            let Some(flat) = session.read_flat(name)? else { continue };
            if train > 0 && (flat.len() <= MOMENTS || !name.starts_with("moments")) || name == "parameters" {
                files.reals(name, &flat, options.no_train)?;
            }
        }
        let states = files.states(session)?;
        for plan in all {
            files.columns(plan, &dataset)?;
        }
        if let Some(labels) = dataset.test.labels().filter(|_| test > 0) {
            files.words("labels", labels)?;
        }
        let groups = task.density("vae web")?.groups();
        let manifest = Manifest {
            format: FORMAT,
            program: format!("vae {}", env!("CARGO_PKG_VERSION")),
            title: format!("{}, {}", dataset.name, network(config, &task, shape)?),
            dataset: DatasetPart {
                name: dataset.name.clone(),
                classes: dataset.classes.clone(),
                train,
                test,
            },
            image: shape.into(),
            latent: groups.iter().map(|group| group.width).collect(),
            likelihood: config.model.likelihood().kind.to_string(),
            binarize: config.binarization().to_string(),
            objective: config.objective.kind.to_string(),
            run: RunPart {
                seed: config.run.seed.to_string(),
                batch: task.batch,
                order: config.run.order,
                step,
                steps_per_epoch: config.steps_per_epoch(train.max(1)),
                beta: config.objective.beta(),
                rate: config.optimizer.of(config.model.groups()[0]).learning_rate(),
            },
            schedule: SchedulePart::of(config),
            training: train > 0,
            why_not_training: Some(why_not_training).filter(|_| train == 0),
            step: StepPart::new(),
            streams: streams(),
            init: InitPart::of(
                config.optimizer.init,
                config.first_bias(&tensors, &dataset.train).filter(|_| train > 0),
            ),
            tensors: tensors.all().iter().map(Into::into).collect(),
            states,
            modules,
            kernels,
            plans,
            files: files.parts,
        };
        Ok(Self { manifest, files: files.bytes })
    }

    /// The manifest as gzipped JSON.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be written as JSON.
    pub fn manifest_bytes(&self) -> Result<Vec<u8>> {
        let json =
            serde_json::to_vec(&self.manifest).map_err(|error| Error::Internal(format!("JSON: {error}")))?;
        gzip(&json)
    }
}

/// A multilayer perceptron by the sizes of its layers; other models, of more layers than a title holds, by their family.
fn network(config: &Config, task: &Task, shape: ImageShape) -> Result<String> {
    let groups = task.density("vae web")?.groups();
    let widths: Vec<String> = groups.iter().map(|group| group.width.to_string()).collect();
    Ok(match config.model.family() {
        "mlp" => config.model.outline(shape)?,
        family => format!("{family} with {} latent dimensions", widths.join(" and ")),
    })
}

fn why_not(dataset: &Dataset, options: Options) -> String {
    if options.no_train {
        "The page was made without images (--no-train).".into()
    } else if dataset.train.count == 0 {
        "The run's training images were not at hand when the page was made.".into()
    } else {
        "The page was made with no training images.".into()
    }
}

/// The images that the page gets: the first of each part.
fn chosen(dataset: &Dataset, config: &Config, options: Options) -> Result<Dataset> {
    let mut chosen = dataset.clone();
    let size = dataset.shape.pixels().max(1);
    let batch = config.run.batch_size();
    let most = match options.images {
        Some(images) if images > 0 && images < batch => {
            let problem =
                format!("a page that trains needs the {batch} images of a minibatch, and {images} is fewer");
            return Err(Error::setting(
                "--images",
                problem,
                "give more, or 0 for a page that does not train",
            ));
        }
        Some(images) => images,
        None => TRAIN_IMAGES.min((TRAIN_BYTES / size).max(batch)),
    };
    chosen.train.truncate(if options.no_train { 0 } else { most });
    chosen.test.truncate(if options.no_train { 0 } else { TEST_IMAGES.min((TEST_BYTES / size).max(64)) });
    Ok(chosen)
}

/// Files in the making.
#[derive(Default)]
struct Files {
    parts: BTreeMap<String, FilePart>,
    bytes: BTreeMap<String, Vec<u8>>,
}

impl Files {
    fn add(&mut self, name: &str, element: &'static str, length: usize, bytes: &[u8]) -> Result<()> {
        self.parts.insert(name.into(), FilePart { element, length });
        self.bytes.insert(name.into(), gzip(bytes)?);
        Ok(())
    }

    fn words(&mut self, name: &str, words: &[u32]) -> Result<()> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.add(name, "u32", words.len(), &bytes)
    }

    fn reals(&mut self, name: &str, values: &[f32], halve: bool) -> Result<()> {
        if halve {
            let bytes: Vec<u8> =
                values.iter().flat_map(|&value| half::f16::from_f32(value).to_le_bytes()).collect();
            return self.add(name, "f16", values.len(), &bytes);
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(name, "f32", values.len(), &bytes)
    }

    /// The states of a session, one after the other with their padding, and those that they begin with.
    fn states(&mut self, session: &mut Session) -> Result<Vec<StatePart>> {
        let (mut first, mut last, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (name, values) in session.table().first_states() {
            parts.push(StatePart { name: name.clone(), length: values.len() });
            last.extend(session.read_flat(&name)?.unwrap_or_else(|| values.clone()));
            first.extend(values);
        }
        if !parts.is_empty() {
            self.reals("states", &last, false)?;
            self.reals("states.first", &first, false)?;
        }
        Ok(parts)
    }

    /// The columns that `plan` gathers, each under the name of its buffer.
    fn columns(&mut self, plan: &Plan, dataset: &Dataset) -> Result<()> {
        for (which, part) in [(Which::Train, &dataset.train), (Which::Test, &dataset.test)] {
            if part.count == 0 {
                continue;
            }
            for (buffer, column) in columns::gathered(plan, &dataset.name, which, part)? {
                let buffer = &plan.buffers[buffer.0];
                if !self.parts.contains_key(&buffer.name) {
                    self.words(&buffer.name, &columns::words(column, 0..part.count))?;
                }
            }
        }
        Ok(())
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map_err(|error| Error::Internal(format!("gzip: {error}")))
}
