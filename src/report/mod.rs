//! Output for people: pictures, the metrics of each epoch, and the progress display.
//!
//! Everything here takes plain numbers (slices, labels, records) and never talks to a device.

mod axes;
mod canvas;
mod colour;
mod contour;
mod curves;
mod each;
mod embed;
mod factors;
mod film;
pub(crate) mod frame;
mod grid;
mod latent;
mod latents_file;
mod metrics;
mod normal;
mod posterior;
mod progress;
pub(crate) mod scene;
mod steps_file;
mod traversal;
mod vectors;

pub use contour::Field;
pub use curves::curves;
pub use each::save_each;
pub use factors::{FactorColumns, information, scatter_grid};
pub use film::Film;
pub use grid::{denoised, interpolation, manifold, reconstructions, samples};
pub use latent::{class_colour, latent};
pub use latents_file::{LatentRecord, LatentsFile};
pub use metrics::{EpochRecord, MetricsFile};
pub use normal::{inverse_normal_cdf, manifold_axis};
pub use posterior::{Diagonal, PosteriorPicture, SHARES, posterior};
pub use progress::{Progress, Snapshot, Units, human_duration};
pub use steps_file::StepsFile;
pub use traversal::{TraversalRow, traversal, traversal_animation};
pub use vectors::{Vectors, write_scores};

use std::path::Path;

use image::{ImageEncoder, RgbImage};

use crate::files::write_atomically;
use crate::{Error, Result};

/// Writes `image` as a PNG file at `path`; a reader sees the old file or the whole new one.
///
/// # Errors
///
/// [`Error::Io`] naming `path` when the folder cannot be written to, [`Error::Internal`] when the encoder refuses.
pub fn save_png(image: &RgbImage, path: impl AsRef<Path>) -> Result<()> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(image.as_raw(), image.width(), image.height(), image::ExtendedColorType::Rgb8)
        .map_err(|problem| Error::Internal(format!("encoding {}: {problem}", path.as_ref().display())))?;
    write_atomically(path.as_ref(), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_files_read_back_and_leave_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        let picture = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8, y as u8, 200]));
        save_png(&picture, &path).unwrap();
        save_png(&picture, &path).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8(), picture);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let problem = save_png(&RgbImage::new(1, 1), "/nowhere/at/all/picture.png").unwrap_err().to_string();
        assert!(problem.contains("/nowhere/at/all/picture.png"), "{problem}");
    }
}
