//! The program's words: results to standard output, everything else to standard error.

use log::{Level, LevelFilter};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use vae::report::human_duration;
use vae::text::thousands;
use vae::{Error, Result};

const STANDARD_OUTPUT: &str = "standard output";

/// Write `text` to standard output.
///
/// # Errors
/// If the reader has closed it, or the disk it goes to is full. [`report`] treats the first as success.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|problem| Error::io(STANDARD_OUTPUT, problem))
}

/// Write a line to standard error. A terminal that is gone stops no training.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Interval of the lines that a long evaluation prints.
const ALIVE: Duration = Duration::from_secs(10);

/// Prints, every few seconds, the number of finished images out of `images`.
pub(crate) fn sign_of_life(images: usize) -> impl FnMut(usize) {
    let start = Instant::now();
    let mut said = start;
    move |done| {
        if said.elapsed() > ALIVE {
            said = Instant::now();
            let left = start.elapsed().as_secs_f64() * (images - done) as f64 / done.max(1) as f64;
            let (done, images) = (thousands(done), thousands(images));
            say(&format!("weighed the samples of {done} of {images} images, {} left", human_duration(left)));
        }
    }
}

/// Refuse to replace a file other than JSON, such as a checkpoint whose name was given by mistake.
///
/// # Errors
/// [`Error::Setting`] if `path` is a file whose name does not end in `.json`, or its folder is missing.
pub(crate) fn check_json(path: Option<&Path>) -> Result<()> {
    match path {
        Some(path) if path.parent().is_some_and(|folder| folder != Path::new("") && !folder.is_dir()) => {
            let problem = format!("there is no folder for {}", path.display());
            Err(Error::setting("--json", problem, "make the folder first, or name another file"))
        }
        Some(path) if path.is_file() && path.extension().is_none_or(|extension| extension != "json") => {
            let problem = format!("{} exists, and is not a .json file", path.display());
            Err(Error::setting("--json", problem, "name a file that ends in .json, or delete this one first"))
        }
        _ => Ok(()),
    }
}

/// Write `json` to `path`, or to standard output where that is `-`.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_json(json: &impl serde::Serialize, path: &Path) -> Result<()> {
    let text =
        serde_json::to_string_pretty(json).map_err(|error| Error::Internal(format!("JSON: {error}")))?;
    if path == Path::new("-") {
        return print(&(text + "\n"));
    }
    std::fs::write(path, text + "\n").map_err(|problem| Error::io(path, problem))
}

/// Tell the user what went wrong.
pub(crate) fn report(error: &Error) -> ExitCode {
    // `vae plan | head` is no failure.
    if let Error::Io { path, source } = error
        && path == Path::new(STANDARD_OUTPUT)
        && source.kind() == ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    say(&format!("error: {error}"));
    ExitCode::FAILURE
}

/// Show the library's notes and warnings, and hide what wgpu says to its developers. `RUST_LOG` changes both.
pub(crate) fn start_log() {
    let mut builder = env_logger::Builder::new();
    if std::env::var_os("RUST_LOG").is_some() {
        builder.parse_default_env();
    } else {
        builder.filter_level(LevelFilter::Error).filter_module("vae", LevelFilter::Info);
        for module in ["wgpu_core", "wgpu_hal", "naga"] {
            builder.filter_module(module, LevelFilter::Off);
        }
        builder.format(|output, record| match record.level() {
            Level::Error => writeln!(output, "error: {}", record.args()),
            Level::Warn => writeln!(output, "warning: {}", record.args()),
            _ => writeln!(output, "{}", record.args()),
        });
    }
    builder.init();
}
