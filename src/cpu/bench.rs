//! Twins of `shaders/bench.wgsl`.

use super::Real;
use super::call::{Call, by_rows};

pub(super) fn multiply_add<T: Real>(call: &mut Call<'_, T>) {
    let (length, links) = (call.count("LENGTH"), 8 * call.count("ITERATIONS"));
    let input = call.read("input");
    let (factor, offset) = (T::of(0.5) * input[0], input[1]);
    by_rows(&mut call.write("output")[..4 * length], 4, |i, output| {
        let start = T::of((i % 64) as f64);
        let mut chains = [start, start + T::one(), start + T::of(2.0)];
        for _ in 0..links {
            chains = chains.map(|x| x * factor + offset);
        }
        // All four components of a chain are equal.
        output.fill(chains[0] + chains[1] + chains[2]);
    });
}

pub(super) fn copy<T: Real>(call: &mut Call<'_, T>) {
    let length = 4 * call.count("LENGTH");
    let input = call.read("input");
    by_rows(&mut call.write("output")[..length], 4096.min(length), |i, output| {
        let start = i * 4096.min(length);
        output.copy_from_slice(&input[start..start + output.len()]);
    });
}

pub(super) fn add_up<T: Real>(call: &mut Call<'_, T>) {
    let length = 4 * call.count("LENGTH");
    let input = call.read("input");
    by_rows(&mut call.write("output")[..length], 4, |i, output| {
        for (k, output) in output.iter_mut().enumerate() {
            *output = (0..16).map(|j| input[j * length + 4 * i + k]).sum();
        }
    });
}
