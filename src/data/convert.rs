//! Size and colour of images that are already in memory, as `--image-size` and `--color` ask for.

use super::idx::{BYTE_LIMIT, Images, too_large};
use super::{Colour, ImageShape};
use crate::{Error, Result};
use image::DynamicImage;
use image::imageops::FilterType;
use rayon::prelude::*;
use std::path::Path;

/// The filter for every change of size. The `image` crate widens it when it shrinks, so that each new pixel is
/// a weighted mean of all the pixels it stands for.
const FILTER: FilterType = FilterType::Triangle;

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

/// The bytes of `count` images of `shape`, refused when they are more than [`BYTE_LIMIT`].
pub(super) fn check_total(path: &Path, count: usize, shape: ImageShape) -> Result<usize> {
    let total = [shape.width, shape.height, shape.channels]
        .iter()
        .try_fold(count as u64, |total, &size| total.checked_mul(size as u64))
        .unwrap_or(u64::MAX);
    match usize::try_from(total) {
        Ok(bytes) if total <= BYTE_LIMIT => Ok(bytes),
        _ => Err(too_large(path, total)),
    }
}

/// `picture` as the bytes of one image of `shape`, stretched if its size differs.
///
/// Transparent parts are blended over black, the value of "no ink" in every dataset here. Grey from colour is
/// the luminance of Rec. 709, as in [`DynamicImage::to_luma8`].
pub(super) fn to_bytes(picture: DynamicImage, shape: ImageShape) -> Vec<u8> {
    let mut picture = if picture.color().has_alpha() { over_black(&picture) } else { picture };
    picture = match shape.channels {
        1 => DynamicImage::ImageLuma8(picture.into_luma8()),
        _ => DynamicImage::ImageRgb8(picture.into_rgb8()),
    };
    let (width, height) = (shape.width as u32, shape.height as u32);
    if (picture.width(), picture.height()) != (width, height) {
        picture = picture.resize_exact(width, height, FILTER);
    }
    picture.into_bytes()
}

/// `pixels` of red, green, blue and opacity, blended over black: of red, green and blue.
pub(super) fn opaque(pixels: &[u8]) -> Vec<u8> {
    let pixels = pixels.as_chunks::<4>().0.iter();
    pixels.flat_map(|[colours @ .., alpha]| colours.map(|colour| dimmed(colour, *alpha))).collect()
}

/// A colour of this opacity over black.
fn dimmed(colour: u8, alpha: u8) -> u8 {
    ((u16::from(colour) * u16::from(alpha) + 127) / 255) as u8
}

fn over_black(picture: &DynamicImage) -> DynamicImage {
    let mut blended = picture.to_rgba8();
    for pixel in blended.pixels_mut() {
        let [colours @ .., alpha] = &mut pixel.0;
        for colour in colours {
            *colour = dimmed(*colour, *alpha);
        }
        *alpha = 255;
    }
    DynamicImage::ImageRgba8(blended)
}

/// `images` in the requested size and colour; unchanged if they already have these.
pub(super) fn convert(
    images: Images,
    size: Option<(usize, usize)>,
    colour: Option<Colour>,
    path: &Path,
) -> Result<Images> {
    let from = images.shape;
    let (width, height) = size.unwrap_or((from.width, from.height));
    let channels = colour.map_or(from.channels, Colour::channels);
    let shape = ImageShape { width, height, channels };
    if shape == from {
        return Ok(images);
    }
    let mut pixels = vec![0; check_total(path, images.count(), shape)?];
    pixels.par_chunks_mut(shape.pixels()).zip(images.pixels.par_chunks(from.pixels())).try_for_each(
        |(to, image)| {
            let (width, height) = (from.width as u32, from.height as u32);
            let picture = match from.channels {
                1 => image::GrayImage::from_raw(width, height, image.to_vec()).map(DynamicImage::ImageLuma8),
                _ => image::RgbImage::from_raw(width, height, image.to_vec()).map(DynamicImage::ImageRgb8),
            };
            let picture = picture.ok_or_else(|| Error::Internal(format!("an image is not {from}")))?;
            to.copy_from_slice(&to_bytes(picture, shape));
            Ok(())
        },
    )?;
    Ok(Images { shape, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "here";

    fn grey(width: usize, height: usize, pixels: &[u8]) -> Images {
        Images { shape: ImageShape { width, height, channels: 1 }, pixels: pixels.to_vec() }
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        let images = grey(2, 2, &[1, 2, 3, 4]);
        assert_eq!(convert(images.clone(), None, None, Path::new(HERE)).unwrap(), images);
        let same = convert(images.clone(), Some((2, 2)), Some(Colour::Grey), Path::new(HERE)).unwrap();
        assert_eq!(same, images);
    }

    #[test]
    fn shrinking_averages_and_size_is_width_by_height() {
        // Two images of 4x2: the left half of the first is bright, the second is flat.
        let images = grey(4, 2, &[200, 200, 0, 0, 200, 200, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
        let small = convert(images, Some((2, 1)), None, Path::new(HERE)).unwrap();
        assert_eq!(small.shape, ImageShape { width: 2, height: 1, channels: 1 });
        assert_eq!(small.count(), 2);
        assert!(small.pixels[0] > 150 && small.pixels[1] < 50, "{:?}", small.pixels);
        assert_eq!(small.pixels[2..], [9, 9]);
    }

    #[test]
    fn grey_and_colour_convert_into_each_other() {
        let rgb = convert(grey(1, 2, &[5, 250]), None, Some(Colour::Rgb), Path::new(HERE)).unwrap();
        assert_eq!(rgb.pixels, [5, 5, 5, 250, 250, 250]);
        let back = convert(rgb, None, Some(Colour::Grey), Path::new(HERE)).unwrap();
        assert_eq!(back, grey(1, 2, &[5, 250]));
        let red = Images { shape: ImageShape { width: 1, height: 1, channels: 3 }, pixels: vec![255, 0, 0] };
        assert_eq!(convert(red, None, Some(Colour::Grey), Path::new(HERE)).unwrap().pixels, [54]);
    }

    #[test]
    fn every_grey_survives_each_way_in() {
        let shape = ImageShape { width: 256, height: 1, channels: 1 };
        let all: Vec<u8> = (0..=255).collect();
        let luma = image::GrayImage::from_raw(256, 1, all.clone()).unwrap();
        for picture in [
            DynamicImage::ImageLuma8(luma.clone()),
            DynamicImage::ImageLuma16(DynamicImage::ImageLuma8(luma.clone()).into_luma16()),
            DynamicImage::ImageLumaA8(DynamicImage::ImageLuma8(luma.clone()).into_luma_alpha8()),
            DynamicImage::ImageRgba8(DynamicImage::ImageLuma8(luma).into_rgba8()),
        ] {
            assert_eq!(to_bytes(picture, shape), all);
        }
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
            let found = convert(grey(from[0], from[1], &pixels), Some((to[0], to[1])), None, Path::new(HERE))
                .unwrap();
            for (i, (found, expected)) in found.pixels.iter().zip(bilinear(&pixels, from, to)).enumerate() {
                let difference = (f64::from(*found) - expected).abs();
                assert!(difference <= 1.0, "{from:?} to {to:?}, pixel {i}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn transparency_is_blended_over_black() {
        let picture =
            image::RgbaImage::from_raw(3, 1, vec![200, 100, 50, 255, 200, 100, 50, 128, 200, 100, 50, 0]);
        let shape = ImageShape { width: 3, height: 1, channels: 3 };
        let bytes = to_bytes(DynamicImage::ImageRgba8(picture.unwrap()), shape);
        assert_eq!(bytes, [200, 100, 50, 100, 50, 25, 0, 0, 0]);
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
