//! Episodes as M sees them: posteriors of frames, and actions.

use crate::files::write_atomically;
use crate::{Error, Result};
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::Path;

const FORMAT: &str = "vae-episodes-1";

/// The frames of an episode in their order. Posteriors are kept in half precision, as files hold them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// Means of the frames' posteriors, `[frames, latent]`.
    pub means: Vec<f32>,
    /// Log-variances of the frames' posteriors, `[frames, latent]`.
    pub log_variances: Vec<f32>,
    /// The action taken at each frame, `[frames, actions]`.
    pub actions: Vec<f32>,
}

impl Episode {
    /// An episode of these frames; posteriors are rounded to half precision.
    pub fn new(mut means: Vec<f32>, mut log_variances: Vec<f32>, actions: Vec<f32>) -> Self {
        for value in means.iter_mut().chain(&mut log_variances) {
            *value = f16::from_f32(*value).to_f32();
        }
        Self { means, log_variances, actions }
    }
}

/// Episodes of one environment and one V.
#[derive(Clone, Debug, PartialEq)]
pub struct Episodes {
    /// Latent dimensions of a frame.
    pub latent: usize,
    /// Numbers of an action.
    pub actions: usize,
    /// The episodes.
    pub episodes: Vec<Episode>,
}

impl Episodes {
    /// No episodes yet.
    pub fn new(latent: usize, actions: usize) -> Self {
        Self { latent, actions, episodes: Vec::new() }
    }

    /// Add an episode.
    ///
    /// # Errors
    /// [`Error::Internal`] if it has not as many means, log-variances and actions.
    pub fn push(&mut self, episode: Episode) -> Result<()> {
        let frames = self.frames(&episode);
        let sizes = [episode.means.len(), episode.log_variances.len(), episode.actions.len()];
        if sizes != [frames * self.latent, frames * self.latent, frames * self.actions] {
            let problem = format!("an episode with {sizes:?} means, log-variances and numbers of actions");
            return Err(Error::Internal(problem));
        }
        self.episodes.push(episode);
        Ok(())
    }

    /// Frames of an episode.
    pub fn frames(&self, episode: &Episode) -> usize {
        episode.means.len() / self.latent.max(1)
    }

    /// Write them to `path`: tensors `means` and `log_variances` in half precision and `actions`, all episodes one after the other,
    /// and `lengths`, the frames of each.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let internal = |error: safetensors::SafeTensorError| Error::Internal(format!("episodes: {error}"));
        let of = |part: fn(&Episode) -> &Vec<f32>| self.episodes.iter().flat_map(part);
        let half =
            |part| -> Vec<u8> { of(part).flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect() };
        let means = half(|episode| &episode.means);
        let log_variances = half(|episode| &episode.log_variances);
        let actions: Vec<u8> = of(|episode| &episode.actions).flat_map(|value| value.to_le_bytes()).collect();
        let lengths = self.episodes.iter().map(|episode| self.frames(episode) as u32);
        let lengths: Vec<u8> = lengths.flat_map(u32::to_le_bytes).collect();
        let frames: usize = self.episodes.iter().map(|episode| self.frames(episode)).sum();
        let views = [
            ("means", Dtype::F16, vec![frames, self.latent], &means),
            ("log_variances", Dtype::F16, vec![frames, self.latent], &log_variances),
            ("actions", Dtype::F32, vec![frames, self.actions], &actions),
            ("lengths", Dtype::U32, vec![self.episodes.len()], &lengths),
        ];
        let mut named = Vec::new();
        for (name, kind, shape, bytes) in views {
            named.push((name, TensorView::new(kind, shape, bytes).map_err(internal)?));
        }
        let metadata = HashMap::from([("format".to_string(), FORMAT.to_string())]);
        write_atomically(path, &safetensors::serialize(named, Some(metadata)).map_err(internal)?)
    }

    /// Read what [`Episodes::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Data`] if the file is broken or another; else if it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
        let broken = |problem: String| {
            Error::data(path, problem, "encode the collected frames again to write it anew")
        };
        let file =
            SafeTensors::deserialize(&bytes).map_err(|error| broken(format!("not readable: {error}")))?;
        let tensor = |name: &str, kind: Dtype, dimensions: usize| {
            let found = file.tensor(name).map_err(|_| broken(format!("it holds no tensor '{name}'")))?;
            let shape = found.shape().to_vec();
            if found.dtype() != kind || shape.len() != dimensions {
                let problem = format!("its tensor '{name}' is {:?} of shape {shape:?}", found.dtype());
                return Err(broken(problem));
            }
            Ok((shape, found.data()))
        };
        let (means_shape, means) = tensor("means", Dtype::F16, 2)?;
        let (variances_shape, log_variances) = tensor("log_variances", Dtype::F16, 2)?;
        let (actions_shape, actions) = tensor("actions", Dtype::F32, 2)?;
        let (_, lengths) = tensor("lengths", Dtype::U32, 1)?;
        let lengths: Vec<u32> = bytemuck::pod_collect_to_vec(lengths);
        let frames: usize = lengths.iter().map(|&length| length as usize).sum();
        let latent = means_shape[1];
        if means_shape != [frames, latent] || variances_shape != means_shape || actions_shape[0] != frames {
            let problem = format!("its lengths add up to {frames} frames, but its means are {means_shape:?}");
            return Err(broken(problem));
        }
        let halves = |bytes: &[u8]| -> Vec<f32> {
            let pairs = bytes.as_chunks::<2>().0;
            pairs.iter().map(|&pair| f16::from_le_bytes(pair).to_f32()).collect()
        };
        let (means, log_variances) = (halves(means), halves(log_variances));
        let actions: Vec<f32> = bytemuck::pod_collect_to_vec(actions);
        let mut all = Self::new(latent, actions_shape[1]);
        let mut first = 0;
        for length in lengths {
            let end = first + length as usize;
            let part = |values: &[f32], width: usize| values[first * width..end * width].to_vec();
            all.push(Episode {
                means: part(&means, latent),
                log_variances: part(&log_variances, latent),
                actions: part(&actions, actions_shape[1]),
            })?;
            first = end;
        }
        Ok(all)
    }
}
