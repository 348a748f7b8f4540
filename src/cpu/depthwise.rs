//! Twins of `shaders/depthwise.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, put};
use crate::kernels::kernel;
use std::ops::Range;

/// The maps and the window.
#[derive(Clone, Copy)]
struct Sizes {
    items: usize,
    /// Elements of a pixel.
    pixel: usize,
    large: [usize; 2],
    small: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Sizes {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        let pair = |down: &str, across: &str| [call.count(down), call.count(across)];
        Self {
            items: call.count("ITEMS"),
            pixel: 4 * call.count("COLUMNS"),
            large: pair("LARGE_HEIGHT", "LARGE_WIDTH"),
            small: pair("SMALL_HEIGHT", "SMALL_WIDTH"),
            kernel: pair("KERNEL_HEIGHT", "KERNEL_WIDTH"),
            stride: pair("STRIDE_Y", "STRIDE_X"),
            padding: pair("PADDING_TOP", "PADDING_LEFT"),
        }
    }

    /// Elements of a line of large maps, of small maps, and of weights.
    fn lines(self) -> [usize; 3] {
        [self.large[1], self.small[1], self.kernel[1]].map(|width| width * self.pixel)
    }

    /// Where element `kernel` of the window lies along `axis` (0 is down), with the window at `position`.
    #[inline(always)]
    fn large_at(self, axis: usize, position: usize, kernel: usize) -> Option<usize> {
        let at = (position * self.stride[axis] + kernel).checked_sub(self.padding[axis])?;
        (at < self.large[axis]).then_some(at)
    }

    /// The position whose window has its element `kernel` at `at` of the large maps.
    #[inline(always)]
    fn small_at(self, axis: usize, at: usize, kernel: usize) -> Option<usize> {
        let distance = (at + self.padding[axis]).checked_sub(kernel)?;
        let position = distance / self.stride[axis];
        (distance % self.stride[axis] == 0 && position < self.small[axis]).then_some(position)
    }

    /// The positions along a line where element `kernel` of the window lies inside the large maps.
    fn inside(self, kernel: usize) -> Range<usize> {
        let [stride, padding, large] = [self.stride[1], self.padding[1], self.large[1]];
        let begin = padding.saturating_sub(kernel).div_ceil(stride);
        let end = (large + padding).saturating_sub(kernel).div_ceil(stride);
        begin..end.min(self.small[1]).max(begin)
    }
}

/// Run `work::<L>(c)` for pieces of L channels, large ones first.
macro_rules! by_channels {
    ($channels:expr, $work:ident($($argument:expr),*)) => {{
        let mut channel = 0;
        while channel + 32 <= $channels {
            $work::<T, 32>($($argument,)* channel);
            channel += 32;
        }
        while channel + 16 <= $channels {
            $work::<T, 16>($($argument,)* channel);
            channel += 16;
        }
        while channel < $channels {
            $work::<T, 4>($($argument,)* channel);
            channel += 4;
        }
    }};
}

/// sum += a * b for L channels.
#[inline(always)]
fn multiply_add<T: Real, const L: usize>(sum: &mut [T; L], a: &[T], b: &[T]) {
    let (a, b) = (&a[..L], &b[..L]);
    for c in 0..L {
        sum[c] += a[c] * b[c];
    }
}

/// A line of small maps: `lines` are the lines of the large maps under those of the window, each with its weights.
#[inline(always)]
fn forward<T: Real, const L: usize>(sizes: Sizes, lines: &[(&[T], &[T])], small: &mut [T], channel: usize) {
    for (x, small) in small.chunks_mut(sizes.pixel).enumerate() {
        let mut sum = [T::zero(); L];
        for (large, weight) in lines {
            for kx in 0..sizes.kernel[1] {
                if let Some(at) = sizes.large_at(1, x, kx) {
                    let (large, weight) =
                        (&large[at * sizes.pixel + channel..], &weight[kx * sizes.pixel + channel..]);
                    multiply_add(&mut sum, large, weight);
                }
            }
        }
        small[channel..channel + L].copy_from_slice(&sum);
    }
}

pub(super) fn depthwise<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, large, weight) = (Sizes::of(call), call.read("large"), call.read("weight"));
    let [large_line, small_line, weight_line] = sizes.lines();
    let small = &mut call.write("small")[..sizes.items * sizes.small[0] * small_line];
    by_costly_rows(small, small_line, small_line * sizes.kernel[0] * sizes.kernel[1], |line, small| {
        let (item, y) = (line / sizes.small[0], line % sizes.small[0]);
        let under = |ky: usize| {
            let at = item * sizes.large[0] + sizes.large_at(0, y, ky)?;
            Some((&large[at * large_line..][..large_line], &weight[ky * weight_line..][..weight_line]))
        };
        let lines: Vec<_> = (0..sizes.kernel[0]).filter_map(under).collect();
        by_channels!(sizes.pixel, forward(sizes, &lines, small));
    });
}

/// A line of the gradient of large maps: `lines` are those of the small maps' gradient, each with its weights.
#[inline(always)]
fn backward<T: Real, const L: usize>(
    sizes: Sizes,
    lines: &[(&[T], &[T])],
    (large, add): (&mut [T], bool),
    channel: usize,
) {
    for (x, large) in large.chunks_mut(sizes.pixel).enumerate() {
        let mut sum = [T::zero(); L];
        for (small, weight) in lines {
            for kx in 0..sizes.kernel[1] {
                if let Some(at) = sizes.small_at(1, x, kx) {
                    let (small, weight) =
                        (&small[at * sizes.pixel + channel..], &weight[kx * sizes.pixel + channel..]);
                    multiply_add(&mut sum, small, weight);
                }
            }
        }
        for (large, sum) in large[channel..channel + L].iter_mut().zip(sum) {
            put(large, sum, add);
        }
    }
}

pub(super) fn depthwise_input<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, small, weight) = (Sizes::of(call), call.read("small_gradient"), call.read("weight"));
    let ([large_line, small_line, weight_line], add) = (sizes.lines(), call.flag("ACCUMULATE"));
    let large = &mut call.write("large_gradient")[..sizes.items * sizes.large[0] * large_line];
    by_costly_rows(large, large_line, large_line * sizes.kernel[0] * sizes.kernel[1], |line, large| {
        let (item, y) = (line / sizes.large[0], line % sizes.large[0]);
        let over = |ky: usize| {
            let at = item * sizes.small[0] + sizes.small_at(0, y, ky)?;
            Some((&small[at * small_line..][..small_line], &weight[ky * weight_line..][..weight_line]))
        };
        let lines: Vec<_> = (0..sizes.kernel[0]).filter_map(over).collect();
        by_channels!(sizes.pixel, backward(sizes, &lines, (&mut *large, add)));
    });
}

/// A part of a line of small maps: the lines of small and large maps' first elements, and the positions.
struct Part {
    small: usize,
    /// The line of the large maps under each line of the window.
    large: Vec<Option<usize>>,
    positions: Range<usize>,
}

/// What all parts of a block add to the gradient of the weights.
#[inline(always)]
fn of_weight<T: Real, const L: usize>(
    sizes: Sizes,
    (small, large): (&[T], &[T]),
    parts: &[Part],
    partial: &mut [T],
    channel: usize,
) {
    for (tap, partial) in partial.chunks_mut(sizes.pixel).enumerate() {
        let (ky, kx) = (tap / sizes.kernel[1], tap % sizes.kernel[1]);
        let inside = sizes.inside(kx);
        let mut sum = [T::zero(); L];
        for part in parts {
            let Some(line) = part.large[ky] else { continue };
            let range = part.positions.start.max(inside.start)..part.positions.end.min(inside.end);
            if range.is_empty() {
                continue;
            }
            let first = range.start * sizes.stride[1] + kx - sizes.padding[1];
            let small = &small[part.small + range.start * sizes.pixel + channel..];
            let large = &large[line + first * sizes.pixel + channel..];
            let large = large.chunks(sizes.stride[1] * sizes.pixel);
            for (small, large) in small.chunks(sizes.pixel).zip(large).take(range.len()) {
                multiply_add(&mut sum, small, large);
            }
        }
        partial[channel..channel + L].copy_from_slice(&sum);
    }
}

pub(super) fn depthwise_weight<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, small, large) = (Sizes::of(call), call.read("small_gradient"), call.read("large"));
    let [large_line, small_line, weight_line] = sizes.lines();
    let block = kernel("depthwise_weight").constant("BLOCK") as usize;
    let pixels = sizes.items * sizes.small[0] * sizes.small[1];
    let row = sizes.kernel[0] * weight_line;
    let partial = &mut call.write("partial")[..pixels.div_ceil(block) * row];
    by_costly_rows(partial, row, block * row, |k, partial| {
        let (mut pixel, end) = (k * block, pixels.min((k + 1) * block));
        let mut parts = Vec::new();
        while pixel < end {
            let (line, from) = (pixel / sizes.small[1], pixel % sizes.small[1]);
            let (item, y) = (line / sizes.small[0], line % sizes.small[0]);
            let under = |ky| Some((item * sizes.large[0] + sizes.large_at(0, y, ky)?) * large_line);
            let positions = from..sizes.small[1].min(from + end - pixel);
            pixel += positions.len();
            let large = (0..sizes.kernel[0]).map(under).collect();
            parts.push(Part { small: line * small_line, large, positions });
        }
        by_channels!(sizes.pixel, of_weight(sizes, (small, large), &parts, partial));
    });
}
