//! Damaged files of every format: no panic, no hang, bounded memory. The variable PROPTEST_CASES sets the number of cases.

use super::decode::{self, PICTURE_LIMIT};
use super::look::{Fit, Look};
use super::render::{Target, range, render};
use super::{ImageShape, jpeg};
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgba, RgbaImage};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Whole files of every format and of several kinds of pixels.
fn files() -> Vec<Vec<u8>> {
    let rgba = RgbaImage::from_fn(21, 13, |x, y| {
        Rgba([(x * 12) as u8, (y * 19) as u8, (x * y) as u8, (x * 11) as u8])
    });
    let rgba = DynamicImage::ImageRgba8(rgba);
    let (rgb, grey) = (DynamicImage::ImageRgb8(rgba.to_rgb8()), DynamicImage::ImageLuma8(rgba.to_luma8()));
    let deep = DynamicImage::ImageLuma16(rgba.to_luma16());
    let written = |picture: &DynamicImage, format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let mut files = vec![
        written(&rgba, ImageFormat::Png),
        written(&deep, ImageFormat::Png),
        written(&rgb, ImageFormat::Jpeg),
        written(&grey, ImageFormat::Jpeg),
        written(&rgba, ImageFormat::WebP),
        written(&rgb, ImageFormat::WebP),
        written(&rgb, ImageFormat::Bmp),
        written(&grey, ImageFormat::Bmp),
        written(&rgb, ImageFormat::Tiff),
        written(&deep, ImageFormat::Tiff),
        written(&rgba, ImageFormat::Gif),
    ];
    // A stored PNG, whose damage reaches the pixels, and a JPEG with metadata.
    let mut stored = Vec::new();
    let quality = image::codecs::png::CompressionType::Uncompressed;
    let encoder = PngEncoder::new_with_quality(&mut stored, quality, Default::default());
    encoder.write_image(grey.as_bytes(), 21, 13, ExtendedColorType::L8).unwrap();
    files.push(stored);
    let mut turned = Vec::new();
    let mut encoder = JpegEncoder::new(&mut turned);
    encoder
        .set_exif_metadata(b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec())
        .unwrap();
    encoder.encode_image(&rgb).unwrap();
    files.push(turned);
    files
}

/// A change of a file: at a place, in parts of its length, what to do, and with what.
type Change = (u16, u8, u32);

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for &(place, what, value) in changes {
        // Headers decide most: half of the changes are among the first bytes.
        let near = if what >= 128 { bytes.len().min(64) } else { bytes.len() };
        let at = near * usize::from(place) / 65_536;
        match what % 8 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, value as u8),
            2 => {
                let end = (at + value as usize % 40).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + value as usize % 40).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => bytes.iter_mut().skip(at).take(4).zip(value.to_be_bytes()).for_each(|(to, from)| *to = from),
            5 => bytes.iter_mut().skip(at).take(2).for_each(|to| *to = [0, 255][value as usize % 2]),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|to| *to ^= 1 << (value % 8)),
        }
    }
    bytes
}

/// Make a PNG's checksums right, so that what was changed reaches the decoder.
fn with_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let end = at + 8 + u32::from_be_bytes(*length) as usize;
        if end + 4 > bytes.len() {
            break;
        }
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&checksum.sum().to_be_bytes());
        at = end + 4;
    }
    bytes
}

/// Read `bytes` as the pixels of an item, in the way that a set is read.
fn read(bytes: &[u8], look: Look) -> Result<(), String> {
    let header = decode::header(bytes)?;
    assert!(header.decoded <= PICTURE_LIMIT);
    let picture = decode::pixels(bytes)?;
    range(&picture);
    super::render::is_coloured(&picture, header.tolerance);
    let shape = ImageShape { width: 8, height: 6, channels: 3 };
    let rendered = render(picture, header.orientation(), &Target { shape, look });
    assert_eq!(rendered.pixels.len(), shape.pixels());
    assert!(rendered.cover.is_none_or(|cover| cover.len() == 48));
    Ok(())
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

#[test]
fn damaged_pictures_are_read_or_refused() {
    let files = files();
    for (index, file) in files.iter().enumerate() {
        read(file, Look::default()).unwrap_or_else(|why| panic!("file {index}: {why}"));
    }
    let change = (any::<u16>(), any::<u8>(), any::<u32>());
    let strategy = (0..files.len(), prop::collection::vec(change, 1..5), any::<bool>(), 0..3_usize);
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let (mut refused, mut slowest) = (0, Duration::ZERO);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let counted = std::sync::Mutex::new((&mut refused, &mut slowest));
    let start = Instant::now();
    runner
        .run(&strategy, |(index, changes, checksums, fit)| {
            let mut bytes = changed(files[index].clone(), &changes);
            if checksums && bytes.starts_with(b"\x89PNG") {
                bytes = with_checksums(bytes);
            }
            let fit = [Fit::Crop, Fit::Stretch, Fit::Pad][fit];
            let begin = Instant::now();
            let result = read(&bytes, Look { fit, ..Look::default() });
            let mut counted = counted.lock().unwrap();
            *counted.0 += u32::from(result.is_err());
            *counted.1 = (*counted.1).max(begin.elapsed());
            prop_assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
            if bytes.starts_with(&jpeg::START) && result.is_ok() {
                prop_assert_eq!(jpeg::cut(&bytes, 1, 1), None);
            }
            Ok(())
        })
        .unwrap();
    let cases = cases();
    eprintln!("{cases} cases, {refused} refused, {:.1?} in all, the slowest {slowest:.1?}", start.elapsed());
    assert!(refused > cases / 4 && refused < cases, "{refused} of {cases} were refused");
}
