//! The curve of an evolution, `metrics.csv` in the folder of C.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, counted from 1.
    pub generation: u64,
    /// The mean return of all candidates.
    pub mean: f64,
    /// That of the worst one.
    pub least: f64,
    /// That of the best one.
    pub most: f64,
    /// The step size of the strategy after it.
    pub sigma: f64,
    /// The mean return of the mean of the candidates on tracks kept for this, where it was tested.
    pub tested: Option<f64>,
    /// Steps of the environment up to here.
    pub steps: u64,
    /// Seconds up to here.
    pub seconds: f64,
}

/// All generations; none if the file is not there.
///
/// # Errors
/// [`Error::Data`] if the file is no such curve; [`Error::Io`] if it cannot be read.
pub fn read_curve(path: &Path) -> Result<Vec<Generation>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let refused =
        |problem: csv::Error| Error::data(path, problem.to_string(), "put back the file as it was written");
    let mut reader = csv::Reader::from_path(path).map_err(refused)?;
    reader.deserialize().collect::<Result<_, _>>().map_err(refused)
}

/// Write all generations.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub(super) fn write_curve(path: &Path, curve: &[Generation]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let internal = |problem: &dyn std::fmt::Display| Error::Internal(format!("a curve: {problem}"));
    for generation in curve {
        writer.serialize(generation).map_err(|problem| internal(&problem))?;
    }
    let bytes = writer.into_inner().map_err(|problem| internal(&problem))?;
    crate::files::write_atomically(path, &bytes)
}
