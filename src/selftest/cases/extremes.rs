//! Inputs at the ends: of what exponentials take, of the range of f32, and of a uniform draw.

use super::Content::{Activated, Given, GivenWords, Normal};
use super::likelihood::others;
use super::{Case, Content};
use crate::activation::Activation;
use crate::likelihood::{LikelihoodKind, LogVariance};
use crate::plan::{Grid, constants};

/// exp(88) is the last power of e in f32, exp(-88) has lost bits, exp(-104) is 0. Where tanh and sigmoid are 1 in f32 lies
/// below 15.5.
const EXTREMES: [f32; 13] =
    [0.0, 15.5, -15.5, 44.0, -44.0, 88.0, -88.0, 104.0, -104.0, 1e4, -1e4, 1e38, -1e38];
/// Black, grey and white.
const LEVELS: [f32; 3] = [0.0, 0.3, 1.0];

fn extreme(i: usize) -> f32 {
    EXTREMES[i % EXTREMES.len()]
}

fn level(i: usize) -> f32 {
    LEVELS[i % LEVELS.len()]
}

type Numbers = fn(usize) -> f32;

pub(super) fn all() -> Vec<Case> {
    [activations(), likelihoods(&others()), means(), normals()].concat()
}

fn activations() -> Vec<Case> {
    let mut cases = Vec::new();
    let (rows, columns) = (13, 1);
    let values = 4 * rows * columns;
    let grid = Grid::Elements(rows * columns);
    for kind in Activation::ALL {
        let sizes = constants! { ROWS: rows, COLUMNS: columns, ACTIVATION: kind.number() };
        let mut constants = sizes.clone();
        constants.extend(constants! { SECTION: columns, WIDTH: 4 * columns });
        let contents = [("input", Given(values, extreme)), ("output", Normal(values))];
        cases.push(Case::new("activate", constants).buffers(&contents).grid(grid).rows(rows));
        let saved = if kind.derivative_from_value() {
            Activated(values, kind, extreme)
        } else {
            Given(values, extreme)
        };
        let mut constants = sizes;
        constants.insert("ACCUMULATE", 0.0);
        let contents = [("input", Normal(values)), ("saved", saved), ("output", Normal(values))];
        cases.push(Case::new("activate_gradient", constants).buffers(&contents).grid(grid).rows(rows));
    }
    cases
}

/// Pixels with every output of the decoder and every grey level; with every pair of outputs where there are two.
struct Pixels {
    count: usize,
    decoded: Content<'static>,
    images: Content<'static>,
    /// In a minibatch, and vec4 in an image.
    sizes: [usize; 2],
}

const ONE: usize = 13 * 3;
const TWO: usize = 13 * 13 * 3;
/// Numbers in a section that holds [`TWO`].
const SECTION: usize = TWO.next_multiple_of(4);

/// An image a pixel, so that each value is compared.
fn images_of_one_pixel(sections: usize) -> Pixels {
    fn first(i: usize, number: f32) -> f32 {
        if i.is_multiple_of(4) { number } else { 0.0 }
    }
    let (count, decoded, images): (_, Numbers, Numbers) = if sections == 1 {
        (ONE, |i| first(i, extreme(i / 4)), |i| first(i, level(i / 4 / 13)))
    } else {
        let decoded: Numbers = |i| match i % 8 {
            0 => extreme(i / 8),
            4 => extreme(i / 8 / 13),
            _ => 0.0,
        };
        (TWO, decoded, |i| first(i, level(i / 4 / 169)))
    };
    let (decoded, images) = (Given(4 * sections * count, decoded), Given(4 * count, images));
    Pixels { count, decoded, images, sizes: [count, 1] }
}

/// All in one image, so that gradients are divided by 1.
fn one_image(sections: usize) -> Pixels {
    let (count, decoded, images): (_, Numbers, Numbers) = if sections == 1 {
        (ONE, |i| if i < ONE { extreme(i) } else { 0.0 }, |i| if i < ONE { level(i / 13) } else { 0.0 })
    } else {
        let decoded: Numbers = |i| match (i / SECTION, i % SECTION) {
            (_, TWO..) => 0.0,
            (0, pixel) => extreme(pixel),
            (_, pixel) => extreme(pixel / 13),
        };
        (TWO, decoded, |i| if i < TWO { level(i / 169) } else { 0.0 })
    };
    let columns = count.div_ceil(4);
    let (decoded, images) = (Given(4 * sections * columns, decoded), Given(4 * columns, images));
    Pixels { count, decoded, images, sizes: [1, columns] }
}

/// Those of the optimal deviation, which stand with [`super::optimal_variance`].
pub(super) fn optimal() -> Vec<Case> {
    likelihoods(&[LikelihoodKind::GaussianOptimal])
}

fn likelihoods(kinds: &[LikelihoodKind]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &kind in kinds {
        let (kernels, sections) = (kind.kernels(), kind.outputs().len());
        for (kernel, has_value, has_gradient) in [
            (kernels.value, true, false),
            (kernels.gradient, false, true),
            (kernels.with_gradient, true, true),
        ] {
            let pixels = if has_gradient { one_image(sections) } else { images_of_one_pixel(sections) };
            let [batch, columns] = pixels.sizes;
            let sums = batch * columns.div_ceil(4);
            let mut constants =
                constants! { BATCH: batch, SAMPLES: 1, COLUMNS: columns, WIDTH: pixels.count / batch };
            if !kind.takes_logits() {
                constants.insert("MEAN_ACTIVATION", f64::from(Activation::Identity.number()));
            }
            if kind.log_variance() == LogVariance::Fixed {
                constants.insert("LOG_VARIANCE", -0.7);
            }
            if kind.log_variance() == LogVariance::Scale {
                constants.insert("SCALE", 0.7);
            }
            let mut contents = vec![("decoded", pixels.decoded), ("images", pixels.images)];
            if has_value {
                contents.push(("value", Normal(sums)));
            }
            if has_gradient {
                contents.push(("decoded_gradient", Normal(4 * sections * batch * columns)));
            }
            if matches!(kind.log_variance(), LogVariance::Shared | LogVariance::Optimal) {
                contents.push(("log_variance", Normal(4)));
            }
            if kind.log_variance() == LogVariance::Shared && has_gradient {
                contents.push(("log_variance_terms", Normal(sums)));
            }
            let grid = Grid::Elements(sums);
            cases.push(Case::new(kernel, constants).buffers(&contents).grid(grid).rows(batch));
        }
    }
    cases
}

fn means() -> Vec<Case> {
    let rows = 13;
    vec![
        Case::new("continuous_bernoulli_mean", constants! { BATCH: rows, SAMPLES: 1, COLUMNS: 1, WIDTH: 4 })
            .buffers(&[("decoded", Given(4 * rows, extreme)), ("expected", Normal(4 * rows))])
            .grid(Grid::Elements(rows))
            .rows(rows),
    ]
}

/// Box and Muller's transform of the 32 smallest and the 32 largest uniform numbers, with eight angles each.
fn normals() -> Vec<Case> {
    let word = |i: usize| {
        let (row, place) = (i as u32 / 4, i % 4);
        match place {
            // Numbers are made of the upper 23 bits.
            0 | 1 if row % 64 < 32 => (row % 64) << 9,
            0 | 1 => u32::MAX - ((row % 64 - 32) << 9),
            _ => (row / 64) << 29 | row.wrapping_mul(0x9E37_79B9) >> 3,
        }
    };
    let count = 64 * 8;
    let contents = [("words", GivenWords(4 * count, word)), ("numbers", Normal(4 * count))];
    let mut case =
        Case::new("box_muller", constants! { COUNT: count }).buffers(&contents).grid(Grid::Elements(count));
    // WGSL leaves the logarithm of a number near 1 an error of 2^-21, of which the root is taken.
    case.tolerance = 1e-3;
    vec![case]
}
