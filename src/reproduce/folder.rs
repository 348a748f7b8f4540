//! The files of a reproduction's folder, with which a stopped reproduction is resumed.

use super::Achieved;
use crate::device::DeviceChoice;
use crate::files::write_atomically;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const REQUEST: &str = "reproduce.toml";
const ACHIEVED: &str = "achieved.json";

/// The request: the arguments of `vae reproduce`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Request {
    /// The recipe's name.
    pub recipe: String,
    /// The fraction of the passes.
    pub scale: f64,
    /// The variants to run; empty for all.
    pub variants: Vec<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// The device to run on.
    pub device: DeviceChoice,
    /// The folder with the images, if given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
}

impl Request {
    /// Whether `folder` holds a reproduction.
    pub fn exists(folder: &Path) -> bool {
        folder.join(REQUEST).is_file()
    }

    /// Write the request to `folder`, which is created if it is missing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let text = toml::to_string(self).map_err(|error| Error::Internal(format!("a request: {error}")))?;
        write_atomically(&folder.join(REQUEST), text.as_bytes())
    }

    /// Read the request from `folder`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if the folder holds no reproduction, or its file cannot be understood.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(REQUEST);
        if !folder.exists() {
            let hint = "name the folder that 'vae reproduce' made (its --out)";
            return Err(Error::checkpoint(folder, "there is no such folder", hint));
        }
        if !Self::exists(folder) {
            let hint = "name the folder that 'vae reproduce' made (its --out); the run of a single model goes on with \
                        'vae train --resume'";
            return Err(Error::checkpoint(folder, format!("no reproduction: it holds no {REQUEST}"), hint));
        }
        let text = std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        let broken = |error: toml::de::Error| {
            Error::checkpoint(&path, error.to_string(), "put back the file that 'vae reproduce' wrote")
        };
        let request: Self = toml::from_str(&text).map_err(broken)?;
        if request.scale > 0.0 && request.scale <= 1.0 {
            return Ok(request);
        }
        let problem = format!("scale is {}, and has to be above 0 and at most 1", request.scale);
        Err(Error::checkpoint(&path, problem, "put back the file that 'vae reproduce' wrote"))
    }
}

impl Achieved {
    /// Write the result of a variant to the folder of its run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::Internal(format!("the result of a variant: {error}")))?;
        write_atomically(&run.join(ACHIEVED), (text + "\n").as_bytes())
    }

    /// The result of the variant whose run is in this folder; `None` if it is not finished.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(run: &Path) -> Result<Option<Self>> {
        let path = run.join(ACHIEVED);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(Error::io(&path, problem)),
        };
        let broken = |error: serde_json::Error| {
            let hint = "delete the file: the variant is then evaluated again";
            Error::checkpoint(&path, error.to_string(), hint)
        };
        serde_json::from_str(&text).map(Some).map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::EpochNumbers;

    #[test]
    fn a_request_is_read_as_it_was_written_and_what_is_none_is_named() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("new");
        let problem = Request::read(&folder).unwrap_err().to_string();
        assert!(problem.contains("no such folder") && problem.contains("--out"), "{problem}");
        let problem = Request::read(place.path()).unwrap_err().to_string();
        assert!(problem.contains("no reproduction") && problem.contains("--out"), "{problem}");
        for (variants, data_dir) in [(vec![], None), (vec!["k=1".to_string()], Some(PathBuf::from("data")))] {
            let request = Request {
                recipe: "iwae-1-layer".into(),
                scale: 0.25,
                variants,
                seed: 3,
                device: DeviceChoice::Cpu,
                data_dir,
            };
            request.write(&folder).unwrap();
            assert_eq!(Request::read(&folder).unwrap(), request);
        }
        let text = std::fs::read_to_string(folder.join(REQUEST)).unwrap();
        for scale in ["1.5", "-1.0", "nan"] {
            std::fs::write(folder.join(REQUEST), text.replace("0.25", scale)).unwrap();
            let problem = Request::read(&folder).unwrap_err().to_string();
            assert!(
                problem.to_lowercase().contains(&format!("scale is {}", scale.trim_end_matches(".0"))),
                "{problem}"
            );
        }
        std::fs::write(folder.join(REQUEST), "recipe = 3").unwrap();
        let problem = Request::read(&folder).unwrap_err().to_string();
        assert!(problem.contains(REQUEST) && problem.contains("put back"), "{problem}");
    }

    #[test]
    fn what_came_of_a_variant_is_kept_to_the_last_digit() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(Achieved::read(place.path()).unwrap(), None);
        let achieved = Achieved {
            variant: "k=1".into(),
            elbo: -100.123_456_789_012_3,
            epochs: vec![EpochNumbers {
                epoch: 1,
                training_reconstruction: 0.1 + 0.2,
                training_kl: 1.0,
                held_out_kl: 2.0,
                held_out_squared_error: None,
                used_dimensions: 3,
            }],
            likelihood: None,
            images: 60_000,
            seconds: 0.1 + 0.2,
            device: "cpu".into(),
        };
        achieved.write(place.path()).unwrap();
        assert_eq!(Achieved::read(place.path()).unwrap(), Some(achieved));
        std::fs::write(place.path().join(ACHIEVED), "{}").unwrap();
        let problem = Achieved::read(place.path()).unwrap_err().to_string();
        assert!(problem.contains(ACHIEVED) && problem.contains("delete"), "{problem}");
    }
}
