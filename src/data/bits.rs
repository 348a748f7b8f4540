//! Values that are black or white, 0 or 255, in one bit each.

use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The eight values in a byte of bits, the first value in the lowest byte.
const SPREAD: [u64; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= (byte as u64 >> bit & 1) * (0xff << (8 * bit));
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// Bytes, unpacked, from which on images that are kept as bits are sent to a device by minibatch, and are never there as a
/// whole.
pub(crate) const SENT: u64 = 256 << 20;

/// Bytes that are 0 or 255, kept as bits; a multiple of eight. Clones share their memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bits(Arc<Vec<u8>>);

impl Bits {
    /// Value number `i` is bit `i % 8` of byte `i / 8`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        8 * self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that hold the bits.
    pub fn packed(&self) -> &[u8] {
        &self.0
    }

    /// The same, to change them; copied before if they are shared.
    pub(super) fn packed_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.0)
    }

    /// The values in a range that begins and ends at multiples of eight, as bytes of 0 and 255.
    pub fn unpacked(&self, range: Range<usize>) -> Vec<u8> {
        let mut values = Vec::with_capacity(range.len());
        for &byte in &self.0[range.start / 8..range.end / 8] {
            values.extend_from_slice(&SPREAD[usize::from(byte)].to_le_bytes());
        }
        values
    }

    /// Append the same values to `words`, four a word.
    pub(crate) fn extend(&self, words: &mut Vec<u32>, range: Range<usize>) {
        let spread = |&byte: &u8| {
            let eight = SPREAD[usize::from(byte)];
            [eight as u32, (eight >> 32) as u32]
        };
        words.extend(self.0[range.start / 8..range.end / 8].iter().flat_map(spread));
    }

    /// How often each of `size` values is 255 in items of this many.
    pub fn counts(&self, size: usize) -> Vec<u64> {
        let width = (size / 8).max(1);
        let of_some = |items: &[u8]| {
            let mut counts = vec![0_u64; size];
            // Bytes that count up to 255 items.
            let mut lanes = vec![0_u64; width];
            for items in items.chunks(255 * width) {
                lanes.fill(0);
                for item in items.chunks_exact(width) {
                    for (lane, &byte) in lanes.iter_mut().zip(item) {
                        *lane += SPREAD[usize::from(byte)] & 0x0101_0101_0101_0101;
                    }
                }
                let found = lanes.iter().flat_map(|lane| lane.to_le_bytes());
                counts.iter_mut().zip(found).for_each(|(count, more)| *count += u64::from(more));
            }
            counts
        };
        self.0.par_chunks(4096 * width).map(of_some).reduce(
            || vec![0; size],
            |mut all, other| {
                all.iter_mut().zip(other).for_each(|(all, other)| *all += other);
                all
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_black_and_white_bytes() {
        let bits = Bits::new(vec![0b0000_0101, 0xff, 0x80]);
        assert_eq!((bits.len(), bits.is_empty()), (24, false));
        let bytes = bits.unpacked(0..24);
        assert_eq!(bytes[..8], [255, 0, 255, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[8..], [[255; 8], [0, 0, 0, 0, 0, 0, 0, 255]].concat());
        assert_eq!(bits.unpacked(8..16), [255; 8]);
        let mut words = vec![7];
        bits.extend(&mut words, 16..24);
        assert_eq!(words, [7, 0, 0xff00_0000]);
    }

    #[test]
    fn values_are_counted() {
        let items = 1000;
        let bits = Bits::new((0..2 * items).map(|i: usize| (i * 37 % 256) as u8).collect());
        let bytes = bits.unpacked(0..16 * items);
        let counted =
            |value: usize| bytes.iter().skip(value).step_by(16).filter(|byte| **byte == 255).count() as u64;
        assert_eq!(bits.counts(16), (0..16).map(counted).collect::<Vec<_>>());
        assert_eq!(Bits::default().counts(8), [0; 8]);
    }
}
