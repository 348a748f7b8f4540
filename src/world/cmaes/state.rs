//! The whole state of a search in a safetensors file, bit for bit.

use super::{Best, Cmaes, Constants};
use crate::files::write_atomically;
use crate::{Error, Result};
use nalgebra::{DMatrix, DVector};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::Path;

/// The format that is written and read.
const FORMAT: &str = "vae-cmaes-1";
/// What to do about a file that cannot be used.
const HINT: &str = "it was cut short or is of another kind; put back another copy, or begin the search anew";
/// The metadata that this file writes by itself.
const OWN: [&str; 6] = ["format", "seed", "population", "generation", "decomposed", "best.generation"];

impl Cmaes {
    /// Write the state to `path` with `notes`, replacing what is there only when all is written. The names of notes are the
    /// caller's, but for `format`, `seed`, `population`, `generation`, `decomposed` and `best.generation`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, notes: &HashMap<String, String>) -> Result<()> {
        let internal = |error: safetensors::SafeTensorError| Error::Internal(format!("CMA-ES: {error}"));
        let dimension = self.dimension();
        let (square, line) = (vec![dimension; 2], vec![dimension]);
        // Matrices are stored by columns; the covariance is symmetric, the axes are one each row of the file.
        let mut tensors = vec![
            ("mean", line.clone(), self.mean.as_slice()),
            ("sigma", vec![1], std::slice::from_ref(&self.sigma)),
            ("covariance", square.clone(), self.covariance.as_slice()),
            ("axes", square, self.axes.as_slice()),
            ("lengths", line.clone(), self.lengths.as_slice()),
            ("path", line.clone(), self.path.as_slice()),
            ("step_path", line.clone(), self.step_path.as_slice()),
        ];
        if let Some(best) = &self.best {
            tensors.push(("best.candidate", line, &best.candidate));
            tensors.push(("best.cost", vec![1], std::slice::from_ref(&best.cost)));
        }
        let mut metadata = notes.clone();
        let best = self.best.as_ref().map_or(0, |best| best.generation);
        let numbers = [self.seed, self.population() as u64, self.generation, self.decomposed, best];
        metadata.insert(OWN[0].into(), FORMAT.into());
        metadata
            .extend(OWN[1..].iter().zip(numbers).map(|(name, value)| (name.to_string(), value.to_string())));
        let view = |(name, shape, values)| {
            let bytes: &[u8] = bytemuck::cast_slice::<f64, u8>(values);
            TensorView::new(Dtype::F64, shape, bytes).map(|view| (name, view))
        };
        let views: Vec<(&str, TensorView<'_>)> =
            tensors.into_iter().map(view).collect::<Result<_, _>>().map_err(internal)?;
        write_atomically(path, &safetensors::serialize(views, Some(metadata)).map_err(internal)?)
    }

    /// Read the state at `path`, and the notes saved with it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Checkpoint`] if it is not one that [`Cmaes::save`] wrote.
    pub fn load(path: &Path) -> Result<(Self, HashMap<String, String>)> {
        let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
        let broken = |problem: String| Error::checkpoint(path, problem, HINT);
        let unreadable = |error: safetensors::SafeTensorError| broken(format!("not readable: {error}"));
        let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
        let mut notes = header.metadata().clone().unwrap_or_default();
        if notes.get(OWN[0]).is_none_or(|format| format != FORMAT) {
            return Err(broken(format!("its format is not '{FORMAT}', the state of a CMA-ES search")));
        }
        let number = |name: &str| -> Result<u64> {
            let text = notes.get(name).and_then(|text| text.parse().ok());
            text.ok_or_else(|| broken(format!("its metadata has no whole number '{name}'")))
        };
        let [seed, population, generation, decomposed, best] =
            [number(OWN[1])?, number(OWN[2])?, number(OWN[3])?, number(OWN[4])?, number(OWN[5])?];
        let tensor = |name: &str, length: Option<usize>| -> Result<Vec<f64>> {
            let view = file.tensor(name).ok().filter(|view| view.dtype() == Dtype::F64);
            let values: Vec<f64> = view
                .map(|view| bytemuck::pod_collect_to_vec(view.data()))
                .ok_or_else(|| broken(format!("it holds no f64 tensor '{name}'")))?;
            if values.is_empty() || length.is_some_and(|length| length != values.len()) {
                return Err(broken(format!("tensor '{name}' has {} values", values.len())));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(broken(format!("tensor '{name}' holds values that are not finite")));
            }
            Ok(values)
        };
        let mean = tensor("mean", None)?;
        let dimension = mean.len();
        let line = |name| tensor(name, Some(dimension)).map(DVector::from_vec);
        let square = |name| {
            tensor(name, Some(dimension * dimension))
                .map(|values| DMatrix::from_vec(dimension, dimension, values))
        };
        let population = usize::try_from(population).ok().filter(|population| *population >= 4);
        let population = population.ok_or_else(|| broken("its population is below 4".into()))?;
        if decomposed > generation {
            return Err(broken(format!("decomposed in generation {decomposed}, after {generation}")));
        }
        // A cost may be infinite.
        let cost = || -> Result<f64> {
            let view = file.tensor("best.cost").ok().filter(|view| view.dtype() == Dtype::F64);
            let bytes = view.and_then(|view| view.data().try_into().ok());
            bytes.map(f64::from_le_bytes).ok_or_else(|| broken("it holds no f64 tensor 'best.cost'".into()))
        };
        let best = match best {
            0 => None,
            generation => Some(Best {
                candidate: tensor("best.candidate", Some(dimension))?,
                cost: cost()?,
                generation,
            }),
        };
        let state = Self {
            constants: Constants::new(dimension, population),
            seed,
            generation,
            sigma: tensor("sigma", Some(1))?[0],
            covariance: square("covariance")?,
            axes: square("axes")?,
            lengths: line("lengths")?,
            decomposed,
            path: line("path")?,
            step_path: line("step_path")?,
            mean: DVector::from_vec(mean),
            best,
        };
        OWN.iter().for_each(|name| drop(notes.remove(*name)));
        Ok((state, notes))
    }
}
