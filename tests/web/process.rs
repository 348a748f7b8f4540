//! Processes of browsers: each with a profile of its own, and ended with the test at the latest.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A browser that runs for longer is ended: whatever it was to do, it hangs.
const LONGEST: Duration = Duration::from_secs(300);

/// The first of `names` that is a file in a folder of `PATH`.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// A process and all that it starts.
pub(crate) struct Process {
    child: Child,
    /// Dropped with the process: tells the watch that it has ended.
    _watch: Sender<()>,
    _profile: TempDir,
}

impl Process {
    /// Run `command`, which uses the folder `profile`.
    pub(crate) fn start(command: &mut Command, profile: TempDir) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let (watch, ended) = channel::<()>();
        let id = child.id();
        std::thread::spawn(move || {
            if ended.recv_timeout(LONGEST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                kill(id);
            }
        });
        Self { child, _watch: watch, _profile: profile }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Wait until it has ended by itself, at most for `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(self.child.id());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// End the group of processes that process `id` leads.
fn kill(id: u32) {
    if cfg!(unix) {
        // The shell's own command: small systems have no program of this name.
        let command = format!("kill -KILL -{id}");
        drop(Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status());
    }
}
