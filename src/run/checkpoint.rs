//! Checkpoints: safetensors files with named parameters, the optimiser's moments and the state of the run.

use super::RunFolder;
use crate::config::{Config, Difference};
use crate::data::ImageShape;
use crate::files::write_atomically;
use crate::graph::Tensor;
use crate::session::Session;
use crate::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Where a run stands. Random numbers and the order of images follow from the step and the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Steps done.
    pub step: u64,
    /// Seconds of training, evaluation left out.
    pub seconds: f64,
    /// Images seen in the current epoch.
    pub epoch_images: u64,
    /// Sum over these of the reconstruction term, nats.
    pub epoch_reconstruction: f64,
    /// Sum over these of the KL divergence, nats.
    pub epoch_kl: f64,
    /// Sum over these of the bound the objective is the negative of, where it weighs samples, nats.
    #[serde(default)]
    pub epoch_bound: f64,
    /// Sums of the other metrics of training.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epoch_others: BTreeMap<String, f64>,
    /// Seconds of training in the current epoch.
    pub epoch_seconds: f64,
    /// Best bound on the evidence of held-out images so far, nats per image: the evidence lower bound, or the importance-
    /// weighted one where that is the objective.
    pub best_elbo: Option<f64>,
    /// The weight of the KL divergence in it; that of older runs where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_weight: Option<f64>,
    /// That bound of a decoder that gives the mean training image: epochs below it are not kept as the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_image: Option<f64>,
    /// Whether an epoch below it was reported.
    #[serde(default)]
    pub warned: bool,
}

impl TrainState {
    /// The sum over the images of the current epoch of all penalties of a deterministic autoencoder.
    pub fn penalty(&self) -> f64 {
        self.epoch_others.iter().filter(|(name, _)| name.ends_with("penalty")).map(|it| it.1).sum()
    }
}

/// A model with everything needed to go on training it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The run's settings.
    pub config: Config,
    /// The size of its images.
    pub shape: ImageShape,
    /// Where the run stood.
    pub state: TrainState,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

/// The flat buffers a checkpoint holds, and the prefix of their tensors' names.
const FLAT: [(&str, &str); 4] = [
    ("parameters", ""),
    ("moments.first", "optimizer.first."),
    ("moments.second", "optimizer.second."),
    ("averages", AVERAGE),
];
/// The prefix of the names of parameters' moving averages.
pub(super) const AVERAGE: &str = "average.";
/// Parts of tensors' names, and what they were called in files of format 1.
const OLD_NAMES: [(&str, &str); 1] = [(".layer2.", ".upper.")];
/// The file of a run's best parameters.
const BEST: &str = "best.safetensors";
/// The format that is written.
const FORMAT: &str = "vae-2";
/// The formats that are read. The settings of the first stand in flat keys.
const FORMATS: [&str; 2] = ["vae-1", FORMAT];

impl Checkpoint {
    /// Read parameters and moments from the device.
    ///
    /// # Errors
    /// If the device fails, or a parameter is not a finite number ([`Error::Diverged`]): such a model is not kept.
    pub fn take(session: &mut Session, config: &Config, state: &TrainState) -> Result<Self> {
        let mut tensors = HashMap::new();
        for (buffer, prefix) in FLAT {
            let Some(flat) = session.read_flat(buffer)? else { continue };
            if let Some(&value) = flat.iter().find(|value| !value.is_finite()) {
                let term = "parameters".to_string();
                return Err(Error::Diverged { step: state.step, term, value, hint: String::new() });
            }
            for tensor in session.tensors() {
                let values = tensor.take(&flat);
                tensors.insert(format!("{prefix}{}", tensor.name), (tensor.shape.clone(), values));
            }
        }
        tensors.extend(session.read_states()?);
        Ok(Self { config: config.clone(), shape: session.shape(), state: state.clone(), tensors })
    }

    /// The tensor called `name`, or what files of format 1 call it.
    fn tensor(&self, name: &str) -> Option<&(Vec<usize>, Vec<f32>)> {
        let old = |(new, old): &(&str, &str)| self.tensors.get(&name.replace(new, old));
        self.tensors.get(name).or_else(|| OLD_NAMES.iter().find_map(old))
    }

    /// Write to `path`, replacing what is there only when all is written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let internal = |error: &dyn std::fmt::Display| Error::Internal(format!("checkpoint: {error}"));
        let step = (self.state.step as i64).to_le_bytes();
        let mut views = Vec::with_capacity(self.tensors.len() + 1);
        for (name, (shape, values)) in &self.tensors {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values))
                .map_err(|error| internal(&error))?;
            views.push((name.as_str(), view));
        }
        views.push((
            "optimizer.step",
            TensorView::new(Dtype::I64, vec![1], &step).map_err(|error| internal(&error))?,
        ));
        let metadata = HashMap::from([
            ("format".to_string(), FORMAT.to_string()),
            ("config".to_string(), self.config.to_toml()?),
            ("shape".to_string(), serde_json::to_string(&self.shape).map_err(|error| internal(&error))?),
            ("state".to_string(), serde_json::to_string(&self.state).map_err(|error| internal(&error))?),
        ]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
        write_atomically(path, &bytes)
    }

    /// Write the files by which another library opens the model into the folder of the run, where there is one: with the
    /// moving averages of parameters, if the run has them.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn export(&self, run: &RunFolder) -> Result<()> {
        let Some(interchange) = self.config.model.interchange(self.shape) else { return Ok(()) };
        let internal = |error: &dyn std::fmt::Display| Error::Internal(format!("checkpoint: {error}"));
        let folder = run.file(interchange.folder);
        std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
        let mut views = Vec::new();
        for (name, own) in self.tensors.iter().filter(|(name, _)| (interchange.takes)(name)) {
            let (shape, values) = self.tensors.get(&format!("{AVERAGE}{name}")).unwrap_or(own);
            let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values));
            views.push((name.as_str(), view.map_err(|error| internal(&error))?));
        }
        // What libraries of PyTorch write, and some ask for.
        let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
        write_atomically(&folder.join(interchange.weights), &bytes)?;
        write_atomically(&folder.join(interchange.settings.0), interchange.settings.1.as_bytes())
    }

    /// Read a checkpoint.
    ///
    /// # Errors
    /// If the file is missing, cut short, or was not written by this program.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound if path.ends_with(BEST) => no_best(path),
            std::io::ErrorKind::NotFound => Error::checkpoint(
                path,
                "there is no checkpoint",
                match best_beside(path) {
                    Some(best) => {
                        format!("copy {} to this name to use the run's best parameters", best.display())
                    }
                    None => {
                        "the run stopped before its first save; train it anew with --overwrite".to_string()
                    }
                },
            ),
            _ => Error::io(path, source),
        })?;
        let broken = |problem: String| {
            let hint = match best_beside(path) {
                Some(best) => format!(
                    "it was cut short or is no checkpoint of vae; copy {} over it to go on from the run's best epoch",
                    best.display()
                ),
                None => "it was cut short or is no checkpoint of vae; put back another copy".to_string(),
            };
            Error::checkpoint(path, problem, hint)
        };
        let file =
            SafeTensors::deserialize(&bytes).map_err(|error| broken(format!("not readable: {error}")))?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| broken(format!("not readable: {error}")))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if let Some(format) = metadata.get("format").filter(|format| format.starts_with("vae-"))
            && !FORMATS.contains(&format.as_str())
        {
            let problem =
                format!("its format is '{format}', and this version reads {}", FORMATS.join(" and "));
            return Err(Error::checkpoint(path, problem, "use the version of vae that wrote it"));
        }
        if !metadata.get("format").is_some_and(|format| FORMATS.contains(&format.as_str())) {
            return Err(broken("a safetensors file, but not a checkpoint of vae".into()));
        }
        let entry =
            |name: &str| metadata.get(name).ok_or_else(|| broken(format!("its metadata has no '{name}'")));
        let config: Config =
            Config::from_run(entry("config")?).map_err(|error| broken(format!("configuration: {error}")))?;
        let shape =
            serde_json::from_str(entry("shape")?).map_err(|error| broken(format!("shape: {error}")))?;
        let state =
            serde_json::from_str(entry("state")?).map_err(|error| broken(format!("state: {error}")))?;
        let tensors = file
            .iter()
            .filter(|(_, view)| view.dtype() == Dtype::F32)
            .map(|(name, view)| {
                let values = bytemuck::pod_collect_to_vec(view.data());
                (name.to_string(), (view.shape().to_vec(), values))
            })
            .collect();
        Ok(Self { config, shape, state, tensors })
    }

    /// Refuse to go on training under other settings (of the file at `path`) than the run had: only how long, where,
    /// and the folder of named datasets may change, and, where it was found to be the same dataset, its place (`moved`).
    ///
    /// # Errors
    /// [`Error::Checkpoint`] naming the first setting that differs, and both its values.
    pub fn check_settings(&self, config: &Config, path: &Path, moved: bool) -> Result<()> {
        let may_change = ["run.epochs", "run.steps", "run.device", "run.matmul", "data.data-dir"];
        let decides = |path: &str| !(may_change.contains(&path) || moved && path == "data.dataset");
        match self.config.difference(config, decides)? {
            None => Ok(()),
            Some(Difference { path: key, was, is }) => {
                let problem = format!("{key} is {is} here, but the run was trained with {key} {was}");
                let hint = "put the old value back, or begin a new run with --config and this file";
                Err(Error::checkpoint(path, problem, hint))
            }
        }
    }

    /// Write parameters, and moments where the session has an optimiser, to the device. A session that does not train gets the
    /// moving averages of the parameters in their place, where there are any. `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if the checkpoint is of another model; nothing is written then.
    pub fn restore(&self, session: &mut Session, path: &Path) -> Result<()> {
        let wanted: Vec<Tensor> = session.tensors().to_vec();
        let averaged = session.plan().buffer("averages").is_none()
            && self.tensors.keys().any(|name| name.starts_with(AVERAGE));
        let mut flats = Vec::new();
        for (buffer, prefix) in FLAT {
            let Some(id) = session.plan().buffer(buffer) else { continue };
            let mut flat = vec![0.0; session.plan().buffers[id.0].length];
            let prefix = if buffer == "parameters" && averaged { AVERAGE } else { prefix };
            for tensor in &wanted {
                let name = format!("{prefix}{}", tensor.name);
                let hint = "it is a checkpoint of another model; use the config.toml it was trained with";
                let Some((shape, values)) = self.tensor(&name) else {
                    return Err(Error::checkpoint(path, format!("it holds no tensor '{name}'"), hint));
                };
                if *shape != tensor.shape {
                    let problem =
                        format!("tensor '{name}' has shape {shape:?}, but the model's is {:?}", tensor.shape);
                    return Err(Error::checkpoint(path, problem, hint));
                }
                if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                    let hint = match best_beside(path) {
                        Some(_) => {
                            "the model has diverged; use its best parameters, with --best, or train it anew"
                        }
                        None => "the model has diverged, or the file is broken; train it anew",
                    };
                    return Err(Error::checkpoint(
                        path,
                        format!("tensor '{name}' holds the value {value}"),
                        hint,
                    ));
                }
                tensor.put(&mut flat, values);
            }
            flats.push((buffer, flat));
        }
        let states = session.read_states()?;
        for (name, (shape, _)) in &states {
            if self.tensors.get(name).is_none_or(|(own, _)| own != shape) {
                let hint = "it is a checkpoint of another model; use the config.toml it was trained with";
                return Err(Error::checkpoint(
                    path,
                    format!("it holds no '{name}' of shape {shape:?}"),
                    hint,
                ));
            }
        }
        for (buffer, flat) in flats {
            session.write_flat(buffer, &flat)?;
        }
        for name in states.keys() {
            session.write_state(name, &self.tensors[name].1)?;
        }
        Ok(())
    }
}

/// Why the run has no best parameters at `path`.
fn no_best(path: &Path) -> Error {
    let last = Checkpoint::load(&path.with_file_name("checkpoint.safetensors")).ok();
    match last.map(|last| (last.state.best_elbo, last.state.mean_image)) {
        Some((None, Some(mark))) => Error::checkpoint(
            path,
            format!(
                "the run has no best parameters: no epoch reached {mark:.2} nats/image, the held-out bound of the mean \
                 training image"
            ),
            "train it anew with a smaller --learning-rate; without --best, the last parameters are used",
        ),
        _ => Error::checkpoint(
            path,
            "the run has no best parameters",
            "leave --best out to use the last ones, or train the run to the end of an epoch",
        ),
    }
}

/// The best parameters of the run whose checkpoint is at `path`, if there are any.
fn best_beside(path: &Path) -> Option<PathBuf> {
    Some(path.with_file_name("best.safetensors")).filter(|best| best != path && best.is_file())
}
