//! Twins of `shaders/idle.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

pub(super) fn count_idle<T: Real>(call: &mut Call<'_, T>) {
    let (columns, rows, code) = (4 * call.count("COLUMNS"), call.rows(), call.read("code"));
    for (unit, idle) in call.write("idle")[..columns].iter_mut().enumerate() {
        let active = (0..rows).any(|row| code[row * columns + unit] > T::zero());
        *idle = if active { T::zero() } else { *idle + T::one() };
    }
}

pub(super) fn idle_only<T: Real>(call: &mut Call<'_, T>) {
    let (length, columns) = (4 * call.count("LENGTH"), 4 * call.count("COLUMNS"));
    let (input, idle) = (call.read("input"), call.read("idle_read"));
    let (after, accumulate) = (call.number("AFTER"), call.flag("ACCUMULATE"));
    by_rows(&mut call.write("output")[..length], columns, |row, output| {
        for (unit, output) in output.iter_mut().enumerate() {
            let value = if idle[unit] >= after { input[row * columns + unit] } else { T::zero() };
            put(output, value, accumulate);
        }
    });
}
