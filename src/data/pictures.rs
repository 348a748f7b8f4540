//! Many picture files as bytes of one size, read in parallel.

use super::decode::{self, Header, Why};
use super::file::File;
use super::folder::is_picture;
use super::idx::Images;
use super::look::{Background, Look};
use super::memory::{self, Budget};
use super::render::{self, Ink, Rendered, Target};
use super::tree;
use super::{Colour, Found, ImageShape, Options, Part, PassedOver, archive, convert, size};
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes of files that are kept between the look at their headers and their decoding.
const KEPT: u64 = 256 << 20;

/// Bytes at the beginning of a file that hold its header, in most formats.
const BEGIN: u64 = 1 << 20;

/// How many bad files an error names.
const NAMED: usize = 10;

/// What pictures were read.
pub(super) struct Pictures {
    /// Those that could be read.
    pub(super) images: Images,
    /// Of each file, whether it is among these.
    pub(super) used: Vec<bool>,
    /// What reading them showed.
    pub(super) found: Found,
}

/// A file whose header has been read, and its bytes where they are kept.
struct Looked {
    header: Header,
    bytes: Option<Vec<u8>>,
}

/// The pixels of some files.
struct Decoded {
    shape: ImageShape,
    /// Over black, of the files that could be read.
    pixels: Vec<u8>,
    /// Of each of these.
    covers: Vec<Option<Vec<u8>>>,
    bad: BTreeMap<usize, Why>,
    ink: Ink,
    coloured: bool,
    /// The largest value of pictures of 16 bits.
    largest: Option<u16>,
    look: Look,
    notes: Vec<String>,
}

/// Reads the pictures in `files`, in this order, with `folder` in errors about all of them.
///
/// Every header is read before any pixel, so that too many bytes are reported at once. Without a choice of colour, the
/// images are grey if every pixel of all of them is, and red, green, blue otherwise. The orientation in a camera's
/// metadata is applied. Files that cannot be read are refused all at once, or passed over if the options say so.
pub(super) fn read(folder: &Path, files: &[File], options: &Options) -> Result<Pictures> {
    let hint =
        "take it out of the folder, export it again as png or jpeg, or go on without it: --skip-unreadable";
    read_or(folder, files, options, hint)
}

fn read_or(folder: &Path, files: &[File], options: &Options, hint: &str) -> Result<Pictures> {
    if files.is_empty() {
        let hint = "give a folder of png, jpeg, webp, bmp, tiff or gif files";
        return Err(Error::data(folder, "there are no pictures", hint));
    }
    let kept = AtomicU64::new(0);
    let looked: Vec<Result<Looked, Why>> = files.par_iter().map(|file| look(file, &kept)).collect();
    let mut bad: BTreeMap<usize, Why> = BTreeMap::new();
    let mut good: Vec<(usize, &Looked)> = Vec::new();
    for (index, looked) in looked.iter().enumerate() {
        match looked {
            Ok(looked) => good.push((index, looked)),
            Err(why) => {
                bad.insert(index, why.clone());
            }
        }
    }
    let mut decoded = decode(folder, files, &good, options)?;
    if let Some(new) =
        decoded.as_mut().map(|decoded| std::mem::take(&mut decoded.bad)).filter(|it| !it.is_empty())
    {
        good.retain(|(index, _)| !new.contains_key(index));
        bad.extend(new);
        // The size that was chosen may be that of what cannot be read.
        let shape = |decoded: &Option<Decoded>| decoded.as_ref().map(|it| (it.shape.width, it.shape.height));
        if options.skip_unreadable && chosen_size(&good, options).map(|(size, _)| size) != shape(&decoded) {
            decoded = decode(folder, files, &good, options)?;
        }
    }
    if !bad.is_empty() && (!options.skip_unreadable || good.is_empty()) {
        return Err(unreadable(folder, files, &bad, hint));
    }
    let decoded = decoded.ok_or_else(|| Error::Internal("no picture was read".into()))?;
    let used: Vec<bool> = (0..files.len()).map(|index| !bad.contains_key(&index)).collect();
    let mut found = Found { files: good.len(), ..Found::default() };
    if !bad.is_empty() {
        let count = bad.len();
        found.notes.push(format!(
            "{count} of {} pictures cannot be read, and {} passed over",
            files.len(),
            if count == 1 { "is" } else { "are" }
        ));
    }
    found.passed_over =
        bad.into_iter().map(|(index, why)| PassedOver { name: files[index].name.clone(), why }).collect();
    let images = finish(decoded, options, &mut found);
    Ok(Pictures { images, used, found })
}

/// The picture files at `paths`, in this order, and all pictures of the folders and archives among them, as images of `shape`,
/// read as those of a set were: see [`Found::look`].
///
/// # Errors
/// [`Error::Data`] naming the files that are no pictures, or cannot be read.
pub fn read_pictures(paths: &[PathBuf], shape: ImageShape, look: &Look) -> Result<Part> {
    let colour = if shape.channels == 1 { Colour::Grey } else { Colour::Rgb };
    let options = Options {
        image_size: Some((shape.width, shape.height)),
        colour: Some(colour),
        fit: look.fit,
        background: look.background,
        range: look.range,
        ..Options::default()
    };
    let mut files = Vec::new();
    for path in paths {
        files.extend(pictures_at(path)?);
    }
    let names = files.iter().map(|file| file.name.clone()).collect();
    let hint = "give the paths of pictures: png, jpeg, webp, bmp, tiff or gif files";
    let pictures = read_or(Path::new("pictures"), &files, &options, hint)?;
    Ok(Part::of_images(pictures.images.pixels, shape).with_names(names))
}

/// The picture at `path`, or those of the folder or the archive there.
fn pictures_at(path: &Path) -> Result<Vec<File>> {
    let name = path.to_string_lossy().into_owned();
    if !path.exists() || !path.is_dir() && is_picture(&name) {
        return Ok(vec![File::at(path.to_path_buf(), name)]);
    }
    let tree = if path.is_dir() { Some(tree::of_folder(path)?) } else { archive::of(path)? };
    let Some(tree) = tree else { return Ok(vec![File::at(path.to_path_buf(), name)]) };
    let mut files = tree.files;
    files.retain(|file| is_picture(&file.name));
    for file in &mut files {
        file.name = format!("{}/{}", name.trim_end_matches('/'), file.name);
    }
    if files.is_empty() {
        let hint = "name pictures, or folders and archives that hold some";
        return Err(Error::data(path, "there are no pictures in it", hint));
    }
    Ok(files)
}

/// Read the header of a file: from its beginning, where that is enough of a large file.
fn look(file: &File, kept: &AtomicU64) -> Result<Looked, Why> {
    let begin = decode::begin(file, BEGIN)?;
    let large = begin.len() as u64 == BEGIN;
    if large && let Some(header) = decode::header_at_start(&begin) {
        return Ok(Looked { header, bytes: None });
    }
    let bytes = if large { decode::bytes(file)? } else { begin };
    let header = decode::header(&bytes)?;
    let length = bytes.len() as u64;
    let fits = kept.fetch_add(length, Ordering::Relaxed) + length <= KEPT;
    if !fits {
        kept.fetch_sub(length, Ordering::Relaxed);
    }
    Ok(Looked { header, bytes: fits.then_some(bytes) })
}

/// The size that these pictures are read with, and a sentence where it was chosen.
fn chosen_size(good: &[(usize, &Looked)], options: &Options) -> Option<((usize, usize), Option<String>)> {
    if let Some(size) = options.image_size {
        return (!good.is_empty()).then_some((size, None));
    }
    let sizes: Vec<size::Size> = good.iter().map(|(_, looked)| looked.header.size).collect();
    size::chosen(&sizes).map(|((width, height), note)| ((width as usize, height as usize), note))
}

/// Decode the files that are `good`; nothing where there are none.
fn decode(
    folder: &Path,
    files: &[File],
    good: &[(usize, &Looked)],
    options: &Options,
) -> Result<Option<Decoded>> {
    let Some(((width, height), note)) = chosen_size(good, options) else { return Ok(None) };
    let stored_in_colour = good.iter().any(|(_, looked)| looked.header.coloured);
    let colour = options.colour.unwrap_or(if stored_in_colour { Colour::Rgb } else { Colour::Grey });
    let shape = ImageShape { width, height, channels: colour.channels() };
    let total = convert::check_total(folder, good.len(), shape)?;
    let (available, largest) =
        (memory::available(), good.iter().map(|(_, looked)| looked.header.decoded).max());
    // Pixels, a picture as its file has it, and a copy of it.
    let (all, one) = (total as u64, 2 * largest.unwrap_or(0));
    memory::check(folder, &format!("{} pictures of {shape}", good.len()), all + one, available)?;
    let budget = Budget::new(((available - all) / 2).max(one));

    let mut look = Look { fit: options.fit, background: options.background, range: options.range };
    if options.stretch && look.range.is_none() {
        let ranges: Vec<Option<[u16; 2]>> = good
            .par_iter()
            .map(|(index, looked)| {
                budget.with(2 * looked.header.decoded, || {
                    let picture = with_bytes(&files[*index], looked, decode::pixels).ok()?;
                    render::range(&picture)
                })
            })
            .collect();
        let join = |[a, b]: [u16; 2], [c, d]: [u16; 2]| [a.min(c), b.max(d)];
        look.range = ranges.into_iter().flatten().reduce(join);
    }

    let mut pixels = vec![0; total];
    let target = Target { shape, look };
    let coloured = AtomicBool::new(false);
    let asks = options.colour.is_none();
    let places: Vec<_> = pixels.chunks_exact_mut(shape.pixels()).zip(good).collect();
    let results: Vec<Result<(Rendered, Option<u16>), Why>> = places
        .into_par_iter()
        .map(|(place, (index, looked))| {
            budget.with(2 * looked.header.decoded, || {
                let picture = with_bytes(&files[*index], looked, decode::pixels)?;
                if asks
                    && !coloured.load(Ordering::Relaxed)
                    && render::is_coloured(&picture, looked.header.tolerance)
                {
                    coloured.store(true, Ordering::Relaxed);
                }
                let largest = render::has_16_bits(&picture).then(|| render::range(&picture)).flatten();
                let mut rendered = render::render(picture, looked.header.orientation(), &target);
                place.copy_from_slice(&std::mem::take(&mut rendered.pixels));
                Ok((rendered, largest.map(|[_, high]| high)))
            })
        })
        .collect();

    let mut decoded = Decoded {
        shape,
        pixels,
        covers: Vec::with_capacity(good.len()),
        bad: BTreeMap::new(),
        ink: Ink::default(),
        coloured: coloured.into_inner() || !stored_in_colour,
        largest: None,
        look,
        notes: note.into_iter().collect(),
    };
    let mut kept = 0;
    for (place, (result, (index, _))) in results.into_iter().zip(good).enumerate() {
        match result {
            Ok((rendered, largest)) => {
                let item = place * shape.pixels()..(place + 1) * shape.pixels();
                if place != kept {
                    decoded.pixels.copy_within(item, kept * shape.pixels());
                }
                kept += 1;
                decoded.covers.push(rendered.cover);
                decoded.ink += rendered.ink;
                decoded.largest = decoded.largest.max(largest);
            }
            Err(why) => {
                decoded.bad.insert(*index, why);
            }
        }
    }
    decoded.pixels.truncate(kept * shape.pixels());
    Ok(Some(decoded))
}

/// What `work` makes of the bytes of a file.
fn with_bytes<T>(file: &File, looked: &Looked, work: impl FnOnce(&[u8]) -> Result<T, Why>) -> Result<T, Why> {
    match &looked.bytes {
        Some(bytes) => work(bytes),
        None => work(&decode::bytes(file)?),
    }
}

/// Put the background under pictures, and make them grey if all of them are.
fn finish(decoded: Decoded, options: &Options, found: &mut Found) -> Images {
    let Decoded { mut shape, mut pixels, covers, ink, coloured, largest, mut look, notes, .. } = decoded;
    found.notes.extend(notes);
    let uncovered = covers.iter().any(Option::is_some);
    if uncovered && look.background.is_none() {
        let (background, note) = ink.background().unwrap_or((Background::BLACK, ""));
        look.background = Some(background);
        found.notes.extend(Some(note.to_string()).filter(|note| !note.is_empty()));
    }
    if let Some(background) = look.background.filter(|_| uncovered) {
        for (pixels, cover) in pixels.chunks_exact_mut(shape.pixels()).zip(&covers) {
            if let Some(cover) = cover {
                render::lay(pixels, cover, background);
            }
        }
    }
    let grey_ground = !uncovered || look.background.is_none_or(Background::is_grey);
    if options.colour.is_none() && shape.channels == 3 && !coloured && grey_ground {
        convert::to_grey(&mut pixels);
        shape.channels = 1;
        found.notes.push(
            "pictures are stored in colour, but every pixel is grey: they are read as grey; --color rgb changes it"
                .into(),
        );
    }
    if let (Some(largest), None) = (largest.filter(|&largest| largest <= u16::MAX / 4), look.range) {
        found.notes.push(format!(
            "the largest value of the pictures of 16 bits is {largest} of 65535, so they are dark; --stretch spreads \
             the values found over black to white"
        ));
    }
    found.look = Some(look);
    Images { shape, pixels }
}

/// The error that names the files that are `bad`.
fn unreadable(folder: &Path, files: &[File], bad: &BTreeMap<usize, Why>, hint: &str) -> Error {
    if let (1, Some((&index, why))) = (bad.len(), bad.first_key_value()) {
        return Error::data(files[index].path(), format!("the picture cannot be read: {why}"), hint);
    }
    let shown = bad.iter().take(NAMED);
    let mut lines: Vec<String> =
        shown.map(|(index, why)| format!("\n    {}: {why}", files[*index].name)).collect();
    if bad.len() > NAMED {
        lines.push(format!("\n    and {} more", bad.len() - NAMED));
    }
    let problem = format!("{} of {} pictures cannot be read:{}", bad.len(), files.len(), lines.concat());
    Error::data(
        folder,
        problem,
        hint.replace("take it", "take them")
            .replace("export it", "export them")
            .replace("without it", "without them"),
    )
}

#[cfg(test)]
#[path = "pictures_tests.rs"]
mod tests;
