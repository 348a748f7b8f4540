//! Twins of `shaders/blocks.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows};
use crate::kernels::kernel;

/// Sums over blocks of rows, `term(element)` each, of matrices with rows of `columns` elements.
fn by_blocks<T: Real>(call: &mut Call<'_, T>, term: impl Fn(&mut [T], usize) + Sync + Send) {
    let (rows, columns) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let block = kernel("block_sums").constant("BLOCK") as usize;
    let partial = &mut call.write("partial")[..rows.div_ceil(block) * columns];
    by_costly_rows(partial, columns, block * columns, |k, partial| {
        partial.fill(T::zero());
        for row in k * block..rows.min((k + 1) * block) {
            term(partial, row * columns);
        }
    });
}

pub(super) fn block_sums<T: Real>(call: &mut Call<'_, T>) {
    let values = call.read("values");
    by_blocks(call, |sums, start| {
        for (sum, &value) in sums.iter_mut().zip(&values[start..]) {
            *sum += value;
        }
    });
}

pub(super) fn block_products<T: Real>(call: &mut Call<'_, T>) {
    let (values, factors) = (call.read("values"), call.read("factors"));
    by_blocks(call, |sums, start| {
        for ((sum, &value), &factor) in sums.iter_mut().zip(&values[start..]).zip(&factors[start..]) {
            *sum += value * factor;
        }
    });
}

pub(super) fn add_blocks<T: Real>(call: &mut Call<'_, T>) {
    let (rows, columns) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let (add, values) = (call.flag("ACCUMULATE"), call.read("values"));
    /// Elements of a row that one thread adds up.
    const SHARE: usize = 64;
    by_costly_rows(&mut call.write("total")[..columns], SHARE, rows * SHARE, |share, totals| {
        let mut sums = [T::zero(); SHARE];
        for row in values.chunks(columns).take(rows) {
            for (sum, &value) in sums.iter_mut().zip(&row[share * SHARE..][..totals.len()]) {
                *sum += value;
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = if add { *total + sum } else { sum };
        }
    });
}
