//! Twins of `shaders/distributions.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use super::random::{normals, open_uniform, words};

/// Number that stands for a missing parent.
const NONE: usize = 8;

pub(super) fn network_samples<T: Real>(call: &mut Call<'_, T>) {
    let (count, variables) = (call.count("COUNT"), call.count("NODES"));
    let (nodes, cumulative, step) = (call.words("nodes"), call.read("cumulative"), call.step);
    by_rows(&mut call.write("outcome")[..count], 1, |i, outcome| {
        let mut values = [0usize; NONE + 1];
        let mut drawn = [0; 4];
        let mut code = 0;
        for n in 0..variables {
            if n % 4 == 0 {
                drawn = words(step, 2 * i + n / 4, 0);
            }
            let node = [0, 1, 2, 3].map(|field| nodes[4 * n + field] as usize);
            let second_values = if node[2] < NONE { nodes[4 * node[2]] as usize } else { 1 };
            let row = values[node[1]] * second_values + values[node[2]];
            let u = open_uniform::<T>(drawn[n % 4]);
            let mut value = 0;
            for v in 0..node[0].saturating_sub(1) {
                if u >= cumulative[node[3] + row * node[0] + v] {
                    value = v + 1;
                }
            }
            values[n] = value;
            code = code * node[0] + value;
        }
        outcome[0] = T::of(code as f64);
    });
}

pub(super) fn cholesky_samples<T: Real>(call: &mut Call<'_, T>) {
    let count = call.count("COUNT");
    let (factor, mean, step) = (call.read("factor"), call.read("mean"), call.step);
    by_rows(&mut call.write("samples")[..4 * count], 4, |i, sample| {
        let noise = normals::<T>(words(step, i, 0));
        for (row, value) in sample.iter_mut().enumerate() {
            *value = mean[row] + (0..4).map(|column| factor[4 * column + row] * noise[column]).sum::<T>();
        }
    });
}

/// Log density of one weighted component, and its gradient.
fn component<T: Real>(component: &[T], x: T, y: T) -> [T; 3] {
    let (dx, dy) = (x - component[0], y - component[1]);
    let slope = [component[4] * dx + component[5] * dy, component[5] * dx + component[6] * dy];
    [component[2] - T::of(0.5) * (dx * slope[0] + dy * slope[1]), -slope[0], -slope[1]]
}

pub(super) fn mixture_density<T: Real>(call: &mut Call<'_, T>) {
    let (count, parts) = (call.count("COUNT"), call.count("COMPONENTS"));
    let (components, points) = (call.read("components"), call.read("points"));
    by_rows(&mut call.write("density")[..4 * count], 4, |i, density| {
        let of = |k: usize| component(&components[8 * k..8 * k + 8], points[4 * i], points[4 * i + 1]);
        let largest = (1..parts).fold(of(0)[0], |largest, k| largest.max(of(k)[0]));
        let (mut total, mut gradient) = (T::zero(), [T::zero(); 2]);
        for k in 0..parts {
            let [value, dx, dy] = of(k);
            let weight = (value - largest).exponential();
            total += weight;
            gradient[0] += weight * dx;
            gradient[1] += weight * dy;
        }
        density.copy_from_slice(&[largest + total.ln(), gradient[0] / total, gradient[1] / total, T::zero()]);
    });
}
