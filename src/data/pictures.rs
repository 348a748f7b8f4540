//! Many picture files as bytes of one size, read in parallel.

use super::file::File;
use super::idx::Images;
use super::{Colour, ImageShape, Options, Part, convert};
use crate::{Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The most bytes one picture may take when decoded, before it is resized: 8192x8192 with four channels.
const PICTURE_LIMIT: u64 = 256 << 20;

/// The header of a picture.
struct Header {
    width: u32,
    height: u32,
    coloured: bool,
}

/// Reads the pictures of `folder` in `files`, in this order.
///
/// Every header is read before any pixel, so that different sizes, or too many bytes, are reported at once.
/// Without a choice of colour, the images are grey if every file is of a grey type (with or without
/// transparency), and red, green, blue otherwise. The orientation in a camera's metadata is applied.
pub(super) fn read(folder: &Path, files: &[File], options: &Options) -> Result<Images> {
    let headers: Vec<Header> = in_parallel(files, header)?;
    let Some(first) = headers.first() else {
        return Err(Error::data(folder, "there are no pictures", "give a folder of png or jpeg files"));
    };
    let (width, height) = options.image_size.unwrap_or((first.width as usize, first.height as usize));
    let other =
        headers.iter().position(|header| (header.width, header.height) != (first.width, first.height));
    if let (None, Some(other)) = (options.image_size, other) {
        let problem = format!(
            "the pictures have different sizes: {} is {}x{}, {} is {}x{}",
            files[0].path().display(),
            first.width,
            first.height,
            files[other].path().display(),
            headers[other].width,
            headers[other].height
        );
        return Err(Error::data(folder, problem, "resize them all with --image-size WIDTHxHEIGHT"));
    }
    let grey = headers.iter().all(|header| !header.coloured);
    let colour = options.colour.unwrap_or(if grey { Colour::Grey } else { Colour::Rgb });
    let shape = ImageShape { width, height, channels: colour.channels() };

    let mut pixels = vec![0; convert::check_total(folder, files.len(), shape)?];
    let places: Vec<_> = pixels.chunks_exact_mut(shape.pixels()).zip(files).collect();
    let results: Vec<Result<()>> = places
        .into_par_iter()
        .map(|(place, file)| {
            let bytes = convert::to_bytes(decode(file)?, shape);
            if bytes.len() != place.len() {
                return Err(unreadable(file.path(), "its size changed while it was read"));
            }
            place.copy_from_slice(&bytes);
            Ok(())
        })
        .collect();
    results.into_iter().collect::<Result<()>>()?;
    Ok(Images { shape, pixels })
}

/// The picture files at `paths`, in this order, as images of `shape`.
///
/// # Errors
/// [`Error::Data`] naming a file that is no picture; [`Error::Io`] for one that cannot be read.
pub fn read_pictures(paths: &[PathBuf], shape: ImageShape) -> Result<Part> {
    let colour = if shape.channels == 1 { Colour::Grey } else { Colour::Rgb };
    let options =
        Options { image_size: Some((shape.width, shape.height)), colour: Some(colour), ..Options::default() };
    let files: Vec<File> =
        paths.iter().map(|path| File::at(path.clone(), path.to_string_lossy().into_owned())).collect();
    let names = files.iter().map(|file| file.name.clone()).collect();
    Ok(Part::of_images(read(Path::new("pictures"), &files, &options)?.pixels, shape).with_names(names))
}

/// Maps in parallel; of several errors, that of the first file is returned, whichever thread was faster.
fn in_parallel<T: Send>(files: &[File], read: impl Fn(&File) -> Result<T> + Sync) -> Result<Vec<T>> {
    let results: Vec<Result<T>> = files.par_iter().map(|file| read(file)).collect();
    results.into_iter().collect()
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Error {
    let hint = "take it out of the folder, or export it again as png or jpeg";
    Error::data(path, format!("the picture cannot be read: {why}"), hint)
}

fn picture_error(path: &Path, error: ImageError) -> Error {
    match error {
        // An unexpected end is an error of the picture, not of the disk.
        ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io(path, error)
        }
        error => unreadable(path, error),
    }
}

/// A decoder for the format that the file's first bytes show, whatever the file's name, and the picture's orientation.
fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<(impl ImageDecoder + 'a, Orientation)> {
    let io = |error| Error::io(path, error);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(io)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * PICTURE_LIMIT);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| picture_error(path, error))?;
    if decoder.total_bytes() > PICTURE_LIMIT {
        let (width, height) = decoder.dimensions();
        let why = format!("{width}x{height} pixels are more than {PICTURE_LIMIT} bytes");
        return Err(unreadable(path, why));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn header(file: &File) -> Result<Header> {
    let (path, bytes) = (file.path(), file.read()?);
    let (decoder, orientation) = open(&bytes, path)?;
    let (mut width, mut height) = decoder.dimensions();
    if matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    ) {
        (width, height) = (height, width);
    }
    if width == 0 || height == 0 {
        return Err(unreadable(path, "it has no pixels"));
    }
    Ok(Header { width, height, coloured: decoder.color_type().has_color() })
}

fn decode(file: &File) -> Result<DynamicImage> {
    let (path, bytes) = (file.path(), file.read()?);
    let (decoder, orientation) = open(&bytes, path)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| picture_error(path, error))?;
    picture.apply_orientation(orientation);
    Ok(picture)
}
