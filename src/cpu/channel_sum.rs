//! Twin of `shaders/channel_sum.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use crate::kernels::kernel;

pub(super) fn channel_sum<T: Real>(call: &mut Call<'_, T>) {
    let (columns, parts, pixels) = (4 * call.count("COLUMNS"), call.count("PARTS"), call.count("PIXELS"));
    let (pixel, item, maps) = (call.count("PIXEL"), call.count("ITEM"), call.read("maps"));
    let part = kernel("channel_sum").constant("PART") as usize;
    by_rows(call.write("sums"), columns, |row, sums| {
        sums.fill(T::zero());
        let (first, item) = (row % parts * part, &maps[row / parts * item..][..pixels * pixel]);
        for values in item.chunks(pixel).skip(first).take(part) {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
        }
    });
}
