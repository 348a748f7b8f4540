//! One decoded picture as the pixels of one item: its orientation, range, transparency, channels and size.

use super::ImageShape;
use super::look::{Background, Look, luminance};
use super::size;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, RgbaImage};

/// How pictures are to be rendered.
pub(super) struct Target {
    pub(super) shape: ImageShape,
    pub(super) look: Look,
}

/// One picture in the size and the channels asked for, over black.
pub(super) struct Rendered {
    /// `[height, width, channels]`
    pub(super) pixels: Vec<u8>,
    /// `[height, width]`: how much of the picture covers each pixel, from 0 to 255. None where it covers all.
    pub(super) cover: Option<Vec<u8>>,
    /// What speaks for a dark or a light background.
    pub(super) ink: Ink,
}

/// Sums of luminances, which decide the background.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Ink {
    /// Of pictures with transparent parts: the sum weighted by opacity, and the sum of opacities.
    transparent: [f64; 2],
    /// Of padded pictures: the sum over the pixels at the edge, and their number.
    edge: [f64; 2],
}

impl std::ops::AddAssign for Ink {
    fn add_assign(&mut self, other: Self) {
        for axis in 0..2 {
            self.transparent[axis] += other.transparent[axis];
            self.edge[axis] += other.edge[axis];
        }
    }
}

impl Ink {
    /// The ink of pixels of red, green, blue and opacity.
    pub(super) fn of_transparent(pixels: &[u8]) -> Self {
        let mut sums = [0.0; 2];
        for &[red, green, blue, alpha] in pixels.as_chunks::<4>().0 {
            sums[0] += f64::from(luminance([red, green, blue])) * f64::from(alpha);
            sums[1] += f64::from(alpha);
        }
        Self { transparent: sums, ..Self::default() }
    }

    fn of_edge(pixels: &[u8], width: usize, height: usize) -> Self {
        let channels = pixels.len() / (width * height);
        let mut edge = [0.0; 2];
        for (index, pixel) in pixels.chunks_exact(channels).enumerate() {
            let (x, y) = (index % width, index / width);
            if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
                edge[0] += f64::from(if let [r, g, b] = *pixel { luminance([r, g, b]) } else { pixel[0] });
                edge[1] += 1.0;
            }
        }
        Self { edge, ..Self::default() }
    }

    /// White under dark ink and black under light ink, with a sentence that says so. Beside padded pictures the one
    /// that is nearer to their edges. None where nothing is transparent or padded.
    pub(super) fn background(&self) -> Option<(Background, &'static str)> {
        let mean = |[sum, weight]: [f64; 2]| (weight > 0.0).then(|| sum / weight);
        match (mean(self.transparent), mean(self.edge)) {
            (Some(ink), _) if ink < 127.5 => Some((
                Background::WHITE,
                "some pictures are transparent, and their ink is dark: they are laid over white; --background changes it",
            )),
            (Some(_), _) => Some((
                Background::BLACK,
                "some pictures are transparent, and their ink is light: they are laid over black; --background changes it",
            )),
            (None, Some(edge)) if edge < 127.5 => Some((
                Background::BLACK,
                "pictures are padded with black, as their edges are dark; --background changes it",
            )),
            (None, Some(_)) => Some((
                Background::WHITE,
                "pictures are padded with white, as their edges are light; --background changes it",
            )),
            (None, None) => None,
        }
    }
}

/// Whether some pixel that can be seen differs by more than `tolerance` between red, green and blue.
pub(super) fn is_coloured(picture: &DynamicImage, tolerance: u8) -> bool {
    fn differs<T: Copy + Ord + Into<i64>>([a, b, c]: [T; 3], tolerance: i64) -> bool {
        a.max(b).max(c).into() - a.min(b).min(c).into() > tolerance
    }
    let small = i64::from(tolerance);
    match picture {
        DynamicImage::ImageRgb8(it) => it.as_raw().as_chunks().0.iter().any(|&rgb| differs(rgb, small)),
        DynamicImage::ImageRgba8(it) => {
            let mut pixels = it.as_raw().as_chunks().0.iter();
            pixels.any(|&[r, g, b, a]| a > 0 && differs([r, g, b], small))
        }
        DynamicImage::ImageRgb16(it) => {
            it.as_raw().as_chunks().0.iter().any(|&rgb| differs(rgb, small * 257))
        }
        DynamicImage::ImageRgba16(it) => {
            let mut pixels = it.as_raw().as_chunks().0.iter();
            pixels.any(|&[r, g, b, a]| a > 0 && differs([r, g, b], small * 257))
        }
        // Reals, whose grey is exact.
        other if other.color().has_color() => {
            other.to_rgb32f().as_raw().as_chunks().0.iter().any(|[r, g, b]| r != g || g != b)
        }
        _ => false,
    }
}

/// Whether `picture` has 16 bits a value.
pub(super) fn has_16_bits(picture: &DynamicImage) -> bool {
    use DynamicImage::{ImageLuma16, ImageLumaA16, ImageRgb16, ImageRgba16};
    matches!(picture, ImageLuma16(_) | ImageLumaA16(_) | ImageRgb16(_) | ImageRgba16(_))
}

/// The smallest and the largest value of the pixels that can be seen, of 0 to 65535; none where nothing can be seen.
pub(super) fn range(picture: &DynamicImage) -> Option<[u16; 2]> {
    fn join(range: Option<[u16; 2]>, value: u16) -> Option<[u16; 2]> {
        Some(range.map_or([value; 2], |[low, high]| [low.min(value), high.max(value)]))
    }
    fn of<const N: usize>(values: &[u16], has_alpha: bool) -> Option<[u16; 2]> {
        let pixels = values.as_chunks::<N>().0.iter();
        let seen = pixels.filter(|pixel| !has_alpha || pixel[N - 1] > 0);
        seen.flat_map(|pixel| &pixel[..N - usize::from(has_alpha)])
            .fold(None, |range, &value| join(range, value))
    }
    match picture {
        DynamicImage::ImageLuma16(it) => of::<1>(it.as_raw(), false),
        DynamicImage::ImageLumaA16(it) => of::<2>(it.as_raw(), true),
        DynamicImage::ImageRgb16(it) => of::<3>(it.as_raw(), false),
        DynamicImage::ImageRgba16(it) => of::<4>(it.as_raw(), true),
        DynamicImage::ImageLuma8(it) => {
            it.as_raw().iter().fold(None, |range, &v| join(range, u16::from(v) * 257))
        }
        other => of::<4>(other.to_rgba16().as_raw(), true),
    }
}

/// `picture` in 8 bits, `range` as 0 to 255.
fn stretched(picture: &DynamicImage, range: [u16; 2]) -> DynamicImage {
    let eighth = |value: u16| stretch(value, range);
    let (width, height) = (picture.width(), picture.height());
    let alpha = |value: u16| ((u32::from(value) + 128) / 257) as u8;
    let stretched = if picture.color().has_color() {
        let pixels = picture.to_rgba16().into_raw();
        let pixels = pixels.as_chunks().0.iter();
        let values = pixels.flat_map(|&[r, g, b, a]| [eighth(r), eighth(g), eighth(b), alpha(a)]).collect();
        ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageRgba8)
    } else {
        let pixels = picture.to_luma_alpha16().into_raw();
        let values = pixels.as_chunks().0.iter().flat_map(|&[value, a]| [eighth(value), alpha(a)]).collect();
        ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageLumaA8)
    };
    stretched.unwrap_or_default()
}

/// `value` with the ends of `range` at 0 and 255.
pub(super) fn stretch(value: u16, [low, high]: [u16; 2]) -> u8 {
    let width = u32::from(high.saturating_sub(low)).max(1);
    ((u32::from(value.clamp(low, high.max(low)) - low) * 255 + width / 2) / width) as u8
}

/// A colour of this opacity over black.
pub(super) fn dimmed(colour: u8, alpha: u8) -> u8 {
    ((u16::from(colour) * u16::from(alpha) + 127) / 255) as u8
}

/// Put `background` under pixels that are over black and cover this much.
pub(super) fn lay(pixels: &mut [u8], cover: &[u8], background: Background) {
    let channels = pixels.len() / cover.len().max(1);
    let grey = [background.grey()];
    let under: &[u8] = if channels == 1 { &grey } else { &background.0 };
    for (pixel, &cover) in pixels.chunks_exact_mut(channels.max(1)).zip(cover) {
        for (value, &under) in pixel.iter_mut().zip(under) {
            *value = value.saturating_add(dimmed(under, 255 - cover));
        }
    }
}

/// `picture`, to be turned by `orientation`, as an item of the set. Grey from colour is the luminance of Rec. 709.
pub(super) fn render(picture: DynamicImage, orientation: Orientation, target: &Target) -> Rendered {
    let ImageShape { width, height, channels } = target.shape;
    let (size, fit) = ((width as u32, height as u32), target.look.fit);
    let picture = match target.look.range {
        Some(range) => stretched(&picture, range),
        None => picture,
    };
    let brought = |picture: DynamicImage, channels: usize| {
        let mut picture = size::averaged(picture, size, orientation, fit);
        picture.apply_orientation(orientation);
        let picture = match channels {
            1 => DynamicImage::ImageLuma8(picture.into_luma8()),
            _ => DynamicImage::ImageRgb8(picture.into_rgb8()),
        };
        size::fitted(picture, size, fit)
    };
    let transparent = transparent(&picture);
    let ink = transparent.as_ref().map(|picture| Ink::of_transparent(picture.as_raw()));
    let (picture, mut cover) = match transparent {
        None => (brought(picture, channels), None),
        Some(transparent) => {
            let (picture, cover) = over_black(transparent);
            (brought(picture, channels), Some(brought(cover, 1)))
        }
    };
    if (picture.width(), picture.height()) == size {
        let cover = cover.map(DynamicImage::into_bytes);
        return Rendered { pixels: picture.into_bytes(), cover, ink: ink.unwrap_or_default() };
    }
    let full =
        || DynamicImage::ImageLuma8(GrayImage::from_pixel(picture.width(), picture.height(), Luma([255])));
    let cover = size::padded(&cover.take().unwrap_or_else(full), size).into_bytes();
    let edge = || Ink::of_edge(picture.as_bytes(), picture.width() as usize, picture.height() as usize);
    Rendered {
        pixels: size::padded(&picture, size).into_bytes(),
        cover: Some(cover),
        ink: ink.unwrap_or_else(edge),
    }
}

/// `picture` if some part of it is transparent.
fn transparent(picture: &DynamicImage) -> Option<RgbaImage> {
    let parts = match picture {
        DynamicImage::ImageLumaA8(it) => it.as_raw().as_chunks().0.iter().any(|&[_, alpha]| alpha < 255),
        other => other.color().has_alpha(),
    };
    let pixels = parts.then(|| picture.to_rgba8())?;
    pixels.pixels().any(|pixel| pixel.0[3] < 255).then_some(pixels)
}

/// `picture` over black, and its opacity.
fn over_black(mut picture: RgbaImage) -> (DynamicImage, DynamicImage) {
    let cover =
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([picture.get_pixel(x, y).0[3]]));
    for pixel in picture.pixels_mut() {
        let [colours @ .., alpha] = &mut pixel.0;
        for colour in colours {
            *colour = dimmed(*colour, *alpha);
        }
        *alpha = 255;
    }
    (DynamicImage::ImageRgba8(picture), DynamicImage::ImageLuma8(cover))
}

#[cfg(test)]
mod tests {
    use super::super::look::Fit;
    use super::*;

    fn target(shape: [usize; 3], fit: Fit, range: Option<[u16; 2]>) -> Target {
        let [width, height, channels] = shape;
        Target { shape: ImageShape { width, height, channels }, look: Look { fit, background: None, range } }
    }

    fn rendered(picture: DynamicImage, target: &Target) -> Rendered {
        render(picture, Orientation::NoTransforms, target)
    }

    #[test]
    fn every_grey_survives_each_way_in() {
        let all: Vec<u8> = (0..=255).collect();
        let luma = DynamicImage::ImageLuma8(GrayImage::from_raw(256, 1, all.clone()).unwrap());
        for picture in [
            luma.clone(),
            DynamicImage::ImageLuma16(luma.to_luma16()),
            DynamicImage::ImageLumaA8(luma.to_luma_alpha8()),
            DynamicImage::ImageRgba8(luma.to_rgba8()),
        ] {
            for range in [None, Some([0, u16::MAX])] {
                let found = rendered(picture.clone(), &target([256, 1, 1], Fit::Crop, range));
                assert_eq!(found.pixels, all);
                assert!(found.cover.is_none() && found.ink.background().is_none());
            }
        }
    }

    #[test]
    fn a_background_is_laid_under_what_is_transparent() {
        let pixels = vec![200, 100, 50, 255, 200, 100, 50, 128, 200, 100, 50, 0];
        let picture = DynamicImage::ImageRgba8(RgbaImage::from_raw(3, 1, pixels).unwrap());
        let mut found = rendered(picture.clone(), &target([3, 1, 3], Fit::Crop, None));
        assert_eq!(found.pixels, [200, 100, 50, 100, 50, 25, 0, 0, 0]);
        let cover = found.cover.unwrap();
        assert_eq!(cover, [255, 128, 0]);
        lay(&mut found.pixels, &cover, Background([255, 0, 100]));
        assert_eq!(found.pixels, [200, 100, 50, 227, 50, 75, 255, 0, 100]);
        let mut grey = rendered(picture, &target([3, 1, 1], Fit::Crop, None));
        lay(&mut grey.pixels, &cover, Background::WHITE);
        assert_eq!((grey.pixels[0], grey.pixels[2]), (118, 255));
    }

    #[test]
    fn what_is_padded_goes_by_its_edges() {
        for (value, background) in [(20, Background::BLACK), (230, Background::WHITE)] {
            let wide = DynamicImage::ImageLuma8(GrayImage::from_pixel(4, 2, Luma([value])));
            let found = rendered(wide, &target([4, 4, 1], Fit::Pad, None));
            assert_eq!(found.pixels[..8], [0, 0, 0, 0, value, value, value, value]);
            assert_eq!(found.cover.unwrap()[..8], [0, 0, 0, 0, 255, 255, 255, 255]);
            assert_eq!(found.ink.background().unwrap().0, background);
        }
    }

    #[test]
    fn a_range_becomes_black_to_white() {
        assert_eq!([0, 10, 20, 30, 99].map(|value| stretch(value, [10, 30])), [0, 0, 128, 255, 255]);
        assert_eq!(stretch(7, [7, 7]), 0);
        let deep = ImageBuffer::from_raw(3, 1, vec![1000_u16, 3000, 5000]).unwrap();
        let deep = DynamicImage::ImageLuma16(deep);
        assert_eq!(range(&deep), Some([1000, 5000]));
        assert_eq!(rendered(deep, &target([3, 1, 1], Fit::Crop, Some([1000, 5000]))).pixels, [0, 128, 255]);
        let unseen = RgbaImage::from_raw(2, 1, vec![9, 9, 9, 0, 1, 2, 3, 255]).unwrap();
        assert_eq!(range(&DynamicImage::ImageRgba8(unseen)), Some([257, 3 * 257]));
    }

    #[test]
    fn colours_within_the_tolerance_are_grey() {
        let of =
            |pixels: &[u8]| DynamicImage::ImageRgb8(ImageBuffer::from_raw(1, 1, pixels.to_vec()).unwrap());
        assert!(!is_coloured(&of(&[7, 7, 7]), 0) && is_coloured(&of(&[7, 7, 8]), 0));
        assert!(!is_coloured(&of(&[7, 9, 8]), 2) && is_coloured(&of(&[7, 10, 8]), 2));
        let unseen = RgbaImage::from_raw(1, 1, vec![9, 0, 0, 0]).unwrap();
        assert!(!is_coloured(&DynamicImage::ImageRgba8(unseen), 0));
        let deep = ImageBuffer::from_raw(1, 1, vec![7_u16, 7, 8]).unwrap();
        assert!(is_coloured(&DynamicImage::ImageRgb16(deep), 0));
    }
}
