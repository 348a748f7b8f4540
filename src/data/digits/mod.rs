//! The embedded default dataset: handwriting-like digits drawn from the pen strokes in `assets/digits.toml`.
//!
//! Each image mixes poses of one way to write its digit, moves the points, warps, slants and stretches the whole,
//! and draws it with a pen of random width, so the images vary smoothly along directions a latent space can find.
//! Size, place and amount of ink follow MNIST.

mod render;
mod strokes;

use super::{Dataset, ImageShape, Part, memory};
use crate::random::{Philox, stream};
use crate::{Error, Result};
use rand::RngExt;
use rayon::prelude::*;
use render::Canvas;
use std::path::Path;
use strokes::Skeletons;

/// Number of the first test image: images are numbered from 0 in the train part, from here in the test part.
const TEST_START: u64 = 1 << 32;
/// Bit set in the item numbers of the draws that order the labels, to keep them apart from the draws of images.
const LABELS: u64 = 1 << 63;
/// Smallest canvas side on which the digits can still be told apart.
const SMALLEST_SIDE: usize = 8;

/// `train` and `test` images of 28x28 grey pixels, white ink on black, labelled with the ten classes `0` to `9`.
///
/// The labels are in random order, with every class once in each group of ten images. Image `i` of a part depends
/// only on `seed` and `i`, so a larger dataset begins with the images of a smaller one.
///
/// # Errors
///
/// [`Error::Setting`] when a part would be empty.
pub fn digits(train: usize, test: usize, seed: u64) -> Result<Dataset> {
    digits_sized(train, test, seed, 28, 28)
}

/// [`digits`] on a canvas of `width` by `height` pixels; strokes scale with the shorter side.
///
/// # Errors
///
/// [`Error::Setting`] when a part would be empty or a side is shorter than 8 pixels.
pub fn digits_sized(train: usize, test: usize, seed: u64, width: usize, height: usize) -> Result<Dataset> {
    if train == 0 || test == 0 {
        return Err(Error::setting(
            "digits",
            format!("{train} images to train on and {test} held out"),
            "ask for at least one of each",
        ));
    }
    if width.min(height) < SMALLEST_SIDE {
        return Err(Error::setting(
            "digits",
            format!("{width}x{height} pixels are too few to draw a digit"),
            format!("use at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"),
        ));
    }
    let needed = (train as u64 + test as u64).saturating_mul(width as u64).saturating_mul(height as u64);
    if needed >= memory::SMALL {
        let what = format!("{} digits of {width}x{height}", train + test);
        memory::check(Path::new("digits"), &what, needed, memory::available())?;
    }
    let skeletons = Skeletons::embedded()?;
    let canvas = Canvas { width, height };
    let part = |start, count| draw_part(&skeletons, canvas, seed, start, count);
    let shape = ImageShape { width, height, channels: 1 };
    let classes = (0..10).map(|class| class.to_string()).collect();
    Ok(Dataset::new("digits", shape, part(0, train), part(TEST_START, test)).with_classes(classes))
}

fn draw_part(skeletons: &Skeletons, canvas: Canvas, seed: u64, start: u64, count: usize) -> Part {
    let labels: Vec<u32> = (0..count.div_ceil(10) as u64)
        .flat_map(|block| shuffled_classes(seed, start + block))
        .take(count)
        .collect();
    let mut pixels = vec![0; count * canvas.width * canvas.height];
    pixels.par_chunks_mut(canvas.width * canvas.height).zip(&labels).enumerate().for_each(
        |(index, (image, &label))| {
            let mut random = Philox::new(seed, stream::DIGITS, start + index as u64);
            let lines = skeletons.write(label as usize, &mut random);
            image.copy_from_slice(&canvas.draw(&lines, &mut random));
        },
    );
    let shape = ImageShape { width: canvas.width, height: canvas.height, channels: 1 };
    Part::of_images(pixels, shape).with_labels(labels)
}

/// The ten classes in a random order.
fn shuffled_classes(seed: u64, block: u64) -> [u32; 10] {
    let mut random = Philox::new(seed, stream::DIGITS, LABELS | block);
    let mut classes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    for last in (1..classes.len()).rev() {
        classes.swap(last, random.random_range(0..=last));
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(part: &Part) -> &[u32] {
        part.labels().unwrap()
    }

    #[test]
    fn an_image_depends_on_seed_and_number_only() {
        let (large, small) = (digits(100, 40, 7).unwrap(), digits(50, 20, 7).unwrap());
        assert_eq!(large.train.pixels()[..50 * 784], small.train.pixels()[..]);
        assert_eq!(large.test.pixels()[..20 * 784], small.test.pixels()[..]);
        assert_eq!(labels(&large.train)[..50], labels(&small.train)[..]);
        assert_eq!(large.train, digits(100, 1, 7).unwrap().train);

        let other = digits(100, 40, 8).unwrap();
        assert_ne!(other.train.pixels(), large.train.pixels());
        assert_ne!(labels(&other.train), labels(&large.train));
        assert_ne!(large.train.pixels()[..40 * 784], large.test.pixels()[..]);
    }

    #[test]
    fn labels_are_balanced_and_shuffled() {
        let set = digits(1003, 10, 1).unwrap();
        assert_eq!((set.name.as_str(), set.classes.len(), set.shape.pixels()), ("digits", 10, 784));
        for class in 0..10 {
            let count = labels(&set.train).iter().filter(|&&label| label == class).count();
            assert!((100..=101).contains(&count), "class {class}: {count}");
            assert!(labels(&set.test).contains(&class));
        }
        assert_ne!(labels(&set.train)[..10], labels(&set.train)[10..20]);
    }

    /// Ink and place follow MNIST: mean 0.131, standard deviation 0.309, four empty pixels around most digits.
    #[test]
    fn ink_is_like_that_of_mnist() {
        let set = digits(4000, 1, 2).unwrap();
        let pixels = set.train.pixels();
        let values = || pixels.iter().map(|&value| f64::from(value) / 255.0);
        let count = pixels.len() as f64;
        let mean = values().sum::<f64>() / count;
        let deviation = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((mean - 0.131).abs() < 0.015, "mean {mean}");
        assert!((deviation - 0.309).abs() < 0.03, "deviation {deviation}");
        let mut touching = 0;
        for image in (0..set.train.count).map(|index| set.train.image(index)) {
            let ink: u32 = image.iter().map(|&value| u32::from(value)).sum();
            assert!(ink > 20 * 255 && image.iter().any(|&value| value > 200), "a blank image");
            let on_border = |p: usize| [p % 28, p / 28].iter().any(|at| [0, 27].contains(at));
            touching += usize::from((0..784).any(|p| on_border(p) && image[p] > 0));
        }
        assert!(touching * 100 < set.train.count, "{touching} images touch the border");
    }

    /// Labels match shapes: the nearest of 1,500 training images has the right label.
    #[test]
    fn classes_can_be_told_apart() {
        let set = digits(1500, 300, 3).unwrap();
        let distance = |a: &[u8], b: &[u8]| -> u32 {
            a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum()
        };
        let right = (0..set.test.count)
            .filter(|&index| {
                let nearest = (0..set.train.count)
                    .min_by_key(|&other| distance(&set.test.image(index), &set.train.image(other)));
                labels(&set.train)[nearest.unwrap()] == labels(&set.test)[index]
            })
            .count();
        assert!(right * 10 > set.test.count * 9, "{right} of {}", set.test.count);
    }

    #[test]
    fn strokes_scale_with_the_canvas() {
        for (width, height) in [(8, 8), (16, 28), (64, 48)] {
            let set = digits_sized(200, 1, 4, width, height).unwrap();
            assert_eq!(set.train.pixels().len(), 200 * width * height);
            let ink: f64 = set.train.pixels().iter().map(|&value| f64::from(value) / 255.0).sum();
            let covered = ink / (200 * width.min(height).pow(2)) as f64;
            assert!((covered - 0.131).abs() < 0.03, "{width}x{height}: {covered}");
        }
    }

    #[test]
    fn empty_parts_and_tiny_canvases_are_refused() {
        for refused in [digits(0, 1, 0), digits(1, 0, 0), digits_sized(1, 1, 0, 7, 28)] {
            assert!(matches!(refused, Err(Error::Setting { .. })));
        }
    }
}
