//! Twins of `shaders/cross_entropy.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

/// log sum exp of the logits of a row.
fn log_sum<T: Real>(logits: &[T]) -> T {
    let largest = logits.iter().copied().fold(logits[0], T::max);
    largest + logits.iter().map(|&logit| (logit - largest).exponential()).sum::<T>().ln()
}

/// The logits of each row of the minibatch: its classes, padding left out.
fn rows_of<'c, T: Real>(call: &Call<'c, T>, width: usize) -> impl Iterator<Item = &'c [T]> + use<'c, T> {
    let rows = call.read("logits").chunks(4 * call.count("COLUMNS"));
    rows.take(call.rows()).map(move |row| &row[..width])
}

pub(super) fn cross_entropy<T: Real>(call: &mut Call<'_, T>) {
    let (batch, class, rows) = (call.count("BATCH"), call.count("CLASS"), rows_of(call, call.count("WIDTH")));
    let loss = &mut call.write("loss")[..batch];
    loss.fill(T::zero());
    loss.iter_mut().zip(rows).for_each(|(loss, row)| *loss = log_sum(row) - row[class]);
}

pub(super) fn contrast<T: Real>(call: &mut Call<'_, T>) {
    let (batch, rows) = (call.count("BATCH"), rows_of(call, 2));
    let difference = &mut call.write("difference")[..batch];
    difference.fill(T::zero());
    difference.iter_mut().zip(rows).for_each(|(difference, row)| *difference = row[0] - row[1]);
}

pub(super) fn cross_entropy_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, class, width) = (call.count("BATCH"), call.count("CLASS"), call.count("WIDTH"));
    let (stride, rows, accumulate) = (4 * call.count("COLUMNS"), call.rows(), call.flag("ACCUMULATE"));
    let (logits, upstream) = (call.read("logits"), call.read("upstream"));
    by_rows(&mut call.write("logits_gradient")[..batch * stride], stride, |row, gradient| {
        let own = &logits[row * stride..row * stride + width];
        let all = log_sum(own);
        for (k, gradient) in gradient.iter_mut().enumerate() {
            let mut value = T::zero();
            if k < width && row < rows {
                let wanted = if k == class { T::one() } else { T::zero() };
                value = upstream[row] * ((own[k] - all).exponential() - wanted);
            }
            put(gradient, value, accumulate);
        }
    });
}

pub(super) fn contrast_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, stride, rows) = (call.count("BATCH"), 4 * call.count("COLUMNS"), call.rows());
    let (upstream, accumulate) = (call.read("upstream"), call.flag("ACCUMULATE"));
    by_rows(&mut call.write("logits_gradient")[..batch * stride], stride, |row, gradient| {
        let own = if row < rows { upstream[row] } else { T::zero() };
        for (k, gradient) in gradient.iter_mut().enumerate() {
            let value = match k {
                0 => own,
                1 => -own,
                _ => T::zero(),
            };
            put(gradient, value, accumulate);
        }
    });
}
