//! Writing files so that nothing saved is ever lost.

use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The user's cache folder, whose files can be made again: `$XDG_CACHE_HOME/vae`, `~/Library/Caches/vae`, ..
pub(crate) fn cache_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "vae").map(|folders| folders.cache_dir().to_path_buf())
}

/// Write `bytes` to a temporary file beside `path`, sync it to the disk, and rename it to `path`. At any moment, also
/// after a crash, a reader sees the old file or the whole new one.
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
        // Report the first problem. A temporary file that cannot be removed does no harm.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, problem)
    })
}
