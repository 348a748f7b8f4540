//! Twins of `shaders/accumulate.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

pub(super) fn accumulate<T: Real>(call: &mut Call<'_, T>) {
    let (length, add, part) = (call.count("LENGTH"), call.flag("ACCUMULATE"), call.read("part"));
    let (section, width) = (call.count("SECTION"), call.count("WIDTH"));
    by_rows(&mut call.write("total")[..length], section, |row, total| {
        for (i, (total, &part)) in total.iter_mut().zip(&part[row * section..]).enumerate() {
            put(total, if i < width { part } else { T::zero() }, add);
        }
    });
}

pub(super) fn seed<T: Real>(call: &mut Call<'_, T>) {
    let (length, add) = (call.count("LENGTH"), call.flag("ACCUMULATE"));
    let count = T::of((call.count("SAMPLES") * call.rows()) as f64);
    let weight = call.number("WEIGHT") * call.step_number("NUMBER") / count;
    let (section, width) = (call.count("SECTION"), call.count("WIDTH"));
    for (i, total) in call.write("total")[..length].iter_mut().enumerate() {
        put(total, if i % section < width { weight } else { T::zero() }, add);
    }
}

pub(super) fn update_state<T: Real>(call: &mut Call<'_, T>) {
    let (length, rate, part) = (call.count("LENGTH"), call.number("RATE"), call.read("part"));
    let (section, width) = (call.count("SECTION"), call.count("WIDTH"));
    let inside = |&(i, _): &(usize, (&mut T, &T))| i % section < width;
    for (_, (total, &part)) in call.write("total")[..length].iter_mut().zip(part).enumerate().filter(inside) {
        *total = if rate == T::one() { part } else { *total + rate * (part - *total) };
    }
}
