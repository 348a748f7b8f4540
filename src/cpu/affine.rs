//! The twin of `shaders/affine.wgsl`.

use super::Real;
use super::call::{Call, by_rows};

pub(super) fn affine<T: Real>(call: &mut Call<'_, T>) {
    let (columns, section) = (4 * call.count("COLUMNS"), 4 * call.count("SECTION"));
    let (width, scale, shift) = (call.count("WIDTH"), call.number("SCALE"), call.number("SHIFT"));
    let x = call.read("x");
    by_rows(call.write("y"), columns, |row, y| {
        let x = &x[row * columns..][..columns];
        for (y, x) in y.chunks_mut(section).zip(x.chunks(section)) {
            for (y, &x) in y[..width].iter_mut().zip(x) {
                *y = scale * x + shift;
            }
            y[width..].fill(T::zero());
        }
    });
}
