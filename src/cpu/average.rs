//! Twin of `shaders/average.wgsl`.

use super::Real;
use super::call::{Call, GRAIN, by_rows};

pub(super) fn average_parameters<T: Real>(call: &mut Call<'_, T>) {
    let (length, rate, parameters) = (4 * call.count("LENGTH"), call.number("RATE"), call.read("parameters"));
    by_rows(&mut call.write("averages")[..length], GRAIN, |chunk, averages| {
        for (average, &parameter) in averages.iter_mut().zip(&parameters[chunk * GRAIN..]) {
            *average += rate * (parameter - *average);
        }
    });
}
