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
        matches!((self.kind, self.size), ('b', 1) | ('u' | 'i', 1 | 2 | 4 | 8) | ('f', 2 | 4 | 8))
    }

    /// Whether the values are integers.
    pub(super) fn holds_integers(&self) -> bool {
        matches!(self.kind, 'u' | 'i')
    }

    /// Hand each value to `each`, with its number.
    fn for_each(
        &self,
        path: &Path,
        reader: &mut dyn Read,
        mut each: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let sizes = self.shape.iter().map(|&size| size as u64);
        let count = sizes.chain([self.size as u64]).try_fold(1_u64, u64::checked_mul).unwrap_or(u64::MAX);
        if self.size == 0 || count / self.size as u64 > BYTE_LIMIT {
            return Err(too_large(path, count));
        }
        // Blocks of whole values.
        let (mut block, mut done, mut number) = (Vec::new(), 0, 0);
        while done < count {
            block.clear();
            let length = (count - done).min((self.size as u64).saturating_mul(1 << 16));
            (&mut *reader).take(length).read_to_end(&mut block).map_err(|error| {
                Error::data(path, format!("the values cannot be read: {error}"), SAVE_AGAIN)
            })?;
            done += block.len() as u64;
            if (block.len() as u64) < length {
                let problem = format!("the values should be {count} bytes long, {done} bytes were found");
                return Err(Error::data(path, problem, SAVE_AGAIN));
            }
            for value in block.chunks_exact(self.size) {
                each(number, value)?;
                number += 1;
            }
        }
        Ok(())
    }

    /// All values as bytes from 0 to 255, the last index varying fastest.
    pub(super) fn pixels(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<u8>> {
        if !self.holds_pixels() {
            let hint = "save them as uint8, from 0 to 255, or as floats from 0 to 1";
            return Err(Error::data(path, format!("pixels cannot be read from an array {self}"), hint));
        }
        let mut bytes = Vec::new();
        self.for_each(path, reader, |place, value| {
            bytes.push(match self.kind {
                'b' => 255 * u8::from(value[0] != 0),
                'f' => {
                    let value = self.float(value);
                    // Means and other arithmetic in floats may leave the range by a rounding.
                    if !(-1e-6..=1.0 + 1e-6).contains(&value) {
                        let problem = format!(
                            "value number {place} is {value}; pixels given as floats are from 0 to 1"
                        );
                        let hint = "divide them by 255, or save them as uint8, from 0 to 255";
                        return Err(Error::data(path, problem, hint));
                    }
                    (255.0 * value).round() as u8
                }
                _ => u8::try_from(self.integer(value)).map_err(|_| {
                    let value = self.integer(value);
                    let problem = format!(
                        "value number {place} is {value}; pixels given as integers are from 0 to 255"
                    );
                    let hint = "bring them to this range, such as by (255.0 * x / x.max()).astype('uint8')";
                    Error::data(path, problem, hint)
                })?,
            });
            Ok(())
        })?;
        Ok(if self.fortran { in_c_order(&bytes, &self.shape) } else { bytes })
    }

    /// All values as bits, value number `i` in bit `i % 8` of byte `i / 8`; nothing if they are no integers, one of them is
    /// neither 0 nor 1, or the first index varies fastest.
    pub(super) fn bits(&self, path: &Path, reader: &mut dyn Read) -> Result<Option<Vec<u8>>> {
        if self.fortran || !(self.holds_integers() || self.kind == 'b') {
            return Ok(None);
        }
        let (mut bytes, mut others) = (Vec::new(), false);
        let read = self.for_each(path, reader, |place, value| {
            let bit = match self.size {
                1 => value[0],
                _ => u8::try_from(self.integer(value)).unwrap_or(u8::MAX),
            };
            if bit > 1 {
                others = true;
                return Err(Error::Internal("a value is no bit".into()));
            }
            match (place % 8, bytes.last_mut()) {
                (1.., Some(byte)) => *byte |= bit << (place % 8),
                _ => bytes.push(bit),
            }
            Ok(())
        });
        if others { Ok(None) } else { read.map(|()| Some(bytes)) }
    }

    /// All values as class numbers; nothing if they are no whole numbers.
    pub(super) fn labels(&self, path: &Path, reader: &mut dyn Read) -> Result<Option<Vec<u32>>> {
        if !self.holds_pixels() || self.fortran && self.shape.iter().filter(|&&size| size > 1).count() > 1 {
            return Ok(None);
        }
        let (mut labels, mut whole) = (Vec::new(), true);
        self.for_each(path, reader, |_, value| {
            // Exact up to far more than any label.
            let value = if self.kind == 'f' { self.float(value) } else { self.integer(value) as f64 };
            whole &= value.fract() == 0.0;
            if whole && !(0.0..16_777_216.0).contains(&value) {
                let problem = format!("a label is {value}, negative or above 16,777,215");
                return Err(Error::data(path, problem, "number the classes from 0"));
            }
            labels.push(value as u32);
            Ok(())
        })?;
        Ok(whole.then_some(labels))
    }

    fn integer(&self, bytes: &[u8]) -> i128 {
        let negative = self.kind == 'i' && bytes[if self.big_endian { 0 } else { self.size - 1 }] >= 128;
        let mut wide = [if negative { 255 } else { 0 }; 16];
        wide[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            wide[..self.size].reverse();
        }
        i128::from_le_bytes(wide)
    }

    /// All values as floats of 32 bits, the last index varying fastest.
    pub(super) fn floats(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<f32>> {
        if !matches!((self.kind, self.size), ('f', 2 | 4 | 8)) {
            let problem = format!("numbers cannot be read from an array {self}");
            return Err(Error::data(path, problem, "save them as floats of 16, 32 or 64 bits"));
        }
        let mut floats = Vec::new();
        self.for_each(path, reader, |_, value| {
            floats.push(self.float(value) as f32);
            Ok(())
        })?;
        Ok(if self.fortran { in_c_order(&floats, &self.shape) } else { floats })
    }

    /// All values as they are, up to 2^53, the last index varying fastest.
    pub(super) fn reals(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<f64>> {
        if !self.holds_pixels() {
            let problem = format!("numbers cannot be read from an array {self}");
            return Err(Error::data(path, problem, "save them as floats of 64 bits"));
        }
        let mut reals = Vec::new();
        self.for_each(path, reader, |_, value| {
            reals.push(if self.kind == 'f' { self.float(value) } else { self.integer(value) as f64 });
            Ok(())
        })?;
        Ok(if self.fortran { in_c_order(&reals, &self.shape) } else { reals })
    }

    /// All values as texts, of an array of one dimension.
    pub(super) fn texts(&self, path: &Path, reader: &mut dyn Read) -> Result<Vec<String>> {
        if self.kind != 'U' || self.shape.len() != 1 {
            let problem = format!("texts cannot be read from an array {self}");
            return Err(Error::data(path, problem, "save them as a list of strings"));
        }
        // The size counts letters, of four bytes each.
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
            return Ok(Vec::new());
        }
        let mut texts = Vec::new();
        Self { size: self.size.saturating_mul(4), ..self.clone() }.for_each(path, reader, |_, value| {
            texts.push(text(value));
            Ok(())
        })?;
        Ok(texts)
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
#[path = "npy_tests.rs"]
pub(super) mod tests;
