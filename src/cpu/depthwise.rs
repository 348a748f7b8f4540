//! Twins of `shaders/depthwise.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, put};
use super::real::vectorised_by;
use super::scratch::with_scratch;
use crate::kernels::kernel;
use rayon::prelude::*;
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
}

/// Call the method with pieces of 16 channels, then of 4; where `$wide`, of 32 first.
macro_rules! by_channels {
    ($channels:expr, $wide:expr, $own:ident.$work:ident($($argument:expr),*)) => {{
        let mut channel = 0;
        while $wide && channel + 32 <= $channels {
            $own.$work::<32>($($argument,)* channel);
            channel += 32;
        }
        while channel + 16 <= $channels {
            $own.$work::<16>($($argument,)* channel);
            channel += 16;
        }
        while channel < $channels {
            $own.$work::<4>($($argument,)* channel);
            channel += 4;
        }
    }};
}

/// sum += a * b for L channels.
#[inline(always)]
fn multiply_add<T: Real, const L: usize>(sum: &mut [T; L], a: &[T; L], b: &[T]) {
    let b = &b[..L];
    for c in 0..L {
        sum[c] += a[c] * b[c];
    }
}

/// A stride of the window over an item that has zeros around it, so that no position is a special case.
struct Padded<'a, T> {
    values: &'a [T],
    /// Pixels in a line.
    width: usize,
    stride: [usize; 2],
    kernel: [usize; 2],
    /// Elements of a pixel.
    pixel: usize,
}

impl<T: Real> Padded<'_, T> {
    /// `output[y, x] = sum of weight[ky, kx] * values[y * stride + ky, x * stride + kx]`, or added, for L channels.
    #[inline(always)]
    fn correlate<const L: usize>(
        &self,
        weight: &[T],
        output: &mut [T],
        (columns, add): (usize, bool),
        channel: usize,
    ) {
        for (y, line) in output.chunks_mut(columns * self.pixel).enumerate() {
            let mut x = 0;
            while x + 8 <= columns {
                self.pixels::<L, 8>(weight, line, [y, x, channel], add);
                x += 8;
            }
            while x + 4 <= columns {
                self.pixels::<L, 4>(weight, line, [y, x, channel], add);
                x += 4;
            }
            while x < columns {
                self.pixels::<L, 1>(weight, line, [y, x, channel], add);
                x += 1;
            }
        }
    }

    /// P pixels of a line, which share each weight.
    #[inline(always)]
    fn pixels<const L: usize, const P: usize>(
        &self,
        weight: &[T],
        line: &mut [T],
        [y, x, channel]: [usize; 3],
        add: bool,
    ) {
        let mut sums = [[T::zero(); L]; P];
        for ky in 0..self.kernel[0] {
            let from = (y * self.stride[0] + ky) * self.width + x * self.stride[1];
            for kx in 0..self.kernel[1] {
                let mut own = [T::zero(); L];
                own.copy_from_slice(&weight[(ky * self.kernel[1] + kx) * self.pixel + channel..][..L]);
                let values = &self.values[(from + kx) * self.pixel + channel..];
                for (p, sum) in sums.iter_mut().enumerate() {
                    multiply_add(sum, &own, &values[p * self.stride[1] * self.pixel..]);
                }
            }
        }
        for (p, sum) in sums.into_iter().enumerate() {
            for (to, sum) in line[(x + p) * self.pixel + channel..][..L].iter_mut().zip(sum) {
                put(to, sum, add);
            }
        }
    }
}

struct Correlate<'a, 'b, T> {
    padded: &'b Padded<'a, T>,
    weight: &'b [T],
    output: &'b mut [T],
    how: (usize, bool),
}

impl<T: Real> pulp::WithSimd for Correlate<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { padded, weight, output, how } = self;
        by_channels!(padded.pixel, false, padded.correlate(weight, output, how));
    }
}

/// Each item of `from`, of `size` pixels, in maps of `padded` pixels full of zeros: its pixels `spacing` apart, the first at
/// `start`; what falls outside is left out. Then `window` over it, into the items of `output`.
fn slide<T: Real>(
    [from, weight]: [&[T]; 2],
    output: &mut [T],
    ([size, padded, spacing], start): ([[usize; 2]; 3], [isize; 2]),
    ([kernel, stride, positions], pixel): ([[usize; 2]; 3], usize),
    add: bool,
) {
    let (item, own) = (size[0] * size[1] * pixel, positions[0] * positions[1] * pixel);
    output.par_chunks_mut(own).enumerate().for_each(|(i, output)| {
        with_scratch(padded[0] * padded[1] * pixel, |values: &mut [T]| {
            values.fill(T::zero());
            let place = |axis: usize, at: usize| {
                let place = (at * spacing[axis]) as isize + start[axis];
                (place >= 0 && (place as usize) < padded[axis]).then_some(place as usize)
            };
            for (y, line) in from[i * item..][..item].chunks(size[1] * pixel).enumerate() {
                let Some(y) = place(0, y) else { continue };
                for (x, from) in line.chunks(pixel).enumerate() {
                    if let Some(x) = place(1, x) {
                        values[(y * padded[1] + x) * pixel..][..pixel].copy_from_slice(from);
                    }
                }
            }
            let window = Padded { values, width: padded[1], stride, kernel, pixel };
            vectorised_by(Correlate { padded: &window, weight, output, how: (positions[1], add) });
        });
    });
}

/// Height and width of the pixels that a window of `kernel` covers, moved by `stride` to each of `positions`.
fn covered(positions: [usize; 2], stride: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|axis| (positions[axis] - 1) * stride[axis] + kernel[axis])
}

pub(super) fn depthwise<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, large, weight) = (Sizes::of(call), call.read("large"), call.read("weight"));
    let [_, small_line, _] = sizes.lines();
    let small = &mut call.write("small")[..sizes.items * sizes.small[0] * small_line];
    let padded = covered(sizes.small, sizes.stride, sizes.kernel);
    let start = sizes.padding.map(|padding| padding as isize);
    let window = ([sizes.kernel, sizes.stride, sizes.small], sizes.pixel);
    slide([large, weight], small, ([sizes.large, padded, [1, 1]], start), window, false);
}

/// The same with strides and padding exchanged, and the window the other way round.
pub(super) fn depthwise_input<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, small, weight) = (Sizes::of(call), call.read("small_gradient"), call.read("weight"));
    let ([large_line, _, _], add) = (sizes.lines(), call.flag("ACCUMULATE"));
    let large = &mut call.write("large_gradient")[..sizes.items * sizes.large[0] * large_line];
    let flipped: Vec<T> = weight.chunks(sizes.pixel).rev().flatten().copied().collect();
    let padded = covered(sizes.large, [1, 1], sizes.kernel);
    let start = [0, 1].map(|axis| sizes.kernel[axis] as isize - 1 - sizes.padding[axis] as isize);
    let window = ([sizes.kernel, [1, 1], sizes.large], sizes.pixel);
    slide([small, &flipped], large, ([sizes.small, padded, sizes.stride], start), window, add);
}

/// A part of a line of small maps: the first element of its line, and the positions.
struct Part {
    small: usize,
    /// The line of the large maps under each line of the window.
    large: Vec<Option<usize>>,
    positions: Range<usize>,
}

/// What all parts of a block add to the gradient of the weights.
struct OfWeight<'a, T> {
    sizes: Sizes,
    maps: (&'a [T], &'a [T]),
    parts: &'a [Part],
    partial: &'a mut [T],
}

impl<T: Real> pulp::WithSimd for OfWeight<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) {
        // Five sums of 32 numbers fill ten registers of 16; narrower ones would not do.
        by_channels!(self.sizes.pixel, S::F32_LANES >= 16, self.channels());
    }
}

impl<T: Real> OfWeight<'_, T> {
    #[inline(always)]
    fn channels<const L: usize>(&mut self, channel: usize) {
        for ky in 0..self.sizes.kernel[0] {
            let mut kx = 0;
            while kx + 5 <= self.sizes.kernel[1] {
                self.weights::<L, 5>([ky, kx, channel]);
                kx += 5;
            }
            while kx + 3 <= self.sizes.kernel[1] {
                self.weights::<L, 3>([ky, kx, channel]);
                kx += 3;
            }
            while kx < self.sizes.kernel[1] {
                self.weights::<L, 1>([ky, kx, channel]);
                kx += 1;
            }
        }
    }

    /// K weights side by side, which share each pixel of the small maps.
    #[inline(always)]
    fn weights<const L: usize, const K: usize>(&mut self, [ky, kx, channel]: [usize; 3]) {
        let Self { sizes, maps: (small, large), parts, partial } = self;
        let (pixel, width) = (sizes.pixel, sizes.large[1]);
        let mut sums = [[T::zero(); L]; K];
        for part in parts.iter() {
            let Some(line) = part.large[ky] else { continue };
            for x in part.positions.clone() {
                let mut own = [T::zero(); L];
                own.copy_from_slice(&small[part.small + x * pixel + channel..][..L]);
                let (at, padding) = (x * sizes.stride[1] + kx, sizes.padding[1]);
                if at >= padding && at + K <= width + padding {
                    let large = &large[line + (at - padding) * pixel + channel..];
                    for (k, sum) in sums.iter_mut().enumerate() {
                        multiply_add(sum, &own, &large[k * pixel..]);
                    }
                } else {
                    for (k, sum) in sums.iter_mut().enumerate() {
                        if at + k >= padding && at + k < width + padding {
                            multiply_add(sum, &own, &large[line + (at + k - padding) * pixel + channel..]);
                        }
                    }
                }
            }
        }
        for (k, sum) in sums.into_iter().enumerate() {
            partial[(ky * sizes.kernel[1] + kx + k) * pixel + channel..][..L].copy_from_slice(&sum);
        }
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
        vectorised_by(OfWeight { sizes, maps: (small, large), parts: &parts, partial });
    });
}
