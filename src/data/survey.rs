//! What the values of a dataset show before anything is trained on them.

use super::{Dataset, Part};
use rayon::prelude::*;
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

/// A range of values below this one uses a small part of 0 to 255.
const NARROW: u8 = 64;
/// Pixels whose standard deviation is below this hardly differ.
const FLAT: f64 = 1.0;

/// The values of one channel of all training images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// The least value.
    pub least: u8,
    /// The largest value.
    pub most: u8,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

/// What the images of a dataset have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The training images' values, channel by channel.
    pub channels: Vec<Channel>,
    /// How many training images there are.
    pub images: usize,
    /// How many held-out images there are.
    pub held_out: usize,
    /// Training images that are equal to an earlier one.
    pub repeated: usize,
    /// Held-out images that are equal to a training image.
    pub shared: usize,
    /// Whether copies are no mistake.
    pub copies: bool,
}

impl Survey {
    /// Look at all images of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        let digests = |part: &Part| -> Vec<u128> {
            (0..part.count).into_par_iter().map(|index| xxh3_128(&part.kept(index))).collect()
        };
        let (train, test) = (digests(&dataset.train), digests(&dataset.test));
        let known: HashSet<&u128> = train.iter().collect();
        Self {
            channels: channels(&dataset.train, dataset.shape.channels),
            images: train.len(),
            held_out: test.len(),
            copies: dataset.found.copies,
            repeated: train.len() - known.len(),
            shared: test.iter().filter(|digest| known.contains(digest)).count(),
        }
    }

    /// What is likely to be a mistake, a sentence each, with its remedy.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let range = self.channels.iter().fold(None, |range: Option<(u8, u8)>, channel| {
            let (least, most) = range.unwrap_or((channel.least, channel.most));
            Some((least.min(channel.least), most.max(channel.most)))
        });
        let Some((least, most)) = range else { return warnings };
        let same = self.repeated + 1 == self.images && self.images > 1;
        if least == most {
            warnings.push(format!(
                "every pixel of every image is {least}, so there is nothing to learn; look at the pictures, and at \
                 --background if parts of them are transparent"
            ));
            return warnings;
        }
        if same {
            let images = crate::text::thousands(self.images);
            warnings.push(format!("all {images} training images are equal, so there is nothing to learn"));
        } else if self.shared > 0 && !self.copies {
            let (shared, held_out) =
                (crate::text::thousands(self.shared), crate::text::thousands(self.held_out));
            warnings.push(format!(
                "{shared} of {held_out} held-out images are also training images, which makes held-out numbers look \
                 better than they are; remove the copies, or put them all into one part"
            ));
        }
        if self.channels.iter().all(|channel| channel.deviation < FLAT) {
            warnings.push(format!(
                "the pixels hardly differ: their standard deviation is {:.2} of 255; look at the pictures",
                self.channels.iter().map(|channel| channel.deviation).fold(0.0, f64::max)
            ));
        } else if most - least < NARROW {
            warnings.push(format!(
                "values run from {least} to {most}, a small part of 0 to 255; --stretch spreads them over all of it"
            ));
        }
        let names = ["red", "green", "blue"];
        for (channel, name) in self.channels.iter().zip(names).filter(|_| self.channels.len() == names.len())
        {
            if channel.least == channel.most {
                warnings.push(format!(
                    "{name} is {} in every pixel; look at how the pictures were saved, or use --color grey",
                    channel.least
                ));
            }
        }
        warnings
    }
}

/// The values of each of `count` channels of the images.
fn channels(part: &Part, count: usize) -> Vec<Channel> {
    if let Some(bits) = part.bits() {
        let size = part.image_size();
        let mut histograms = vec![[0_u64; 256]; count];
        for (place, white) in bits.counts(size).into_iter().enumerate() {
            histograms[place % count][255] += white;
            histograms[place % count][0] += part.count as u64 - white;
        }
        return histograms.iter().filter_map(channel).collect();
    }
    let histograms = part
        .pixels()
        .par_chunks(count * (1 << 16))
        .map(|pixels| {
            let mut histograms = vec![[0u64; 256]; count];
            for pixel in pixels.chunks_exact(count) {
                for (histogram, value) in histograms.iter_mut().zip(pixel) {
                    histogram[usize::from(*value)] += 1;
                }
            }
            histograms
        })
        .reduce(
            || vec![[0u64; 256]; count],
            |mut all, other| {
                for (all, other) in all.iter_mut().flatten().zip(other.iter().flatten()) {
                    *all += other;
                }
                all
            },
        );
    histograms.iter().filter_map(channel).collect()
}

/// The values that `histogram` counts; nothing where it is empty.
fn channel(histogram: &[u64; 256]) -> Option<Channel> {
    let present = || (0..=255u8).filter(|value| histogram[usize::from(*value)] > 0);
    let (least, most) = (present().next()?, present().next_back()?);
    let moment = |power: i32| -> f64 {
        let count: u64 = histogram.iter().sum();
        let sum: f64 = present().map(|v| histogram[usize::from(v)] as f64 * f64::from(v).powi(power)).sum();
        sum / count as f64
    };
    let mean = moment(1);
    Some(Channel { least, most, mean, deviation: (moment(2) - mean * mean).max(0.0).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    /// Images of one row of pixels.
    fn dataset(channels: usize, train: &[&[u8]], test: &[&[u8]]) -> Dataset {
        let shape = ImageShape { width: train[0].len() / channels, height: 1, channels };
        let part = |images: &[&[u8]]| Part::of_images(images.concat(), shape);
        Dataset::new("toy", shape, part(train), part(test))
    }

    #[track_caller]
    fn assert_warnings(dataset: &Dataset, expected: &[&str]) {
        let warnings = Survey::of(dataset).warnings();
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, part) in warnings.iter().zip(expected) {
            assert!(warning.contains(part), "{warning:?} without {part:?}");
        }
    }

    #[test]
    fn good_data_gives_no_warning() {
        let set = dataset(1, &[&[0, 255], &[10, 200]], &[&[0, 254]]);
        assert_warnings(&set, &[]);
        let survey = Survey::of(&set);
        let expected = Channel { least: 0, most: 255, mean: 116.25, deviation: survey.channels[0].deviation };
        assert_eq!(survey.channels, [expected]);
        let variance = (116.25f64.powi(2) + 138.75f64.powi(2) + 106.25f64.powi(2) + 83.75f64.powi(2)) / 4.0;
        assert!((expected.deviation - variance.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn data_without_content_is_noticed() {
        assert_warnings(&dataset(1, &[&[0, 0], &[0, 0]], &[&[0, 0]]), &["every pixel of every image is 0"]);
        assert_warnings(
            &dataset(1, &[&[0, 200], &[0, 200]], &[&[0, 200]]),
            &["all 2 training images are equal"],
        );
        assert_warnings(&dataset(1, &[&[7, 8], &[8, 8]], &[&[8, 7]]), &["the pixels hardly differ"]);
        assert_warnings(&dataset(1, &[&[0, 15], &[3, 9]], &[&[8, 7]]), &["values run from 0 to 15"]);
    }

    #[test]
    fn a_channel_of_one_value_is_noticed() {
        let set =
            dataset(3, &[&[0, 255, 9, 90, 255, 200], &[1, 255, 3, 4, 255, 5]], &[&[0, 255, 1, 2, 255, 4]]);
        assert_warnings(&set, &["green is 255 in every pixel"]);
    }

    #[test]
    fn copies_are_counted() {
        let (a, b, c): (&[u8], &[u8], &[u8]) = (&[0, 255], &[100, 3], &[5, 6]);
        let set = dataset(1, &[a, b, a], &[b, c, b]);
        let survey = Survey::of(&set);
        assert_eq!((survey.repeated, survey.shared), (1, 2));
        assert_warnings(&set, &["2 of 3 held-out images are also training images"]);
    }
}
