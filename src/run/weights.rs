//! Weights that training begins with: tensors of a safetensors file, taken by name and shape.

use super::checkpoint::AVERAGE;
use crate::config::{Config, ModelConfig};
use crate::model::families::autoencoder_kl::{AutoencoderKlConfig, current_name};
use crate::session::Session;
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

/// The weights that a folder may hold: those of a run, and of a model of diffusers.
const FILES: [&str; 2] = ["checkpoint.safetensors", "diffusion_pytorch_model.safetensors"];
/// Beside the weights of diffusers, its settings.
const SETTINGS: &str = "config.json";
/// Most names that a list of tensors prints.
const NAMES: usize = 4;

/// Named tensors of a safetensors file.
#[derive(Clone, Debug)]
pub struct Weights {
    path: PathBuf,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// Which tensors of a file a model takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    path: PathBuf,
    /// Tensors that the file has in the model's shape.
    pub taken: Vec<String>,
    /// Tensors of the model that the file does not have.
    pub missing: Vec<String>,
    /// Tensors that the file has in another shape: name, shape in the file, shape in the model.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of the file that the model does not have.
    pub left: Vec<String>,
}

/// The safetensors file at `path`, or in the folder there.
fn file_of(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        let hint = "name a .safetensors file, or the folder of a run";
        return Err(Error::checkpoint(path, "there is no such file or folder", hint));
    }
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let files = FILES.map(|name| path.join(name));
    if let Some(file) = files.into_iter().find(|file| file.is_file()) {
        return Ok(file);
    }
    let hint = format!("name a .safetensors file, or a folder that holds {} or {}", FILES[0], FILES[1]);
    Err(Error::checkpoint(path, "the folder holds no weights", hint))
}

/// The metadata of a safetensors file, read without its tensors.
fn metadata(path: &Path) -> Result<HashMap<String, String>> {
    use std::io::Read;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let mut header = Vec::new();
        file.take(u64::from_le_bytes(length)).read_to_end(&mut header)?;
        Ok(header)
    };
    let header: serde_json::Value = match read() {
        Ok(header) => serde_json::from_slice(&header).unwrap_or_default(),
        Err(problem) if problem.kind() == std::io::ErrorKind::UnexpectedEof => serde_json::Value::Null,
        Err(problem) => return Err(Error::io(path, problem)),
    };
    let metadata = header.get("__metadata__").cloned().unwrap_or_default();
    Ok(serde_json::from_value(metadata).unwrap_or_default())
}

/// The model of the settings of another library beside the weights at `path`, if there are any.
fn beside(path: &Path) -> Result<Option<ModelConfig>> {
    let settings = path.with_file_name(SETTINGS);
    let Ok(text) = std::fs::read_to_string(&settings) else { return Ok(None) };
    let model = AutoencoderKlConfig::from_diffusers(&text).map_err(|problem| {
        Error::checkpoint(&settings, problem, "name the model with --model, to take the tensors that fit")
    })?;
    Ok(model.map(ModelConfig::from))
}

/// Numbers of any floating-point type; `None` for other types.
fn numbers(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let words = || bytes.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    Some(match dtype {
        Dtype::F32 => bytemuck::pod_collect_to_vec(bytes),
        Dtype::F64 => {
            bytemuck::pod_collect_to_vec::<u8, f64>(bytes).into_iter().map(|it| it as f32).collect()
        }
        Dtype::F16 => words().map(|bits| half::f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => words().map(|word| f32::from_bits(u32::from(word) << 16)).collect(),
        _ => return None,
    })
}

/// The shape without dimensions of length 1 at its end: a convolution with a window of one pixel is a linear layer.
fn trimmed(shape: &[usize]) -> &[usize] {
    match shape {
        [rest @ .., 1] if !rest.is_empty() => trimmed(rest),
        _ => shape,
    }
}

impl Weights {
    /// These tensors, of no file.
    #[cfg(test)]
    pub(crate) fn of(tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> Self {
        Self { path: PathBuf::new(), tensors }
    }

    /// The tensor called `name`: its shape and its numbers.
    pub fn get(&self, name: &str) -> Option<&(Vec<usize>, Vec<f32>)> {
        self.tensors.get(name)
    }

    /// The tensors of the safetensors file at `path`, or of the run or the model of diffusers in the folder there. Half
    /// precision and bfloat16 become single precision. The optimizer's moments are left out; moving averages of parameters,
    /// where a run has them, take the place of the parameters.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if there is no such file or it is no safetensors file.
    pub fn read(path: &Path) -> Result<Self> {
        let path = file_of(path)?;
        let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            let hint = "it was cut short or is no safetensors file; PyTorch writes one with safetensors.torch.save_file";
            Error::checkpoint(&path, format!("not readable: {error}"), hint)
        })?;
        let format = metadata(&path)?.remove("format").unwrap_or_default();
        // Names of the first format of checkpoints.
        let old = format == "vae-1";
        // PyTorch counts minibatches in integers, which no model here takes; numbers of 8 bits and fewer are weights.
        if let Some((name, view)) =
            file.iter().find(|(_, view)| format!("{:?}", view.dtype()).starts_with("F8"))
        {
            let problem = format!("tensor '{name}' holds numbers of type {:?}", view.dtype());
            return Err(Error::checkpoint(&path, problem, "convert it, in PyTorch with tensor.float()"));
        }
        let own = file.iter().filter(|(name, _)| !name.starts_with("optimizer."));
        let tensors = own.filter_map(|(name, view)| {
            let name = if old { name.replace(".upper.", ".layer2.") } else { current_name(name) };
            Some((name, (view.shape().to_vec(), numbers(view.dtype(), view.data())?)))
        });
        let mut tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = tensors.collect();
        if format.starts_with("vae-") {
            let names: Vec<String> =
                tensors.keys().filter(|name| name.starts_with(AVERAGE)).cloned().collect();
            for name in names {
                if let Some(average) = tensors.remove(&name) {
                    tensors.insert(name[AVERAGE.len()..].to_string(), average);
                }
            }
        }
        Ok(Self { path, tensors })
    }

    /// The model that the file at `path`, or in the folder there, was written for, if it or a file beside it says so.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if there is no such file, or the settings cannot be read or are no model of this program.
    pub fn model_of(path: &Path) -> Result<Option<ModelConfig>> {
        let path = file_of(path)?;
        let metadata = metadata(&path)?;
        let ours = metadata.get("format").is_some_and(|format| format.starts_with("vae-"));
        let Some(text) = metadata.get("config").filter(|_| ours) else { return beside(&path) };
        let config = Config::from_run(text).map_err(|error| {
            let hint = "it was written by another version of vae; name the model with --model";
            Error::checkpoint(&path, format!("its settings cannot be read: {error}"), hint)
        })?;
        Ok(Some(config.model))
    }

    /// The tensor called `name`, if it has `shape`.
    fn of_shape(&self, name: &str, shape: &[usize]) -> Option<&[f32]> {
        let (own, values) = self.tensors.get(name)?;
        (trimmed(own) == trimmed(shape)).then_some(values)
    }

    /// Which of them the model of `session` takes.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it takes none, or one holds a number that is not finite; else if the device fails.
    pub fn fit(&self, session: &mut Session) -> Result<Fit> {
        let parameters = session.tensors().iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone()));
        let mut wanted: Vec<(String, Vec<usize>)> = parameters.collect();
        wanted.extend(session.read_states()?.into_iter().map(|(name, (shape, _))| (name, shape)));
        let mut fit = Fit {
            path: self.path.clone(),
            taken: Vec::new(),
            missing: Vec::new(),
            misshapen: Vec::new(),
            left: self
                .tensors
                .keys()
                .filter(|name| wanted.iter().all(|(own, _)| own != *name))
                .cloned()
                .collect(),
        };
        for (name, shape) in wanted {
            match (self.of_shape(&name, &shape), self.tensors.get(&name)) {
                (Some(values), _) => {
                    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                        let hint = "the model diverged, or the file is broken; give another one";
                        return Err(Error::checkpoint(
                            &self.path,
                            format!("tensor '{name}' holds the value {value}"),
                            hint,
                        ));
                    }
                    fit.taken.push(name);
                }
                (None, Some((own, _))) => fit.misshapen.push((name, own.clone(), shape)),
                (None, None) => fit.missing.push(name),
            }
        }
        if fit.taken.is_empty() {
            let problem = format!("no tensor has the name and the shape of one of the model's\n{fit}");
            let hint = "choose the model that the file was written for, with --model";
            return Err(Error::checkpoint(&self.path, problem, hint));
        }
        Ok(fit)
    }

    /// Put those that fit into `parameters`, the flat buffer of the model of `session`, and into its states.
    ///
    /// # Errors
    /// If the device fails.
    pub fn put(&self, session: &mut Session, parameters: &mut [f32]) -> Result<()> {
        for tensor in session.tensors() {
            if let Some(values) = self.of_shape(&tensor.name, &tensor.shape) {
                tensor.put(parameters, values);
            }
        }
        for (name, (shape, _)) in session.read_states()? {
            if let Some(values) = self.of_shape(&name, &shape) {
                session.write_state(&name, values)?;
            }
        }
        Ok(())
    }
}

impl Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.taken.len() + self.missing.len() + self.misshapen.len();
        write!(f, "{} of the model's {all} tensors are from {}", self.taken.len(), self.path.display())?;
        let misshapen: Vec<String> = self
            .misshapen
            .iter()
            .map(|(name, own, shape)| format!("{name} {own:?}, not {shape:?}"))
            .collect();
        let lists =
            [("not in the file", &self.missing), ("of another shape", &misshapen), ("not used", &self.left)];
        for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join("; ");
            let more = names.len().saturating_sub(NAMES);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            write!(f, "\n  {what}: {shown}{more}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_floating_point_type_are_read() {
        let halves: Vec<u8> = [0x3c00_u16, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000]
            .into_iter()
            .flat_map(u16::to_le_bytes)
            .collect();
        let expected = [1.0, -2.0, 0.333_251_95, 5.960_464_5e-8, 65504.0, -0.0];
        assert_eq!(numbers(Dtype::F16, &halves).unwrap(), expected);
        let brain: Vec<u8> = [0x3f80_u16, 0xc0a0].into_iter().flat_map(u16::to_le_bytes).collect();
        assert_eq!(numbers(Dtype::BF16, &brain).unwrap(), [1.0, -5.0]);
        assert_eq!(numbers(Dtype::F64, &0.25_f64.to_le_bytes()).unwrap(), [0.25]);
        assert_eq!(numbers(Dtype::I64, &[0; 8]), None);
    }

    #[test]
    fn a_window_of_one_pixel_is_a_linear_layer() {
        assert_eq!(trimmed(&[4, 3, 1, 1]), [4, 3]);
        assert_eq!(trimmed(&[1]), [1]);
        assert_eq!(trimmed(&[1, 1]), [1]);
    }
}
