//! Matrix products through the `gemm` crate.

use super::Real;
use gemm::Parallelism;

/// A matrix in memory: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

/// Smallest number of multiply-adds for which a second thread pays.
const GRAIN: usize = 1 << 16;

/// `output[m, n] = sum_k a[m, k] b[k, n]`, or added to it; `output` is row-major without gaps.
pub(super) fn product<T: Real>(
    [m, n, k]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    output: &mut [T],
    accumulate: bool,
) {
    let threads = if m * n * k < GRAIN { Parallelism::None } else { Parallelism::Rayon(0) };
    multiply([m, n, k], (a, b), output, n, accumulate, threads);
}

/// The same on the thread that calls, for work that is spread over threads already; rows of `output` start each `stride`
/// elements.
pub(super) fn product_on_one_thread<T: Real>(
    sizes: [usize; 3],
    operands: (Matrix<'_, T>, Matrix<'_, T>),
    output: &mut [T],
    stride: usize,
    accumulate: bool,
) {
    multiply(sizes, operands, output, stride, accumulate, Parallelism::None);
}

fn multiply<T: Real>(
    [m, n, k]: [usize; 3],
    (a, b): (Matrix<'_, T>, Matrix<'_, T>),
    output: &mut [T],
    stride: usize,
    accumulate: bool,
    threads: Parallelism,
) {
    let reach = |matrix: &Matrix<'_, T>, rows: usize, columns: usize| {
        (rows - 1) * matrix.row_stride + (columns - 1) * matrix.column_stride
    };
    assert!(m > 0 && n > 0 && k > 0 && n <= stride && output.len() >= (m - 1) * stride + n);
    assert!(a.data.len() > reach(&a, m, k) && b.data.len() > reach(&b, k, n));
    // SAFETY: all three matrices were checked to lie within their slices, `output` is borrowed mutably and so
    // overlaps neither operand, and `T` is `f32` or `f64`, which gemm supports.
    #[allow(unsafe_code, reason = "the gemm crate's one entry point takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            threads,
        );
    }
}
