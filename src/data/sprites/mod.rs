//! dSprites (Matthey et al., 2017), drawn: 737,280 black and white pictures of 64x64, one for every combination of three
//! shapes, six scales, 40 orientations, and 32 places along each axis.

mod outline;

use super::factors::OF_DSPRITES;
use super::{Bits, Dataset, Factor, ImageShape, Part, memory, split};
use crate::text::thousands;
use crate::{Error, Result};
use outline::Outline;
use rayon::prelude::*;
use std::f64::consts::TAU;
use std::path::Path;

/// What `--dataset` calls it.
pub const NAME: &str = "dsprites";
/// All pictures.
pub const COUNT: usize = 3 * 6 * 40 * 32 * 32;
/// The size of every picture.
pub const SHAPE: ImageShape = ImageShape { width: SIDE, height: SIDE, channels: 1 };
/// Names of the shapes, which are the classes.
pub(super) const SHAPES: [&str; 3] = ["square", "ellipse", "heart"];

const SIDE: usize = 64;
/// Bytes of a picture.
const BYTES: usize = SIDE * SIDE / 8;
/// Pictures held out where all are trained on.
const HELD_OUT: usize = 10_000;

/// How many pictures are trained on and held out, see [`sprites`].
pub fn counts(images: Option<usize>, test_fraction: f64) -> [usize; 2] {
    match images {
        Some(images) if images < COUNT => {
            let held_out = (images as f64 * test_fraction).round() as usize;
            [images, held_out.clamp(1, COUNT - images)]
        }
        _ => [COUNT, HELD_OUT],
    }
}

/// The factors of the data set: shape, scale from 0.5 to 1, orientation from 0 to 2 pi (the last is the first again), and
/// the positions, from 0 to 1.
pub fn factors() -> Vec<Factor> {
    let spaced = |first: f64, last: f64, count: usize| -> Vec<f64> {
        (0..count).map(|number| first + (last - first) * number as f64 / (count - 1) as f64).collect()
    };
    let [_, scales, orientations, _, _] = SIZES;
    let values = |name: &str, size| match name {
        "shape" => spaced(1.0, 3.0, size),
        "scale" => spaced(0.5, 1.0, scales),
        "orientation" => spaced(0.0, TAU, orientations),
        _ => spaced(0.0, 1.0, size),
    };
    OF_DSPRITES.iter().map(|&(name, size)| Factor::new(name, values(name, size))).collect()
}

const SIZES: [usize; 5] = {
    let [(_, a), (_, b), (_, c), (_, d), (_, e)] = OF_DSPRITES;
    [a, b, c, d, e]
};

/// The number of each factor's value in picture `row` of the data set: the last factor varies fastest.
fn numbers(row: usize) -> [u32; 5] {
    let (mut rest, mut numbers) = (row, [0; 5]);
    for (number, size) in numbers.iter_mut().zip(SIZES).rev() {
        *number = (rest % size) as u32;
        rest /= size;
    }
    numbers
}

/// `images` pictures to train on, drawn without repetition under `seed`, and the share `test_fraction` of that number, drawn
/// from the others, to hold out; their shapes are their labels. Without `images`, or with the number of the whole set, all pictures are
/// trained on, in their order, and 10,000 of them are held out too.
///
/// # Errors
/// [`crate::Error::Data`] if the machine lacks the memory: 512 bytes a picture.
pub fn sprites(images: Option<usize>, test_fraction: f64, seed: u64) -> Result<Dataset> {
    if let Some(images) = images.filter(|&images| images > COUNT) {
        let problem = format!("{} are more than dsprites has", thousands(images));
        return Err(Error::setting(
            "data.images",
            problem,
            format!("give at most {COUNT}, or leave it out for all"),
        ));
    }
    let [train, test] = counts(images, test_fraction);
    let needed = ((train + test) * (BYTES + 4 * (SIZES.len() + 1))) as u64;
    if needed >= memory::SMALL {
        let what = format!("{} pictures of {NAME}", thousands(train + test));
        memory::check(Path::new(NAME), &what, needed, memory::available())?;
    }
    let drawing = Drawing::new();
    let (train, test, note) = if train == COUNT {
        let all: Vec<usize> = (0..COUNT).collect();
        let note = format!(
            "Training is on all {} pictures, as published runs do, and {} of them are held out too; with --images, held-out \
             pictures are others.",
            thousands(COUNT),
            thousands(test)
        );
        (drawing.part(&all), drawing.part(&split::draw(COUNT, test, seed)), Some(note))
    } else {
        let drawn = split::draw(COUNT, train + test, seed);
        let part = |rows: &[usize]| Part {
            places: rows.iter().map(|&row| row as u32).collect(),
            ..drawing.part(rows)
        };
        (part(&drawn[..train]), part(&drawn[train..]), None)
    };
    let mut dataset = Dataset::new(NAME, SHAPE, train, test)
        .with_classes(SHAPES.map(str::to_string).to_vec())
        .with_factors(drawing.factors);
    dataset.found.copies = true;
    dataset.found.notes.extend(note);
    Ok(dataset)
}

/// The outlines of all shapes, scales and orientations.
struct Drawing {
    factors: Vec<Factor>,
    outlines: Vec<Outline>,
}

impl Drawing {
    fn new() -> Self {
        let factors = factors();
        let [shapes, scales, orientations, _, _] = SIZES;
        let outlines = (0..shapes * scales * orientations).map(|outline| {
            let (scale, orientation) = (outline / orientations % scales, outline % orientations);
            // The last orientation is a full turn: the same as none.
            let turn = TAU * (orientation % (orientations - 1)) as f64 / (orientations - 1) as f64;
            Outline::new(outline / orientations / scales, factors[1].values[scale], turn)
        });
        Self { outlines: outlines.collect(), factors }
    }

    /// The pictures of these rows of the data set.
    fn part(&self, rows: &[usize]) -> Part {
        let [.., columns, lines] = SIZES;
        let mut bits = vec![0; rows.len() * BYTES];
        bits.par_chunks_mut(BYTES).with_min_len(64).zip(rows).for_each(|(picture, &row)| {
            let [.., x, y] = numbers(row).map(|number| number as usize);
            let place = [self.factors[3].values[x], self.factors[4].values[y]];
            let drawn = self.outlines[row / columns / lines].draw(place[0], place[1]);
            for (line, bits) in picture.chunks_exact_mut(SIDE / 8).zip(drawn) {
                line.copy_from_slice(&bits.to_le_bytes());
            }
        });
        let all: Vec<u32> = rows.iter().flat_map(|&row| numbers(row)).collect();
        let shapes = all.iter().step_by(SIZES.len()).copied().collect();
        Part::of_bits(Bits::new(bits), SHAPE).with_labels(shapes).with_factors(all, SIZES.len())
    }
}

#[cfg(test)]
mod tests;
