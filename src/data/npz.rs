//! Archives of arrays (`.npz` of NumPy), written and read array by array.

use super::arrays::{Array, list};
use super::file::File;
use super::npy::{Header, encoded};
use crate::{Error, Result, files};
use flate2::Crc;
use std::io::Read;
use std::path::Path;

/// The values of an array to write, the last index varying fastest.
#[derive(Clone, Copy, Debug)]
pub enum ArrayValues<'a> {
    /// Unsigned bytes.
    Bytes(&'a [u8]),
    /// Floats of 32 bits.
    Floats(&'a [f32]),
    /// Floats of 64 bits.
    Reals(&'a [f64]),
    /// Unsigned integers of 32 bits.
    Words(&'a [u32]),
    /// Texts.
    Texts(&'a [String]),
}

impl ArrayValues<'_> {
    /// An array of this shape as a file `.npy`.
    fn file(&self, shape: &[usize]) -> Vec<u8> {
        let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
        let head = |descr: &str| encoded(descr, false, &sizes);
        match self {
            Self::Bytes(values) => [head("|u1"), values.to_vec()].concat(),
            Self::Floats(values) => {
                [head("<f4"), values.iter().flat_map(|it| it.to_le_bytes()).collect()].concat()
            }
            Self::Reals(values) => {
                [head("<f8"), values.iter().flat_map(|it| it.to_le_bytes()).collect()].concat()
            }
            Self::Words(values) => {
                [head("<u4"), values.iter().flat_map(|it| it.to_le_bytes()).collect()].concat()
            }
            Self::Texts(texts) => {
                let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
                let mut bytes = head(&format!("<U{longest}"));
                for text in *texts {
                    let letters = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest);
                    bytes.extend(letters.flat_map(u32::to_le_bytes));
                }
                bytes
            }
        }
    }
}

/// Write `arrays`, each with its name and its shape, as `path`, a file `.npz` of stored entries.
///
/// # Errors
/// [`Error::Data`] if the file would be larger than 4 GiB; [`Error::Io`] if it cannot be written.
pub fn write_arrays(path: &Path, arrays: &[(&str, &[usize], ArrayValues<'_>)]) -> Result<()> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, shape, values) in arrays {
        let (name, content) = (format!("{name}.npy"), values.file(shape));
        let mut crc = Crc::new();
        crc.update(&content);
        let size = (content.len() as u32).to_le_bytes();
        // Version 2.0, names in UTF-8, stored, and midnight of 1980-01-01, so that equal arrays give equal bytes.
        let mut head = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
        head.extend([crc.sum().to_le_bytes(), size, size].concat());
        head.extend((name.len() as u32).to_le_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&head);
        directory.extend([0; 10]);
        directory.extend((bytes.len() as u32).to_le_bytes());
        directory.extend(name.bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&head);
        bytes.extend(name.bytes());
        bytes.extend(content);
        if bytes.len() > u32::MAX as usize {
            let hint = "write fewer items at a time, or a .npy file, which has no limit";
            return Err(Error::data(path, "the archive would be larger than 4 GiB", hint));
        }
    }
    let (start, size, count) = (bytes.len() as u32, directory.len() as u32, arrays.len() as u16);
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    files::write_atomically(path, &bytes)
}

/// The arrays of a file `.npy` or `.npz`, to be read one by one.
#[derive(Debug)]
pub struct Arrays {
    file: File,
    arrays: Vec<Array>,
}

impl Arrays {
    /// The arrays of the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] if it holds no arrays of NumPy.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::single(path);
        Ok(Self { arrays: list(&file)?.found, file })
    }

    /// The names of its arrays; none where it is a `.npy`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().filter_map(Array::key)
    }

    fn read<T>(
        &self,
        name: Option<&str>,
        read: impl FnOnce(&Header, &Path, &mut dyn Read) -> Result<T>,
    ) -> Result<Option<(Vec<usize>, T)>> {
        let Some(array) = self.arrays.iter().find(|array| array.key() == name) else { return Ok(None) };
        let shape = array.shape().to_vec();
        Ok(Some((shape, array.values(&self.file, read)?)))
    }

    /// Shape and values of the array of floats called `name`; of a `.npy`, of the one without a name.
    ///
    /// # Errors
    /// [`Error::Data`] if it holds no floats, or fewer than its shape says.
    pub fn floats(&self, name: Option<&str>) -> Result<Option<(Vec<usize>, Vec<f32>)>> {
        self.read(name, Header::floats)
    }

    /// The values of the array of numbers called `name`.
    ///
    /// # Errors
    /// [`Error::Data`] if it holds no numbers, or fewer than its shape says.
    pub fn reals(&self, name: &str) -> Result<Option<Vec<f64>>> {
        Ok(self.read(Some(name), Header::reals)?.map(|(_, values)| values))
    }

    /// Shape and values of the array of bytes called `name`.
    ///
    /// # Errors
    /// As [`Arrays::floats`].
    pub fn bytes(&self, name: &str) -> Result<Option<(Vec<usize>, Vec<u8>)>> {
        self.read(Some(name), Header::pixels)
    }

    /// The values of the array of class numbers called `name`.
    ///
    /// # Errors
    /// As [`Arrays::floats`].
    pub fn labels(&self, name: &str) -> Result<Option<Vec<u32>>> {
        Ok(self.read(Some(name), Header::labels)?.and_then(|(_, values)| values))
    }

    /// The values of the array of texts called `name`.
    ///
    /// # Errors
    /// As [`Arrays::floats`].
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        Ok(self.read(Some(name), Header::texts)?.map(|(_, values)| values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_that_are_written_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.npz");
        let names = ["a/1.png".to_string(), String::new(), "größer.png".to_string()];
        write_arrays(
            &path,
            &[
                ("mean", &[3, 2], ArrayValues::Floats(&[0.5, -1.0, 2.0, 3.0, 4.0, f32::MIN_POSITIVE])),
                ("names", &[3], ArrayValues::Texts(&names)),
                ("images", &[1, 1, 2], ArrayValues::Bytes(&[7, 255])),
                ("labels", &[2], ArrayValues::Words(&[1, 70_000])),
                ("none", &[0], ArrayValues::Texts(&[])),
            ],
        )
        .unwrap();
        let arrays = Arrays::open(&path).unwrap();
        assert_eq!(arrays.names().collect::<Vec<_>>(), ["mean", "names", "images", "labels", "none"]);
        let (shape, mean) = arrays.floats(Some("mean")).unwrap().unwrap();
        assert_eq!((shape, mean[5]), (vec![3, 2], f32::MIN_POSITIVE));
        assert_eq!(arrays.texts("names").unwrap().unwrap(), names);
        assert_eq!(arrays.bytes("images").unwrap().unwrap(), (vec![1, 1, 2], vec![7, 255]));
        assert_eq!(arrays.labels("labels").unwrap().unwrap(), [1, 70_000]);
        assert_eq!(arrays.texts("none").unwrap().unwrap(), [""; 0]);
        assert_eq!(arrays.floats(Some("gone")).unwrap(), None);
        assert!(arrays.floats(Some("names")).unwrap_err().to_string().contains("floats"));
    }
}
