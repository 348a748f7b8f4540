//! `steps.csv`: the metrics of every training step, where `run.log-steps` asks for them.

use crate::files::write_atomically;
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file, open for further lines: the step's number, counted from 1, the images of its minibatch, and each metric, averaged
/// over these images.
#[derive(Debug)]
pub struct StepsFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl StepsFile {
    /// Open the file at `path` for the metrics `names`. Lines of steps after `step`, and a line that was cut off, are dropped:
    /// a resumed run writes them again.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read or written.
    pub fn open(path: &Path, names: &[String], step: u64) -> Result<Self> {
        let found = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(Error::io(path, problem)),
        };
        let mut text = format!("step,images,{}\n", names.join(","));
        let number = |line: &str| line.split(',').next().and_then(|step| step.parse::<u64>().ok());
        for line in found.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if number(line).is_some_and(|own| own <= step) {
                text += line;
            }
        }
        write_atomically(path, text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(path).map_err(|source| Error::io(path, source))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::new(file) })
    }

    /// Append the line of one step.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn append(&mut self, step: u64, images: u64, metrics: &[f32]) -> Result<()> {
        let numbers: String = metrics.iter().map(|number| format!(",{number:?}")).collect();
        writeln!(self.file, "{step},{images}{numbers}").map_err(|source| Error::io(&self.path, source))
    }

    /// Write what is still in memory.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|source| Error::io(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_writes_its_later_lines_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.csv");
        let names = ["reconstruction".to_string(), "kl".to_string()];
        let mut file = StepsFile::open(&path, &names, 0).unwrap();
        for step in 1..=3 {
            file.append(step, 64, &[step as f32, 0.5]).unwrap();
        }
        file.flush().unwrap();
        drop(file);
        let mut file = StepsFile::open(&path, &names, 2).unwrap();
        file.append(3, 10, &[7.25, 1.0]).unwrap();
        file.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "step,images,reconstruction,kl\n1,64,1.0,0.5\n2,64,2.0,0.5\n3,10,7.25,1.0\n");
    }
}
