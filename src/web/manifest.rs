//! What a page is told of its model: one JSON document, described in docs/web.md.

use crate::config::{Config, Warmup};
use crate::data::ImageShape;
use crate::graph::{Init, Tensor};
use crate::kernels::{self, VariableKind};
use crate::model::Initialisation;
use crate::optimizer::{LearningRateSchedule, OptimizerKind};
use crate::plan::{Plan, Step};
use crate::random::stream;
use serde::Serialize;
use std::collections::BTreeMap;
use std::mem::offset_of;

/// The version of the format. A page refuses a manifest of another one.
pub const FORMAT: u32 = 1;

/// Everything but the numbers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`FORMAT`]
    pub format: u32,
    /// The program that wrote it, with its version.
    pub program: String,
    /// Dataset and model in a few words.
    pub title: String,
    /// The images.
    pub dataset: DatasetPart,
    /// Size of an image.
    pub image: ImagePart,
    /// Latent dimensions of each group, the one nearest to the image first.
    pub latent: Vec<usize>,
    /// Name of the likelihood.
    pub likelihood: String,
    /// What becomes of grey pixels: `none`, `threshold`, `static` or `dynamic`.
    pub binarize: String,
    /// Name of the objective.
    pub objective: String,
    /// How the run was trained.
    pub run: RunPart,
    /// What changes from step to step.
    pub schedule: SchedulePart,
    /// Whether training images and the optimizer's moments are among the files.
    pub training: bool,
    /// Why not, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not_training: Option<String>,
    /// Layout of a step's record.
    pub step: StepPart,
    /// Families of random numbers, by name.
    pub streams: BTreeMap<&'static str, u32>,
    /// How parameters begin: the rule of `--init`.
    pub init: InitPart,
    /// All parameters by name, with their places in the buffer `parameters`.
    pub tensors: Vec<TensorPart>,
    /// What training keeps beside parameters, in the order of the files `states` and `states.first`.
    pub states: Vec<StatePart>,
    /// Texts in WGSL by name, without comments: files with kernels, and the shared parts that they import.
    pub modules: BTreeMap<String, String>,
    /// The kernels of all plans, by name.
    pub kernels: BTreeMap<String, KernelPart>,
    /// The plans, by what they are for.
    pub plans: BTreeMap<&'static str, PlanPart>,
    /// Files of numbers, each as `bundle/NAME.gz`.
    pub files: BTreeMap<String, FilePart>,
}

/// The images of a page.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetPart {
    /// Its name.
    pub name: String,
    /// Names of the classes; empty where none are known.
    pub classes: Vec<String>,
    /// Training images in the bundle.
    pub train: usize,
    /// Held-out images in the bundle.
    pub test: usize,
}

/// An image's size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ImagePart {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl From<ImageShape> for ImagePart {
    fn from(ImageShape { width, height, channels }: ImageShape) -> Self {
        Self { width, height, channels }
    }
}

/// The course of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPart {
    /// Seed, in decimal digits: it may have 64 bits.
    pub seed: String,
    /// Images in a minibatch.
    pub batch: usize,
    /// Version of the algorithm that orders an epoch's images.
    pub order: u32,
    /// Steps before the checkpoint.
    pub step: u64,
    /// Steps in which each training image of the bundle is used once.
    pub steps_per_epoch: u64,
    /// Weight of the KL divergence at the end of its rise.
    pub beta: f64,
    /// Learning rate of the first group of parameters before its schedule.
    pub rate: f64,
}

/// Numbers that follow from a step's number, as in `src/train/steps.rs`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchedulePart {
    /// Length of the rise of the KL weight: `{"epochs": n}` or `{"steps": n}`.
    pub warmup: Length,
    /// Epochs after which that rise starts again; 0 for never.
    pub cycle: f64,
    /// Target of the KL divergence in nats; 0 without one.
    pub capacity: f64,
    /// Epochs over which that target rises.
    pub capacity_epochs: f64,
    /// Weight of the objective's penalty at the end of its rise; 0 without one.
    pub penalty: f64,
    /// The length of that rise.
    pub penalty_warmup: Length,
    /// For each group of parameters its learning rate and corrections.
    pub groups: Vec<GroupPart>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// In epochs.
    Epochs(f64),
    /// In steps.
    Steps(u64),
}

impl From<Warmup> for Length {
    fn from(warmup: Warmup) -> Self {
        match warmup {
            Warmup::Epochs(epochs) => Self::Epochs(epochs),
            Warmup::Steps(steps) => Self::Steps(steps),
        }
    }
}

/// The optimizer of a group of parameters.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupPart {
    /// Learning rate before its schedule.
    pub rate: f64,
    /// The schedule.
    #[serde(flatten)]
    pub schedule: RateSchedule,
    /// Decay rates whose biases are corrected, of the first and the second moment; `null` for none.
    pub corrected: [Option<f64>; 2],
}

/// Rule by which a learning rate changes.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "schedule", rename_all = "lowercase")]
pub enum RateSchedule {
    /// It stays.
    Constant,
    /// The stages of Burda et al. (2016).
    Iwae,
    /// A factor after each of some numbers of epochs.
    Steps {
        /// The factor.
        factor: f64,
        /// Rising.
        epochs: Vec<u64>,
    },
}

impl SchedulePart {
    pub(super) fn of(config: &Config) -> Self {
        let objective = &config.objective;
        let groups = config.groups().into_iter().map(|name| {
            let settings = config.optimizer.of(name);
            let optimizer = settings.optimizer();
            let adam = optimizer.kind == OptimizerKind::Adam;
            GroupPart {
                rate: settings.learning_rate(),
                schedule: match settings.learning_rate_schedule.clone() {
                    LearningRateSchedule::Constant => RateSchedule::Constant,
                    LearningRateSchedule::Iwae => RateSchedule::Iwae,
                    LearningRateSchedule::Steps { factor, epochs } => RateSchedule::Steps { factor, epochs },
                },
                corrected: [
                    optimizer.kind.is_adam().then_some(optimizer.beta_1),
                    adam.then_some(optimizer.beta_2),
                ],
            }
        });
        Self {
            warmup: objective.kl_warmup.into(),
            cycle: objective.kl_cycle,
            capacity: objective.capacity.unwrap_or(0.0),
            capacity_epochs: objective.capacity_epochs,
            penalty: objective.full_penalty(),
            penalty_warmup: objective.penalty_warmup.into(),
            groups: groups.collect(),
        }
    }
}

/// How [`Step`] lies in memory.
#[derive(Clone, Debug, Serialize)]
pub struct StepPart {
    /// Bytes of a record.
    pub size: usize,
    /// Its fields: name, `u32` or `f32`, number of elements, offset in bytes.
    pub fields: Vec<(&'static str, &'static str, usize, usize)>,
}

impl StepPart {
    pub(super) fn new() -> Self {
        macro_rules! fields {
            ($($name:ident: $kind:literal $count:expr),* $(,)?) => {
                vec![$((stringify!($name), $kind, $count, offset_of!(Step, $name))),*]
            };
        }
        let step = Step::default();
        Self {
            size: size_of::<Step>(),
            fields: fields![
                seed_low: "u32" 1,
                seed_high: "u32" 1,
                counter_low: "u32" 1,
                counter_high: "u32" 1,
                stream: "u32" 1,
                slot: "u32" 1,
                rows: "u32" 1,
                first_index: "u32" 1,
                numbers: "f32" step.numbers.len(),
                groups: "f32" step.groups.as_flattened().len(),
            ],
        }
    }
}

/// The families of random numbers that a page draws from.
pub(super) fn streams() -> BTreeMap<&'static str, u32> {
    BTreeMap::from([
        ("train", stream::TRAIN_NOISE),
        ("evaluation", stream::EVALUATION_NOISE),
        ("binarize", stream::BINARIZE),
        ("initialisation", stream::INITIALISATION),
        ("shuffle", stream::SHUFFLE),
    ])
}

/// First values of parameters.
#[derive(Clone, Debug, Serialize)]
pub struct InitPart {
    /// `fan-in`, `glorot`, `kaiming` or `normal`.
    pub rule: &'static str,
    /// Standard deviation of `normal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// A tensor that the rule does not decide, with its first values: a bias under which the mean training image is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<(String, Vec<f32>)>,
}

impl InitPart {
    pub(super) fn of(init: Initialisation, given: Option<(String, Vec<f32>)>) -> Self {
        let (rule, deviation) = match init {
            Initialisation::FanIn => ("fan-in", None),
            Initialisation::Glorot => ("glorot", None),
            Initialisation::Kaiming => ("kaiming", None),
            Initialisation::Normal(deviation) => ("normal", Some(deviation)),
        };
        Self { rule, deviation, given }
    }
}

/// A named tensor of parameters.
#[derive(Clone, Debug, Serialize)]
pub struct TensorPart {
    /// Name as in checkpoints.
    pub name: String,
    /// Shape as in checkpoints.
    pub shape: Vec<usize>,
    /// Dimensions in memory: length, and elements from one index to the next.
    pub dimensions: Vec<(usize, usize)>,
    /// First element in the buffer `parameters`.
    pub offset: usize,
    /// What it is to the rule that draws it.
    #[serde(flatten)]
    pub init: TensorInit,
}

/// How a tensor gets its first values.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "init", rename_all = "lowercase")]
pub enum TensorInit {
    /// Weights of a layer.
    #[serde(rename_all = "camelCase")]
    Weight {
        /// Inputs of one output.
        fan_in: usize,
        /// Outputs of one input.
        fan_out: usize,
    },
    /// Biases of a layer.
    #[serde(rename_all = "camelCase")]
    Bias {
        /// Inputs of one output of the layer.
        fan_in: usize,
    },
    /// One value.
    Constant {
        /// The value.
        value: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        value: f64,
    },
    /// Uniform between minus and plus a bound.
    Uniform {
        /// The bound.
        value: f64,
    },
}

impl From<&Tensor> for TensorPart {
    fn from(tensor: &Tensor) -> Self {
        let init = match tensor.init {
            Init::Weight { fan_in, fan_out } => TensorInit::Weight { fan_in, fan_out },
            Init::Bias { fan_in } => TensorInit::Bias { fan_in },
            Init::Constant(value) => TensorInit::Constant { value },
            Init::Normal(value) => TensorInit::Normal { value },
            Init::Uniform(value) => TensorInit::Uniform { value },
            // Of states only.
            Init::Values(_) => TensorInit::Constant { value: 0.0 },
        };
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dimensions: tensor.dimensions.clone(),
            offset: tensor.offset,
            init,
        }
    }
}

/// A value that is kept from step to step.
#[derive(Clone, Debug, Serialize)]
pub struct StatePart {
    /// The name of its buffer.
    pub name: String,
    /// Elements.
    pub length: usize,
}

/// An entry point of a WGSL file.
#[derive(Clone, Debug, Serialize)]
pub struct KernelPart {
    /// The file, a key of [`Manifest::modules`].
    pub file: String,
    /// The entry point.
    pub entry: String,
    /// The shared parts that come before the file, in order, as keys of [`Manifest::modules`].
    pub imports: Vec<String>,
    /// Whether it reads the step's record, at binding 0.
    pub step: bool,
    /// The number of each storage variable's binding.
    pub bindings: BTreeMap<String, u32>,
}

/// A plan in both variants of its matrix products.
#[derive(Clone, Debug, Serialize)]
pub struct PlanPart {
    /// For software adapters and the CPU.
    pub registers: Plan,
    /// For hardware adapters; may have more rows.
    pub tiled: Plan,
}

/// A file of numbers.
#[derive(Clone, Debug, Serialize)]
pub struct FilePart {
    /// `f32`, `f16` or `u32`; bytes are four a `u32`, lowest first.
    pub element: &'static str,
    /// Elements.
    pub length: usize,
}

/// Every kernel of `plans`, and the WGSL that they need.
pub(super) fn kernels_of<'a>(
    plans: impl Iterator<Item = &'a Plan>,
) -> (BTreeMap<String, KernelPart>, BTreeMap<String, String>) {
    let (mut all, mut modules) = (BTreeMap::new(), BTreeMap::new());
    for (name, source) in plans.flat_map(|plan| &plan.kernels) {
        let kernel = kernels::kernel(name);
        let imports: Vec<String> = source.imports.iter().map(|part| format!("shared/{part}.wgsl")).collect();
        for file in imports.iter().map(String::as_str).chain([kernel.file]) {
            modules
                .entry(file.to_string())
                .or_insert_with(|| without_comments(kernels::part(file).unwrap_or_default()));
        }
        let part = KernelPart {
            file: kernel.file.to_string(),
            entry: kernel.entry.clone(),
            imports,
            step: kernel.variables.iter().any(|variable| variable.kind == VariableKind::Step),
            bindings: kernel
                .storage()
                .map(|(variable, _)| (variable.name.clone(), variable.binding))
                .collect(),
        };
        all.insert(name.to_string(), part);
    }
    (all, modules)
}

/// WGSL without comments and empty lines. It has no texts in quotes, so that two slashes always begin a comment.
fn without_comments(wgsl: &str) -> String {
    let code = wgsl.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end());
    code.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}
