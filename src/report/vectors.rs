//! Files of latents: means and log-variances of posteriors, a row for each image, as `.npz`, `.npy` or `.csv`.

use crate::data::{ArrayValues, Arrays, write_arrays, write_npy};
use crate::files::write_atomically;
use crate::{Error, Result};
use std::path::Path;

/// Latents of some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    /// What each image is called; empty where they have no names.
    pub names: Vec<String>,
    /// Latent dimensions.
    pub width: usize,
    /// `[images, width]`
    pub means: Vec<f32>,
    /// `[images, width]`; empty where they are not known.
    pub log_variances: Vec<f32>,
}

/// The ending of a file's name in lower case.
fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

impl Vectors {
    /// Refuse a name with another ending than `.npz`, `.npy` and `.csv`, for the file that `setting` names.
    ///
    /// # Errors
    /// [`Error::Setting`]
    pub fn check(path: &Path, setting: &str) -> Result<()> {
        if ["npz", "npy", "csv"].contains(&&*ending(path)) {
            return Ok(());
        }
        let problem = format!("{} does not end as a file of latents does", path.display());
        Err(Error::setting(setting, problem, "name a file that ends in .npz, .npy or .csv"))
    }

    /// Write them as `path`. Its ending decides: `.npz` has the arrays `mean`, `log_variance` (where known) and `names`; `.npy` the means;
    /// `.csv` the columns `name`, `mean_1` and so on, `log_variance_1` and so on.
    ///
    /// # Errors
    /// [`Error::Setting`] for another ending; [`Error::Io`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        Self::check(path, "--out")?;
        let shape = [self.means.len() / self.width.max(1), self.width];
        match &*ending(path) {
            "npy" => write_npy(path, &shape, &self.means),
            "npz" => {
                let mut arrays = vec![("mean", &shape[..], ArrayValues::Floats(&self.means))];
                if !self.log_variances.is_empty() {
                    arrays.push(("log_variance", &shape, ArrayValues::Floats(&self.log_variances)));
                }
                arrays.push(("names", &shape[..1], ArrayValues::Texts(&self.names)));
                write_arrays(path, &arrays)
            }
            _ => self.write_csv(path),
        }
    }

    fn write_csv(&self, path: &Path) -> Result<()> {
        let failed = |error: csv::Error| Error::io(path, std::io::Error::other(error));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let columns =
            |name: &str| -> Vec<String> { (1..=self.width).map(|i| format!("{name}_{i}")).collect() };
        let known = !self.log_variances.is_empty();
        let of_variances = if known { columns("log_variance") } else { Vec::new() };
        writer
            .write_record([vec!["name".to_string()], columns("mean"), of_variances].concat())
            .map_err(failed)?;
        // Codes have no variances.
        let log_variances = self.log_variances.chunks(self.width).chain(std::iter::repeat(&[][..]));
        let rows = self.means.chunks(self.width).zip(log_variances);
        for (name, (means, log_variances)) in self.names.iter().zip(rows) {
            let numbers = means.iter().chain(log_variances).map(ToString::to_string);
            writer.write_record(std::iter::once(name.clone()).chain(numbers)).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        write_atomically(path, &bytes)
    }

    /// Read the means, and the names where there are some, from the file at `path`: one that [`Vectors::write`] makes, or a
    /// `.npz` with one array of floats of two dimensions, or a `.csv` of columns of numbers and perhaps one called `name`.
    ///
    /// # Errors
    /// [`Error::Data`] if the file holds no such numbers; [`Error::Io`] if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        Self::check(path, "the file of latents")?;
        let found = if ending(path) == "csv" { Self::read_csv(path)? } else { Self::read_arrays(path)? };
        if found.width == 0 || found.means.is_empty() {
            return Err(Error::data(path, "it holds no latents", "write it with vae encode"));
        }
        match found.means.iter().position(|value| !value.is_finite()) {
            Some(place) => {
                let problem = format!("value {} of row {}", place % found.width + 1, place / found.width + 1);
                Err(Error::data(path, format!("{problem} is not a finite number"), "give finite numbers"))
            }
            None => Ok(found),
        }
    }

    fn read_arrays(path: &Path) -> Result<Self> {
        let arrays = Arrays::open(path)?;
        let names: Vec<&str> = arrays.names().collect();
        let array = match &names[..] {
            [] => arrays.floats(None)?,
            [only] => arrays.floats(Some(only))?,
            _ => {
                let known = ["mean", "means", "z", "arr_0"].into_iter().find(|name| names.contains(name));
                let hint = "call the latents 'mean', as vae encode does";
                let known = known
                    .ok_or_else(|| Error::data(path, format!("its arrays are {}", names.join(", ")), hint))?;
                arrays.floats(Some(known))?
            }
        };
        let Some((shape, means)) = array else { return Ok(Self::default()) };
        let [rows, width] = shape[..] else {
            let problem = format!("latents are [images, dimensions], and its array is {shape:?}");
            return Err(Error::data(path, problem, "give an array of two dimensions, a row for each image"));
        };
        let names = if names.contains(&"names") { arrays.texts("names")? } else { None };
        let names = names.filter(|names| names.len() == rows).unwrap_or_default();
        Ok(Self { names, width, means, log_variances: Vec::new() })
    }

    fn read_csv(path: &Path) -> Result<Self> {
        let hint = "give a line of names, such as name,mean_1,mean_2, and numbers below it";
        let failed = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(error) => Error::io(path, error),
            kind => Error::data(path, format!("not readable: {kind:?}"), hint),
        };
        let mut reader = csv::Reader::from_path(path).map_err(failed)?;
        let head = reader.headers().map_err(failed)?.clone();
        let name = head.iter().position(|name| name == "name");
        let mut columns: Vec<(usize, usize)> = Vec::new();
        for (column, name) in head.iter().enumerate() {
            if let Some(number) = name.strip_prefix("mean_").and_then(|number| number.parse().ok()) {
                columns.push((number, column));
            }
        }
        if columns.is_empty() {
            let others = (0..head.len()).filter(|column| Some(*column) != name);
            columns = others.map(|column| (column, column)).collect();
        }
        columns.sort_unstable();
        let mut found = Self { width: columns.len(), ..Self::default() };
        for (row, record) in (1..).zip(reader.records()) {
            let record = record.map_err(failed)?;
            for (_, column) in &columns {
                let text = record.get(*column).unwrap_or_default();
                let number = text.trim().parse().map_err(|_| {
                    let problem = format!("'{text}' in column {} of row {row} is no number", column + 1);
                    Error::data(path, problem, hint)
                })?;
                found.means.push(number);
            }
            found.names.extend(name.map(|name| record.get(name).unwrap_or_default().to_string()));
        }
        Ok(found)
    }
}

/// Write a table of the columns `name` and `score` as `path`.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write_scores(path: &Path, names: &[String], scores: &[f64]) -> Result<()> {
    let failed = |error: csv::Error| Error::io(path, std::io::Error::other(error));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["name", "score"]).map_err(failed)?;
    for (name, score) in names.iter().zip(scores) {
        writer.write_record([name.as_str(), &score.to_string()]).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    write_atomically(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let all = Vectors {
            names: vec!["a, \"b\".png".into(), "ü/c.png".into()],
            width: 3,
            means: vec![0.1, -2.5e-8, 3.0, 1e10, 5.0, 6.0],
            log_variances: vec![-1.0; 6],
        };
        for (name, named) in [("z.npz", true), ("z.NPY", false), ("z.csv", true)] {
            let path = folder.path().join(name);
            all.write(&path).unwrap();
            let found = Vectors::read(&path).unwrap();
            let names = if named { all.names.clone() } else { Vec::new() };
            assert_eq!(found, Vectors { names, log_variances: Vec::new(), ..all.clone() }, "{name}");
        }
        assert!(all.write(&folder.path().join("z.txt")).unwrap_err().to_string().contains(".csv"));
    }

    #[test]
    fn tables_of_other_programs_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Vectors::read(&path)
        };
        let found = read("x,y\n1,2\n 3 ,4\n").unwrap();
        assert_eq!((found.width, found.means, found.names.len()), (2, vec![1.0, 2.0, 3.0, 4.0], 0));
        let found = read("mean_2,name,mean_1,log_variance_1\n1,a,2,9\n").unwrap();
        assert_eq!((found.width, found.means, found.names), (2, vec![2.0, 1.0], vec!["a".to_string()]));
        for (text, problem) in [
            ("", "holds no latents"),
            ("a,b\n", "holds no latents"),
            ("a,b\n1,two\n", "'two' in column 2 of row 1"),
            ("a,b\n1,NaN\n", "value 2 of row 1 is not a finite number"),
            ("a,b\n1\n", "not readable"),
        ] {
            let found = read(text).unwrap_err().to_string();
            assert!(found.contains(problem), "{found}");
        }
    }
}
