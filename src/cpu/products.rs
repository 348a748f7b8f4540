//! Twins of `shaders/products.wgsl`.

use super::Real;
use super::call::{Call, put};
use super::gemm::{Matrix, product_on_one_thread};
use rayon::prelude::*;

/// Rows of an item's output that a thread computes at once: many, for the operand that is packed again for each block.
const BLOCK: usize = 256;

/// The sizes of a product, and how its matrices lie in memory.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    width: usize,
    stride: usize,
    inner: usize,
}

impl Sizes {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        let (rows, stride) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
        Self { rows, width: call.count("WIDTH"), stride, inner: call.count("INNER") }
    }

    /// Elements of a row of `inner` columns.
    fn inner_stride(self) -> usize {
        self.inner.next_multiple_of(4)
    }
}

/// `operands(item, row)` gives both matrices of an item for the rows of its output from `row` on.
fn products<'a, T: Real>(
    call: &mut Call<'a, T>,
    operands: impl Fn(usize, usize) -> (Matrix<'a, T>, Matrix<'a, T>) + Sync,
) {
    let sizes = Sizes::of(call);
    let (scale, add) = (call.number("SCALE"), call.flag("ACCUMULATE"));
    let blocks = sizes.rows.div_ceil(BLOCK);
    let items = call.write("output").par_chunks_mut(sizes.rows * sizes.stride);
    items.enumerate().for_each(|(item, output)| {
        output.par_chunks_mut(sizes.rows.div_ceil(blocks) * sizes.stride).enumerate().for_each(
            |(block, output)| {
                let (from, rows) = (block * sizes.rows.div_ceil(blocks), output.len() / sizes.stride);
                let mut values = vec![T::zero(); rows * sizes.width];
                let size = [rows, sizes.width, sizes.inner];
                product_on_one_thread(size, operands(item, from), &mut values, sizes.width, false);
                for (output, values) in output.chunks_mut(sizes.stride).zip(values.chunks(sizes.width)) {
                    for (output, &value) in output.iter_mut().zip(values) {
                        put(output, scale * value, add);
                    }
                    if !add {
                        output[sizes.width..].fill(T::zero());
                    }
                }
            },
        );
    });
}

pub(super) fn products_nt<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, a, b) = (Sizes::of(call), call.operand("a"), call.operand("b"));
    let stride = sizes.inner_stride();
    products(call, |item, row| {
        let a = &a[(item * sizes.rows + row) * stride..];
        let b = &b[item * sizes.width * stride..];
        (
            Matrix { data: a, row_stride: stride, column_stride: 1 },
            Matrix { data: b, row_stride: 1, column_stride: stride },
        )
    });
}

pub(super) fn products_nn<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, a, b) = (Sizes::of(call), call.operand("a"), call.read("b"));
    let stride = sizes.inner_stride();
    products(call, |item, row| {
        let a = &a[(item * sizes.rows + row) * stride..];
        let b = &b[item * sizes.inner * sizes.stride..];
        (
            Matrix { data: a, row_stride: stride, column_stride: 1 },
            Matrix { data: b, row_stride: sizes.stride, column_stride: 1 },
        )
    });
}

pub(super) fn products_tn<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, a, b) = (Sizes::of(call), call.read("a"), call.read("b"));
    let stride = sizes.rows.next_multiple_of(4);
    products(call, |item, row| {
        let a = &a[item * sizes.inner * stride + row..];
        let b = &b[item * sizes.inner * sizes.stride..];
        (
            Matrix { data: a, row_stride: 1, column_stride: stride },
            Matrix { data: b, row_stride: sizes.stride, column_stride: 1 },
        )
    });
}
