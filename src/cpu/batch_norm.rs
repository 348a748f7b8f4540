//! Twins of `shaders/batch_norm.wgsl`.

use super::Real;
use super::activation::{activation, multiply_slope};
use super::call::{Call, by_costly_rows, by_rows, put};
use crate::kernels::kernel;

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

pub(super) fn batch_norm<T: Real>(call: &mut Call<'_, T>) {
    let (rows, columns) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let (x, means, deviations) = (call.read("x"), call.read("mean"), deviations(call));
    let (weight, bias) = call.read("scale").split_at(columns);
    let (kind, width) = (call.count("ACTIVATION"), call.count("WIDTH"));
    let factors: Vec<T> = weight.iter().zip(&deviations).map(|(&weight, &by)| weight / by).collect();
    by_rows(&mut call.write("y")[..rows * columns], columns, |row, y| {
        let x = &x[row * columns..][..columns];
        for c in 0..columns {
            y[c] = (x[c] - means[c]) * factors[c] + bias[c];
        }
        activation(kind, &mut y[..width]);
        y[width..].fill(T::zero());
    });
}

/// The gradient of a normalised row, before the activation that follows it.
struct Upstream<'a, T> {
    kind: usize,
    x: &'a [T],
    y_gradient: &'a [T],
    means: &'a [T],
    factors: Vec<T>,
    bias: &'a [T],
}

impl<'a, T: Real> Upstream<'a, T> {
    fn of(call: &Call<'a, T>, deviations: &[T]) -> Self {
        let (weight, bias) = call.read("scale").split_at(deviations.len());
        Self {
            kind: call.count("ACTIVATION"),
            x: call.read("x"),
            y_gradient: call.read("y_gradient"),
            means: call.read("mean"),
            factors: weight.iter().zip(deviations).map(|(&weight, &by)| weight / by).collect(),
            bias,
        }
    }

    /// The gradient of a row; where an activation follows, from its argument, which is computed again into `scratch`.
    #[inline(always)]
    fn row<'b>(&'b self, row: usize, scratch: &'b mut [T]) -> &'b [T] {
        let columns = self.factors.len();
        let dy = &self.y_gradient[row * columns..][..columns];
        if self.kind == 0 {
            return dy;
        }
        let (x, (argument, slopes)) = (&self.x[row * columns..][..columns], scratch.split_at_mut(columns));
        for c in 0..columns {
            argument[c] = (x[c] - self.means[c]) * self.factors[c] + self.bias[c];
        }
        slopes.copy_from_slice(dy);
        multiply_slope(self.kind, slopes, argument);
        slopes
    }

    fn scratch(&self) -> Vec<T> {
        vec![T::zero(); if self.kind == 0 { 0 } else { 2 * self.factors.len() }]
    }
}

pub(super) fn batch_norm_sums<T: Real>(call: &mut Call<'_, T>) {
    let (train, rows, columns) = (call.flag("TRAIN"), Rows::of(call), 4 * call.count("COLUMNS"));
    let (x, means) = (call.read("x"), call.read("mean"));
    let (deviations, block) = (deviations(call), block("BLOCK"));
    let upstream = Upstream::of(call, &deviations);
    let partial = &mut call.write("partial")[..rows.rows.div_ceil(block) * 2 * columns];
    by_costly_rows(partial, 2 * columns, 2 * block * columns, |k, partial| {
        partial.fill(T::zero());
        let mut scratch = upstream.scratch();
        let (products, sums) = partial.split_at_mut(columns);
        for row in k * block..rows.rows.min((k + 1) * block) {
            if train && !rows.counts(row) {
                continue;
            }
            let (x, dy) = (&x[row * columns..][..columns], upstream.row(row, &mut scratch));
            for c in 0..columns {
                products[c] += dy[c] * (x[c] - means[c]);
                sums[c] += dy[c];
            }
        }
        for (product, &by) in products.iter_mut().zip(&deviations) {
            *product /= by;
        }
    });
}

pub(super) fn batch_norm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (add, rows, columns) = (call.flag("ACCUMULATE"), Rows::of(call), 4 * call.count("COLUMNS"));
    let (x, means, deviations) = (call.read("x"), call.read("mean"), deviations(call));
    let upstream = Upstream::of(call, &deviations);
    let (products, sums) = call.read("sums").split_at(columns);
    let count = T::of(rows.before(rows.rows) as f64);
    // dx = factor * dy - slope * (x - mean) - level
    let factors = &upstream.factors;
    let slopes: Vec<T> = (0..columns).map(|c| factors[c] * products[c] / (deviations[c] * count)).collect();
    let levels: Vec<T> = (0..columns).map(|c| factors[c] * sums[c] / count).collect();
    /// Rows that share memory for their gradients.
    const TOGETHER: usize = 32;
    by_rows(&mut call.write("x_gradient")[..rows.rows * columns], TOGETHER * columns, |block, dx| {
        let mut scratch = upstream.scratch();
        for (row, dx) in (block * TOGETHER..).zip(dx.chunks_mut(columns)) {
            if !rows.counts(row) {
                dx.iter_mut().for_each(|dx| put(dx, T::zero(), add));
                continue;
            }
            let (x, dy) = (&x[row * columns..][..columns], upstream.row(row, &mut scratch));
            for c in 0..columns {
                put(&mut dx[c], factors[c] * dy[c] - slopes[c] * (x[c] - means[c]) - levels[c], add);
            }
        }
    });
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
