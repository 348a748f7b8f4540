//! A prior fitted to the latents of a run's training images after training, as for regularized autoencoders (Ghosh et al.,
//! arXiv 1903.12436, section 4): kept in the run as `prior.safetensors`.

use super::mixture::{Fit, Mixture};
use crate::files::write_atomically;
use crate::run::TrainedModel;
use crate::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The file in the run's folder.
pub const PRIOR: &str = "prior.safetensors";
/// Its format.
const FORMAT: &str = "vae-prior-1";
/// Names of its tensors: `[components]`, `[components, latent]`, `[components, latent, latent]`.
const TENSORS: [&str; 3] = ["weights", "means", "covariances"];

/// Fit `components` Gaussians to a draw from the posterior of each image that `model` was opened with as its held-out ones, or
/// to their codes; of several stochastic layers the last, whose prior is N(0, I).
///
/// # Errors
/// [`Error::Setting`] if there are fewer images than components; else if the device fails.
pub fn fit(model: &mut TrainedModel, components: usize) -> Result<Fit> {
    let numbers: Vec<u32> = (0..model.dataset.test.count as u32).collect();
    let latents = model.session.draw_top(&numbers)?;
    Mixture::fit(&latents, model.session.top_width()?, components, model.config.run.seed)
}

/// Write `mixture` into the run of `model`; returns the path.
///
/// # Errors
/// If the file cannot be written.
pub fn write(model: &TrainedModel, mixture: &Mixture) -> Result<PathBuf> {
    let internal = |error: &dyn std::fmt::Display| Error::Internal(format!("prior: {error}"));
    let width = mixture.width();
    let parts = mixture.parts();
    let components = parts[0].len();
    let shapes = [vec![components], vec![components, width], vec![components, width, width]];
    let mut views = Vec::new();
    for ((name, shape), values) in TENSORS.into_iter().zip(shapes).zip(parts) {
        let view = TensorView::new(Dtype::F64, shape, bytemuck::cast_slice(values));
        views.push((name, view.map_err(|error| internal(&error))?));
    }
    let metadata = HashMap::from([
        ("format".to_string(), FORMAT.to_string()),
        ("step".to_string(), model.state.step.to_string()),
    ]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
    let path = model.run.file(PRIOR);
    write_atomically(&path, &bytes)?;
    Ok(path)
}

/// The prior in the run of `model`.
///
/// # Errors
/// [`Error::Setting`] naming `--prior` if the run has no fitted prior, or one of other parameters; [`Error::Data`] if the file is damaged.
pub fn read(model: &TrainedModel) -> Result<Mixture> {
    let path = model.run.file(PRIOR);
    let run = model.run.path().display();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
            let hint = format!("fit one with 'vae fit-prior {run}'");
            return Err(Error::setting("--prior", format!("{run} has no {PRIOR}"), hint));
        }
        Err(problem) => return Err(Error::io(&path, problem)),
    };
    let (mixture, step) = parse(&path, &bytes, &format!("fit it anew with 'vae fit-prior {run}'"))?;
    if step != model.state.step.to_string() || mixture.width() != model.session.top_width()? {
        let problem = format!(
            "{PRIOR} is of the parameters of step {step}, and those of {} are of step {}",
            model.checkpoint.display(),
            model.state.step
        );
        let hint = format!("fit it anew with 'vae fit-prior {run}', with --best if this command has it");
        return Err(Error::setting("--prior", problem, hint));
    }
    Ok(mixture)
}

fn parse(path: &Path, bytes: &[u8], hint: &str) -> Result<(Mixture, String)> {
    let damaged = |problem: String| Error::data(path, problem, hint);
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let metadata = metadata.metadata().clone().unwrap_or_default();
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(damaged(format!("it is not of the format {FORMAT}")));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    let read = |name: &str| -> Result<(Vec<usize>, Vec<f64>)> {
        let view = file.tensor(name).map_err(|_| damaged(format!("it has no tensor {name}")))?;
        if view.dtype() != Dtype::F64 {
            return Err(damaged(format!("the tensor {name} is not of 64-bit floats")));
        }
        let numbers = view.data().chunks_exact(8).map(|bytes| {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            f64::from_le_bytes(eight)
        });
        Ok((view.shape().to_vec(), numbers.collect()))
    };
    let (weights, means, covariances) = (read(TENSORS[0])?.1, read(TENSORS[1])?, read(TENSORS[2])?.1);
    let width = means.0.last().copied().unwrap_or(0);
    let mixture = Mixture::new(weights, means.1, covariances, width);
    let mixture = mixture.map_err(|_| damaged("it holds no mixture of Gaussians".to_string()))?;
    Ok((mixture, metadata.get("step").cloned().unwrap_or_default()))
}
