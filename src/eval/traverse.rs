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

/// Held-out images whose codes say where those of a deterministic autoencoder lie.
const CODES: usize = 1000;

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

/// The codes of a deterministic autoencoder, which has no prior that says where they lie.
struct Codes {
    means: Vec<f32>,
    deviations: Vec<f32>,
    /// Smallest and largest number of each dimension.
    ends: Vec<[f32; 2]>,
}

impl Codes {
    /// Those of the first held-out images; `None` where images have posteriors.
    fn of(session: &mut Session, held_out: usize, width: usize) -> Result<Option<Self>> {
        let numbers: Vec<u32> = (0..held_out.min(CODES) as u32).collect();
        let encoded = session.encode_top(&numbers)?;
        if !encoded.log_variances.is_empty() || numbers.is_empty() {
            return Ok(None);
        }
        let column = |d: usize| encoded.means.iter().skip(d).step_by(width).copied();
        let count = numbers.len() as f32;
        let means: Vec<f32> = (0..width).map(|d| column(d).sum::<f32>() / count).collect();
        let variance = |d: usize| column(d).map(|code| (code - means[d]).powi(2)).sum::<f32>() / count;
        let deviations = (0..width).map(|d| variance(d).sqrt()).collect();
        let ends =
            (0..width).map(|d| [column(d).fold(f32::MAX, f32::min), column(d).fold(f32::MIN, f32::max)]);
        Ok(Some(Self { ends: ends.collect(), deviations, means }))
    }

    /// Dimension `d` at `distance` standard deviations from its mean, within the codes that images have.
    fn at(&self, d: usize, distance: f32) -> f32 {
        let [least, most] = self.ends[d];
        (self.means[d] + distance * self.deviations[d]).clamp(least, most)
    }
}

/// A number of 0 or more with two digits that count.
fn significant(number: f64) -> String {
    let digits = if number > 0.0 { (1.0 - number.log10().floor()).clamp(0.0, 9.0) } else { 2.0 };
    format!("{number:.*}", digits as usize)
}

impl Traversal {
    /// Decode a row of images for each dimension of the last stochastic layer, the one that carries most first.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no image of that number; else if the device fails.
    pub fn decode(&self, session: &mut Session, dataset: &Dataset) -> Result<Traversed> {
        let width = session.top_width()?;
        let held_out = dataset.test.count;
        let codes = Codes::of(session, held_out, width)?;
        let base = match self.image {
            Some(number) if number >= held_out => {
                let problem = format!("there is no image {number}: {held_out} are held out");
                let hint = format!("give a number from 0 to {}", held_out.saturating_sub(1));
                return Err(Error::setting("--image", problem, hint));
            }
            Some(number) => session.encode_top(&[number as u32])?.means,
            None => codes.as_ref().map_or_else(|| vec![0.0; width], |codes| codes.means.clone()),
        };
        let mut shown = dimensions(session, dataset)?;
        shown.truncate(self.rows);
        let last = self.steps.max(2) - 1;
        let value = |step: usize| self.range * (2.0 * step as f32 / last as f32 - 1.0);
        let mut latents = Vec::with_capacity(shown.len() * self.steps * width);
        for row in &shown {
            for step in 0..self.steps {
                let mut latent = base.clone();
                latent[row.number] = match &codes {
                    Some(codes) => codes.at(row.number, value(step)),
                    None => value(step),
                };
                latents.extend(latent);
            }
        }
        let latents = session.descend(&latents, None)?;
        let from = match self.image {
            Some(number) => format!("around held-out image {number}"),
            None if codes.is_some() => "around the mean code".to_string(),
            None => "around the origin".to_string(),
        };
        let unit = if codes.is_some() { " of its standard deviations" } else { "" };
        let range = self.range;
        Ok(Traversed {
            images: session.decode(&latents)?,
            rows: shown.iter().map(row_name).collect(),
            title: format!("{}: each latent dimension from −{range} to {range}{unit}, {from}", dataset.name),
            steps: self.steps,
        })
    }
}

fn row_name(dimension: &Dimension) -> TraversalRow {
    let carries = match dimension.divergence {
        Some(divergence) => format!("KL {divergence:.2}"),
        None => format!("variance {}", significant(dimension.variance)),
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
