//! Twins of `shaders/pool.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, by_rows, put};

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
        }
    }

    /// The positions whose window holds pixel `at` along `axis`.
    fn over(self, axis: usize, at: usize) -> std::ops::Range<usize> {
        let begin = (at + 1).saturating_sub(self.kernel[axis]).div_ceil(self.stride[axis]);
        begin..self.small[axis].min(at / self.stride[axis] + 1)
    }
}

/// Item, row and column of a pixel of maps of this height and width.
fn coordinates(pixel: usize, [height, width]: [usize; 2]) -> [usize; 3] {
    [pixel / (height * width), pixel / width % height, pixel % width]
}

/// For each pixel of maps of size `to`, `scale` times the sum over pixels of `input` that `from` gives.
fn sums<T: Real, I: Iterator<Item = usize>>(
    (input, pixel): (&[T], usize),
    (output, cost): (&mut [T], usize),
    (scale, add): (T, bool),
    from: impl Fn(usize) -> I + Sync + Send,
) {
    by_costly_rows(output, pixel, pixel * cost, |at, output| {
        let mut before = [T::zero(); 4];
        for (start, output) in output.chunks_mut(4).enumerate() {
            before.copy_from_slice(output);
            output.fill(T::zero());
            for place in from(at) {
                for (sum, &value) in output.iter_mut().zip(&input[place * pixel + 4 * start..]) {
                    *sum += value;
                }
            }
            for (sum, before) in output.iter_mut().zip(before) {
                *sum = if add { before + scale * *sum } else { scale * *sum };
            }
        }
    });
}

pub(super) fn window_sum<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, how) = (Sizes::of(call), (call.number("SCALE"), call.flag("ACCUMULATE")));
    let ([height, width], large) = (sizes.large, call.read("large"));
    let small =
        &mut call.write("small_output")[..sizes.items * sizes.small[0] * sizes.small[1] * sizes.pixel];
    sums((large, sizes.pixel), (small, sizes.kernel[0] * sizes.kernel[1]), how, |at| {
        let [item, y, x] = coordinates(at, sizes.small);
        let first = (item * height + y * sizes.stride[0]) * width + x * sizes.stride[1];
        (0..sizes.kernel[0]).flat_map(move |ky| (0..sizes.kernel[1]).map(move |kx| first + ky * width + kx))
    });
}

pub(super) fn window_spread<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, how) = (Sizes::of(call), (call.number("SCALE"), call.flag("ACCUMULATE")));
    let ([height, width], small) = (sizes.small, call.read("small"));
    let large =
        &mut call.write("large_output")[..sizes.items * sizes.large[0] * sizes.large[1] * sizes.pixel];
    let cost = (sizes.kernel[0] * sizes.kernel[1]).div_ceil(sizes.stride[0] * sizes.stride[1]);
    sums((small, sizes.pixel), (large, cost), how, |at| {
        let [item, y, x] = coordinates(at, sizes.large);
        let across = sizes.over(1, x);
        sizes.over(0, y).flat_map(move |sy| across.clone().map(move |sx| (item * height + sy) * width + sx))
    });
}

/// Sizes of `space_to_depth`: height and width of the small maps, the factor, and channels of the large maps.
fn deep<T: Real>(call: &Call<'_, T>) -> [usize; 5] {
    ["ITEMS", "SMALL_HEIGHT", "SMALL_WIDTH", "FACTOR", "CHANNELS"].map(|name| call.count(name))
}

pub(super) fn space_to_depth<T: Real>(call: &mut Call<'_, T>) {
    let [items, height, width, factor, channels] = deep(call);
    let (input, add) = (call.read("input"), call.flag("ACCUMULATE"));
    let (pixel, row) = (channels.next_multiple_of(4), (channels * factor * factor).next_multiple_of(4));
    by_rows(&mut call.write("output")[..items * height * width * row], row, |at, output| {
        for (channel, output) in output.iter_mut().enumerate() {
            let (y, x) =
                (at / width * factor + channel / factor % factor, at % width * factor + channel % factor);
            let from = channel / (factor * factor);
            let value =
                if from < channels { input[(y * width * factor + x) * pixel + from] } else { T::zero() };
            put(output, value, add);
        }
    });
}

pub(super) fn depth_to_space<T: Real>(call: &mut Call<'_, T>) {
    let [items, height, width, factor, channels] = deep(call);
    let (input, add) = (call.read("input"), call.flag("ACCUMULATE"));
    let (row, pixel) = (channels.next_multiple_of(4), (channels * factor * factor).next_multiple_of(4));
    let length = items * height * width * factor * factor * row;
    by_rows(&mut call.write("output")[..length], row, |at, output| {
        let (y, x) = (at / (width * factor), at % (width * factor));
        let start = (y / factor * width + x / factor) * pixel;
        for (channel, output) in output.iter_mut().enumerate() {
            let deep = (channel * factor + y % factor) * factor + x % factor;
            let value = if channel < channels { input[start + deep] } else { T::zero() };
            put(output, value, add);
        }
    });
}
