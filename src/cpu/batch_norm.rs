//! Twins of `shaders/batch_norm.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, by_rows, put};
use super::norm::Affine;
use super::real::vectorised_by;
use crate::kernels::kernel;
use rayon::prelude::*;

/// Which rows count.
#[derive(Clone, Copy)]
struct Rows {
    rows: usize,
    batch: usize,
    space: usize,
    /// Items of the minibatch of this step.
    live: usize,
}

impl Rows {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        Self {
            rows: call.count("ROWS"),
            batch: call.count("BATCH"),
            space: call.count("SPACE"),
            live: call.rows(),
        }
    }

    fn counts(self, row: usize) -> bool {
        row / self.space % self.batch < self.live
    }

    /// How many of the rows before `row` count.
    fn before(self, row: usize) -> usize {
        let (sample, within) = (row / self.space / self.batch, row / self.space % self.batch);
        if within < self.live {
            (sample * self.live + within) * self.space + row % self.space
        } else {
            (sample + 1) * self.live * self.space
        }
    }
}

fn block(name: &str) -> usize {
    kernel("batch_moments").constant(name) as usize
}

pub(super) fn batch_moments<T: Real>(call: &mut Call<'_, T>) {
    let (rows, columns, x) = (Rows::of(call), 4 * call.count("COLUMNS"), call.read("x"));
    let block = block("BLOCK");
    let partial = &mut call.write("partial")[..rows.rows.div_ceil(block) * 2 * columns];
    by_costly_rows(partial, 2 * columns, 2 * block * columns, |k, partial| {
        let (means, squares) = partial.split_at_mut(columns);
        means.fill(T::zero());
        squares.fill(T::zero());
        let mut counted = (k * block..rows.rows.min((k + 1) * block)).filter(|&row| rows.counts(row));
        let Some(first) = counted.next() else { return };
        // Differences from one of the values themselves.
        let shift = &x[first * columns..][..columns];
        let mut count = T::one();
        for row in counted {
            count += T::one();
            let x = &x[row * columns..][..columns];
            for c in 0..columns {
                let difference = x[c] - shift[c];
                means[c] += difference;
                squares[c] += difference * difference;
            }
        }
        for c in 0..columns {
            let (sum, mean) = (means[c], means[c] / count);
            means[c] = shift[c] + mean;
            squares[c] = (squares[c] - sum * mean).max(T::zero());
        }
    });
}

/// The mean of a channel over blocks of rows, the sum of squared differences from it, and how many rows count.
fn merged<T: Real>(
    parts: &[T],
    columns: usize,
    column: usize,
    counts: impl Iterator<Item = (usize, usize)>,
) -> (T, T, T) {
    let (mut shift, mut sum, mut squares, mut all) = (None, T::zero(), T::zero(), T::zero());
    for (part, count) in counts.filter(|&(_, count)| count > 0) {
        let (at, count) = (2 * part * columns + column, T::of(count as f64));
        let difference = parts[at] - *shift.get_or_insert(parts[at]);
        sum += count * difference;
        squares += parts[at + columns] + count * difference * difference;
        all += count;
    }
    let mean = if all > T::zero() { sum / all } else { T::zero() };
    (shift.unwrap_or_else(T::zero) + mean, (squares - sum * mean).max(T::zero()), all)
}

/// Parts `from` to `to` with the number of rows of each that count.
fn counted<T: Real>(call: &Call<'_, T>) -> impl Fn(usize, usize) -> Vec<(usize, usize)> + use<T> {
    let (rows, span) = (Rows::of(call), call.count("SPAN"));
    let of_part =
        move |part: usize| (part, rows.before(rows.rows.min((part + 1) * span)) - rows.before(part * span));
    move |from, to| (from..to).map(of_part).collect()
}

pub(super) fn merge_moments<T: Real>(call: &mut Call<'_, T>) {
    let (parts, columns, count) = (call.read("parts"), 4 * call.count("COLUMNS"), call.count("PARTS"));
    let (counted, together) = (counted(call), block("MERGED"));
    let partial = &mut call.write("partial")[..count.div_ceil(together) * 2 * columns];
    by_costly_rows(partial, 2 * columns, 2 * together * columns, |k, partial| {
        let own = counted(k * together, count.min((k + 1) * together));
        let (means, squares) = partial.split_at_mut(columns);
        for c in 0..columns {
            (means[c], squares[c], _) = merged(parts, columns, c, own.iter().copied());
        }
    });
}

pub(super) fn finish_moments<T: Real>(call: &mut Call<'_, T>) {
    let (parts, columns, count) = (call.read("parts"), 4 * call.count("COLUMNS"), call.count("PARTS"));
    let own = counted(call)(0, count);
    let (means, variances) = (call.write("batch_mean"), call.write("batch_variance"));
    let unbiased = call.write("unbiased");
    for c in 0..columns {
        let (mean, squares, rows) = merged(parts, columns, c, own.iter().copied());
        means[c] = mean;
        variances[c] = squares / rows.max(T::one());
        unbiased[c] = squares / (rows - T::one()).max(T::one());
    }
}

/// Square roots of variances.
fn deviations<T: Real>(call: &Call<'_, T>) -> Vec<T> {
    let epsilon = call.number("EPSILON");
    call.read("variance").iter().map(|&variance| (variance + epsilon).sqrt()).collect()
}

/// The factors of `(x - mean) * factor + bias`.
fn factors<T: Real>(call: &Call<'_, T>, deviations: &[T]) -> Vec<T> {
    call.read("scale").iter().zip(deviations).map(|(&weight, &by)| weight / by).collect()
}

fn affine<'a, T: Real>(call: &Call<'a, T>, width: usize, factors: &'a [T]) -> Affine<'a, T> {
    let bias = &call.read("scale")[factors.len()..];
    Affine { kind: call.count("ACTIVATION"), width, means: call.read("mean"), factors, bias }
}

pub(super) fn batch_norm<T: Real>(call: &mut Call<'_, T>) {
    let (rows, columns, x) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.read("x"));
    let factors = factors(call, &deviations(call));
    let y = &mut call.write("y")[..rows * columns];
    let affine = affine(call, call.count("WIDTH"), &factors);
    let block = block("BLOCK") * columns;
    y.par_chunks_mut(block).zip(x.par_chunks(block)).for_each(|(y, x)| affine.values(x, y));
}

pub(super) fn batch_norm_sums<T: Real>(call: &mut Call<'_, T>) {
    let (train, rows, columns) = (call.flag("TRAIN"), Rows::of(call), 4 * call.count("COLUMNS"));
    let (x, dy, means) = (call.read("x"), call.read("y_gradient"), call.read("mean"));
    let (deviations, block) = (deviations(call), block("BLOCK"));
    let factors = factors(call, &deviations);
    let partial = &mut call.write("partial")[..rows.rows.div_ceil(block) * 2 * columns];
    let affine = affine(call, columns, &factors);
    by_costly_rows(partial, 2 * columns, 2 * block * columns, |k, partial| {
        partial.fill(T::zero());
        let (products, sums) = partial.split_at_mut(columns);
        let own = k * block * columns..rows.rows.min((k + 1) * block) * columns;
        let (x, dy) = (&x[own.clone()], &dy[own]);
        affine.with_upstream(x, dy, |dy| {
            let (first, train) = (k * block, train);
            vectorised_by(Sums { rows, first, train, x, dy, means, products, sums });
        });
        for (product, &by) in products.iter_mut().zip(&deviations) {
            *product /= by;
        }
    });
}

pub(super) fn batch_norm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (add, rows, columns) = (call.flag("ACCUMULATE"), Rows::of(call), 4 * call.count("COLUMNS"));
    let (x, dy, means) = (call.read("x"), call.read("y_gradient"), call.read("mean"));
    let (deviations, block) = (deviations(call), block("BLOCK"));
    let (products, sums) = call.read("sums").split_at(columns);
    let count = T::of(rows.before(rows.rows) as f64);
    // dx = factor * dy - slope * (x - mean) - level
    let factors = factors(call, &deviations);
    let slopes: Vec<T> = (0..columns).map(|c| factors[c] * products[c] / (deviations[c] * count)).collect();
    let levels: Vec<T> = (0..columns).map(|c| factors[c] * sums[c] / count).collect();
    let dx = &mut call.write("x_gradient")[..rows.rows * columns];
    let affine = affine(call, columns, &factors);
    by_rows(dx, block * columns, |k, dx| {
        let start = k * block * columns;
        let (x, dy) = (&x[start..][..dx.len()], &dy[start..][..dx.len()]);
        affine.with_upstream(x, dy, |dy| {
            let (factors, slopes, levels) = (&factors[..], &slopes[..], &levels[..]);
            vectorised_by(Gradient {
                rows,
                first: k * block,
                add,
                x,
                dy,
                means,
                factors,
                slopes,
                levels,
                dx,
            });
        });
    });
}

/// Sums over rows of dy * (x - mean) and of dy.
struct Sums<'a, T> {
    rows: Rows,
    first: usize,
    train: bool,
    x: &'a [T],
    dy: &'a [T],
    means: &'a [T],
    products: &'a mut [T],
    sums: &'a mut [T],
}

impl<T: Real> pulp::WithSimd for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { rows, first, train, x, dy, means, products, sums } = self;
        let columns = means.len();
        for (row, (x, dy)) in (first..).zip(x.chunks_exact(columns).zip(dy.chunks_exact(columns))) {
            if train && !rows.counts(row) {
                continue;
            }
            for (c, (product, sum)) in products.iter_mut().zip(sums.iter_mut()).enumerate() {
                *product += dy[c] * (x[c] - means[c]);
                *sum += dy[c];
            }
        }
    }
}

/// factor * dy - slope * (x - mean) - level of rows that count, 0 of others.
struct Gradient<'a, T> {
    rows: Rows,
    first: usize,
    add: bool,
    x: &'a [T],
    dy: &'a [T],
    means: &'a [T],
    factors: &'a [T],
    slopes: &'a [T],
    levels: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> pulp::WithSimd for Gradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { rows, first, add, x, dy, means, factors, slopes, levels, dx } = self;
        let columns = means.len();
        let (factors, slopes, levels) = (&factors[..columns], &slopes[..columns], &levels[..columns]);
        let given = x.chunks_exact(columns).zip(dy.chunks_exact(columns));
        for (row, (dx, (x, dy))) in (first..).zip(dx.chunks_exact_mut(columns).zip(given)) {
            let counts = rows.counts(row);
            for (c, dx) in dx.iter_mut().enumerate() {
                let change = factors[c] * dy[c] - slopes[c] * (x[c] - means[c]) - levels[c];
                put(dx, if counts { change } else { T::zero() }, add);
            }
        }
    }
}

pub(super) fn fixed_norm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (rows, columns, add) = (call.count("ROWS"), 4 * call.count("COLUMNS"), call.flag("ACCUMULATE"));
    let (dy, weight, deviations) = (call.read("y_gradient"), call.read("scale"), deviations(call));
    let factors: Vec<T> = weight.iter().zip(&deviations).map(|(&weight, &by)| weight / by).collect();
    by_rows(&mut call.write("x_gradient")[..rows * columns], columns, |row, dx| {
        for ((dx, &dy), &factor) in dx.iter_mut().zip(&dy[row * columns..]).zip(&factors) {
            put(dx, factor * dy, add);
        }
    });
}
