//! A file of a dataset, wherever it is kept.

use super::zip;
use crate::{Error, Result};
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most bytes of a file that are held in memory as a whole. A damaged archive may announce any number.
pub(super) const FILE_LIMIT: u64 = 1 << 30;

/// A file that holds some of a dataset's items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// What the item is called: the path within the dataset, with `/` between its parts, in valid UTF-8.
    pub(super) name: String,
    path: PathBuf,
    place: Place,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file on the disk.
    Own,
    /// A link to this path, which does not exist.
    Nowhere(PathBuf),
    /// An entry of a zip archive.
    Zipped(Arc<Path>, zip::Entry),
    /// Bytes of another file, such as a tar archive.
    Span { of: Arc<Path>, start: u64, length: u64 },
    /// In memory.
    Memory(Bytes),
}

/// Bytes in memory, shared.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bytes(Arc<[u8]>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A reader that can move.
pub(super) trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

impl File {
    /// The file at `path`, called `name`.
    pub(super) fn at(path: PathBuf, name: String) -> Self {
        Self { name, path, place: Place::Own }
    }

    /// The file called `name` at this place, which errors call `path`.
    pub(super) fn of(path: PathBuf, name: String, place: Place) -> Self {
        Self { name, path, place }
    }

    /// The file at `path`, called by the last part of it.
    pub(super) fn single(path: &Path) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str());
        Self::at(path.to_path_buf(), super::tree::text(name.as_encoded_bytes()))
    }

    /// What errors call it. The bytes may be elsewhere: read them by [`File::read`] or [`File::open`].
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last part of its name.
    pub(super) fn last_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Whether it is a file on the disk, not an entry of an archive.
    pub(super) fn is_own(&self) -> bool {
        self.place == Place::Own
    }

    /// All its bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be read; [`Error::Data`] for a damaged archive, a link to nowhere, and an entry of more
    /// than [`FILE_LIMIT`] bytes.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        match &self.place {
            Place::Own => std::fs::read(&self.path).map_err(|error| Error::io(&self.path, error)),
            Place::Memory(bytes) => Ok(bytes.as_ref().to_vec()),
            Place::Nowhere(_) | Place::Zipped(..) | Place::Span { .. } => {
                let mut bytes = Vec::new();
                let read = self.open()?.take(FILE_LIMIT + 1).read_to_end(&mut bytes);
                read.map_err(|error| self.failed(error))?;
                if bytes.len() as u64 > FILE_LIMIT {
                    let problem = format!("it has more than {FILE_LIMIT} bytes");
                    return Err(Error::data(&self.path, problem, "unpack the archive and give its folder"));
                }
                Ok(bytes)
            }
        }
    }

    /// A reader of its bytes, from the first to the last.
    ///
    /// # Errors
    /// As those of [`File::read`]; reading may fail later, see [`File::failed`].
    pub(super) fn open(&self) -> Result<Box<dyn Read + '_>> {
        let failed = |error| self.failed(error);
        let opened = |path: &Path| std::fs::File::open(path).map_err(failed);
        Ok(match &self.place {
            Place::Own => Box::new(opened(&self.path)?),
            Place::Memory(bytes) => Box::new(Cursor::new(bytes.as_ref())),
            Place::Zipped(archive, entry) => entry.open(opened(archive)?).map_err(failed)?,
            Place::Span { of, start, length } => {
                let mut file = opened(of)?;
                file.seek(SeekFrom::Start(*start)).map_err(failed)?;
                Box::new(Exactly { from: file, left: *length })
            }
            Place::Nowhere(target) => {
                let problem = format!("this is a link to {}, which does not exist", target.display());
                let hint = "remove the link, or bring back the file that it leads to";
                return Err(Error::data(&self.path, problem, hint));
            }
        })
    }

    /// A reader that can move. What is compressed is unpacked into memory first.
    ///
    /// # Errors
    /// See [`File::read`].
    pub(super) fn open_to_move(&self) -> Result<Box<dyn ReadSeek + '_>> {
        Ok(match &self.place {
            Place::Own => {
                let file = std::fs::File::open(&self.path).map_err(|error| self.failed(error))?;
                Box::new(BufReader::new(file))
            }
            Place::Memory(bytes) => Box::new(Cursor::new(bytes.as_ref())),
            Place::Nowhere(_) | Place::Zipped(..) | Place::Span { .. } => Box::new(Cursor::new(self.read()?)),
        })
    }

    /// Its first bytes, at most this number.
    ///
    /// # Errors
    /// See [`File::read`].
    pub(super) fn begin(&self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.take(count).read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
        Ok(bytes)
    }

    /// The error for a failed read: of the archive where its bytes are at fault, else of the disk.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        let damaged = matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
        );
        if damaged && !matches!(self.place, Place::Own) {
            let hint = "the archive is damaged, or cut off: copy or download it again";
            return Error::data(&self.path, format!("it cannot be unpacked: {error}"), hint);
        }
        Error::io(&self.path, error)
    }
}

/// A reader of this number of bytes. Fewer are an error.
struct Exactly<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.from.read(&mut buffer[..most])?;
        self.left -= count as u64;
        if count == 0 && most > 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(count)
    }
}
