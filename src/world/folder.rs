//! The folder of a world run: V, M and C, and the frames that they learned from.

use super::controller::Inputs;
use super::settings::WorldSettings;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

const SETTINGS: &str = "world.toml";
/// What a new world would replace.
const PARTS: [&str; 5] = [SETTINGS, "frames.npz", "vision", "memory", "controller"];

/// A folder that holds a world run.
///
/// | place | what it holds |
/// |---|---|
/// | `world.toml` | the settings |
/// | `frames.npz` | frames, actions, rewards |
/// | `vision` | V, a run as `vae train` makes it |
/// | `memory` | M and the encoded frames |
/// | `controller` | C and the state of its evolution; `controller-z` and so on for other inputs |
#[derive(Clone, Debug, PartialEq)]
pub struct WorldFolder {
    path: PathBuf,
    settings: WorldSettings,
}

impl WorldFolder {
    /// Make the folder of a new world.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting makes no sense, or `path` is a file or holds a world or other runs already;
    /// [`Error::Io`] if it cannot be written.
    pub fn create(path: &Path, settings: WorldSettings) -> Result<Self> {
        settings.check()?;
        if path.exists() && !path.is_dir() {
            return Err(Error::setting("--out", format!("{} is a file", path.display()), "name a folder"));
        }
        if let Some(part) = PARTS.into_iter().find(|part| path.join(part).exists()) {
            let problem = format!("{} holds {part} already", path.display());
            let hint = "name another folder; vae world run goes on with a world, and its other stages take the folder itself";
            return Err(Error::setting("--out", problem, hint));
        }
        std::fs::create_dir_all(path).map_err(|source| Error::io(path, source))?;
        let folder = Self { path: path.to_path_buf(), settings };
        folder.settings.write(&folder.file(SETTINGS))?;
        Ok(folder)
    }

    /// The world in the folder `path`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if `path` holds no world, or its settings cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.join(SETTINGS);
        if !file.is_file() {
            let problem = format!("the folder holds no world: there is no {SETTINGS}");
            let hint = "name a folder that vae world collect or vae world run has made";
            return Err(Error::checkpoint(path, problem, hint));
        }
        Ok(Self { path: path.to_path_buf(), settings: WorldSettings::read(&file)? })
    }

    /// Whether `path` holds a world.
    pub fn is_at(path: &Path) -> bool {
        path.join(SETTINGS).is_file()
    }

    /// Change the settings, here and in the file.
    ///
    /// # Errors
    /// [`Error::Setting`] if one makes no sense, or is of frames that are there already; [`Error::Io`] if the file cannot be
    /// written.
    pub fn change(&mut self, settings: WorldSettings) -> Result<()> {
        settings.check()?;
        let (old, new) = (&self.settings, &settings);
        let of_frames = [
            ("frames.count", old.frames.count != new.frames.count),
            ("frames.seed", old.frames.seed != new.frames.seed),
            ("environment.camera", old.environment != new.environment),
        ];
        let changed = of_frames.into_iter().find(|(_, changed)| *changed);
        if let Some((key, _)) = changed.filter(|_| self.frames().exists()) {
            let problem = format!("{} has its frames already", self.path.display());
            return Err(Error::setting(key, problem, "leave it out, or begin a new world in another folder"));
        }
        if settings != self.settings {
            settings.write(&self.file(SETTINGS))?;
            self.settings = settings;
        }
        Ok(())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings.
    pub fn settings(&self) -> &WorldSettings {
        &self.settings
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The frames that V and M learn from.
    pub fn frames(&self) -> PathBuf {
        self.file("frames.npz")
    }

    /// The folder of V.
    pub fn vision(&self) -> PathBuf {
        self.file("vision")
    }

    /// The folder of M.
    pub fn memory(&self) -> PathBuf {
        self.file("memory")
    }

    /// The folder of C: a world has one for each kind of inputs.
    pub fn controller(&self) -> PathBuf {
        self.file(self.settings.controller.inputs.folder())
    }

    /// The same world for a controller that sees `inputs`; the file with the settings stays as it is.
    #[must_use]
    pub fn with_inputs(&self, inputs: Inputs) -> Self {
        let mut settings = self.settings.clone();
        settings.controller.inputs = inputs;
        Self { settings, ..self.clone() }
    }

    /// A part of the world that a command needs: its file in the folder.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is not there, naming the `command` that makes it.
    pub fn needed(&self, file: PathBuf, command: &str) -> Result<PathBuf> {
        if file.exists() {
            return Ok(file);
        }
        let hint = format!("make it with vae world {command} {}", self.path.display());
        Err(Error::checkpoint(file, "it is not there yet", hint))
    }
}
