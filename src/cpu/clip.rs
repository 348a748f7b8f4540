//! Twin of `shaders/clip.wgsl`.

use super::Real;
use super::call::{Call, GRAIN, by_rows};

pub(super) fn clip_gradients<T: Real>(call: &mut Call<'_, T>) {
    let (length, limit) = (4 * call.count("LENGTH"), call.number("LIMIT"));
    by_rows(&mut call.write("gradients")[..length], GRAIN, |_, gradients| {
        for gradient in gradients {
            *gradient = gradient.max(-limit).min(limit);
        }
    });
}
