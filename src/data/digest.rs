//! Digests of images, and draws that depend on nothing but the image.

use super::{Column, IMAGES, Part, Values};
use crate::random::{philox4x32, stream};
use xxhash_rust::xxh3::xxh3_64;

impl Part {
    /// XXH3, 64 bits, of the pixels of image `index`.
    pub fn digest(&self, index: usize) -> u64 {
        xxh3_64(&self.image(index))
    }

    /// The same images in black and white: a value becomes 255 with probability value / 255, else 0. The draws follow from
    /// the digest of the image, so that an image becomes the same one alone and in any list.
    #[must_use]
    pub fn in_black_and_white(self) -> Self {
        if self.bits().is_some() {
            return self;
        }
        let mut drawn = Vec::with_capacity(self.count * self.image_size());
        for index in 0..self.count {
            let digest = self.digest(index);
            let key = [digest as u32, (digest >> 32) as u32];
            let stream = stream::EVALUATION_NOISE + stream::BINARIZE;
            for (four, values) in (0..).zip(self.image(index).chunks(4)) {
                let words = philox4x32([four, 0, 0, stream], key);
                let white = |(value, word): (&u8, u32)| (word >> 8) * 255 < u32::from(*value) << 24;
                drawn.extend(values.iter().zip(words).map(|it| if white(it) { 255 } else { 0 }));
            }
        }
        let shape = self.column(IMAGES).map(|column| column.shape.clone()).unwrap_or_default();
        self.with(Column::new(IMAGES, &shape, Values::Bytes(drawn)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    #[test]
    fn draws_depend_on_the_image_alone() {
        let shape = ImageShape { width: 50, height: 41, channels: 1 };
        let image = |grey: u8| [vec![grey; 2048], vec![0, 255]].concat();
        let part = |greys: &[u8]| {
            Part::of_images(greys.iter().flat_map(|&grey| image(grey)).collect(), shape).in_black_and_white()
        };
        let (several, alone) = (part(&[64, 200, 0, 255]), part(&[200]));
        assert_eq!(several.image(1), alone.image(0));
        for (index, grey) in [64_usize, 200, 0, 255].into_iter().enumerate() {
            let drawn = several.image(index);
            assert!(drawn.iter().all(|value| [0, 255].contains(value)));
            let white = drawn[..2048].iter().filter(|value| **value == 255).count();
            assert!(white.abs_diff(2048 * grey / 255) < 100, "{white} of {grey}");
            assert_eq!(drawn[2048..], [0, 255]);
        }
    }
}
