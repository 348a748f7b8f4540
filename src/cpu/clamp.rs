//! Twins of `shaders/clamp.wgsl`.

use super::Real;
use super::call::{Call, GRAIN, by_rows, put};

pub(super) fn clamp_values<T: Real>(call: &mut Call<'_, T>) {
    let (length, section) = (4 * call.count("LENGTH"), 4 * call.count("SECTION"));
    let (width, low, high) = (call.count("WIDTH"), call.number("LOW"), call.number("HIGH"));
    let input = call.read("input");
    by_rows(&mut call.write("output")[..length], section, |row, output| {
        for (output, &input) in output.iter_mut().zip(&input[row * section..]) {
            *output = input.max(low).min(high);
        }
        output[width..].fill(T::zero());
    });
}

pub(super) fn clamp_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (length, add) = (4 * call.count("LENGTH"), call.flag("ACCUMULATE"));
    let (low, high) = (call.number("LOW"), call.number("HIGH"));
    let (input, saved) = (call.read("input"), call.read("saved"));
    by_rows(&mut call.write("output")[..length], GRAIN, |chunk, output| {
        let values = input[chunk * GRAIN..].iter().zip(&saved[chunk * GRAIN..]);
        for (output, (&input, &saved)) in output.iter_mut().zip(values) {
            put(output, if saved >= low && saved <= high { input } else { T::zero() }, add);
        }
    });
}
