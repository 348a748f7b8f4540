//! Twins of `shaders/accumulate.wgsl`.

use super::Real;
use super::call::{Call, GRAIN, by_rows, put};

pub(super) fn accumulate<T: Real>(call: &mut Call<'_, T>) {
    let (length, add, part) = (call.count("LENGTH"), call.flag("ACCUMULATE"), call.read("part"));
    by_rows(&mut call.write("total")[..length], GRAIN, |chunk, total| {
        for (total, &part) in total.iter_mut().zip(&part[chunk * GRAIN..]) {
            put(total, part, add);
        }
    });
}

pub(super) fn seed<T: Real>(call: &mut Call<'_, T>) {
    let (length, add) = (call.count("LENGTH"), call.flag("ACCUMULATE"));
    let count = T::of((call.count("SAMPLES") * call.rows()) as f64);
    let weight = call.number("WEIGHT") * call.step_number("NUMBER") / count;
    call.write("total")[..length].iter_mut().for_each(|total| put(total, weight, add));
}

pub(super) fn update_state<T: Real>(call: &mut Call<'_, T>) {
    let (length, rate, part) = (call.count("LENGTH"), call.number("RATE"), call.read("part"));
    for (total, &part) in call.write("total")[..length].iter_mut().zip(part) {
        *total = if rate == T::one() { part } else { *total + rate * (part - *total) };
    }
}
