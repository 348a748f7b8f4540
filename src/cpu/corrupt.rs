//! Twin of `shaders/corrupt.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use super::random::{normals, words};

pub(super) fn corrupt<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width, kind) = (call.count("COLUMNS"), call.count("WIDTH"), call.count("CORRUPTION"));
    let (step, stream, level) = (call.step, call.count("STREAM") as u32, call.step_number("NUMBER"));
    let images = call.read("images");
    let half = T::of(0.5) * level;
    by_rows(call.write("corrupted"), 4 * columns, |row, corrupted| {
        if row >= step.rows as usize {
            corrupted.fill(T::zero());
            return;
        }
        let image = &images[4 * row * columns..4 * (row + 1) * columns];
        for (i, (to, from)) in corrupted.chunks_exact_mut(4).zip(image.chunks_exact(4)).enumerate() {
            let words = words(step, row * columns + i, stream);
            let uniform = words.map(|word| T::of(f64::from(word >> 8) / f64::from(1 << 24)));
            let noise = if kind == 1 { normals(words) } else { [T::zero(); 4] };
            for lane in 0..4 {
                let (x, u) = (from[lane], uniform[lane]);
                to[lane] = match kind {
                    _ if 4 * i + lane >= width => T::zero(),
                    1 => x + level * noise[lane],
                    2 if u < half => T::zero(),
                    2 if u < level => T::one(),
                    0 if u < level => T::zero(),
                    _ => x,
                };
            }
        }
    });
}
