//! Images as bytes: every source (IDX files, a folder of pictures, procedural digits) yields one
//! [`Dataset`].

pub mod digits;

use serde::{Deserialize, Serialize};

/// The size of every image of a dataset. Pixels are stored row by row, channels interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl ImageShape {
    /// Bytes, and so values, of one image.
    pub fn pixels(&self) -> usize {
        self.width * self.height * self.channels
    }
}

impl std::fmt::Display for ImageShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colour =
            if self.channels == 1 { "grey".to_string() } else { format!("{} channels", self.channels) };
        write!(f, "{}x{} {colour}", self.width, self.height)
    }
}

/// Some images of one size, with or without labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// `[count, height, width, channels]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// One class number an image, an index into [`Dataset::classes`].
    pub labels: Option<Vec<u32>>,
    /// How many images.
    pub count: usize,
}

impl Part {
    /// The bytes of image `index`.
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels.len() / self.count.max(1);
        &self.pixels[index * pixels..(index + 1) * pixels]
    }
}

/// Images to train on and images held out, all of one size.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What to call it in pictures and logs.
    pub name: String,
    /// The size of every image.
    pub shape: ImageShape,
    /// Images to train on.
    pub train: Part,
    /// Images held out: the dataset's own test part, or a seeded fraction of the whole. Never empty.
    pub test: Part,
    /// Class names by label; empty when nothing is labelled.
    pub classes: Vec<String>,
}
