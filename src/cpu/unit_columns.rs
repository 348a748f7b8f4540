//! Twins of `shaders/unit_columns.wgsl`.

use super::Real;
use super::call::Call;

/// The sum of `term` over the rows of each column.
fn of_columns<T: Real>(length: usize, columns: usize, term: impl Fn(usize) -> T) -> Vec<T> {
    let mut sums = vec![T::zero(); columns];
    for i in 0..length {
        sums[i % columns] += term(i);
    }
    sums
}

fn or_one<T: Real>(value: T) -> T {
    if value == T::zero() { T::one() } else { value }
}

pub(super) fn unit_columns<T: Real>(call: &mut Call<'_, T>) {
    let columns = 4 * call.count("COLUMNS");
    let length = call.count("ROWS") * columns;
    let weight = &mut call.write("weight")[..length];
    let squares = of_columns(length, columns, |i| weight[i] * weight[i]);
    for (i, weight) in weight.iter_mut().enumerate() {
        *weight /= or_one(squares[i % columns].sqrt());
    }
}

pub(super) fn project_columns<T: Real>(call: &mut Call<'_, T>) {
    let columns = 4 * call.count("COLUMNS");
    let length = call.count("ROWS") * columns;
    let (weight, gradient) = (call.read("saved"), &mut call.write("gradient")[..length]);
    let products = of_columns(length, columns, |i| gradient[i] * weight[i]);
    let squares = of_columns(length, columns, |i| weight[i] * weight[i]);
    for (i, gradient) in gradient.iter_mut().enumerate() {
        *gradient -= products[i % columns] / or_one(squares[i % columns]) * weight[i];
    }
}
