//! The one error type of the library.
//!
//! Every message names what is wrong (a file, a flag, a tensor, a limit) and what to do about it.

use std::path::{Path, PathBuf};

/// What went wrong, and what the user can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{path}: {source}{hint}", path = path.display(), hint = missing_folder(path, source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file or folder was read, but what it holds cannot be used.
    #[error("{path}: {problem}\n  {hint}", path = path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A checkpoint or run folder cannot be used.
    #[error("{path}: {problem}\n  {hint}", path = path.display())]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A setting, given as a flag or in a configuration file, cannot be used.
    #[error("{setting}: {problem}\n  {hint}")]
    Setting {
        /// The flag, as the user types it (`--batch-size`).
        setting: String,
        /// What is wrong with the value.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A column of a dataset is missing, or its values do not fit.
    #[error("dataset '{dataset}': column '{column}' of the {part} part {problem}\n  {hint}")]
    Column {
        /// The dataset's name.
        dataset: String,
        /// `train` or `test`.
        part: String,
        /// The column's name.
        column: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Two tensors do not fit together; raised while a graph is built.
    #[error("{operation}: {problem}")]
    Shape {
        /// The operation that was being added to the graph.
        operation: String,
        /// Which shapes clash, and how.
        problem: String,
    },
    /// A tensor is larger than the device allows; raised before anything is allocated.
    #[error(
        "tensor '{tensor}' needs {needed} bytes, but {device} allows at most {limit} ({limit_name})\n  {}, or a device that takes it: {}",
        match .batch {
            Some(batch) => format!("use a --batch-size of {batch} or less"),
            None => "use a smaller model, --batch-size or image size".into(),
        },
        std::iter::once("--device cpu").chain(.others.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
    )]
    Limit {
        /// The tensor's name in the plan.
        tensor: String,
        /// Bytes it needs.
        needed: u64,
        /// The device's name.
        device: String,
        /// The limit in bytes.
        limit: u64,
        /// The limit's name, as WebGPU spells it.
        limit_name: &'static str,
        /// The largest minibatch that fits, where one does.
        batch: Option<usize>,
        /// Adapters that take it, as `--device 1 (NAME)`; the CPU always does.
        others: Box<[String]>,
    },
    /// The device could not be used, ran out of memory, or was lost.
    #[error("{device}: {problem}\n  {hint}")]
    Device {
        /// The device's name, or the name that was asked for.
        device: String,
        /// What happened.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A loss term stopped being a finite number.
    #[error("step {step}: the {term} term became {value}; training stopped\n  {hint}")]
    Diverged {
        /// The training step (counted from 1) whose minibatch showed it.
        step: u64,
        /// The term: `reconstruction`, `KL divergence` or `gradient norm`.
        term: String,
        /// `NaN` or `inf`.
        value: f32,
        /// What to try, and where the last good parameters are.
        hint: String,
    },
    /// The program that serves an environment could not be started, broke the protocol, was too slow, or ended.
    #[error("--env \"{command}\": {problem}{}\n  {hint}", last_words(said))]
    Environment {
        /// The command line, as the user typed it.
        command: String,
        /// What happened.
        problem: String,
        /// The last lines that it wrote to standard error.
        said: Vec<String>,
        /// What to do.
        hint: String,
    },
    /// A rule the program itself must keep was broken: a bug, never the user's fault.
    #[error("internal error: {0}\n  this is a bug in vae; please report it")]
    Internal(String),
}

/// The library's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A note for messages about a file that cannot be found or created because its folder is missing.
fn missing_folder(path: &Path, source: &std::io::Error) -> String {
    match path.parent().filter(|folder| *folder != Path::new("")) {
        Some(folder) if source.kind() == std::io::ErrorKind::NotFound && !folder.exists() => {
            format!("\n  there is no folder {}", folder.display())
        }
        _ => String::new(),
    }
}

/// A note for messages about a program that wrote these lines last.
fn last_words(said: &[String]) -> String {
    match said {
        [] => String::new(),
        said => format!("; its last lines:\n    {}", said.join("\n    ")),
    }
}

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Data`] for `path`.
    pub fn data(path: impl AsRef<Path>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Data { path: path.as_ref().to_path_buf(), problem: problem.into(), hint: hint.into() }
    }

    /// An [`Error::Checkpoint`] for `path`.
    pub fn checkpoint(path: impl AsRef<Path>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.as_ref().to_path_buf(), problem: problem.into(), hint: hint.into() }
    }

    /// An [`Error::Setting`].
    pub fn setting(setting: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), problem: problem.into(), hint: hint.into() }
    }

    /// An [`Error::Column`].
    pub fn column(
        dataset: impl Into<String>,
        part: impl Into<String>,
        column: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Column {
            dataset: dataset.into(),
            part: part.into(),
            column: column.into(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }

    /// An [`Error::Device`].
    pub fn device(device: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Device { device: device.into(), problem: problem.into(), hint: hint.into() }
    }

    /// An [`Error::Shape`].
    pub fn shape(operation: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Shape { operation: operation.into(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_named() {
        let place = tempfile::tempdir().unwrap();
        for (name, told) in [("missing/picture.png", true), ("picture.png", false)] {
            let path = place.path().join(name);
            let problem = Error::io(&path, std::fs::read(&path).unwrap_err()).to_string();
            assert_eq!(problem.contains("there is no folder"), told, "{problem}");
        }
    }
}
