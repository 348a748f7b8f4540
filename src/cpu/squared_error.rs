//! The twin of `shaders/squared_error.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use crate::kernels::kernel;

pub(super) fn squared_error<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples, rows) = (call.count("BATCH"), call.count("SAMPLES"), call.rows());
    let (columns, width, stride) = (4 * call.count("COLUMNS"), call.count("WIDTH"), 4 * call.count("ROW"));
    let (expected, images) = (call.read("expected"), call.read("images"));
    let chunk = 4 * kernel("squared_error").constant("CHUNK") as usize;
    let chunks = columns.div_ceil(chunk);
    let terms = &mut call.write("terms")[..samples * batch * chunks];
    by_rows(terms, chunks, |row, terms| {
        let image = row % batch;
        if image >= rows {
            terms.fill(T::zero());
            return;
        }
        let images = images[image * columns..][..width].chunks(chunk);
        let expected = expected[row * stride..][..width].chunks(chunk);
        for (term, (x, y)) in terms.iter_mut().zip(images.zip(expected)) {
            *term = x.iter().zip(y).map(|(&x, &y)| (x - y) * (x - y)).sum();
        }
    });
}
