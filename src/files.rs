//! Writing files so that nothing saved is ever lost.

use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The user's folder for what can be made again: `$XDG_CACHE_HOME/vae`, `~/Library/Caches/vae`, ..
pub(crate) fn cache_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "vae").map(|folders| folders.cache_dir().to_path_buf())
}

/// Write `bytes` beside `path`, bring them to the disk, and rename them into place: a reader, or a crash at any moment,
/// sees the old file or the whole new one.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|problem| {
        // The first problem is the one to tell; what is left of the temporary file is only litter.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, problem)
    })
}
