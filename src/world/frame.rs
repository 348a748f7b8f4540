//! The picture that models see: gymnasium's frame without its bar, 64 by 64 pixels.

use std::sync::LazyLock;

/// Height, width and channels of gymnasium's frame.
pub const RAW: [usize; 3] = [96, 96, 3];
/// Bytes of it.
pub const RAW_BYTES: usize = RAW[0] * RAW[1] * RAW[2];
/// Height, width and channels of the picture that models see.
pub const FRAME: [usize; 3] = [64, 64, 3];
/// Bytes of it.
pub const FRAME_BYTES: usize = FRAME[0] * FRAME[1] * FRAME[2];
/// Rows of the frame that are kept: those below show the bar with speed and steering.
const KEPT_ROWS: usize = 84;
/// Bits after the point in the weights.
const BITS: u32 = 22;

/// The pixels that one resized pixel averages: the first of them, and the weight of each, times 2^22.
type Taps = (usize, Vec<i32>);

static ROWS: LazyLock<Vec<Taps>> = LazyLock::new(|| taps(KEPT_ROWS, FRAME[0]));
static COLUMNS: LazyLock<Vec<Taps>> = LazyLock::new(|| taps(RAW[1], FRAME[1]));

/// The weights of a triangle filter as wide as the shrinkage, from `from` pixels to `to`.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let of = |pixel: usize| {
        let centre = (pixel as f64 + 0.5) * scale;
        let first = (centre - scale + 0.5).max(0.0) as usize;
        let end = ((centre + scale + 0.5) as usize).min(from);
        let weight = |tap: usize| (1.0 - ((tap as f64 + 0.5 - centre) / scale).abs()).max(0.0);
        let total: f64 = (first..end).map(weight).sum();
        let fixed = |tap| (weight(tap) / total * f64::from(1 << BITS) + 0.5) as i32;
        (first, (first..end).map(fixed).collect())
    };
    (0..to).map(of).collect()
}

/// A weighted sum of bytes, rounded to a byte.
fn average(weights: &[i32], values: impl Iterator<Item = u8>) -> u8 {
    let sum: i32 = weights.iter().zip(values).map(|(weight, value)| weight * i32::from(value)).sum();
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

/// The upper 84 rows of `raw`, `[96, 96, 3]`, resized to `[64, 64, 3]`: the numbers of Pillow's `BILINEAR`, which weighs all
/// pixels within 1.5 columns or 1.3125 rows by their distance, in fixed-point numbers, first along rows.
///
/// # Panics
/// If `raw` has another size.
pub fn resize(raw: &[u8]) -> Vec<u8> {
    assert_eq!(raw.len(), RAW_BYTES, "a frame of another size");
    let [height, width, channels] = FRAME;
    let mut narrow = vec![0; KEPT_ROWS * width * channels];
    for (row, narrow) in raw.chunks(RAW[1] * channels).zip(narrow.chunks_mut(width * channels)) {
        for (pixel, (first, weights)) in narrow.chunks_mut(channels).zip(COLUMNS.iter()) {
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value =
                    average(weights, row[first * channels + channel..].iter().step_by(channels).copied());
            }
        }
    }
    let mut frame = vec![0; height * width * channels];
    for (row, (first, weights)) in frame.chunks_mut(width * channels).zip(ROWS.iter()) {
        for (column, value) in row.iter_mut().enumerate() {
            let values = narrow[first * width * channels + column..].iter().step_by(width * channels);
            *value = average(weights, values.copied());
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// y, x, c = np.mgrid[0:96, 0:96, 0:3]
    /// raw = (x*x*7 + y*13*(c+1) + x*y*3 + (x//5 + y//7) % 2 * 97 + c*31) % 256
    /// frame = np.asarray(Image.fromarray(raw.astype(np.uint8)[:84]).resize((64, 64), Image.BILINEAR))  # Pillow 13.0.0
    /// ```
    #[test]
    fn pictures_are_resized_as_by_pillow() {
        let mut raw = Vec::new();
        for (y, x, c) in (0..96).flat_map(|y| (0..96).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
            raw.push(
                ((x * x * 7 + y * 13 * (c + 1) + x * y * 3 + (x / 5 + y / 7) % 2 * 97 + c * 31) % 256) as u8,
            );
        }
        let frame = resize(&raw);
        assert_eq!(frame[..12], [7, 42, 77, 30, 65, 100, 82, 116, 151, 65, 100, 134]);
        let row = &frame[40 * 64 * 3..41 * 64 * 3];
        assert_eq!(row[60 * 3..], [105, 103, 119, 125, 134, 98, 90, 145, 177, 104, 108, 120]);
        assert_eq!(frame.iter().map(|value| u64::from(*value)).sum::<u64>(), 1_578_804);
        // Every byte in its place.
        let weighed = frame.iter().enumerate().map(|(i, value)| (i as u64 % 251 + 1) * u64::from(*value));
        assert_eq!(weighed.sum::<u64>(), 198_334_676);
    }

    #[test]
    fn flat_pictures_stay_flat() {
        assert!(resize(&[201; RAW_BYTES]).iter().all(|value| *value == 201));
    }
}
