//! The pictures of a model. `vae train` and the commands that draw one of them share these functions.

use super::mixture::Mixture;
use crate::data::Dataset;
use crate::random::{Philox, stream};
use crate::report;
use crate::session::Session;
use crate::{Error, Result};
use image::RgbImage;
use rand::seq::index::sample;

/// Pairs of an image and its reconstruction that `vae train` draws.
pub const RECONSTRUCTIONS: usize = 24;
/// Images drawn from the prior.
pub const SAMPLES: usize = 100;
/// Images along a side of the manifold.
pub const SIDE: usize = 20;
/// Rows of an interpolation, and images in a row.
pub const INTERPOLATION: (usize, usize) = (8, 12);

/// The numbers of `count` held-out images (or all, if there are fewer): the first ones, or, with a seed, some drawn
/// at random.
fn held_out(dataset: &Dataset, count: usize, seed: Option<u64>) -> Vec<u32> {
    let count = count.min(dataset.test.count);
    match seed {
        None => (0..count as u32).collect(),
        Some(seed) => {
            let mut random = Philox::new(seed, stream::PRIOR, 1);
            sample(&mut random, dataset.test.count, count).into_iter().map(|number| number as u32).collect()
        }
    }
}

/// `count` held-out images and, under each, the expected image of its posterior's mean.
///
/// # Errors
/// If the device fails.
pub fn reconstructions(
    session: &mut Session,
    dataset: &Dataset,
    count: usize,
    seed: Option<u64>,
) -> Result<RgbImage> {
    let title = format!("Held-out images of {} and their reconstructions", dataset.name);
    reconstructions_of(session, dataset, &held_out(dataset, count, seed), &title)
}

/// The held-out images of `dataset` with these numbers and, under each, the expected image of its posterior's mean, or of its
/// code. A denoising autoencoder reconstructs corrupted images, which stand above.
///
/// # Errors
/// If the device fails.
pub fn reconstructions_of(
    session: &mut Session,
    dataset: &Dataset,
    numbers: &[u32],
    title: &str,
) -> Result<RgbImage> {
    let originals: Vec<u8> =
        numbers.iter().flat_map(|&number| dataset.test.image(number as usize).into_owned()).collect();
    if let Some((seen, codes)) = session.corrupt(numbers)? {
        let decoded = session.decode(&codes.means)?;
        return Ok(report::denoised(&originals, [&seen, &decoded], session.shape(), title));
    }
    let means = session.encode(numbers)?.means;
    let decoded = session.decode(&means)?;
    Ok(report::reconstructions(&originals, &decoded, session.shape(), title))
}

/// `count` expected images of latents drawn from the prior, a standard normal distribution; with several
/// layers of latents, each is drawn given the one above it. `[count, height, width, channels]`
///
/// # Errors
/// [`Error::Setting`] if the model is a deterministic autoencoder, which has no prior; else if the device fails.
pub fn draws(session: &mut Session, count: usize, seed: u64) -> Result<Vec<f32>> {
    session.task().density("vae sample")?;
    let mut random = Philox::new(seed, stream::PRIOR, 0);
    let width = session.top_width()?;
    let latents: Vec<f32> = (0..count * width).map(|_| random.normal() as f32).collect();
    let latents = session.descend(&latents, Some(seed))?;
    session.decode(&latents)
}

/// The same with latents drawn from a fitted prior, in place of the standard normal distribution. Also for deterministic
/// autoencoders.
///
/// # Errors
/// If the device fails.
pub fn fitted_draws(session: &mut Session, prior: &Mixture, count: usize, seed: u64) -> Result<Vec<f32>> {
    let latents = session.descend(&prior.draw(count, seed), Some(seed))?;
    session.decode(&latents)
}

/// A picture of [`draws`].
///
/// # Errors
/// If the device fails.
pub fn samples(session: &mut Session, dataset: &Dataset, count: usize, seed: u64) -> Result<RgbImage> {
    let images = draws(session, count, seed)?;
    Ok(square(session, &images, &format!("{}: decoded from draws of the prior", dataset.name)))
}

/// A picture of [`fitted_draws`].
///
/// # Errors
/// If the device fails.
pub fn fitted_samples(
    session: &mut Session,
    dataset: &Dataset,
    prior: &Mixture,
    count: usize,
    seed: u64,
) -> Result<RgbImage> {
    let images = fitted_draws(session, prior, count, seed)?;
    Ok(square(session, &images, &format!("{}: decoded from draws of the fitted prior", dataset.name)))
}

/// Images in a grid with as many rows as columns.
fn square(session: &Session, images: &[f32], title: &str) -> RgbImage {
    let count = images.len() / session.shape().pixels().max(1);
    let columns = (count as f64).sqrt().ceil() as usize;
    report::samples(images, session.shape(), columns, title)
}

/// Expected images of `latents` of the layer whose prior is a standard normal distribution, by way of the means of what
/// layers lie between.
fn decode_top(session: &mut Session, latents: &[f32]) -> Result<Vec<f32>> {
    let latents = session.descend(latents, None)?;
    session.decode(&latents)
}

/// Expected images over a grid of the latent space, at quantiles of the prior `side` to an axis (Kingma and Welling
/// 2014, figure 4). A latent space of one dimension gives one row.
///
/// # Errors
/// [`Error::Setting`] if the latent space has more than two dimensions, or the model is a deterministic autoencoder, which has
/// no prior; else if the device fails.
pub fn manifold(session: &mut Session, dataset: &Dataset, side: usize) -> Result<RgbImage> {
    session.task().density("vae manifold")?;
    let axis = report::manifold_axis(side);
    let title = format!("{}: decoded over the latent space", dataset.name);
    match session.top_width()? {
        1 => {
            let latents: Vec<f32> = axis.iter().map(|&z| z as f32).collect();
            let images = decode_top(session, &latents)?;
            let end = axis.last().copied().unwrap_or(0.0);
            let title = format!("{title}, z1 from −{end:.2} to {end:.2}");
            Ok(report::samples(&images, session.shape(), side, &title))
        }
        2 => {
            // The picture's first row is its top: the largest z2.
            let latents: Vec<f32> = axis
                .iter()
                .rev()
                .flat_map(|&z2| axis.iter().flat_map(move |&z1| [z1 as f32, z2 as f32]))
                .collect();
            let images = decode_top(session, &latents)?;
            Ok(report::manifold(&images, session.shape(), side, &axis, &title))
        }
        dimensions => Err(Error::setting(
            "manifold",
            format!("a grid shows a latent space of 2 dimensions, and this model's has {dimensions}"),
            "use 'vae interpolate' or 'vae sample', which show a latent space of any size",
        )),
    }
}

/// The posterior means of all held-out images, coloured by label. Of more than two latent dimensions, the two whose
/// means vary most are drawn; of one, the mean against the posterior's log-variance, or against 0 where it is a code.
///
/// # Errors
/// If the device fails.
pub fn latent(session: &mut Session, dataset: &Dataset) -> Result<RgbImage> {
    let numbers: Vec<u32> = (0..dataset.test.count as u32).collect();
    let posteriors = session.encode_top(&numbers)?;
    let width = session.top_width()?;
    let title = format!("{}: held-out images in the latent space", dataset.name);
    let (points, axes, title): (Vec<[f32; 2]>, [String; 2], String) = if width == 1 {
        let with_density = !posteriors.log_variances.is_empty();
        let name = if with_density { "log-variance of z1" } else { "" };
        let others = posteriors.log_variances.into_iter().chain(std::iter::repeat(0.0));
        let points = posteriors.means.iter().zip(others).map(|(&m, v)| [m, v]).collect();
        (points, ["z1".into(), name.into()], title)
    } else {
        let [x, y] = widest(&posteriors.means, width);
        let points = posteriors.means.chunks(width).map(|mean| [mean[x], mean[y]]).collect();
        let title = match width {
            2 => title,
            _ => format!("{title}: z{} and z{}, which vary most of {width}", x + 1, y + 1),
        };
        (points, [format!("z{}", x + 1), format!("z{}", y + 1)], title)
    };
    let labels = dataset.test.labels();
    Ok(report::latent(&points, labels, &dataset.classes, [&axes[0], &axes[1]], &title))
}

/// The two columns of `means` (`[count, width]`) with the largest variance, in ascending order.
fn widest(means: &[f32], width: usize) -> [usize; 2] {
    let variance = |column: usize| {
        let values = || means.iter().skip(column).step_by(width).map(|&value| f64::from(value));
        let count = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        values().map(|value| (value - mean).powi(2)).sum::<f64>() / count
    };
    let mut columns: Vec<usize> = (0..width).collect();
    columns.sort_by(|&a, &b| variance(b).total_cmp(&variance(a)));
    [columns[0].min(columns[1]), columns[0].max(columns[1])]
}

/// `rows` straight paths of `columns` images through the latent space, each from the posterior mean of one held-out
/// image to that of another.
///
/// # Errors
/// If the device fails.
pub fn interpolation(
    session: &mut Session,
    dataset: &Dataset,
    (rows, columns): (usize, usize),
    seed: Option<u64>,
) -> Result<RgbImage> {
    let width = session.top_width()?;
    let numbers = held_out(dataset, 2 * rows, seed);
    let rows = numbers.len() / 2;
    let means = session.encode_top(&numbers)?.means;
    let mut latents = Vec::with_capacity(rows * columns * width);
    for pair in means.chunks_exact(2 * width) {
        let (from, to) = pair.split_at(width);
        for column in 0..columns {
            let t = column as f32 / (columns.max(2) - 1) as f32;
            latents.extend(from.iter().zip(to).map(|(from, to)| from + t * (to - from)));
        }
    }
    let images = decode_top(session, &latents)?;
    let title = format!("{}: interpolations", dataset.name);
    Ok(report::interpolation(&images, session.shape(), rows, columns, &title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_dimensions_are_chosen_and_kept_in_order() {
        let means = [0.0, 9.0, 1.0, 5.0, 0.0, -9.0, 1.1, -5.0];
        assert_eq!(widest(&means, 4), [1, 3]);
        assert_eq!(widest(&means, 2), [0, 1]);
    }

    #[test]
    fn held_out_images_are_distinct_and_as_many_as_there_are() {
        let dataset = crate::data::digits::digits(1, 30, 1).unwrap();
        assert_eq!(held_out(&dataset, 3, None), [0, 1, 2]);
        let mut some = held_out(&dataset, 12, Some(5));
        assert_eq!(some, held_out(&dataset, 12, Some(5)));
        assert_ne!(some, held_out(&dataset, 12, Some(6)));
        some.sort_unstable();
        some.dedup();
        assert_eq!(some.len(), 12);
        assert_eq!(held_out(&dataset, 100, Some(1)).len(), 30);
    }
}
