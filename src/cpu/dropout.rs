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
        for (i, (output, input)) in output.chunks_mut(4).zip(input.chunks(4)).enumerate() {
            for (element, words) in words.iter().enumerate() {
                let kept = words[i] >= threshold;
                put(&mut output[element], if kept { scale * input[element] } else { T::zero() }, add);
            }
        }
    });
}
