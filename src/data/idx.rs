//! The IDX format of MNIST and its relatives: read and write one file.
//!
//! A file is `0 0 TYPE DIMENSIONS`, one big-endian `u32` a dimension, then the values
//! (<http://yann.lecun.com/exdb/mnist/>). Only the type 0x08, unsigned bytes, is used for images. Files may be
//! gzipped; that is decided by their first bytes, not by their name.

use super::ImageShape;
use super::archive::GZIP;
use super::file::File;
use super::{foreign, memory};
use crate::{Error, Result};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// The most bytes of pixels a dataset may have: it is held in memory as a whole.
pub const BYTE_LIMIT: u64 = 8 << 30;

const UNSIGNED_BYTE: u8 = 0x08;

/// Images of one size, as an IDX file holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The size of every image.
    pub shape: ImageShape,
    /// `[count, height, width, channels]`, never empty.
    pub pixels: Vec<u8>,
}

impl Images {
    /// How many images there are.
    pub fn count(&self) -> usize {
        self.pixels.len() / self.shape.pixels().max(1)
    }
}

/// Reads images: `[count, height, width]`, or `[count, height, width, channels]` with one or three channels.
pub fn read_images(path: &Path) -> Result<Images> {
    images_of(&File::single(path))
}

/// See [`read_images`].
pub(super) fn images_of(file: &File) -> Result<Images> {
    let (sizes, pixels) = read(file, Content::Images)?;
    let channels = sizes.get(3).copied().unwrap_or(1);
    Ok(Images { shape: ImageShape { width: sizes[2], height: sizes[1], channels }, pixels })
}

/// Reads labels: `[count]`.
pub fn read_labels(path: &Path) -> Result<Vec<u32>> {
    labels_of(&File::single(path))
}

/// See [`read_labels`].
pub(super) fn labels_of(file: &File) -> Result<Vec<u32>> {
    Ok(read(file, Content::Labels)?.1.into_iter().map(u32::from).collect())
}

/// Writes images (`[count, height, width, channels]`), gzipped when the name ends in `.gz`.
pub fn write_images(path: &Path, shape: ImageShape, pixels: &[u8]) -> Result<()> {
    if shape.pixels() == 0 || !pixels.len().is_multiple_of(shape.pixels()) {
        let problem = format!("{} bytes are not a whole number of images of {shape}", pixels.len());
        return Err(Error::data(path, problem, "pass whole images"));
    }
    let mut sizes = vec![pixels.len() / shape.pixels(), shape.height, shape.width];
    if shape.channels != 1 {
        sizes.push(shape.channels);
    }
    write(path, &sizes, pixels)
}

/// Writes labels, gzipped when the name ends in `.gz`.
pub fn write_labels(path: &Path, labels: &[u32]) -> Result<()> {
    let bytes: Vec<u8> = labels.iter().map_while(|&label| u8::try_from(label).ok()).collect();
    if bytes.len() != labels.len() {
        let problem = format!("label {} does not fit into a byte", labels[bytes.len()]);
        return Err(Error::data(path, problem, "IDX label files hold classes 0 to 255"));
    }
    write(path, &[labels.len()], &bytes)
}

/// The expected content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Images,
    Labels,
}

/// The header's sizes and the bytes after it, all checked.
fn read(file: &File, content: Content) -> Result<(Vec<usize>, Vec<u8>)> {
    let path = file.path();
    let mut bytes = BufReader::new(file.open()?);
    let gzipped = bytes.fill_buf().map_err(|error| file.failed(error))?.starts_with(GZIP);
    let mut reader: Box<dyn Read> =
        if gzipped { Box::new(flate2::bufread::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof if gzipped => {
            Error::data(path, "the file is truncated: its gzip stream ends early", DOWNLOAD_AGAIN)
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if gzipped => {
            Error::data(path, format!("the gzip stream is damaged: {error}"), DOWNLOAD_AGAIN)
        }
        _ => file.failed(error),
    };

    let magic: [u8; 4] = read_header(&mut reader, 4)
        .map_err(failed)?
        .try_into()
        .map_err(|short: Vec<u8>| truncated(path, "magic number", 4, short.len() as u64))?;
    if let (1.., Some(foreign)) = (magic[0], foreign::recognise(file)) {
        return Err(Error::data(path, format!("this is {}", foreign.what), foreign.how));
    }
    check_magic(path, magic, content)?;
    let header = 4 * usize::from(magic[3]);
    let sizes = read_header(&mut reader, header).map_err(failed)?;
    if sizes.len() < header {
        return Err(truncated(path, "header", 4 + header as u64, 4 + sizes.len() as u64));
    }
    let sizes: Vec<u32> = sizes.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
    let expected = check_sizes(path, &sizes, content)?;

    let available = if expected < memory::SMALL { u64::MAX } else { memory::available() };
    if expected > BYTE_LIMIT.min(available) {
        // Either the header is wrong, or the file is valid and too large: refuse it before reading.
        let found = io::copy(&mut reader.take(expected), &mut io::sink()).map_err(failed)?;
        return Err(if found < expected {
            truncated(path, "data", expected, found)
        } else if expected > BYTE_LIMIT {
            too_large(path, expected)
        } else {
            memory::refused(path, "its images", expected, available)
        });
    }
    // `read_to_end` grows with the bytes that the file has, so a wrong header allocates nothing.
    let mut bytes = Vec::new();
    reader.by_ref().take(expected).read_to_end(&mut bytes).map_err(failed)?;
    if (bytes.len() as u64) < expected {
        return Err(truncated(path, "data", expected, bytes.len() as u64));
    }
    let trailing = io::copy(&mut reader, &mut io::sink()).map_err(failed)?;
    if trailing > 0 {
        let problem =
            format!("{trailing} trailing bytes follow the {expected} bytes that its header announces");
        return Err(Error::data(path, problem, DOWNLOAD_AGAIN));
    }
    Ok((sizes.iter().map(|&size| size as usize).collect(), bytes))
}

const DOWNLOAD_AGAIN: &str = "download or export the file again";

fn read_header(reader: &mut dyn Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    reader.take(bytes as u64).read_to_end(&mut header)?;
    Ok(header)
}

fn truncated(path: &Path, what: &str, expected: u64, found: u64) -> Error {
    let problem = format!(
        "the file is truncated: its {what} should be {expected} bytes long, {found} bytes were found"
    );
    Error::data(path, problem, DOWNLOAD_AGAIN)
}

/// The error for pixels beyond [`BYTE_LIMIT`].
pub(super) fn too_large(path: &Path, bytes: u64) -> Error {
    let problem = format!("{bytes} bytes of pixels are more than the {BYTE_LIMIT} that are held in memory");
    Error::data(path, problem, "use fewer images, or smaller ones: --image-size WIDTHxHEIGHT")
}

fn check_magic(path: &Path, [first, second, kind, dimensions]: [u8; 4], content: Content) -> Result<()> {
    let magic = u32::from_be_bytes([first, second, kind, dimensions]);
    if [first, second] != [0, 0] {
        return Err(Error::data(
            path,
            format!("this is not an IDX file: it starts with {magic:#010x}"),
            "images start with 0x00000803 and labels with 0x00000801; the file may be packed by gzip or zip",
        ));
    }
    if kind != UNSIGNED_BYTE {
        return Err(Error::data(
            path,
            format!(
                "its values have the IDX type {kind:#04x} ({}), not 0x08 (unsigned bytes)",
                type_name(kind)
            ),
            "convert the values to unsigned bytes, 0 to 255",
        ));
    }
    let swapped = "the files may have been swapped or renamed; name images '...-images-idx3-ubyte' and labels \
                   '...-labels-idx1-ubyte'";
    match (content, dimensions) {
        (Content::Images, 3 | 4) | (Content::Labels, 1) => Ok(()),
        (Content::Images, 1) => {
            Err(Error::data(path, "this is a label file (0x00000801), where images are expected", swapped))
        }
        (Content::Labels, 3 | 4) => Err(Error::data(
            path,
            format!("this is an image file ({magic:#010x}), where labels are expected"),
            swapped,
        )),
        _ => Err(Error::data(
            path,
            format!("its values have {dimensions} dimensions"),
            "images have the dimensions [count, height, width] or [count, height, width, channels], labels [count]",
        )),
    }
}

fn type_name(kind: u8) -> &'static str {
    match kind {
        0x09 => "signed bytes",
        0x0B => "16-bit integers",
        0x0C => "32-bit integers",
        0x0D => "32-bit floats",
        0x0E => "64-bit floats",
        _ => "unknown",
    }
}

/// The number of bytes that `sizes` announce.
fn check_sizes(path: &Path, sizes: &[u32], content: Content) -> Result<u64> {
    let what = if content == Content::Images { "images" } else { "labels" };
    if sizes[0] == 0 {
        return Err(Error::data(path, format!("the file holds zero {what}"), DOWNLOAD_AGAIN));
    }
    if content == Content::Images && sizes[1..3].contains(&0) {
        let problem = format!("its images are {}x{} pixels: nothing to learn", sizes[2], sizes[1]);
        return Err(Error::data(path, problem, DOWNLOAD_AGAIN));
    }
    if let Some(channels) = sizes.get(3).filter(|&channels| ![1, 3].contains(channels)) {
        let problem = format!("its images have {channels} channels");
        return Err(Error::data(path, problem, "use 1 channel (grey) or 3 (red, green, blue)"));
    }
    sizes.iter().try_fold(1u64, |bytes, &size| bytes.checked_mul(u64::from(size))).ok_or_else(|| {
        Error::data(path, format!("its header announces impossible sizes: {sizes:?}"), DOWNLOAD_AGAIN)
    })
}

fn write(path: &Path, sizes: &[usize], bytes: &[u8]) -> Result<()> {
    let mut header = vec![0, 0, UNSIGNED_BYTE, sizes.len() as u8];
    for &size in sizes {
        let size = u32::try_from(size).map_err(|_| {
            Error::data(path, format!("a size of {size} is too large"), "IDX sizes have 32 bits")
        })?;
        header.extend(size.to_be_bytes());
    }
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
            let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::default());
            encoder.write_all(&header)?;
            encoder.write_all(bytes)?;
            encoder.finish()?;
        } else {
            file.write_all(&header)?;
            file.write_all(bytes)?;
        }
        file.flush()
    };
    write().map_err(|error| Error::io(path, error))
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
