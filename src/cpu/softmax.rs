//! Twins of `shaders/softmax.wgsl`.

use super::Real;
use super::call::{Call, add_up, by_costly_rows, largest, put};

pub(super) fn softmax<T: Real>(call: &mut Call<'_, T>) {
    let (rows, stride, width) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.count("WIDTH"));
    let x = call.read("x");
    by_costly_rows(&mut call.write("y")[..rows * stride], stride, 8 * stride, |row, y| {
        let x = &x[row * stride..][..width];
        let (y, padding) = y.split_at_mut(width);
        let largest = largest(x);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - largest).exponential();
        }
        let scale = T::one() / add_up([&*y], |[y]| y);
        y.iter_mut().for_each(|y| *y *= scale);
        padding.fill(T::zero());
    });
}

pub(super) fn softmax_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (rows, stride, add) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.flag("ACCUMULATE"));
    let (dy, y) = (call.read("y_gradient"), call.read("saved"));
    by_costly_rows(&mut call.write("x_gradient")[..rows * stride], stride, 2 * stride, |row, dx| {
        let (dy, y) = (&dy[row * stride..][..stride], &y[row * stride..][..stride]);
        let sum = add_up([dy, y], |[dy, y]| dy * y);
        for ((dx, &dy), &y) in dx.iter_mut().zip(dy).zip(y) {
            put(dx, y * (dy - sum), add);
        }
    });
}
