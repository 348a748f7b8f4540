//! Twins of `shaders/residual.wgsl`.

use super::Real;
use super::call::{Call, GRAIN, by_costly_rows, by_rows, put};

pub(super) fn add_scaled<T: Real>(call: &mut Call<'_, T>) {
    let (length, scale) = (4 * call.count("LENGTH"), call.number("SCALE"));
    let (x, other) = (call.read("x"), call.read("other"));
    by_rows(&mut call.write("y")[..length], GRAIN, |chunk, y| {
        for ((y, &x), &other) in y.iter_mut().zip(&x[chunk * GRAIN..]).zip(&other[chunk * GRAIN..]) {
            *y = x + scale * other;
        }
    });
}

pub(super) fn scaled<T: Real>(call: &mut Call<'_, T>) {
    let (length, scale, add) = (4 * call.count("LENGTH"), call.number("SCALE"), call.flag("ACCUMULATE"));
    let other = call.read("other");
    by_rows(&mut call.write("y")[..length], GRAIN, |chunk, y| {
        for (y, &other) in y.iter_mut().zip(&other[chunk * GRAIN..]) {
            put(y, scale * other, add);
        }
    });
}

pub(super) fn add_row<T: Real>(call: &mut Call<'_, T>) {
    let (length, columns) = (4 * call.count("LENGTH"), 4 * call.count("COLUMNS"));
    let (x, row) = (call.read("x"), call.read("row"));
    by_rows(&mut call.write("y")[..length], columns, |r, y| {
        for ((y, &x), &row) in y.iter_mut().zip(&x[r * columns..]).zip(row) {
            *y = x + row;
        }
    });
}

pub(super) fn multiply_row<T: Real>(call: &mut Call<'_, T>) {
    let (length, columns) = (4 * call.count("LENGTH"), 4 * call.count("COLUMNS"));
    let (x, row, add) = (call.read("x"), call.read("row"), call.flag("ACCUMULATE"));
    by_rows(&mut call.write("y")[..length], columns, |r, y| {
        for ((y, &x), &row) in y.iter_mut().zip(&x[r * columns..]).zip(row) {
            put(y, x * row, add);
        }
    });
}

pub(super) fn multiply_items<T: Real>(call: &mut Call<'_, T>) {
    let (length, columns) = (4 * call.count("LENGTH"), 4 * call.count("COLUMNS"));
    let (space, add) = (call.count("SPACE"), call.flag("ACCUMULATE"));
    let (x, gate) = (call.read("x"), call.read("gate"));
    by_rows(&mut call.write("y")[..length], columns, |r, y| {
        for ((y, &x), &gate) in y.iter_mut().zip(&x[r * columns..]).zip(&gate[r / space * columns..]) {
            put(y, x * gate, add);
        }
    });
}

pub(super) fn item_products<T: Real>(call: &mut Call<'_, T>) {
    let (length, columns) = (4 * call.count("LENGTH"), 4 * call.count("COLUMNS"));
    let (space, add) = (call.count("SPACE"), call.flag("ACCUMULATE"));
    let (x, other) = (call.read("x"), call.read("other"));
    let gradient = &mut call.write("gate_gradient")[..length / space];
    by_costly_rows(gradient, columns, space * columns, |item, gradient| {
        if !add {
            gradient.fill(T::zero());
        }
        for start in (0..space).map(|pixel| (item * space + pixel) * columns) {
            for ((sum, &x), &other) in gradient.iter_mut().zip(&x[start..]).zip(&other[start..]) {
                *sum += x * other;
            }
        }
    });
}
