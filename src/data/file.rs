//! A file of a dataset, wherever it is kept.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A file that holds some of a dataset's items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// What the item is called: the path within the dataset, with `/` between its parts, in valid UTF-8.
    pub(super) name: String,
    place: Place,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A file of its own.
    Path(PathBuf),
}

impl File {
    /// The file at `path`, called `name`.
    pub(super) fn at(path: PathBuf, name: String) -> Self {
        Self { name, place: Place::Path(path) }
    }

    /// What errors call it.
    pub(super) fn path(&self) -> &Path {
        match &self.place {
            Place::Path(path) => path,
        }
    }

    /// All its bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be read.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        match &self.place {
            Place::Path(path) => std::fs::read(path).map_err(|error| Error::io(path, error)),
        }
    }
}
