//! The folder of a run.

use crate::config::Config;
use crate::files::write_atomically;
use crate::tuning::Record;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.toml";
const MATMUL: &str = "matmul.json";
/// A reproduction's ([`crate::reproduce::Request`]), whose variants are runs in folders of their own.
const REPRODUCTION: &str = "reproduce.toml";
const FILES: [&str; 18] = [
    CONFIG,
    "metrics.csv",
    "checkpoint.safetensors",
    "best.safetensors",
    MATMUL,
    "curves.png",
    "reconstructions.png",
    "samples.png",
    "latent.png",
    "manifold.png",
    "interpolation.png",
    "latents.csv",
    "steps.csv",
    super::kept::PICTURES,
    super::known::DATA,
    // Of the family that another library knows.
    "diffusers/config.json",
    "diffusers/diffusion_pytorch_model.safetensors",
    // A reproduction's, whose variants are runs.
    "achieved.json",
];

/// A folder that holds a run: its configuration, metrics, checkpoints and pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Whether a new run may be made at `path`.
    ///
    /// # Errors
    /// If `path` is a file, or holds a reproduction, or holds a run or files that a run would replace and `overwrite` is
    /// false.
    pub fn check(path: &Path, overwrite: bool) -> Result<()> {
        if path.exists() && !path.is_dir() {
            return Err(Error::setting("--out", format!("{} is a file", path.display()), "name a folder"));
        }
        if path.join(REPRODUCTION).exists() {
            let problem = format!("{} holds a reproduction", path.display());
            return Err(Error::setting("--out", problem, "name another folder"));
        }
        let found = FILES.into_iter().find(|name| path.join(name).exists());
        if let Some(file) = found.filter(|_| !overwrite) {
            let exists = |name: &str| path.join(name).exists();
            let (saved, run) = (exists("checkpoint.safetensors"), FILES[..4].iter().any(|name| exists(name)));
            let path = path.display();
            let replace = "replace it with --overwrite, or".to_string();
            let (what, hint) = if saved {
                let hint = format!("continue it with --resume {path}, {replace}");
                ("a run already".to_string(), hint)
            } else if run {
                ("a run that stopped before its first save".to_string(), replace)
            } else {
                (format!("a file {file}, which a run would replace"), replace)
            };
            let problem = format!("{path} holds {what}");
            return Err(Error::setting("--out", problem, format!("{hint} name another folder")));
        }
        Ok(())
    }

    /// Make a folder for a new run; a run that is replaced is deleted first.
    ///
    /// # Errors
    /// If `path` holds a run already and `overwrite` is false, or cannot be written.
    pub fn create(path: &Path, config: &Config, overwrite: bool) -> Result<Self> {
        Self::check(path, overwrite)?;
        let run = Self { path: path.to_path_buf() };
        if overwrite {
            Self::clear(path)?;
        }
        std::fs::create_dir_all(path).map_err(|source| Error::io(path, source))?;
        run.write_config(config)?;
        Ok(run)
    }

    /// Delete the run in the folder `path`, if there is one; other files stay.
    ///
    /// # Errors
    /// If a file cannot be deleted.
    pub fn clear(path: &Path) -> Result<()> {
        for file in FILES.map(|name| path.join(name)) {
            if file.exists() {
                std::fs::remove_file(&file).map_err(|source| Error::io(&file, source))?;
            }
        }
        Ok(())
    }

    /// Make the first of `runs/NAME-1`, `runs/NAME-2`, .. that does not exist.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create_next(name: &str, config: &Config) -> Result<Self> {
        loop {
            let path = Self::next_free(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
            }
            // Another run may take the name at the same moment: only one of the two creates the folder.
            match std::fs::create_dir(&path) {
                Ok(()) => return Self::create(&path, config, false),
                Err(problem) if problem.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(problem) => return Err(Error::io(&path, problem)),
            }
        }
    }

    /// The first of `runs/NAME-1`, `runs/NAME-2`, .. that does not exist.
    pub fn next_free(name: &str) -> PathBuf {
        let clean: String =
            name.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '.' { c } else { '-' }).collect();
        let mut number = 1;
        loop {
            let path = Path::new("runs").join(format!("{}-{number}", clean.trim_matches('-')));
            if !path.exists() {
                return path;
            }
            number += 1;
        }
    }

    /// A run that exists.
    ///
    /// # Errors
    /// If `path` is not a run folder, or its configuration cannot be read.
    pub fn open(path: &Path) -> Result<(Self, Config)> {
        let run = Self { path: path.to_path_buf() };
        let config = path.join(CONFIG);
        if !config.is_file() {
            let problem = match () {
                () if path.is_dir() => "no run: it holds no config.toml",
                () if path.exists() => "a file, and no run folder",
                () => "no such run folder",
            };
            let hint = match path.parent().filter(|parent| path.is_file() && parent.join(CONFIG).is_file()) {
                Some(parent) => format!("name the run's folder: {}", parent.display()),
                None => "name the folder that 'vae train' made (its --out)".to_string(),
            };
            return Err(Error::checkpoint(path, problem, hint));
        }
        let config = Config::read_run(&config)?.resolve()?;
        Ok((run, config))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The variants of matrix products that the run was made with, if they were chosen.
    ///
    /// # Errors
    /// If the file is there and cannot be used.
    pub fn read_record(&self) -> Result<Option<Record>> {
        Record::read(&self.file(MATMUL))
    }

    /// Keep them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        record.write(&self.file(MATMUL))
    }

    /// Write `config.toml`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_config(&self, config: &Config) -> Result<()> {
        write_atomically(&self.file(CONFIG), config.to_toml()?.as_bytes())
    }
}
