//! One picture file: what its header says, and its decoded pixels.

use super::file::File;
use super::{jpeg, size};
use crate::Error;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::{Cursor, ErrorKind};

/// The most bytes one picture may take when decoded, before it is resized: 268 million pixels of three channels.
pub(super) const PICTURE_LIMIT: u64 = 768 << 20;

/// By how much red, green and blue of a grey pixel may differ in a JPEG or a WebP: their two colour channels may be off
/// by one level, which decoders turn into one or two.
const LOSSY_TOLERANCE: u8 = 2;

/// The header of a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Width and height as it is seen, turned as its metadata say.
    pub(super) size: size::Size,
    /// Whether it is stored in colour; its colours may all be grey.
    pub(super) coloured: bool,
    /// Bytes of its decoded pixels.
    pub(super) decoded: u64,
    /// By how much red, green and blue of a grey pixel may differ.
    pub(super) tolerance: u8,
    orientation: Orientation,
}

impl Header {
    pub(super) fn orientation(&self) -> Orientation {
        self.orientation
    }
}

/// Why a picture cannot be read, in a few words.
pub(super) type Why = String;

/// All bytes of `file`.
pub(super) fn bytes(file: &File) -> Result<Vec<u8>, Why> {
    file.read().map_err(unread)
}

/// The first bytes of `file`, at most this number.
pub(super) fn begin(file: &File, count: u64) -> Result<Vec<u8>, Why> {
    file.begin(count).map_err(unread)
}

fn unread(error: Error) -> Why {
    match error {
        Error::Io { source, .. } => match source.kind() {
            ErrorKind::NotFound => "there is no such file".into(),
            ErrorKind::PermissionDenied => "this user has no permission to read it".into(),
            ErrorKind::IsADirectory => "it is a folder".into(),
            _ => source.to_string(),
        },
        Error::Data { problem, .. } => problem,
        error => error.to_string(),
    }
}

/// A decoder for the format that the file's first bytes show, whatever the file's name.
fn open(bytes: &[u8]) -> Result<(impl ImageDecoder + '_, ImageFormat), Why> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let Some(format) = reader.format() else { return Err(no_picture(bytes)) };
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * PICTURE_LIMIT);
    let mut reader = reader;
    reader.limits(limits);
    match reader.into_decoder() {
        Ok(decoder) => Ok((decoder, format)),
        Err(error) => Err(why(bytes, error)),
    }
}

fn no_picture(bytes: &[u8]) -> Why {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_lowercase();
    match start {
        it if it.starts_with("<!doctype html") || it.starts_with("<html") => {
            "it is a web page, not a picture"
        }
        it if it.starts_with("<svg") || it.starts_with("<?xml") => {
            "it is a drawing in XML, not a picture of pixels"
        }
        _ => "it is no png, jpeg, webp, bmp, tiff or gif",
    }
    .into()
}

fn why(bytes: &[u8], error: ImageError) -> Why {
    if bytes.starts_with(&jpeg::START)
        && let Some(why) = jpeg::cut(bytes, 0, 0)
    {
        return why.into();
    }
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => "it is cut short".into(),
        ImageError::Unsupported(error) => format!("it is of a kind that is not read: {error}"),
        error => error.to_string(),
    }
}

/// Whether a file is too short for its pixels, however well they are compressed: eight in a byte, and 1032 of these in one
/// (deflate's best; those of GIF and BMP are lower). Such headers are of damaged files, and would only cost memory.
fn announces_too_much(format: ImageFormat, width: u32, height: u32, length: usize) -> bool {
    let bounded = matches!(format, ImageFormat::Png | ImageFormat::Gif | ImageFormat::Bmp);
    bounded && u64::from(width) * u64::from(height) > 8 * 1032 * length as u64
}

/// What the header of a picture says.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Why> {
    let (mut decoder, format) = open(bytes)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    let decoded = decoder.total_bytes();
    if width == 0 || height == 0 {
        return Err("it has no pixels".into());
    }
    if decoded > PICTURE_LIMIT {
        return Err(format!("{width}x{height} pixels are more than {PICTURE_LIMIT} bytes"));
    }
    if announces_too_much(format, width, height, bytes.len()) {
        return Err("it is cut short: it has fewer bytes than its pixels need".into());
    }
    let is_lossy = matches!(format, ImageFormat::Jpeg | ImageFormat::WebP);
    Ok(Header {
        size: if size::turns(orientation) { (height, width) } else { (width, height) },
        coloured: decoder.color_type().has_color(),
        decoded,
        tolerance: if is_lossy { LOSSY_TOLERANCE } else { 0 },
        orientation,
    })
}

/// What the header of a picture says, from the beginning of its file: none where the format may have more of it later.
pub(super) fn header_at_start(bytes: &[u8]) -> Option<Header> {
    let early = matches!(image::guess_format(bytes), Ok(ImageFormat::Jpeg | ImageFormat::Png));
    if early { header(bytes).ok() } else { None }
}

/// The pixels of a picture, not turned yet.
pub(super) fn pixels(bytes: &[u8]) -> Result<DynamicImage, Why> {
    let (decoder, format) = open(bytes)?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > PICTURE_LIMIT {
        return Err("its size changed while it was read".into());
    }
    if format == ImageFormat::Jpeg
        && let Some(why) = jpeg::cut(bytes, width, height)
    {
        return Err(why.into());
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| why(bytes, error))?;
    match &picture {
        DynamicImage::ImageRgb32F(it) => check_reals(it.as_raw())?,
        DynamicImage::ImageRgba32F(it) => check_reals(it.as_raw())?,
        _ => {}
    }
    Ok(picture)
}

/// Refuse numbers that are no brightness.
fn check_reals(values: &[f32]) -> Result<(), Why> {
    match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        Some(value) => Err(format!("it holds the number {value}, and pixels are numbers from 0 to 1")),
        None => Ok(()),
    }
}
