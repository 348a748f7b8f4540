//! `metrics.csv`: one line per epoch, written as the epoch ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::write_atomically;
use crate::{Error, Result};

/// How the first line of the file begins: the fields of [`EpochRecord`], in their order. The names of its further
/// columns follow.
const HEADER: &str = "epoch,step,images,seconds,train_elbo,train_reconstruction,train_kl,\
                      test_elbo,test_reconstruction,test_kl,beta,learning_rate,images_per_second";
const FIELDS: usize = 13;

/// What one epoch came to. ELBO and its terms are means in nats per image.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct EpochRecord {
    /// Epochs finished, this one included.
    pub epoch: u64,
    /// Training steps made so far.
    pub step: u64,
    /// Training images seen so far.
    pub images: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The evidence lower bound of the training images.
    pub train_elbo: f64,
    /// Its reconstruction term.
    pub train_reconstruction: f64,
    /// Its KL divergence.
    pub train_kl: f64,
    /// The evidence lower bound of the images held out.
    pub test_elbo: f64,
    /// Its reconstruction term.
    pub test_reconstruction: f64,
    /// Its KL divergence.
    pub test_kl: f64,
    /// The weight of the KL divergence at the epoch's end.
    pub beta: f64,
    /// The learning rate at the epoch's end.
    pub learning_rate: f64,
    /// Training throughput of the epoch.
    pub images_per_second: f64,
    /// Further numbers, by the name of their column. A column that a row has no number for is empty in it.
    #[serde(flatten)]
    pub others: BTreeMap<String, f64>,
}

impl EpochRecord {
    /// The record with the highest held-out ELBO, whose KL divergence has the weight `beta`; of equal ones the first, whose
    /// parameters were kept.
    pub fn best(history: &[Self], beta: f64) -> Option<&Self> {
        let score =
            |record: &Self| -(record.test_reconstruction + beta * record.test_kl + record.penalty("test"));
        history.iter().rev().max_by(|a, b| score(a).total_cmp(&score(b)))
    }

    /// The sum of the penalties of a part, `train` or `test`.
    pub fn penalty(&self, part: &str) -> f64 {
        let of_part = |name: &str| name.starts_with(part) && name.ends_with("penalty");
        self.others.iter().filter(|(name, _)| of_part(name)).map(|(_, penalty)| penalty).sum()
    }

    /// Its line of the file whose further columns are `others`. `{:?}` writes the shortest digits that read back as the
    /// same number.
    fn line(&self, others: &[String]) -> String {
        let numbers = [
            self.seconds,
            self.train_elbo,
            self.train_reconstruction,
            self.train_kl,
            self.test_elbo,
            self.test_reconstruction,
            self.test_kl,
            self.beta,
            self.learning_rate,
            self.images_per_second,
        ];
        let mut numbers: Vec<String> = numbers.iter().map(|number| format!("{number:?}")).collect();
        let other = |name| self.others.get(name).map_or(String::new(), |number| format!("{number:?}"));
        numbers.extend(others.iter().map(other));
        format!("{},{},{},{}\n", self.epoch, self.step, self.images, numbers.join(","))
    }

    /// The record of a line of the file whose further columns are `others`, or an error message.
    fn parse(line: &str, others: &[String]) -> Result<Self, String> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let names: Vec<&str> = HEADER.split(',').chain(others.iter().map(String::as_str)).collect();
        if fields.len() != names.len() {
            return Err(format!("{} fields instead of {}", fields.len(), names.len()));
        }
        let wrong = |at: usize| format!("{}: '{}' is not a number", names[at], fields[at]);
        let whole = |at: usize| fields[at].parse::<u64>().map_err(|_| wrong(at));
        let real = |at: usize| fields[at].parse::<f64>().map_err(|_| wrong(at));
        Ok(Self {
            epoch: whole(0)?,
            step: whole(1)?,
            images: whole(2)?,
            seconds: real(3)?,
            train_elbo: real(4)?,
            train_reconstruction: real(5)?,
            train_kl: real(6)?,
            test_elbo: real(7)?,
            test_reconstruction: real(8)?,
            test_kl: real(9)?,
            beta: real(10)?,
            learning_rate: real(11)?,
            images_per_second: real(12)?,
            others: (FIELDS..names.len())
                .filter(|&at| !fields[at].is_empty())
                .map(|at| Ok((names[at].to_string(), real(at)?)))
                .collect::<Result<_, String>>()?,
        })
    }
}

/// An open `metrics.csv`.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
    /// Names of the columns behind those of [`HEADER`].
    others: Vec<String>,
}

impl MetricsFile {
    /// Opens the file at `path` to append to it; creates it where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Data`] when the file is something else or a line of it is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let found = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(problem) => return Err(Error::io(path, problem)),
        };
        // What was being written when a run was killed must not run into the next line.
        let (others, records) = parse(path, &found)?;
        if !found.ends_with(b"\n") {
            write_all(path, &others, &records)?;
        }
        Self::at_end(path, others)
    }

    fn at_end(path: &Path, others: Vec<String>) -> Result<Self> {
        let file = OpenOptions::new().append(true).open(path).map_err(|problem| Error::io(path, problem))?;
        Ok(Self { path: path.to_path_buf(), file, others })
    }

    /// Adds one line; it is on the disk when this returns. If the record has a column that the file lacks, such as a run
    /// of an older program, all rows are first written again with that column, empty in them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Data`] when the file lacks a column and a line of it is damaged.
    pub fn append(&mut self, record: &EpochRecord) -> Result<()> {
        let missing: Vec<String> =
            record.others.keys().filter(|name| !self.others.contains(name)).cloned().collect();
        if !missing.is_empty() {
            self.others.extend(missing);
            self.replace(&Self::read(&self.path)?)?;
        }
        let line = record.line(&self.others);
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|problem| Error::io(&self.path, problem))
    }

    /// Drops the epochs that ended after `step`, because a resumed run computes them again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Data`] when a line is damaged; the file is then as it was.
    pub fn truncate_after(&mut self, step: u64) -> Result<()> {
        let mut records = Self::read(&self.path)?;
        records.retain(|record| record.step <= step);
        self.replace(&records)
    }

    /// Replaces all rows.
    fn replace(&mut self, records: &[EpochRecord]) -> Result<()> {
        write_all(&self.path, &self.others, records)?;
        // The open handle still writes to the file that was replaced.
        *self = Self::at_end(&self.path, std::mem::take(&mut self.others))?;
        Ok(())
    }

    /// The records of the file at `path`. A last line without a line break was cut off when a run was killed; it is
    /// dropped with a warning.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Data`] naming the line that cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Vec<EpochRecord>> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|problem| Error::io(path, problem))?;
        Ok(parse(path, &bytes)?.1)
    }
}

/// Replaces the file by `records`, all of them or none.
fn write_all(path: &Path, others: &[String], records: &[EpochRecord]) -> Result<()> {
    let header: String = others.iter().map(|name| format!(",{name}")).collect();
    let lines: String = records.iter().map(|record| record.line(others)).collect();
    write_atomically(path, format!("{HEADER}{header}\n{lines}").as_bytes())
}

/// The names of further columns, and the rows.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<String>, Vec<EpochRecord>)> {
    let text = String::from_utf8_lossy(bytes);
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let (text, torn) = text.split_at(whole);
    let mut lines = text.lines().enumerate();
    let header = lines.next().map(|(_, line)| line.trim());
    // Without one whole line, the header itself was being written.
    let behind = |line: &str| -> Option<String> {
        let rest = line.strip_prefix(HEADER)?;
        (rest.is_empty() || rest.starts_with(',')).then(|| rest.to_string())
    };
    let others = match header {
        Some(line) => behind(line),
        None => (HEADER.starts_with(torn) || behind(torn).is_some()).then(String::new),
    };
    let Some(others) = others else {
        let hint =
            format!("its first line must begin with '{HEADER}'; move the file away to begin a new one");
        return Err(Error::data(path, "line 1 is not the header of a metrics file", hint));
    };
    let others: Vec<String> = others.split(',').skip(1).map(|name| name.trim().to_string()).collect();
    if !torn.is_empty() {
        let line = text.lines().count() + 1;
        log::warn!("{}: line {line} was cut off while it was written; dropped", path.display());
    }
    let records = lines.filter(|(_, line)| !line.trim().is_empty()).map(|(index, line)| {
        EpochRecord::parse(line, &others).map_err(|problem| {
            let hint = "correct or delete that line";
            Error::data(path, format!("line {}: {problem}", index + 1), hint)
        })
    });
    let records = records.collect::<Result<_>>()?;
    Ok((others, records))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A plausible record of epoch `epoch`, without a single round number.
    pub(in crate::report) fn record(epoch: u64) -> EpochRecord {
        let t = epoch as f64;
        let (reconstruction, kl) = (-90.1 - 120.3 / t, 24.7 - 11.0 / t);
        EpochRecord {
            epoch,
            step: epoch * 469,
            images: epoch * 60_000,
            seconds: t * 3.3,
            train_elbo: reconstruction - kl,
            train_reconstruction: reconstruction,
            train_kl: kl,
            test_elbo: reconstruction - kl - 1.7,
            test_reconstruction: reconstruction - 1.3,
            test_kl: kl + 0.4,
            beta: 1.0,
            learning_rate: 1e-3 / 3.0,
            images_per_second: 18_181.818,
            others: BTreeMap::new(),
        }
    }

    #[test]
    fn the_header_is_the_field_names() {
        let value = serde_json::to_value(record(1)).unwrap();
        let fields = value.as_object().unwrap();
        assert_eq!(fields.len(), FIELDS);
        assert_eq!(HEADER.split(',').count(), FIELDS);
        // Each field's value stands under its name.
        let line = record(1).line(&[]);
        for (name, text) in HEADER.split(',').zip(line.trim_end().split(',')) {
            assert_eq!(fields[name].as_f64().unwrap(), text.parse::<f64>().unwrap(), "{name}");
        }
    }

    #[test]
    fn records_round_trip_across_openings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let mut records: Vec<_> = (1..=3).map(record).collect();
        records[1].train_elbo = f64::MIN_POSITIVE;
        records[1].test_kl = 1.0 / 3.0 * 1e300;
        records[2].step = u64::MAX;
        for record in &records {
            MetricsFile::open(&path).unwrap().append(record).unwrap();
        }
        assert_eq!(MetricsFile::read(&path).unwrap(), records);
    }

    #[test]
    fn a_torn_line_is_dropped_and_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let whole = format!("{HEADER}\n{}{}", record(1).line(&[]), record(2).line(&[]));
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let expected = whole[..cut].matches('\n').count().saturating_sub(1) as u64;
            assert_eq!(MetricsFile::read(&path).unwrap(), (1..=expected).map(record).collect::<Vec<_>>());
            if cut % 29 == 0 {
                MetricsFile::open(&path).unwrap().append(&record(9)).unwrap();
                let records = MetricsFile::read(&path).unwrap();
                assert_eq!((records.len() as u64, records.last()), (expected + 1, Some(&record(9))));
            }
        }
    }

    /// A run that a program with fewer columns began goes on in one with more, and in one with fewer again.
    #[test]
    fn columns_are_added_behind_the_rows_that_lack_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let old = format!("{HEADER}\n{}{}", record(1).line(&[]), record(2).line(&[]));
        std::fs::write(&path, &old).unwrap();
        let with = |epoch, others: &[(&str, f64)]| EpochRecord {
            others: others.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
            ..record(epoch)
        };
        let mut file = MetricsFile::open(&path).unwrap();
        file.append(&with(3, &[("train_total_correlation", 0.25), ("a", -1.0)])).unwrap();
        file.append(&record(4)).unwrap();
        file.append(&with(5, &[("b", 1.0 / 3.0)])).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("{HEADER},a,train_total_correlation,b"));
        for (new, old) in lines[1..3].iter().zip(old.lines().skip(1)) {
            assert_eq!(*new, format!("{old},,,"));
        }
        assert!(lines[3].ends_with(",-1.0,0.25,") && lines[4].ends_with(",,,"), "{text}");
        // Opened again, and cut back to before the last rows.
        let mut file = MetricsFile::open(&path).unwrap();
        file.truncate_after(4 * 469).unwrap();
        file.append(&with(5, &[("a", 2.0)])).unwrap();
        let records = MetricsFile::read(&path).unwrap();
        assert_eq!(records[2..4], [with(3, &[("a", -1.0), ("train_total_correlation", 0.25)]), record(4)]);
        assert_eq!(records[4], with(5, &[("a", 2.0)]));
        assert_eq!(records[..2], [record(1), record(2)]);
    }

    #[test]
    fn truncating_drops_later_steps_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let mut file = MetricsFile::open(&path).unwrap();
        (1..=5).for_each(|epoch| file.append(&record(epoch)).unwrap());
        file.truncate_after(3 * 469).unwrap();
        file.append(&record(4)).unwrap();
        assert_eq!(MetricsFile::read(&path).unwrap(), (1..=4).map(record).collect::<Vec<_>>());
        file.truncate_after(0).unwrap();
        assert!(MetricsFile::read(&path).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn problems_name_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let good = record(1).line(&[]);
        for (text, expected) in [
            ("a,b\n1,2\n".to_string(), "line 1 is not the header"),
            ("something else".to_string(), "line 1 is not the header"),
            (format!("{HEADER}s\n"), "line 1 is not the header"),
            (format!("{HEADER},more\n{good}"), "line 2: 13 fields instead of 14"),
            (format!("{HEADER}\n{good}1,2\n"), "line 3: 2 fields"),
            (format!("{HEADER}\n{}", good.replacen("469", "x", 1)), "line 2: step: 'x'"),
        ] {
            std::fs::write(&path, &text).unwrap();
            for problem in [MetricsFile::read(&path).unwrap_err(), MetricsFile::open(&path).unwrap_err()] {
                let problem = problem.to_string();
                assert!(problem.contains("metrics.csv") && problem.contains(expected), "{problem}");
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "the file must stay as it was");
        }
        assert!(
            MetricsFile::read(folder.path().join("none.csv")).unwrap_err().to_string().contains("none.csv")
        );
    }
}
