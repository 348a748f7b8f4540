//! Twins of `shaders/discrepancy.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, put};
use super::random::{normals, words};

const SCALES: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

pub(super) fn prior_samples<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width, stream) = (call.count("COLUMNS"), call.count("WIDTH"), call.count("STREAM") as u32);
    let (batch, step) = (call.count("BATCH"), call.step);
    for (i, prior) in call.write("prior")[..4 * batch * columns].chunks_mut(4).enumerate() {
        let draws = normals::<T>(words(step, i, stream));
        for (lane, (prior, draw)) in prior.iter_mut().zip(draws).enumerate() {
            *prior = if 4 * (i % columns) + lane < width { draw } else { T::zero() };
        }
    }
}

/// The latents, the draws of the prior, and the kernel between them.
struct Points<'c, T> {
    z: &'c [T],
    prior: &'c [T],
    stride: usize,
    widths: [T; 7],
}

impl<'c, T: Real> Points<'c, T> {
    fn of(call: &Call<'c, T>) -> Self {
        let width = call.count("WIDTH") as f64;
        Self {
            z: call.read("z"),
            prior: call.read("prior_used"),
            stride: 4 * call.count("COLUMNS"),
            widths: SCALES.map(|scale| T::of(2.0 * width * scale)),
        }
    }

    fn kernel(&self, square: T) -> T {
        self.widths.iter().map(|&c| c / (c + square)).sum()
    }

    /// The derivative by the square of the distance.
    fn slope(&self, square: T) -> T {
        let parts = self.widths.iter().map(|&c| (c, T::one() / (c + square)));
        -parts.map(|(c, part)| c * part * part).sum::<T>()
    }

    /// The square of the distance of row `r` of `from` to row `j` of `to`.
    fn distance(&self, from: &[T], r: usize, to: &[T], j: usize) -> T {
        let row = |points: &'_ [T], at: usize, d: usize| points[at * self.stride + d];
        (0..self.stride).map(|d| row(from, r, d) - row(to, j, d)).map(|away| away * away).sum()
    }
}

pub(super) fn kernel_discrepancy<T: Real>(call: &mut Call<'_, T>) {
    let (points, batch, rows) = (Points::of(call), call.count("BATCH"), call.rows());
    let count = T::of(rows as f64);
    let discrepancy = &mut call.write("discrepancy")[..batch];
    by_costly_rows(discrepancy, 1, 32 * rows * points.stride, |row, discrepancy| {
        let (mut same, mut across) = (T::zero(), T::zero());
        if row < rows {
            let (z, prior) = (points.z, points.prior);
            for j in 0..rows {
                if j != row {
                    same += points.kernel(points.distance(z, row, z, j))
                        + points.kernel(points.distance(prior, row, prior, j));
                }
                across += points.kernel(points.distance(z, row, prior, j));
            }
        }
        discrepancy[0] = same / (count - T::one()).max(T::one()) - T::of(2.0) * across / count;
    });
}

pub(super) fn kernel_discrepancy_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (points, batch, rows) = (Points::of(call), call.count("BATCH"), call.rows());
    let (upstream, accumulate, stride) = (call.read("upstream"), call.flag("ACCUMULATE"), points.stride);
    let count = T::of(rows as f64);
    let share = T::one() / (count - T::one()).max(T::one());
    let gradient = &mut call.write("z_gradient")[..batch * stride];
    by_costly_rows(gradient, stride, 32 * rows * stride, |row, gradient| {
        if !accumulate {
            gradient.fill(T::zero());
        }
        if row >= rows {
            return;
        }
        let (z, prior) = (points.z, points.prior);
        for j in 0..rows {
            let square = points.distance(z, row, z, j);
            let same = T::of(2.0) * (upstream[row] + upstream[j]) * share * points.slope(square);
            let square = points.distance(z, row, prior, j);
            let across = T::of(4.0) * upstream[row] / count * points.slope(square);
            for (d, gradient) in gradient.iter_mut().enumerate() {
                let own = z[row * stride + d];
                let (latent, draw) = (z[j * stride + d], prior[j * stride + d]);
                put(gradient, same * (own - latent) - across * (own - draw), true);
            }
        }
    });
}
