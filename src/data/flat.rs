//! What readers of rows of numbers share: the shape of images whose values stand in one row, their range, and class names.

use super::ImageShape;

/// The shape of images of this many values: `size` if it fits, else a square; grey, or red, green and blue.
pub(super) fn shape(values: usize, size: Option<(usize, usize)>) -> Option<ImageShape> {
    let side = |pixels: usize| {
        let side = pixels.isqrt();
        (side > 0 && side * side == pixels).then_some((side, side))
    };
    let of = |channels: usize| {
        let pixels = values.is_multiple_of(channels).then_some(values / channels)?;
        let fits = size.filter(|(width, height)| width.checked_mul(*height) == Some(pixels));
        fits.map(|(width, height)| ImageShape { width, height, channels })
    };
    let square = |channels: usize| {
        let pixels = values.is_multiple_of(channels).then_some(values / channels)?;
        side(pixels).map(|(width, height)| ImageShape { width, height, channels })
    };
    of(1).or_else(|| of(3)).or_else(|| square(1)).or_else(|| square(3))
}

/// Whether the rows of these images hold all reds, then greens, then blues, and not pixel after pixel: whether a value
/// is nearer to the value `width` places on than to that `3 width` places on, which are the next rows in the two orders.
pub(super) fn in_planes(pixels: &[u8], shape: ImageShape) -> bool {
    if shape.channels != 3 || shape.height < 4 {
        return false;
    }
    let distance = |places: usize| -> f64 {
        let far = |image: &[u8]| -> (u64, usize) {
            let pairs = image.iter().zip(image.get(places..).unwrap_or_default());
            pairs.fold((0, 0), |(sum, count), (a, b)| (sum + u64::from(a.abs_diff(*b)), count + 1))
        };
        let images = pixels.chunks_exact(shape.pixels()).take(1000).map(far);
        let (sum, count) = images.fold((0, 0), |(sum, count), (more, pairs)| (sum + more, count + pairs));
        sum as f64 / count.max(1) as f64
    };
    distance(shape.width) < distance(3 * shape.width)
}

/// What is said of the order of the values of colour images in rows.
pub(super) fn order(planes: bool) -> String {
    let order =
        if planes { "all reds, then greens, then blues" } else { "red, green and blue of pixel after pixel" };
    format!("The values of an image are taken for {order}, in which neighbours differ less.")
}

/// What is said where values of 0 and 1 are spread over 0 to 255.
pub(super) const SPREAD: &str = "The values are 0 and 1: they are read as 0 and 255.";

/// Spreads values that are all 0 or 1 over 0 to 255, and whether it did. Values of 0 alone stay.
pub(super) fn spread(parts: &mut [&mut [u8]]) -> bool {
    let spread = parts.iter().any(|part| part.contains(&1))
        && parts.iter().all(|part| part.iter().all(|&value| value <= 1));
    if spread {
        parts.iter_mut().for_each(|part| part.iter_mut().for_each(|value| *value *= 255));
    }
    spread
}

/// Class names of labels, which become their numbers: all up to the largest label, or those there are where most numbers
/// up to it are no label.
pub(super) fn classes(parts: &mut [&mut Vec<u32>]) -> Vec<String> {
    let mut all: Vec<u32> = parts.iter().flat_map(|labels| labels.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    match all.last() {
        None => Vec::new(),
        Some(&last) if last as usize <= 1000 + 2 * all.len() => {
            (0..=last).map(|label| label.to_string()).collect()
        }
        Some(_) => {
            for labels in parts.iter_mut() {
                for label in labels.iter_mut() {
                    *label = all.binary_search(label).unwrap_or_default() as u32;
                }
            }
            all.iter().map(u32::to_string).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_rows() {
        let of = |values, size| shape(values, size).map(|it| (it.width, it.height, it.channels));
        assert_eq!(of(784, None), Some((28, 28, 1)));
        assert_eq!(of(3072, None), Some((32, 32, 3)));
        assert_eq!(of(560, Some((20, 28))), Some((20, 28, 1)));
        assert_eq!(of(18, Some((3, 2))), Some((3, 2, 3)));
        // Another size is one to resize to.
        assert_eq!(of(784, Some((14, 14))), Some((28, 28, 1)));
        for wrong in [0, 2, 5, 785] {
            assert_eq!(of(wrong, None), None);
        }
    }

    #[test]
    fn the_order_of_colours_is_the_smoother_one() {
        let shape = ImageShape { width: 8, height: 8, channels: 3 };
        // The colours are far apart, or the same.
        for tints in [[0, 90, 170], [0, 0, 0]] {
            let value =
                |image: usize, y: usize, x: usize, c: usize| (7 * y + 3 * x + 5 * image + tints[c]) as u8;
            let places = |i: usize| (i / 8 % 8, i % 8, i / 64 % 3);
            let planes: Vec<u8> = (0..4 * 192)
                .map(|i| {
                    let (y, x, c) = places(i);
                    value(i / 192, y, x, c)
                })
                .collect();
            let mixed = super::super::arrays::interleaved(&planes, 3, 64);
            let mixed_from_planes: Vec<u8> =
                (0..4 * 192).map(|i| value(i / 192, i / 24 % 8, i / 3 % 8, i % 3)).collect();
            assert_eq!(mixed, mixed_from_planes);
            assert!(in_planes(&planes, shape) && !in_planes(&mixed, shape), "{tints:?}");
        }
        assert!(!in_planes(&[5; 192], shape));
    }

    #[test]
    fn classes_are_numbers_or_those_there_are() {
        let (mut train, mut test) = (vec![2, 0], vec![4]);
        assert_eq!(classes(&mut [&mut train, &mut test]), ["0", "1", "2", "3", "4"]);
        let (mut train, mut test) = (vec![90_000, 7], vec![16_000_000]);
        assert_eq!(classes(&mut [&mut train, &mut test]), ["7", "90000", "16000000"]);
        assert_eq!((train, test), (vec![1, 0], vec![2]));
    }
}
