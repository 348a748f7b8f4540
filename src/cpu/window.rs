//! The positions of a window that slides over feature maps, as the matrix of the elements it sees.

use super::Real;
use super::call::Call;
use super::real::{vectorised, vectorised_by};
use std::ops::Range;

/// How feature maps lie in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    /// Height and width.
    pub(super) size: [usize; 2],
    /// Elements from one pixel to the next.
    pub(super) pixel: usize,
    /// Elements from one item to the next.
    pub(super) item: usize,
}

impl Maps {
    fn new(size: [usize; 2], pixel: usize) -> Self {
        Self { size, pixel, item: (size[0] * size[1] * pixel).next_multiple_of(4) }
    }

    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The first element of pixel number `row` of all items.
    pub(super) fn start(&self, row: usize) -> usize {
        row / self.pixels() * self.item + row % self.pixels() * self.pixel
    }

    /// Whether the pixels of all items follow each other without gaps.
    pub(super) fn uniform(&self) -> bool {
        self.item == self.pixels() * self.pixel
    }

    /// The pixels of `items` in runs of at most `limit`, each without gaps.
    pub(super) fn runs(&self, items: Range<usize>, limit: usize) -> Vec<Range<usize>> {
        let pixels = self.pixels();
        let whole = if self.uniform() { items.len() } else { 1 };
        let mut runs = Vec::new();
        for first in items.clone().step_by(whole.max(1)) {
            let (start, end) = (first * pixels, items.end.min(first + whole) * pixels);
            // Equal parts: a short one at the end would waste the preparation of the weights.
            let each = (end - start).div_ceil((end - start).div_ceil(limit.max(1)));
            runs.extend((start..end).step_by(each).map(|from| from..end.min(from + each)));
        }
        runs
    }
}

/// Large and small maps, and the window between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    pub(super) large: Maps,
    pub(super) small: Maps,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Positions {
    pub(super) fn of<T: Real>(call: &Call<'_, T>) -> Self {
        let pair = |first, second| [call.count(first), call.count(second)];
        Self {
            large: Maps::new(pair("LARGE_HEIGHT", "LARGE_WIDTH"), call.count("LARGE_PIXEL")),
            small: Maps::new(pair("SMALL_HEIGHT", "SMALL_WIDTH"), call.pixel("SMALL_PIXEL")),
            kernel: pair("KERNEL_HEIGHT", "KERNEL_WIDTH"),
            stride: pair("STRIDE_Y", "STRIDE_X"),
            padding: pair("PADDING_TOP", "PADDING_LEFT"),
        }
    }

    /// Pixels of the window.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Elements of the window: columns of the matrix.
    pub(super) fn window(&self) -> usize {
        self.taps() * self.large.pixel
    }

    /// Elements of a row of weights.
    pub(super) fn weight_stride(&self) -> usize {
        self.window().next_multiple_of(4)
    }

    /// Where the large maps themselves are the matrix, elements from one of its rows to the next: the window has one
    /// position, or one pixel.
    pub(super) fn plain_rows(&self) -> Option<usize> {
        let one_position = self.small.size == [1, 1] && self.kernel == self.large.size;
        let one_pixel = self.taps() == 1 && self.stride == [1, 1] && self.small.size == self.large.size;
        if self.padding != [0, 0] || !self.small.uniform() {
            None
        } else if one_position {
            Some(self.large.item)
        } else {
            (one_pixel && self.large.uniform()).then_some(self.large.pixel)
        }
    }

    /// Rows of `taps` in the window, each as a row and the columns from and to.
    fn segments(&self, taps: &Range<usize>) -> Vec<[usize; 3]> {
        let width = self.kernel[1];
        let rows = taps.start / width..taps.end.div_ceil(width);
        let ends = |row: usize| {
            let within = |tap: usize| tap.clamp(row * width, (row + 1) * width) - row * width;
            [row, within(taps.start), within(taps.end)]
        };
        rows.map(ends).collect()
    }

    /// Call `work` for each row of the matrix and each row of `taps` in the window: with the range of
    /// elements in the matrix, the numbers of its first and last elements that are outside the maps, and the place in the item
    /// of the first element inside.
    #[inline(always)]
    fn each(
        &self,
        rows: Range<usize>,
        taps: &Range<usize>,
        mut work: impl FnMut(usize, Range<usize>, [usize; 2], usize),
    ) {
        let (segments, pixel) = (self.segments(taps), self.large.pixel);
        let [height, width] = self.large.size.map(|size| size as isize);
        let mut at = 0;
        for row in rows {
            let (item, place) = (row / self.small.pixels(), row % self.small.pixels());
            let (y, x) = (place / self.small.size[1], place % self.small.size[1]);
            let top = (y * self.stride[0]) as isize - self.padding[0] as isize;
            let left = (x * self.stride[1]) as isize - self.padding[1] as isize;
            for &[ky, from, to] in &segments {
                let (y, length) = (top + ky as isize, (to - from) * pixel);
                let (start, end) = (left + from as isize, left + to as isize);
                let (first, last) = (start.clamp(0, width), end.clamp(0, width));
                let range = at..at + length;
                at += length;
                if y < 0 || y >= height || first >= last {
                    work(item, range, [length, 0], 0);
                } else {
                    let outside = [(first - start) as usize * pixel, (end - last) as usize * pixel];
                    work(item, range, outside, (y * width + first) as usize * pixel);
                }
            }
        }
    }

    /// Gather `rows` of the matrix from the large maps, the columns of `taps` alone.
    pub(super) fn gather<T: Real>(
        &self,
        large: &[T],
        rows: Range<usize>,
        taps: Range<usize>,
        matrix: &mut [T],
    ) {
        vectorised(|| {
            self.each(rows, &taps, |item, range, [before, after], start| {
                let values = &mut matrix[range];
                let length = values.len() - before - after;
                values[..before].fill(T::zero());
                let from = item * self.large.item + start;
                values[before..before + length].copy_from_slice(&large[from..from + length]);
                values[before + length..].fill(T::zero());
            });
        });
    }

    /// Add `rows` of the matrix to the large maps of the items from `first` on.
    pub(super) fn scatter<T: Real>(&self, matrix: &[T], rows: Range<usize>, first: usize, large: &mut [T]) {
        vectorised_by(Scatter { positions: self, matrix, rows, first, large });
    }
}

struct Scatter<'a, T> {
    positions: &'a Positions,
    matrix: &'a [T],
    rows: Range<usize>,
    first: usize,
    large: &'a mut [T],
}

impl<T: Real> pulp::WithSimd for Scatter<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { positions, matrix, rows, first, large } = self;
        positions.each(rows, &(0..positions.taps()), |item, range, [before, after], start| {
            let values = &matrix[range.start + before..range.end - after];
            let to = (item - first) * positions.large.item + start;
            for (to, &value) in large[to..to + values.len()].iter_mut().zip(values) {
                *to += value;
            }
        });
    }
}
