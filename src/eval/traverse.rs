//! Latent traversals: what changes in an image as one latent dimension moves.

use super::disentangle::{Dimension, dimensions};
use crate::data::Dataset;
use crate::report::{self, TraversalRow};
use crate::session::Session;
use crate::{Error, Result};
use image::RgbImage;

/// Images in a row.
pub const STEPS: usize = 11;
/// The ends of a row are this far from the origin of the latent space.
pub const RANGE: f32 = 3.0;

/// How to traverse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traversal {
    /// Each dimension goes from minus this to this.
    pub range: f32,
    /// Images in a row.
    pub steps: usize,
    /// The held-out image whose posterior mean gives the other dimensions; the origin of the latent space where there is
    /// none.
    pub image: Option<usize>,
    /// Rows at most.
    pub rows: usize,
}

/// Decoded images, and what is known of each row.
#[derive(Clone, Debug)]
pub struct Traversed {
    /// `[rows, steps, height, width, channels]`
    images: Vec<f32>,
    rows: Vec<TraversalRow>,
    title: String,
    steps: usize,
}

impl Traversal {
    /// Decode a row of images for each dimension of the last stochastic layer, the one that carries most first.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no image of that number; else if the device fails.
    pub fn decode(&self, session: &mut Session, dataset: &Dataset) -> Result<Traversed> {
        let width = session.top_width()?;
        let base = match self.image {
            Some(number) if number >= dataset.test.count => {
                let problem = format!("there is no image {number}: {} are held out", dataset.test.count);
                return Err(Error::setting("--image", problem, "give a number from 0 on"));
            }
            Some(number) => session.encode_top(&[number as u32])?.means,
            None => vec![0.0; width],
        };
        let mut shown = dimensions(session, dataset)?;
        shown.truncate(self.rows);
        let last = self.steps.max(2) - 1;
        let value = |step: usize| self.range * (2.0 * step as f32 / last as f32 - 1.0);
        let mut latents = Vec::with_capacity(shown.len() * self.steps * width);
        for row in &shown {
            for step in 0..self.steps {
                let mut latent = base.clone();
                latent[row.number] = value(step);
                latents.extend(latent);
            }
        }
        let latents = session.descend(&latents, None)?;
        let from = match self.image {
            Some(number) => format!("around held-out image {number}"),
            None => "around the origin".to_string(),
        };
        let range = self.range;
        Ok(Traversed {
            images: session.decode(&latents)?,
            rows: shown.iter().map(row_name).collect(),
            title: format!("{}: each latent dimension from −{range} to {range}, {from}", dataset.name),
            steps: self.steps,
        })
    }
}

fn row_name(dimension: &Dimension) -> TraversalRow {
    let carries = match dimension.divergence {
        Some(divergence) => format!("KL {divergence:.2}"),
        None => format!("variance {:.2}", dimension.variance),
    };
    let factor = dimension.factor.as_ref().map(|(name, share)| format!("{name} {:.0} %", 100.0 * share));
    TraversalRow { name: format!("z{}", dimension.number + 1), carries, factor }
}

impl Traversed {
    /// A row of images for each dimension.
    pub fn picture(&self, session: &Session) -> RgbImage {
        report::traversal(&self.images, session.shape(), self.steps, &self.rows, &self.title)
    }

    /// All dimensions moving at once, there and back, as a GIF file.
    ///
    /// # Errors
    /// [`Error::Internal`] if the encoder refuses.
    pub fn animation(&self, session: &Session) -> Result<Vec<u8>> {
        report::traversal_animation(&self.images, session.shape(), self.steps, &self.rows)
    }
}
