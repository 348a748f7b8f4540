//! Files of M: named tensors, its settings, and where training stands.

use super::{MemoryConfig, MemoryState};
use crate::files::write_atomically;
use crate::graph::{Tensor, Tensors};
use crate::session::Session;
use crate::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const FORMAT: &str = "vae-memory-1";

/// The flat buffers of a checkpoint, and the prefix of their tensors' names.
const FLAT: [(&str, &str); 3] =
    [("parameters", ""), ("moments.first", "optimizer.first."), ("moments.second", "optimizer.second.")];

/// M's parameters and what training keeps beside them, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The settings M was trained with.
    pub config: MemoryConfig,
    /// Where training stood.
    pub state: MemoryState,
    /// Shape and numbers of each tensor.
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    Error::Internal(format!("memory: {error}"))
}

impl Parameters {
    /// Those of the layout `tensors` in the flat buffer `flat`, such as first values.
    pub fn of_flat(config: &MemoryConfig, tensors: &Tensors, flat: &[f32]) -> Self {
        let named = |tensor: &Tensor| (tensor.name.clone(), (tensor.shape.clone(), tensor.take(flat)));
        let own = tensors.all();
        let own = own.iter().filter(|tensor| tensor.name.starts_with("memory."));
        Self { config: *config, state: MemoryState::default(), tensors: own.map(named).collect() }
    }

    /// Parameters as M begins with: an M that was not trained.
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero.
    pub fn untrained(config: &MemoryConfig) -> Result<Self> {
        use crate::model::Model;
        let (memory, tensors) = (super::Memory { config: *config }, Tensors::default());
        memory.build(&tensors, &memory.task(), None)?;
        Ok(Self::of_flat(config, &tensors, &memory.first_parameters(&tensors, config.seed)))
    }

    /// Read parameters from the device, with the optimizer's moments if `moments`.
    ///
    /// # Errors
    /// [`Error::Diverged`] if one is not a finite number; else if the device fails.
    pub(super) fn take(
        session: &mut Session,
        config: &MemoryConfig,
        state: &MemoryState,
        moments: bool,
    ) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (buffer, prefix) in &FLAT[..if moments { 3 } else { 1 }] {
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
        Ok(Self { config: *config, state: state.clone(), tensors })
    }

    /// Write parameters, and the moments if the session trains, to the device. `path` is named in errors.
    pub(super) fn restore(&self, session: &mut Session, path: &Path) -> Result<()> {
        for (buffer, prefix) in FLAT {
            let Some(id) = session.plan().buffer(buffer) else { continue };
            let mut flat = vec![0.0; session.plan().buffers[id.0].length];
            for tensor in session.tensors() {
                tensor.put(&mut flat, self.values(&format!("{prefix}{}", tensor.name), &tensor.shape, path)?);
            }
            session.write_flat(buffer, &flat)?;
        }
        Ok(())
    }

    /// The numbers of the tensor `name`, which has this shape. `path` is named in errors.
    fn values(&self, name: &str, shape: &[usize], path: &Path) -> Result<&[f32]> {
        let hint = "it is of another M; train M anew";
        match self.tensors.get(name) {
            None => Err(Error::checkpoint(path, format!("it holds no tensor '{name}'"), hint)),
            Some((own, _)) if own != shape => {
                let problem = format!("tensor '{name}' has shape {own:?}, but the model's is {shape:?}");
                Err(Error::checkpoint(path, problem, hint))
            }
            Some((_, values)) => Ok(values),
        }
    }

    /// Put M's parameters into `flat`, in the layout of `tensors`: those of any graph that holds [`super::Memory::network`]. Other
    /// parameters stay. `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if a tensor of the graph's M is missing or has another shape.
    pub fn put(&self, tensors: &Tensors, flat: &mut [f32], path: &Path) -> Result<()> {
        for tensor in tensors.all().iter().filter(|tensor| tensor.name.starts_with("memory.")) {
            tensor.put(flat, self.values(&tensor.name, &tensor.shape, path)?);
        }
        Ok(())
    }

    /// Write to `path`, replacing what is there only when all is written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut views = Vec::new();
        for (name, (shape, values)) in &self.tensors {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values));
            views.push((name.as_str(), view.map_err(|error| internal(&error))?));
        }
        let json = |value: serde_json::Result<String>| value.map_err(|error| internal(&error));
        let metadata = HashMap::from([
            ("format".to_string(), FORMAT.to_string()),
            ("config".to_string(), json(serde_json::to_string(&self.config))?),
            ("state".to_string(), json(serde_json::to_string(&self.state))?),
        ]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
        write_atomically(path, &bytes)
    }

    /// Read what [`Parameters::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if the file is missing, broken or another.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                Error::checkpoint(path, "there is no trained M", "train M first, with vae world train-m")
            }
            _ => Error::io(path, source),
        })?;
        let broken = |problem: String| {
            let hint = "it was cut short or is no file of M; delete it and train M anew";
            Error::checkpoint(path, problem, hint)
        };
        let unreadable = |error: safetensors::SafeTensorError| broken(format!("not readable: {error}"));
        let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry = |name: &str| {
            let found = metadata.get(name).map(String::as_str);
            found.ok_or_else(|| broken(format!("its metadata has no '{name}'")))
        };
        if entry("format")? != FORMAT {
            return Err(broken(format!("its format is not '{FORMAT}'")));
        }
        let wrong = |error: serde_json::Error| broken(format!("its metadata: {error}"));
        let config = serde_json::from_str(entry("config")?).map_err(wrong)?;
        let state = serde_json::from_str(entry("state")?).map_err(wrong)?;
        let reals = file.iter().filter(|(_, view)| view.dtype() == Dtype::F32);
        let named = reals.map(|(name, view)| {
            (name.to_string(), (view.shape().to_vec(), bytemuck::pod_collect_to_vec(view.data())))
        });
        Ok(Self { config, state, tensors: named.collect() })
    }

    /// Numbers in all of M's tensors, the optimizer's moments left out.
    pub fn count(&self) -> usize {
        let own = self.tensors.iter().filter(|(name, _)| name.starts_with("memory."));
        own.map(|(_, (_, values))| values.len()).sum()
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }
}
