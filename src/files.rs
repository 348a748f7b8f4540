//! Writing files so that nothing saved is ever lost.

use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use sysinfo::{Pid, ProcessesToUpdate, System};

/// No write takes as long: a temporary file of this age was left, even if a process has the number of its writer again.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Remove the temporary files that killed processes have left in `folder`: those called as [`write_atomically`] calls them,
/// whose process is gone. Once for each folder and process.
fn remove_leftovers(folder: &Path) {
    static LOOKED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    match LOOKED.lock() {
        Ok(looked) if looked.iter().any(|it| it == folder) => return,
        Ok(mut looked) => looked.push(folder.to_path_buf()),
        Err(_) => return,
    }
    // What cannot be listed or removed does no harm.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(writer) = name.to_str().and_then(writer_of) else { continue };
        let Ok(data) = entry.metadata() else { continue };
        let age = data.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
        if data.is_file() && (age > OLD || !runs(writer)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The number of the process that calls a temporary file so: `.NAME.NUMBER.tmp`.
fn writer_of(name: &str) -> Option<u32> {
    let (name, number) = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let plain = !name.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    number.parse().ok().filter(|_| plain)
}

/// Whether a process with this number runs.
fn runs(number: u32) -> bool {
    let (mut system, pid) = (System::new(), Pid::from_u32(number));
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), true);
    number == std::process::id() || system.process(pid).is_some()
}

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
    remove_leftovers(path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        // No system gives out numbers this large.
        let gone = u32::MAX - 7;
        let own = format!(".best.safetensors.{}.tmp", std::process::id());
        let kept = ["notes.tmp", ".tmp", ".5.tmp", ".a.-5.tmp", ".a.tmp", "b.4294967288.tmp", &own];
        let left = [format!(".checkpoint.safetensors.{gone}.tmp"), format!(".a b.png.{gone}.tmp")];
        for name in kept.iter().copied().chain(left.iter().map(String::as_str)) {
            std::fs::write(file(name), "text").unwrap();
        }
        std::fs::create_dir(file(&format!(".folder.{gone}.tmp"))).unwrap();
        write_atomically(&file("new"), b"text").unwrap();
        assert!(left.iter().all(|name| !file(name).exists()));
        assert!(kept.iter().all(|name| file(name).exists()));
        assert!(file(&format!(".folder.{gone}.tmp")).is_dir() && file("new").is_file());
    }
}
