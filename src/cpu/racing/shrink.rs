//! The rows of a picture that a frame shows, resized as the library PIL does with its bilinear filter: a triangle as wide as the
//! scale, in fixed-point numbers, along rows and then along columns, rounded to bytes after each.

use crate::scene::{FRAME, ROWS, WINDOW};
use std::sync::LazyLock;

/// Bits of the fraction of a weight.
const FRACTION: u32 = 22;

/// The weights of one place: of three from `first` on.
#[derive(Clone, Copy, Debug, Default)]
struct Taps {
    first: usize,
    weights: [u32; 3],
}

/// For each of 64 places of `from` values. The filter's centre is at (i + 1/2) s for a scale of s; in units of 1 / (128 s) the
/// weight of value j is `from` - |64 j + 32 - `from` (i + 1/2)|.
fn taps(from: usize) -> [Taps; FRAME] {
    let size = from as i64;
    std::array::from_fn(|i| {
        let weight = |j: i64| (2 * size - (128 * j + 64 - size * (2 * i as i64 + 1)).abs()).max(0);
        let first = (0..size).find(|&j| weight(j) > 0).unwrap_or(0).min(size - 3);
        let own: [i64; 3] = std::array::from_fn(|k| weight(first + k as i64));
        let sum: i64 = own.iter().sum();
        let weights = own.map(|weight| (((weight << FRACTION) + sum / 2) / sum) as u32);
        Taps { first: first as usize, weights }
    })
}

static COLUMNS: LazyLock<[Taps; FRAME]> = LazyLock::new(|| taps(WINDOW));
static LINES: LazyLock<[Taps; FRAME]> = LazyLock::new(|| taps(ROWS));

fn mix(weights: [u32; 3], values: [u32; 3]) -> u32 {
    let sum: u32 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
    (sum + (1 << (FRACTION - 1))) >> FRACTION
}

/// Memory for the resizing of one picture.
#[derive(Clone, Debug)]
pub(crate) struct Shrinker {
    /// The picture, a value a channel, row by row, of which `paint` fills the rows shown.
    pub(crate) picture: Vec<u8>,
    narrow: Vec<u8>,
}

impl Default for Shrinker {
    fn default() -> Self {
        Self { picture: vec![0; ROWS * WINDOW * 3], narrow: vec![0; ROWS * FRAME * 3] }
    }
}

impl Shrinker {
    /// Pixel number `index` of the picture.
    pub(crate) fn put(&mut self, index: usize, colour: u32) {
        let [_, red, green, blue] = colour.to_be_bytes();
        self.picture[3 * index..3 * index + 3].copy_from_slice(&[red, green, blue]);
    }

    /// Resize the picture; `row` is given each row of the frame: 64 pixels of three values.
    pub(crate) fn shrink(&mut self, mut row: impl FnMut(usize, &[u8; FRAME * 3])) {
        let (narrow, _) = self.narrow.as_chunks_mut::<{ FRAME * 3 }>();
        let (lines, _) = self.picture.as_chunks::<{ WINDOW * 3 }>();
        for (line, narrow) in lines.iter().zip(narrow.iter_mut()) {
            for (taps, pixel) in COLUMNS.iter().zip(narrow.as_chunks_mut::<3>().0) {
                let from: &[u8] = &line[3 * taps.first..3 * taps.first + 9];
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let values = [0, 3, 6].map(|step| u32::from(from[step + channel]));
                    *value = mix(taps.weights, values) as u8;
                }
            }
        }
        let mut line = [0; FRAME * 3];
        for (number, taps) in LINES.iter().enumerate() {
            let [above, middle, below] = [0, 1, 2].map(|step| &narrow[taps.first + step]);
            for (value, ((&a, &b), &c)) in line.iter_mut().zip(above.iter().zip(middle).zip(below)) {
                *value = mix(taps.weights, [a, b, c].map(u32::from)) as u8;
            }
            row(number, &line);
        }
    }
}
