//! Twin of `shaders/dropout.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};
use super::random::{TOGETHER, words_of_many};

pub(super) fn drop_values<T: Real>(call: &mut Call<'_, T>) {
    let (length, add, scale) = (4 * call.count("LENGTH"), call.flag("ACCUMULATE"), call.number("SCALE"));
    let (threshold, stream) = (call.count("THRESHOLD") as u32, call.count("STREAM") as u32);
    let (step, input) = (call.step, call.read("input"));
    by_rows(&mut call.write("output")[..length], 4 * TOGETHER, |row, output| {
        let words = words_of_many(step, row * TOGETHER, stream);
        let input = &input[row * 4 * TOGETHER..];
        for (element, (output, &input)) in output.iter_mut().zip(input).enumerate() {
            let kept = words[element % 4][element / 4] >= threshold;
            put(output, if kept { scale * input } else { T::zero() }, add);
        }
    });
}
