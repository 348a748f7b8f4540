//! Pictures inside drawings.

use super::canvas::SCALE;
use super::scene::Point;
use image::{RgbImage, Rgba, RgbaImage, imageops};

/// `image` as a PNG file in the address of an SVG element.
pub(super) fn data_uri(image: &RgbaImage) -> String {
    let mut bytes = std::io::Cursor::new(Vec::new());
    match image.write_to(&mut bytes, image::ImageFormat::Png) {
        Ok(()) => format!("data:image/png;base64,{}", base64(bytes.get_ref())),
        Err(problem) => {
            log::error!("a picture is incomplete: {problem}");
            String::new()
        }
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let value = (word >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() { char::from(ALPHABET[value as usize]) } else { '=' });
        }
    }
    text
}

/// Paint `image` onto `large` at the point `at`, resized to `size`, by its opacity.
pub(super) fn overlay(large: &mut RgbImage, at: Point, size: Point, image: &RgbaImage, smooth: bool) {
    let scale = f64::from(SCALE);
    let (width, height) =
        ((size.0 * scale).round().max(1.0) as u32, (size.1 * scale).round().max(1.0) as u32);
    let filter = if smooth { imageops::FilterType::Triangle } else { imageops::FilterType::Nearest };
    let fitted = imageops::resize(image, width, height, filter);
    let (left, top) = ((at.0 * scale).round() as i64, (at.1 * scale).round() as i64);
    for (x, y, Rgba([red, green, blue, alpha])) in fitted.enumerate_pixels() {
        let (Ok(x), Ok(y)) = (u32::try_from(left + i64::from(x)), u32::try_from(top + i64::from(y))) else {
            continue;
        };
        if let Some(pixel) = large.get_pixel_mut_checked(x, y) {
            for (old, new) in pixel.0.iter_mut().zip([red, green, blue]) {
                let mixed = f32::from(*old) + (f32::from(*new) - f32::from(*old)) * f32::from(*alpha) / 255.0;
                *old = mixed.round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_as_the_rfc_has_it() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
