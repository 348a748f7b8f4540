//! The format `.npy` of NumPy (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>): one array, read
//! as pixels, labels, floats or texts.

use super::idx::{BYTE_LIMIT, too_large};
use crate::{Error, Result, files};
use std::io::Read;
use std::path::Path;

/// The first bytes of every file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read. Those of arrays of numbers have 118 bytes.
const HEADER_LIMIT: u64 = 1 << 16;

const SAVE_AGAIN: &str = "save the array again, with numpy.save or numpy.savez";

/// What a file says of its array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `u` unsigned, `i` signed, `f` floating point, `b` true or false; others are of no use here.
    kind: char,
    /// Bytes of a value.
    size: usize,
    big_endian: bool,
    /// The first index varies fastest.
    fortran: bool,
    /// Sizes of the dimensions.
    pub(super) shape: Vec<usize>,
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            'u' => "unsigned integers",
            'i' => "integers",
            'f' => "floats",
            'b' => "true or false",
            _ => return write!(f, "{:?} of the type '{}{}'", self.shape, self.kind, self.size),
        };
        write!(f, "{:?} of {kind} of {} bytes", self.shape, self.size)
    }
}

impl Header {
    /// Read the header of the file at `path`; what follows in `reader` are the values.
    pub(super) fn read(path: &Path, reader: &mut dyn Read) -> Result<Self> {
        let failed = |error: std::io::Error| Error::data(path, error.to_string(), SAVE_AGAIN);
        let short = || Error::data(path, "the header of an array ends early", SAVE_AGAIN);
        let mut take = |bytes: u64| -> Result<Vec<u8>> {
            let mut found = Vec::new();
            reader.take(bytes).read_to_end(&mut found).map_err(failed)?;
            if found.len() as u64 == bytes { Ok(found) } else { Err(short()) }
        };
        let begin = take(8)?;
        if !begin.starts_with(MAGIC) {
            return Err(Error::data(path, "this is not an array of NumPy", SAVE_AGAIN));
        }
        let length = match begin[6] {
            1 => u64::from(u16::from_le_bytes(take(2)?.try_into().map_err(|_| short())?)),
            _ => u64::from(u32::from_le_bytes(take(4)?.try_into().map_err(|_| short())?)),
        };
        if length > HEADER_LIMIT {
            return Err(Error::data(path, "the header of an array is too long", SAVE_AGAIN));
        }
        let text = String::from_utf8_lossy(&take(length)?).into_owned();
        Self::parse(&text).ok_or_else(|| {
            let problem = format!("the header of an array is not understood: {}", text.trim());
            Error::data(path, problem, "save a plain array of numbers with numpy.save or numpy.savez")
        })
    }

    /// The header in the text `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Option<Self> {
        let after = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1.trim_start());
        let descr = after("descr")?.strip_prefix('\'')?.split_once('\'')?.0;
        let big_endian = descr.starts_with('>');
        let mut descr = descr.trim_start_matches(['<', '>', '|', '=']).chars();
        let (kind, size) = (descr.next()?, descr.as_str().parse().ok()?);
        let fortran = after("fortran_order")?.starts_with("True");
        let sizes = after("shape")?.strip_prefix('(')?.split_once(')')?.0.split(',').map(str::trim);
        let shape = sizes.filter(|size| !size.is_empty()).map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { kind, size, big_endian, fortran, shape })
    }

    /// Whether the values can be pixels.
    pub(super) fn holds_pixels(&self) -> bool {
        matches!((self.kind, self.size), ('u' | 'b', 1) | ('f', 2 | 4 | 8))
    }

    /// Whether the values are whole numbers.
    pub(super) fn holds_integers(&self) -> bool {
        matches!((self.kind, self.size), ('u' | 'i', 1 | 2 | 4 | 8))
    }

    /// The bytes of all values.
    fn values(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<u8>> {
        let sizes = self.shape.iter().map(|&size| size as u64);
        let count = sizes.chain([self.size as u64]).try_fold(1_u64, u64::checked_mul);
        let count = count.unwrap_or(u64::MAX);
        // Of doubles only an eighth is kept.
        if count / self.size.max(1) as u64 > BYTE_LIMIT {
            return Err(too_large(path, count));
        }
        let mut bytes = Vec::new();
        reader
            .take(count)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::data(path, format!("the values cannot be read: {error}"), SAVE_AGAIN))?;
        if bytes.len() as u64 == count {
            return Ok(bytes);
        }
        let problem = format!("the values should be {count} bytes long, {} bytes were found", bytes.len());
        Err(Error::data(path, problem, SAVE_AGAIN))
    }

    /// All values as bytes from 0 to 255, the last index varying fastest.
    pub(super) fn pixels(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<u8>> {
        let raw = self.values(path, reader)?;
        let bytes = match (self.kind, self.size) {
            ('u', 1) => raw,
            ('b', 1) => raw.into_iter().map(|value| if value == 0 { 0 } else { 255 }).collect(),
            ('f', 2 | 4 | 8) => {
                let byte = |(place, value): (usize, &[u8])| {
                    let value = self.float(value);
                    // Means and other arithmetic in floats may leave the range by a rounding.
                    if (-1e-6..=1.0 + 1e-6).contains(&value) {
                        return Ok((255.0 * value).round() as u8);
                    }
                    let problem =
                        format!("value number {place} is {value}; pixels given as floats are from 0 to 1");
                    Err(Error::data(
                        path,
                        problem,
                        "divide them by 255, or save them as uint8, from 0 to 255",
                    ))
                };
                raw.chunks_exact(self.size).enumerate().map(byte).collect::<Result<_>>()?
            }
            _ => {
                let hint = "save them as uint8, from 0 to 255, or as floats from 0 to 1";
                return Err(Error::data(path, format!("pixels cannot be read from an array {self}"), hint));
            }
        };
        Ok(if self.fortran { in_c_order(&bytes, &self.shape) } else { bytes })
    }

    /// All values as class numbers.
    pub(super) fn labels(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<u32>> {
        let raw = self.values(path, reader)?;
        let label = |value: &[u8]| {
            let mut wide = [0; 8];
            let filled = &mut wide[..self.size];
            filled.copy_from_slice(value);
            if self.big_endian {
                filled.reverse();
            }
            // What does not fit, negative numbers among it, is no label.
            u32::try_from(u64::from_le_bytes(wide)).ok().filter(|&label| label < 1 << 24)
        };
        let labels: Option<Vec<u32>> = raw.chunks_exact(self.size).map(label).collect();
        labels.ok_or_else(|| {
            let problem = "a label is negative or above 16,777,215";
            Error::data(path, problem, "number the classes from 0")
        })
    }

    /// All values as floats of 32 bits, the last index varying fastest.
    pub(super) fn floats(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<f32>> {
        if !matches!((self.kind, self.size), ('f', 2 | 4 | 8)) {
            let problem = format!("numbers cannot be read from an array {self}");
            return Err(Error::data(path, problem, "save them as floats of 16, 32 or 64 bits"));
        }
        let raw = self.values(path, reader)?;
        let floats: Vec<f32> = raw.chunks_exact(self.size).map(|value| self.float(value) as f32).collect();
        Ok(if self.fortran { in_c_order(&floats, &self.shape) } else { floats })
    }

    /// All values as texts, of an array of one dimension.
    pub(super) fn texts(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<String>> {
        if self.kind != 'U' || self.shape.len() != 1 {
            let problem = format!("texts cannot be read from an array {self}");
            return Err(Error::data(path, problem, "save them as a list of strings"));
        }
        // The size counts letters, of four bytes each.
        let raw = Self { size: 4 * self.size, ..self.clone() }.values(path, reader)?;
        let letter = |four: &[u8]| {
            let four = four.first_chunk::<4>().copied().unwrap_or_default();
            let code = if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        let text = |bytes: &[u8]| -> String {
            let all: String = bytes.chunks_exact(4).map(letter).collect();
            all.trim_end_matches('\0').to_string()
        };
        if self.size == 0 {
            return Ok(vec![String::new(); self.shape[0].min(raw.len())]);
        }
        Ok(raw.chunks_exact(4 * self.size).map(text).collect())
    }

    fn float(&self, bytes: &[u8]) -> f64 {
        let mut own = [0; 8];
        own[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            own[..self.size].reverse();
        }
        let [a, b, c, d, ..] = own;
        match self.size {
            2 => half(u16::from_le_bytes([a, b])),
            4 => f64::from(f32::from_le_bytes([a, b, c, d])),
            _ => f64::from_le_bytes(own),
        }
    }
}

/// A float of 16 bits.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    let magnitude = match exponent {
        0 => fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// `values`, whose first index varies fastest, such that the last one does.
fn in_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered.push(values[index.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    ordered
}

/// A number that an array of NumPy holds.
pub trait Element: Copy {
    /// What NumPy calls its type.
    const DESCR: &'static str;

    /// Append its bytes.
    fn append(self, bytes: &mut Vec<u8>);
}

impl Element for f32 {
    const DESCR: &'static str = "<f4";

    fn append(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }
}

impl Element for u8 {
    const DESCR: &'static str = "|u1";

    fn append(self, bytes: &mut Vec<u8>) {
        bytes.push(self);
    }
}

/// Write `values`, an array of this shape, as `path`.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write_npy<T: Element>(path: &Path, shape: &[usize], values: &[T]) -> Result<()> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut bytes = encoded(T::DESCR, false, &sizes);
    values.iter().for_each(|value| value.append(&mut bytes));
    files::write_atomically(path, &bytes)
}

/// The head of a file, as long as NumPy makes it: a multiple of 64 bytes.
pub(super) fn encoded(descr: &str, fortran: bool, sizes: &str) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({sizes}), }}");
    while !(MAGIC.len() + 4 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = [MAGIC, &[1, 0]].concat();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The bytes of a file with this array.
    pub(in crate::data) fn array(descr: &str, fortran: bool, shape: &[usize], values: &[u8]) -> Vec<u8> {
        let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
        [encoded(descr, fortran, &sizes), values.to_vec()].concat()
    }

    fn read<T>(bytes: &[u8], values: impl Fn(&Header, &Path, &mut dyn Read) -> Result<T>) -> Result<T> {
        let (path, mut reader) = (Path::new("here.npy"), bytes);
        Header::read(path, &mut reader).and_then(|header| values(&header, path, &mut reader))
    }

    #[test]
    fn headers_of_numpy_are_read() {
        let text = "{'descr': '>f8', 'fortran_order': True, 'shape': (3,), }   \n";
        let header = Header { kind: 'f', size: 8, big_endian: true, fortran: true, shape: vec![3] };
        assert_eq!(Header::parse(text), Some(header));
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }";
        assert_eq!(Header::parse(text).unwrap().shape, [2, 3, 4]);
        let single = Header::parse("{'descr': '<i8', 'fortran_order': False, 'shape': (), }");
        assert!(single.unwrap().shape.is_empty());
        for wrong in
            ["", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "{'descr': '<f4'}"]
        {
            assert_eq!(Header::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn values_of_every_type_become_bytes() {
        let halves = [0_u16, 0x3c00, 0x3800, 0x0001];
        let little = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        for (descr, values, expected) in [
            ("|u1", vec![0, 7, 200, 255], [0, 7, 200, 255]),
            ("|b1", vec![0, 1, 1, 0], [0, 255, 255, 0]),
            ("<f8", little(&[0.0, 1.0, 0.5, 1.0 + 1e-9]), [0, 255, 128, 255]),
            (">f4", [0_f32, 1.0, 0.25, 1e-9].iter().flat_map(|v| v.to_be_bytes()).collect(), [0, 255, 64, 0]),
            ("<f2", halves.iter().flat_map(|v| v.to_le_bytes()).collect(), [0, 255, 128, 0]),
        ] {
            let bytes = array(descr, false, &[1, 2, 2], &values);
            assert_eq!(read(&bytes, Header::pixels).unwrap(), expected, "{descr}");
        }
        let fortran = array("|u1", true, &[2, 3], &[1, 4, 2, 5, 3, 6]);
        assert_eq!(read(&fortran, Header::pixels).unwrap(), [1, 2, 3, 4, 5, 6]);
        let labels = array(">i4", false, &[2], &[0, 0, 1, 2, 0, 0, 0, 9]);
        assert_eq!(read(&labels, Header::labels).unwrap(), [258, 9]);
    }

    #[test]
    fn half_floats() {
        for (bits, value) in
            [(0x3c00, 1.0), (0x3555, 0.333_251_953_125), (0xc000, -2.0), (0x0400, 2_f64.powi(-14))]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7c01).is_nan());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let two = 2_f32.to_le_bytes();
        for (bytes, expected) in [
            (
                array("<f4", false, &[1, 1, 1], &two),
                "value number 0 is 2; pixels given as floats are from 0 to 1",
            ),
            (array("<f4", false, &[1, 1, 1], &f32::NAN.to_le_bytes()), "value number 0 is NaN"),
            (
                array("<i8", false, &[1], &[0; 8]),
                "pixels cannot be read from an array [1] of integers of 8 bytes",
            ),
            (array("|u1", false, &[3], &[0; 2]), "should be 3 bytes long, 2 bytes were found"),
            (array("|u1", false, &[1 << 40, 1 << 40], &[]), "held in memory"),
            (b"something else".to_vec(), "this is not an array of NumPy"),
            (MAGIC.to_vec(), "ends early"),
        ] {
            let problem = read(&bytes, Header::pixels).unwrap_err().to_string();
            assert!(problem.contains("here.npy") && problem.contains(expected), "{problem}");
        }
        let negative = array("<i8", false, &[1], &(-1_i64).to_le_bytes());
        assert!(read(&negative, Header::labels).unwrap_err().to_string().contains("a label is negative"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.npy");
        write_npy(&path, &[2, 2], &[0.0_f32, 1.0, 0.5, 0.25]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((bytes.len() - 16) % 64, 0);
        let mut reader = &bytes[..];
        assert_eq!(Header::read(&path, &mut reader).unwrap().to_string(), "[2, 2] of floats of 4 bytes");
        assert_eq!(read(&bytes, Header::pixels).unwrap(), [0, 255, 128, 64]);
    }
}
