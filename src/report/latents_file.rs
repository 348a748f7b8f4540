//! `latents.csv`: which latent dimensions a model uses, one line per epoch.

use crate::files::write_atomically;
use crate::{Error, Result};
use std::path::Path;

/// Statistics of the latent dimensions at the end of an epoch, in nats per image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatentRecord {
    /// Epochs finished, this one included.
    pub epoch: u64,
    /// Training steps made so far.
    pub step: u64,
    /// Dimensions whose posterior mean varies by more than 0.01 over images (Burda et al. 2016).
    pub active_units: usize,
    /// Importance-weighted bound of the training images; `None` unless the objective is `iwae` or `dreg`.
    pub train_bound: Option<f64>,
    /// The same of the images held out.
    pub test_bound: Option<f64>,
    /// KL divergence of each dimension.
    pub divergences: Vec<f64>,
}

/// The file.
#[derive(Debug)]
pub struct LatentsFile;

impl LatentsFile {
    /// The steps of the lines of the file at `path`, each with the KL divergence of each dimension. A line that was cut off is
    /// left out.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub fn read(path: &Path) -> Result<Vec<(u64, Vec<f64>)>> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let numbers = |line: &str| {
            let mut fields = line.trim_end().split(',').skip(1);
            let step = fields.next()?.parse().ok()?;
            Some((step, fields.skip(3).filter_map(|field| field.parse().ok()).collect()))
        };
        Ok(whole.filter_map(numbers).collect())
    }

    /// Append `record` after the lines of earlier steps in the file at `path`. Lines of this step and of later ones are
    /// dropped, since a resumed run writes them again. So is a line that was cut off.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read or written.
    pub fn append(path: &Path, record: &LatentRecord) -> Result<()> {
        let found = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(Error::io(path, problem)),
        };
        let step = |line: &str| line.split(',').nth(1).and_then(|step| step.parse::<u64>().ok());
        let mut text = header(record.divergences.len());
        for line in found.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if step(line).is_some_and(|step| step < record.step) {
                text += line;
            }
        }
        text += &line(record);
        write_atomically(path, text.as_bytes())
    }
}

fn header(dimensions: usize) -> String {
    let columns: String = (1..=dimensions).map(|d| format!(",kl_{d}")).collect();
    format!("epoch,step,active_units,train_bound,test_bound{columns}\n")
}

/// A missing bound is an empty field.
fn line(record: &LatentRecord) -> String {
    let number = |bound: Option<f64>| bound.map_or(String::new(), |bound| format!("{bound:?}"));
    let divergences: String = record.divergences.iter().map(|kl| format!(",{kl:?}")).collect();
    let (train, test) = (number(record.train_bound), number(record.test_bound));
    format!("{},{},{},{train},{test}{divergences}\n", record.epoch, record.step, record.active_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_each_other_and_a_resumed_run_makes_its_own_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latents.csv");
        let record = |epoch| LatentRecord {
            epoch,
            step: 10 * epoch,
            active_units: 1,
            test_bound: Some(-90.5),
            divergences: vec![1.25, 0.0],
            ..LatentRecord::default()
        };
        for epoch in [1, 2, 3, 2] {
            LatentsFile::append(&path, &record(epoch)).unwrap();
        }
        let expected = "epoch,step,active_units,train_bound,test_bound,kl_1,kl_2\n\
                        1,10,1,,-90.5,1.25,0.0\n2,20,1,,-90.5,1.25,0.0\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(LatentsFile::read(&path).unwrap(), [(10, vec![1.25, 0.0]), (20, vec![1.25, 0.0])]);
        // A line that was being written when the run was killed.
        std::fs::write(&path, expected.trim_end()).unwrap();
        LatentsFile::append(&path, &record(2)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert!(LatentsFile::append(Path::new("/nowhere/at/all.csv"), &record(1)).is_err());
    }
}
