//! Splits off a held-out part, for a dataset without one.

use super::Part;
use crate::random::{Philox, stream};
use crate::{Error, Result};
use rand::Rng;
use std::path::Path;

/// Splits `all` into items to train on and a seeded choice of `fraction` of them to hold out, at least one.
///
/// Both parts keep the order of `all`. `path` is what an error names: a dataset of fewer than two images has
/// nothing to hold out.
pub fn split(mut all: Part, fraction: f64, seed: u64, path: &Path) -> Result<(Part, Part)> {
    check_fraction(fraction)?;
    if all.count < 2 {
        return Err(Error::data(
            path,
            format!("the dataset has {} image", all.count),
            "at least two are needed: one to train on and one to hold out",
        ));
    }
    let held_out = ((all.count as f64 * fraction).round() as usize).clamp(1, all.count - 1);
    let chosen = choose(all.count, held_out, seed);

    let columns = all.columns.iter_mut().map(|column| column.take(&chosen)).collect();
    all.count -= held_out;
    let (mut names, mut index) = (Vec::new(), 0);
    all.names.retain_mut(|name| {
        index += 1;
        if chosen[index - 1] {
            names.push(std::mem::take(name));
        }
        !chosen[index - 1]
    });
    let places = |of: bool| (0..).zip(&chosen).filter(|(_, it)| **it == of).map(|(place, _)| place).collect();
    all.places = places(false);
    let test = Part { columns, count: held_out, names, places: places(true) };
    Ok((all, test))
}

/// Refuses a fraction that leaves one part empty.
pub(super) fn check_fraction(fraction: f64) -> Result<()> {
    if fraction > 0.0 && fraction < 1.0 {
        return Ok(());
    }
    Err(Error::setting(
        "--test-fraction",
        format!("{fraction} is not between 0 and 1"),
        "use 0.1, for example",
    ))
}

/// Marks `chosen` of `count` indices, by the first steps of a Fisher-Yates shuffle.
///
/// Written out here, because a library may change its shuffle and a split must stay the same. The bias of the
/// remainder is below 2^-32 for any count that fits into memory.
fn choose(count: usize, chosen: usize, seed: u64) -> Vec<bool> {
    let mut marks = vec![false; count];
    draw(count, chosen, seed).into_iter().for_each(|index| marks[index] = true);
    marks
}

/// Draws `chosen` of `count` indices without repetition, in random order: a larger draw begins with a smaller one.
pub(super) fn draw(count: usize, chosen: usize, seed: u64) -> Vec<usize> {
    let mut generator = Philox::new(seed, stream::SPLIT, 0);
    let mut indices: Vec<usize> = (0..count).collect();
    for place in 0..chosen {
        let other = place + (generator.next_u64() % (count - place) as u64) as usize;
        indices.swap(place, other);
    }
    indices.truncate(chosen);
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Column, ImageShape, LABELS, Values};

    /// Image `i` is the two bytes `[i, i]`, its label `i`, its half `i / 2`.
    fn numbered(count: usize) -> Part {
        let pixels = (0..count as u8).flat_map(|i| [i, i]).collect();
        let shape = ImageShape { width: 2, height: 1, channels: 1 };
        let halves = (0..count).map(|i| i as f32 / 2.0).collect();
        Part::of_images(pixels, shape).with_labels((0..count as u32).collect()).with(Column::new(
            "half",
            &[],
            Values::Reals(halves),
        ))
    }

    fn halves(count: usize, fraction: f64, seed: u64) -> (Part, Part) {
        split(numbered(count), fraction, seed, Path::new("here")).unwrap()
    }

    #[test]
    fn parts_are_disjoint_ordered_and_complete() {
        let (train, test) = halves(100, 0.3, 5);
        assert_eq!((train.count, test.count), (70, 30));
        let mut all: Vec<u32> = Vec::new();
        for part in [&train, &test] {
            let labels = part.labels().unwrap();
            assert!(labels.is_sorted());
            let halves = labels.iter().map(|&label| label as f32 / 2.0).collect();
            assert_eq!(part.column("half").unwrap().values, Values::Reals(halves));
            assert_eq!(part.pixels().len(), 2 * part.count);
            for (index, &label) in labels.iter().enumerate() {
                assert_eq!(*part.image(index), [label as u8; 2]);
            }
            all.extend(labels);
        }
        let shape = ImageShape { width: 2, height: 1, channels: 1 };
        let set = crate::data::Dataset::new("toy", shape, train, test);
        assert!(set.in_order().iter().zip(0..).all(|((part, item), index)| *part.image(*item) == [index; 2]));
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(halves(100, 0.1, 1), halves(100, 0.1, 1));
        assert_ne!(halves(100, 0.1, 1), halves(100, 0.1, 2));
    }

    /// Each of 50 images is held out in about a fifth of the seeds.
    #[test]
    fn every_image_is_as_likely() {
        let mut times = [0u32; 50];
        for seed in 0..2000 {
            choose(50, 10, seed)
                .iter()
                .zip(&mut times)
                .for_each(|(&chosen, times)| *times += u32::from(chosen));
        }
        // Mean 400, standard deviation 17.9.
        assert!(times.iter().all(|times| (320..480).contains(times)), "{times:?}");
    }

    #[test]
    fn both_parts_hold_at_least_one_image() {
        for (count, fraction, expected) in
            [(2, 0.001, 1), (2, 0.999, 1), (5, 0.999, 4), (10, 0.1, 1), (15, 0.1, 2)]
        {
            let (train, test) = halves(count, fraction, 0);
            assert_eq!((train.count, test.count), (count - expected, expected));
        }
    }

    #[test]
    fn unlabelled_parts_stay_unlabelled() {
        let mut all = numbered(4);
        all.remove(LABELS);
        let (train, test) = split(all, 0.5, 0, Path::new("here")).unwrap();
        assert_eq!((train.labels(), test.labels()), (None, None));
    }

    #[test]
    fn parts_are_joined_and_items_selected() {
        let whole = numbered(9);
        let (train, test) = split(whole.clone(), 0.4, 3, Path::new("here")).unwrap();
        assert_eq!(train.clone().joined(&test), whole);
        let some = train.joined(&test).select(&[7, 0]);
        assert_eq!((some.count, some.labels().unwrap(), &*some.image(0)), (2, &[7, 0][..], &[7, 7][..]));
        let own = numbered(2).joined(&numbered(1));
        assert_eq!(own.labels().unwrap(), [0, 1, 0]);
    }

    #[test]
    fn one_image_is_too_few() {
        let message = split(numbered(1), 0.5, 0, Path::new("here")).unwrap_err().to_string();
        assert!(message.contains("here: the dataset has 1 image"), "{message}");
        assert!(message.contains("at least two are needed"), "{message}");
    }

    #[test]
    fn a_fraction_is_between_zero_and_one() {
        for fraction in [0.0, 1.0, -0.5, 2.0, f64::NAN, f64::INFINITY] {
            let message = split(numbered(9), fraction, 0, Path::new("here")).unwrap_err().to_string();
            assert!(message.contains("--test-fraction"), "{message}");
            assert!(message.contains("not between 0 and 1"), "{message}");
        }
    }
}
