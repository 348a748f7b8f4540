//! Asks drivers in a second process of this program: a driver may end the process that loads it, or hang in it.

use super::check::{self, Outcome};
use crate::gpu::{self, AdapterInfo};
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The hidden command of the program that answers a request to the drivers.
pub const COMMAND: &str = "ask-drivers";
/// Begins the line of the answer: drivers write lines of their own.
const ANSWER: &str = "vae answers: ";

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// What a driver is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Request {
    /// The adapters of these backends.
    List(Vec<String>),
    /// The outcome of the start-up check.
    Check(Box<AdapterInfo>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// There is no program that could be asked.
    NoProgram,
    /// What happened to the process: it "did not answer ..".
    Failed(String),
}

/// From now on ask drivers by running `program` with [`COMMAND`] and a request. Without it they are asked in this process.
pub fn ask_drivers_by(program: PathBuf) {
    // The first program stays.
    let _ = PROGRAM.set(program);
}

/// Answer `request` in this process, for the program that asks: a line on standard output.
///
/// # Errors
/// [`Error::Setting`] if `request` is none; [`Error::Io`] if it cannot be answered.
pub fn answer(request: &str) -> Result<()> {
    let request = serde_json::from_str(request).map_err(|problem| {
        Error::setting(COMMAND, problem.to_string(), "only this program itself uses this command")
    })?;
    let answer = match request {
        Request::List(backends) => {
            let backends: Vec<&str> = backends.iter().map(String::as_str).collect();
            serde_json::to_string(&gpu::list(&backends))
        }
        Request::Check(adapter) => serde_json::to_string(&check::run(&adapter)),
    };
    let answer = answer.map_err(|problem| Error::Internal(problem.to_string()))?;
    let mut output = std::io::stdout().lock();
    let written = writeln!(output, "\n{ANSWER}{answer}").and_then(|()| output.flush());
    written.map_err(|problem| Error::io("standard output", problem))
}

/// The adapters of `backends`; asked within `limit`.
pub(super) fn list(backends: &[&str], limit: Duration) -> std::result::Result<Vec<AdapterInfo>, Silence> {
    let backends = backends.iter().map(|name| (*name).to_string()).collect();
    ask(&Request::List(backends), limit)
}

/// The outcome of the start-up check of `adapter`; asked within `limit`.
pub(super) fn check(adapter: &AdapterInfo, limit: Duration) -> std::result::Result<Outcome, Silence> {
    ask(&Request::Check(Box::new(adapter.clone())), limit)
}

fn ask<T: DeserializeOwned>(request: &Request, limit: Duration) -> std::result::Result<T, Silence> {
    ask_program(PROGRAM.get().ok_or(Silence::NoProgram)?, request, limit)
}

fn ask_program<T: DeserializeOwned>(
    program: &Path,
    request: &Request,
    limit: Duration,
) -> std::result::Result<T, Silence> {
    let failed = |problem: String| Silence::Failed(problem);
    let request = serde_json::to_string(request).map_err(|problem| failed(problem.to_string()))?;
    let mut child = Command::new(program)
        .args([COMMAND, &request])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if log::log_enabled!(log::Level::Debug) { Stdio::inherit() } else { Stdio::null() })
        .spawn()
        // The file was replaced or removed since the program was started.
        .map_err(|_| Silence::NoProgram)?;
    let Some(output) = child.stdout.take() else { return Err(Silence::NoProgram) };
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(std::io::Result::ok);
        for line in lines {
            if let Some(answer) = line.strip_prefix(ANSWER) {
                // The one who asked may have gone.
                let _ = sender.send(answer.to_string());
                return;
            }
        }
    });
    let answer = receiver.recv_timeout(limit);
    let result = match answer {
        Ok(answer) => serde_json::from_str(&answer).map_err(|problem| failed(problem.to_string())),
        Err(RecvTimeoutError::Timeout) => {
            Err(failed(format!("did not answer within {:.0} s", limit.as_secs_f64())))
        }
        Err(RecvTimeoutError::Disconnected) => Err(failed(match child.wait() {
            Ok(status) => format!("ended the process that asked it ({status})"),
            Err(problem) => problem.to_string(),
        })),
    };
    end(&mut child);
    result
}

/// End `child`, whose answer is known or not wanted any more. What a driver does at its end may hang too.
fn end(child: &mut Child) {
    let start = Instant::now();
    // It may have ended.
    let _ = child.kill();
    // A process that hangs in the system cannot be ended, and is left alone.
    while matches!(child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What a program that does `commands` answers when it is asked for a list.
    fn answer_of(commands: &str) -> std::result::Result<Vec<AdapterInfo>, Silence> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{commands}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let ask =
            || ask_program(&program, &Request::List(vec!["Vulkan".into()]), Duration::from_millis(1500));
        let mut answer = ask();
        // While another test starts a program, the file may count as open.
        for _ in 0..20 {
            if answer != Err(Silence::NoProgram) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            answer = ask();
        }
        answer
    }

    fn problem(commands: &str) -> String {
        match answer_of(commands) {
            Err(Silence::Failed(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_found_among_what_drivers_write() {
        assert_eq!(answer_of("echo MESA: hello; echo; echo 'vae answers: []'; echo bye"), Ok(Vec::new()));
        // It is not waited for.
        let start = Instant::now();
        assert_eq!(answer_of("echo 'vae answers: []'; exec sleep 20"), Ok(Vec::new()));
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(
            answer_of(r#"[ "$*" = 'ask-drivers {"list":["Vulkan"]}' ] && echo 'vae answers: []'"#),
            Ok(Vec::new())
        );
    }

    #[test]
    fn drivers_that_end_the_process_or_hang_are_survived() {
        assert!(problem("kill -ABRT $$").contains("ended the process that asked it (signal: 6"));
        assert!(problem("exit 3").contains("exit status: 3"));
        assert_eq!(problem("exec sleep 20"), "did not answer within 2 s");
        assert_eq!(
            ask_program::<Outcome>(
                Path::new("/no such program"),
                &Request::List(Vec::new()),
                Duration::from_secs(1)
            ),
            Err(Silence::NoProgram)
        );
    }

    #[test]
    fn requests_are_answered_for_this_program_only() {
        assert!(answer("what?").unwrap_err().to_string().starts_with("ask-drivers: "));
    }
}
