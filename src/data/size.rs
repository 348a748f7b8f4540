//! The size of pictures: the one chosen for a set, and how a picture is brought to it.

use super::look::Fit;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};

/// The filter for every change of size. The `image` crate widens it when it shrinks, so that each new pixel is a weighted
/// mean of all the pixels it stands for.
const FILTER: FilterType = FilterType::Triangle;

/// Pictures that are twice as many times as large as this or larger are first averaged in blocks, until they are this
/// many times as large: the filter takes long for photographs.
const KEPT: u32 = 4;

/// The largest side of the size that is chosen where none is given.
const LARGEST: u32 = 64;

/// Width and height.
pub(super) type Size = (u32, u32);

/// The size of a set of pictures of these sizes where none is given, with a sentence if it is not that of all of them.
///
/// Pictures of one size of at most 64x64 pixels, or as many in another shape, keep it. All others become squares: their
/// side is the largest power of two that is at most 64 and not above the median of the shorter sides.
pub(super) fn chosen(sizes: &[Size]) -> Option<(Size, Option<String>)> {
    let first = *sizes.first()?;
    let pixels = |(width, height): Size| u64::from(width) * u64::from(height);
    let one = sizes.iter().all(|&size| size == first);
    if one && pixels(first) <= pixels((LARGEST, LARGEST)) {
        return Some((first, None));
    }
    let mut shorter: Vec<u32> = sizes.iter().map(|&(width, height)| width.min(height)).collect();
    shorter.sort_unstable();
    let median = shorter[(shorter.len() - 1) / 2];
    let side = 1 << median.clamp(1, LARGEST).ilog2();
    let show = |(width, height): Size| format!("{width}x{height}");
    let found =
        match (one, sizes.iter().min_by_key(|&&it| pixels(it)), sizes.iter().max_by_key(|&&it| pixels(it))) {
            (false, Some(&small), Some(&large)) => {
                format!("the pictures have several sizes, from {} to {}", show(small), show(large))
            }
            _ => format!("the pictures are {}", show(first)),
        };
    let note = format!("{found}, and are read as {side}x{side}; --image-size changes it");
    Some(((side, side), Some(note)))
}

/// Whether the orientation swaps width and height.
pub(super) fn turns(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// `a` times `b` by `c`, rounded, at least 1 and at most `most`.
fn part(a: u32, b: u32, c: u32, most: u32) -> u32 {
    let (a, b, c) = (u64::from(a), u64::from(b), u64::from(c).max(1));
    ((a * b + c / 2) / c).clamp(1, u64::from(most)) as u32
}

/// Whether a picture of size `from` is wider, for its height, than one of size `to`.
fn is_wider(from: Size, to: Size) -> bool {
    u64::from(from.0) * u64::from(to.1) > u64::from(to.0) * u64::from(from.1)
}

/// `picture` at `to`; for [`Fit::Pad`], which leaves the rest to [`padded`], at most as large.
pub(super) fn fitted(picture: DynamicImage, to: Size, fit: Fit) -> DynamicImage {
    let from = (picture.width(), picture.height());
    if from == to {
        return picture;
    }
    match (fit, is_wider(from, to)) {
        (Fit::Stretch, _) => picture.resize_exact(to.0, to.1, FILTER),
        (Fit::Pad, true) => picture.resize_exact(to.0, part(to.0, from.1, from.0, to.1), FILTER),
        (Fit::Pad, false) => picture.resize_exact(part(to.1, from.0, from.1, to.0), to.1, FILTER),
        (Fit::Crop, wider) => {
            let (width, height) = match wider {
                true => (part(from.1, to.0, to.1, from.0), from.1),
                false => (from.0, part(from.0, to.1, to.0, from.1)),
            };
            let (left, top) = ((from.0 - width) / 2, (from.1 - height) / 2);
            picture.crop_imm(left, top, width, height).resize_exact(to.0, to.1, FILTER)
        }
    }
}

/// `picture` in the middle of black of size `to`.
pub(super) fn padded(picture: &DynamicImage, to: Size) -> DynamicImage {
    let mut all = DynamicImage::new(to.0, to.1, picture.color());
    let (left, top) = ((to.0 - picture.width().min(to.0)) / 2, (to.1 - picture.height().min(to.1)) / 2);
    imageops::replace(&mut all, picture, left.into(), top.into());
    all
}

/// A picture of at least eight times the size that it will have, averaged in blocks until it has at least four times.
pub(super) fn averaged(picture: DynamicImage, to: Size, orientation: Orientation, fit: Fit) -> DynamicImage {
    let from = (picture.width(), picture.height());
    let to = if turns(orientation) { (to.1, to.0) } else { to };
    // How many pixels become one, across and down.
    let (across, down) = (from.0 / to.0.max(1), from.1 / to.1.max(1));
    let times = match fit {
        Fit::Stretch => (across, down),
        Fit::Crop => (across.min(down), across.min(down)),
        Fit::Pad => (across.max(down), across.max(down)),
    };
    let block = |times: u32, side: u32| (times / KEPT).clamp(1, side);
    let blocks = (block(times.0, from.0), block(times.1, from.1));
    if blocks == (1, 1) {
        return picture;
    }
    let size = (from.0 / blocks.0, from.1 / blocks.1);
    let averaged = match &picture {
        DynamicImage::ImageLuma8(it) => {
            ImageBuffer::from_raw(size.0, size.1, block_means::<1>(it.as_raw(), from, blocks))
                .map(DynamicImage::ImageLuma8)
        }
        DynamicImage::ImageLumaA8(it) => {
            ImageBuffer::from_raw(size.0, size.1, block_means::<2>(it.as_raw(), from, blocks))
                .map(DynamicImage::ImageLumaA8)
        }
        DynamicImage::ImageRgb8(it) => {
            ImageBuffer::from_raw(size.0, size.1, block_means::<3>(it.as_raw(), from, blocks))
                .map(DynamicImage::ImageRgb8)
        }
        DynamicImage::ImageRgba8(it) => {
            ImageBuffer::from_raw(size.0, size.1, block_means::<4>(it.as_raw(), from, blocks))
                .map(DynamicImage::ImageRgba8)
        }
        _ => None,
    };
    averaged.unwrap_or(picture)
}

/// The means of whole blocks, from the middle of an image with `N` channels.
fn block_means<const N: usize>(pixels: &[u8], from: Size, blocks: Size) -> Vec<u8> {
    let (width, across, down) = (from.0 as usize, blocks.0 as usize, blocks.1 as usize);
    let (columns, rows) = (width / across, from.1 as usize / down);
    let (left, top) = (width % across / 2, from.1 as usize % down / 2);
    let area = (across * down) as u32;
    let mut means = Vec::with_capacity(columns * rows * N);
    let mut sums = vec![[0_u32; N]; columns];
    let lines: Vec<&[u8]> = pixels.chunks_exact(width * N).skip(top).collect();
    for lines in lines.chunks_exact(down).take(rows) {
        sums.fill([0; N]);
        for line in lines {
            let blocks = line[left * N..].chunks_exact(across * N);
            for (sum, block) in sums.iter_mut().zip(blocks) {
                for pixel in block.as_chunks::<N>().0 {
                    for (sum, &value) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(value);
                    }
                }
            }
        }
        means.extend(sums.iter().flat_map(|sum| sum.map(|sum| ((sum + area / 2) / area) as u8)));
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(sizes: &[Size]) -> (Size, bool) {
        let (size, note) = chosen(sizes).unwrap();
        (size, note.is_some())
    }

    #[test]
    fn small_pictures_of_one_size_keep_it() {
        for size in [(28, 28), (20, 28), (17, 31), (1, 1), (64, 64), (128, 32)] {
            assert_eq!(side(&[size; 3]), (size, false));
        }
        assert!(chosen(&[]).is_none());
    }

    #[test]
    fn others_become_squares_of_a_power_of_two() {
        for (sizes, expected) in [
            (&[(65, 64)][..], 64),
            (&[(4000, 3000), (3000, 4000)], 64),
            (&[(16, 16), (16, 20)], 16),
            (&[(100, 30), (30, 100), (90, 90)], 16),
            (&[(31, 31), (33, 33), (200, 200)], 32),
            (&[(1, 9), (9, 1)], 1),
        ] {
            assert_eq!(side(sizes), ((expected, expected), true), "{sizes:?}");
        }
        let note = |sizes: &[Size]| chosen(sizes).unwrap().1.unwrap();
        let several = note(&[(30, 40), (20, 20), (50, 50)]);
        assert!(several.contains("from 20x20 to 50x50") && several.contains("--image-size"), "{several}");
        assert!(note(&[(96, 96); 2]).contains("the pictures are 96x96, and are read as 64x64"));
    }

    /// A picture of columns: pixel (x, y) is `x`.
    fn columns(width: u32, height: u32) -> DynamicImage {
        DynamicImage::ImageLuma8(image::GrayImage::from_fn(width, height, |x, _| image::Luma([x as u8])))
    }

    #[test]
    fn cropping_keeps_the_centre_and_padding_all() {
        let wide = columns(8, 4);
        assert_eq!(fitted(wide.clone(), (4, 4), Fit::Crop).as_bytes()[..4], [2, 3, 4, 5]);
        let tall = columns(4, 8);
        assert_eq!(fitted(tall, (4, 4), Fit::Crop).as_bytes()[..4], [0, 1, 2, 3]);
        let stretched = fitted(wide.clone(), (4, 4), Fit::Stretch);
        assert!(stretched.as_bytes()[0] <= 1 && stretched.as_bytes()[3] >= 6);
        let small = fitted(wide, (4, 4), Fit::Pad);
        assert_eq!((small.width(), small.height()), (4, 2));
        let all = padded(&small, (4, 4));
        assert_eq!((&all.as_bytes()[..4], &all.as_bytes()[12..]), (&[0; 4][..], &[0; 4][..]));
        assert_eq!(all.as_bytes()[4..12], *small.as_bytes());
    }

    #[test]
    fn every_fit_gives_the_size() {
        for from in [(1, 1), (7, 3), (3, 7), (1, 500), (500, 1), (64, 64)] {
            for to in [(1, 1), (4, 4), (5, 9), (64, 2)] {
                for fit in [Fit::Crop, Fit::Stretch, Fit::Pad] {
                    let picture = averaged(columns(from.0, from.1), to, Orientation::NoTransforms, fit);
                    let picture = padded(&fitted(picture, to, fit), to);
                    assert_eq!((picture.width(), picture.height()), to, "{from:?} {fit:?}");
                }
            }
        }
    }

    /// Averaging in blocks first differs little from the filter alone.
    #[test]
    fn large_pictures_are_averaged_first() {
        let large = image::RgbImage::from_fn(403, 307, |x, y| image::Rgb([(x / 2) as u8, (y / 2) as u8, 7]));
        let large = DynamicImage::ImageRgb8(large);
        for (fit, orientation) in
            [(Fit::Crop, Orientation::NoTransforms), (Fit::Stretch, Orientation::Rotate90)]
        {
            let to = (16, 16);
            let small = averaged(large.clone(), to, orientation, fit);
            assert!(small.width() * 4 < large.width() && small.height() >= 64);
            let (fast, slow) = (fitted(small, to, fit), fitted(large.clone(), to, fit));
            for (fast, slow) in fast.as_bytes().iter().zip(slow.as_bytes()) {
                assert!(fast.abs_diff(*slow) <= 3, "{fast} {slow}");
            }
        }
    }
}
