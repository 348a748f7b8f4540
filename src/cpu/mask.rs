//! Twin of `shaders/mask.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

pub(super) fn apply_mask<T: Real>(call: &mut Call<'_, T>) {
    let (length, accumulate) = (4 * call.count("LENGTH"), call.flag("ACCUMULATE"));
    let (input, mask) = (call.read("input"), call.read("mask"));
    by_rows(&mut call.write("output")[..length], 4, |row, output| {
        for (i, output) in output.iter_mut().enumerate() {
            put(output, input[4 * row + i] * mask[4 * row + i], accumulate);
        }
    });
}
