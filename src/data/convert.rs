//! Size and colour of images that are already in memory, as the options ask for.

use super::idx::{BYTE_LIMIT, Images, too_large};
use super::look::{Background, Look, luminance};
use super::memory;
use super::render::{self, Ink, Target};
use super::{Colour, Dataset, IMAGES, ImageShape, Options, Part, Values};
use crate::{Error, Result};
use image::DynamicImage;
use image::metadata::Orientation;
use rayon::prelude::*;
use std::path::Path;

/// Refuses a size without pixels.
pub(super) fn check_size(size: Option<(usize, usize)>) -> Result<()> {
    match size {
        // Far above any size one can train on. The bound keeps later products from overflowing.
        Some((width, height)) if !(1..=65_535).contains(&width) || !(1..=65_535).contains(&height) => {
            Err(Error::setting(
                "--image-size",
                format!("{width}x{height} is not a size for pictures"),
                "give WIDTHxHEIGHT, each from 1 to 65535: --image-size 64x64, for example",
            ))
        }
        _ => Ok(()),
    }
}

/// The bytes of `count` images of `shape`, refused when they are more than [`BYTE_LIMIT`] or than the memory that is
/// available.
pub(super) fn check_total(path: &Path, count: usize, shape: ImageShape) -> Result<usize> {
    let total = [shape.width, shape.height, shape.channels]
        .iter()
        .try_fold(count as u64, |total, &size| total.checked_mul(size as u64))
        .unwrap_or(u64::MAX);
    match usize::try_from(total) {
        Ok(bytes) if total <= BYTE_LIMIT => {
            if total >= memory::SMALL {
                memory::check(path, &format!("{count} images of {shape}"), total, memory::available())?;
            }
            Ok(bytes)
        }
        _ => Err(too_large(path, total)),
    }
}

/// `pixels` of red, green, blue and opacity, laid over `background`: of red, green and blue. Without a background it is
/// white under dark ink and black under light ink; what was chosen, and a sentence about it, are returned.
pub(super) fn opaque(
    pixels: &[u8],
    background: Option<Background>,
) -> (Vec<u8>, Option<(Background, &'static str)>) {
    let all = pixels.as_chunks::<4>().0;
    let transparent = || all.iter().any(|pixel| pixel[3] < 255);
    let chosen = match background {
        None if transparent() => Ink::of_transparent(pixels).background(),
        _ => None,
    };
    let Background(under) = background.or(chosen.map(|(it, _)| it)).unwrap_or(Background::BLACK);
    let over = |value: u8, under: u8, alpha: u8| {
        render::dimmed(value, alpha).saturating_add(render::dimmed(under, 255 - alpha))
    };
    let blended = all.iter().flat_map(|&[red, green, blue, alpha]| {
        [over(red, under[0], alpha), over(green, under[1], alpha), over(blue, under[2], alpha)]
    });
    (blended.collect(), chosen)
}

/// Spread the values of images that are no picture files over black to white, if the options ask for it.
pub(super) fn stretch(dataset: &mut Dataset, options: &Options) {
    let look =
        dataset.found.look.unwrap_or(Look { fit: options.fit, background: options.background, range: None });
    if look.range.is_some() || !(options.stretch || options.range.is_some()) {
        return;
    }
    let parts = [&dataset.train, &dataset.test];
    if parts.iter().any(|part| part.bits().is_some()) {
        return;
    }
    let values = parts.map(Part::pixels);
    let values = || values.iter().flat_map(|values| values.iter());
    let ends = values().min().zip(values().max());
    let found = ends.map(|(&low, &high)| [low, high].map(|value| u16::from(value) * 257));
    let Some(range) = options.range.or(found) else { return };
    let table: Vec<u8> = (0..=255).map(|value: u16| render::stretch(value * 257, range)).collect();
    for part in [&mut dataset.train, &mut dataset.test] {
        for column in part.columns.iter_mut().filter(|column| column.name == IMAGES) {
            if let Values::Bytes(values) = &mut column.values {
                values.par_iter_mut().for_each(|value| *value = table[usize::from(*value)]);
            }
        }
    }
    dataset.found.look = Some(Look { range: Some(range), ..look });
}

/// Pixels of red, green and blue as grey.
pub(super) fn to_grey(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 3;
    for index in 0..count {
        pixels[index] = luminance([pixels[3 * index], pixels[3 * index + 1], pixels[3 * index + 2]]);
    }
    pixels.truncate(count);
    pixels.shrink_to_fit();
}

/// `images` in the size and the colour that the options ask for; unchanged if they already have these. Padding without
/// a background is black.
pub(super) fn convert(images: Images, options: &Options, path: &Path) -> Result<Images> {
    let from = images.shape;
    let (width, height) = options.image_size.unwrap_or((from.width, from.height));
    let channels = options.colour.map_or(from.channels, Colour::channels);
    let shape = ImageShape { width, height, channels };
    if shape == from {
        return Ok(images);
    }
    let mut pixels = vec![0; check_total(path, images.count(), shape)?];
    let background = options.background.unwrap_or(Background::BLACK);
    let target = Target { shape, look: Look { fit: options.fit, background: Some(background), range: None } };
    pixels.par_chunks_mut(shape.pixels()).zip(images.pixels.par_chunks(from.pixels())).try_for_each(
        |(to, image)| {
            let (width, height) = (from.width as u32, from.height as u32);
            let picture = match from.channels {
                1 => image::GrayImage::from_raw(width, height, image.to_vec()).map(DynamicImage::ImageLuma8),
                _ => image::RgbImage::from_raw(width, height, image.to_vec()).map(DynamicImage::ImageRgb8),
            };
            let picture = picture.ok_or_else(|| Error::Internal(format!("an image is not {from}")))?;
            let rendered = render::render(picture, Orientation::NoTransforms, &target);
            to.copy_from_slice(&rendered.pixels);
            if let Some(cover) = rendered.cover {
                render::lay(to, &cover, background);
            }
            Ok(())
        },
    )?;
    Ok(Images { shape, pixels })
}

#[cfg(test)]
mod tests {
    use super::super::look::Fit;
    use super::*;

    const HERE: &str = "here";

    fn grey(width: usize, height: usize, pixels: &[u8]) -> Images {
        Images { shape: ImageShape { width, height, channels: 1 }, pixels: pixels.to_vec() }
    }

    fn changed(images: Images, size: Option<(usize, usize)>, colour: Option<Colour>) -> Result<Images> {
        let options = Options { image_size: size, colour, fit: Fit::Stretch, ..Options::default() };
        convert(images, &options, Path::new(HERE))
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        let images = grey(2, 2, &[1, 2, 3, 4]);
        assert_eq!(changed(images.clone(), None, None).unwrap(), images);
        let same = changed(images.clone(), Some((2, 2)), Some(Colour::Grey)).unwrap();
        assert_eq!(same, images);
    }

    #[test]
    fn shrinking_averages_and_size_is_width_by_height() {
        // Two images of 4x2: the left half of the first is bright, the second is flat.
        let images = grey(4, 2, &[200, 200, 0, 0, 200, 200, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
        let small = changed(images, Some((2, 1)), None).unwrap();
        assert_eq!(small.shape, ImageShape { width: 2, height: 1, channels: 1 });
        assert_eq!(small.count(), 2);
        assert!(small.pixels[0] > 150 && small.pixels[1] < 50, "{:?}", small.pixels);
        assert_eq!(small.pixels[2..], [9, 9]);
    }

    #[test]
    fn grey_and_colour_convert_into_each_other() {
        let rgb = changed(grey(1, 2, &[5, 250]), None, Some(Colour::Rgb)).unwrap();
        assert_eq!(rgb.pixels, [5, 5, 5, 250, 250, 250]);
        let back = changed(rgb, None, Some(Colour::Grey)).unwrap();
        assert_eq!(back, grey(1, 2, &[5, 250]));
        let red = Images { shape: ImageShape { width: 1, height: 1, channels: 3 }, pixels: vec![255, 0, 0] };
        assert_eq!(changed(red, None, Some(Colour::Grey)).unwrap().pixels, [54]);
    }

    /// PyTorch's `F.interpolate(mode="bilinear", align_corners=False)`: new pixel i stands at (i + 1/2) old / new - 1/2, and
    /// places beyond the first and the last pixel count as these.
    fn bilinear(pixels: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<f64> {
        let place = |i: usize, axis: usize| {
            let at = (i as f64 + 0.5) * from[axis] as f64 / to[axis] as f64 - 0.5;
            let at = at.max(0.0);
            let low = (at as usize).min(from[axis] - 1);
            (low, (low + 1).min(from[axis] - 1), at - low as f64)
        };
        let mut all = Vec::new();
        for y in 0..to[1] {
            let (top, bottom, down) = place(y, 1);
            for x in 0..to[0] {
                let (left, right, across) = place(x, 0);
                let at = |y: usize, x: usize| f64::from(pixels[y * from[0] + x]);
                let row = |y: usize| at(y, left) * (1.0 - across) + at(y, right) * across;
                all.push(row(top) * (1.0 - down) + row(bottom) * down);
            }
        }
        all
    }

    #[test]
    fn enlarging_is_bilinear() {
        for (from, to) in [([28, 28], [32, 32]), ([7, 5], [16, 11]), ([1, 3], [4, 9])] {
            let pixels: Vec<u8> = (0..from[0] * from[1]).map(|i| (i * i * 37 % 256) as u8).collect();
            let found = changed(grey(from[0], from[1], &pixels), Some((to[0], to[1])), None).unwrap();
            for (i, (found, expected)) in found.pixels.iter().zip(bilinear(&pixels, from, to)).enumerate() {
                let difference = (f64::from(*found) - expected).abs();
                assert!(difference <= 1.0, "{from:?} to {to:?}, pixel {i}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn padding_is_black_unless_another_background_is_given() {
        let mut options =
            Options { image_size: Some((2, 2)), fit: Fit::Pad, background: None, ..Options::default() };
        let wide = grey(4, 2, &[9; 8]);
        assert_eq!(convert(wide.clone(), &options, Path::new(HERE)).unwrap().pixels, [9, 9, 0, 0]);
        options.background = Some(Background::WHITE);
        assert_eq!(convert(wide.clone(), &options, Path::new(HERE)).unwrap().pixels, [9, 9, 255, 255]);
        options.fit = Fit::Crop;
        assert_eq!(convert(wide, &options, Path::new(HERE)).unwrap().pixels, [9; 4]);
    }

    #[test]
    fn opacity_shows_dark_and_light_ink() {
        let dark = [10, 10, 10, 255, 10, 10, 10, 0];
        let (pixels, chosen) = opaque(&dark, None);
        assert_eq!((pixels, chosen.unwrap().0), (vec![10, 10, 10, 255, 255, 255], Background::WHITE));
        let light = [200, 100, 250, 255, 200, 100, 250, 128];
        let (pixels, chosen) = opaque(&light, None);
        assert_eq!((pixels, chosen.unwrap().0), (vec![200, 100, 250, 100, 50, 125], Background::BLACK));
        let (pixels, chosen) = opaque(&dark, Some(Background([1, 2, 3])));
        assert_eq!((pixels, chosen), (vec![10, 10, 10, 1, 2, 3], None));
        assert_eq!(opaque(&dark[..4], None), (vec![10; 3], None));
    }

    #[test]
    fn sizes_are_checked() {
        assert!(check_size(None).is_ok() && check_size(Some((1, 65_535))).is_ok());
        for size in [(0, 5), (5, 0), (65_536, 1)] {
            let message = check_size(Some(size)).unwrap_err().to_string();
            assert!(message.contains("--image-size") && message.contains("WIDTHxHEIGHT"), "{message}");
        }
        let shape = ImageShape { width: 65_535, height: 65_535, channels: 3 };
        assert_eq!(check_total(Path::new(HERE), 0, shape).unwrap(), 0);
        for count in [1, usize::MAX] {
            let message = check_total(Path::new(HERE), count, shape).unwrap_err().to_string();
            assert!(message.contains("held in memory") && message.contains("--image-size"), "{message}");
        }
    }
}
