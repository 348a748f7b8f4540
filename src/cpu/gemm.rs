//! Matrix products through the `gemm` crate.

use super::Real;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// A matrix in memory: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

/// A matrix whose rows follow each other.
pub(super) fn by_row<T>(data: &[T], stride: usize) -> Matrix<'_, T> {
    Matrix { data, row_stride: stride, column_stride: 1 }
}

/// The transpose of such a matrix.
pub(super) fn by_column<T>(data: &[T], stride: usize) -> Matrix<'_, T> {
    Matrix { data, row_stride: 1, column_stride: stride }
}

/// Smallest number of multiply-adds for which a second thread pays.
const GRAIN: usize = 1 << 16;
/// Least columns of a part, and what they are a multiple of.
const COLUMNS: [usize; 2] = [80, 16];
/// Rows that the crate computes together.
const ROWS: usize = 6;

/// `output[m, n] = sum_k a[m, k] b[k, n]`, or added to it; `output` is row-major without gaps.
///
/// Each thread computes a part of the output by itself. Left to divide the work, the crate would first copy a transposed or
/// ragged `b`, on one thread. The parts depend on the number of threads, but the order of every sum on `k` alone.
pub(super) fn product<T: Real>(
    [m, n, k]: [usize; 3],
    (a, b): (Matrix<'_, T>, Matrix<'_, T>),
    output: &mut [T],
    accumulate: bool,
) {
    let threads = if m * n * k < GRAIN { 1 } else { rayon::current_num_threads() };
    let output = Output::new(output);
    // A part of the columns reads all of `a`, a part of the rows all of `b`.
    let few_rows = m < 64 * threads;
    if threads == 1 {
        multiply([m, n, k], (a, b), output, n, accumulate);
    } else if n >= COLUMNS[0] * threads && k >= 64 && (a.column_stride == 1 || few_rows) {
        parts(n, COLUMNS, threads).into_par_iter().for_each(|part| {
            let b = Matrix { data: &b.data[part.start * b.column_stride..], ..b };
            multiply([m, part.len(), k], (a, b), output.from(part.start), n, accumulate);
        });
    } else {
        parts(m, [least_rows(n, k), ROWS], threads).into_par_iter().for_each(|part| {
            let a = Matrix { data: &a.data[part.start * a.row_stride..], ..a };
            multiply([part.len(), n, k], (a, b), output.from(part.start * n), n, accumulate);
        });
    }
}

/// Rows of which the crate computes every sum as it does of more rows. It has one order for products of up to 256 elements,
/// and one for those of up to 64 rows and columns that sum more than 512 terms.
fn least_rows(n: usize, k: usize) -> usize {
    match (n, k) {
        (65.., _) => ROWS,
        (8.., ..=512) => 36,
        _ => 66,
    }
}

/// `0..length` in at most `count` parts of at least `least`, all but the last of them multiples of `multiple`.
fn parts(length: usize, [least, multiple]: [usize; 2], count: usize) -> Vec<Range<usize>> {
    let count = count.min(length / least).max(1);
    let together = multiple * count;
    let rounded = (length + together / 2) / together * multiple;
    let each = if rounded * (count - 1) + least <= length { rounded } else { length / together * multiple };
    (0..count).map(|part| part * each..if part + 1 < count { (part + 1) * each } else { length }).collect()
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
    multiply(sizes, operands, Output::new(output), stride, accumulate);
}

/// A slice that several threads write, each to different elements. Columns of a row-major matrix are not contiguous, so a part of
/// them is no slice.
#[derive(Clone, Copy)]
struct Output<'a, T> {
    start: *mut T,
    length: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a `&mut [T]`, and `product` gives each thread other elements.
#[allow(unsafe_code, reason = "parts of the columns of a matrix are no slices")]
unsafe impl<T: Send> Sync for Output<'_, T> {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "see above")]
unsafe impl<T: Send> Send for Output<'_, T> {}

impl<'a, T> Output<'a, T> {
    fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), slice: PhantomData }
    }

    fn from(self, offset: usize) -> Self {
        assert!(offset <= self.length);
        Self { start: self.start.wrapping_add(offset), length: self.length - offset, ..self }
    }
}

fn multiply<T: Real>(
    [m, n, k]: [usize; 3],
    (a, b): (Matrix<'_, T>, Matrix<'_, T>),
    output: Output<'_, T>,
    stride: usize,
    accumulate: bool,
) {
    let reach = |matrix: &Matrix<'_, T>, rows: usize, columns: usize| {
        (rows - 1) * matrix.row_stride + (columns - 1) * matrix.column_stride
    };
    assert!(m > 0 && n > 0 && k > 0 && n <= stride && output.length >= (m - 1) * stride + n);
    assert!(a.data.len() > reach(&a, m, k) && b.data.len() > reach(&b, k, n));
    // SAFETY: all three matrices were checked to lie within their slices, that of `output` is borrowed mutably and so
    // overlaps neither operand, no other thread writes these elements of it, and `T` is `f32` or `f64`, which gemm supports.
    #[allow(unsafe_code, reason = "the gemm crate's one entry point takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.start,
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
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_and_none_is_too_small() {
        for sizes in [COLUMNS, [6, 6], [36, 6], [66, 6]] {
            for length in 1..700 {
                for count in 1..9 {
                    let parts = parts(length, sizes, count);
                    assert!(
                        parts.len() <= count && parts[0].start == 0 && parts[parts.len() - 1].end == length
                    );
                    assert!(parts.windows(2).all(|two| two[0].end == two[1].start));
                    let alone = parts.len() == 1;
                    assert!(
                        parts.iter().all(|part| alone || part.len() >= sizes[0]),
                        "{length} {count}: {parts:?}"
                    );
                }
            }
        }
    }

    fn values(length: usize, seed: u64) -> Vec<f32> {
        (0..length as u64).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let pools =
            [1, 2, 3, 8].map(|count| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap());
        for [m, n, k] in [
            [128, 500, 784],
            [128, 784, 500],
            [131, 20, 784],
            [100, 40, 1025],
            [13, 7, 900],
            [7, 333, 700],
            [128, 40, 500],
            [300, 4, 300],
        ] {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            for layout in 0..3 {
                let results = pools.each_ref().map(|pool| {
                    let mut output = values(m * n, 3);
                    pool.install(|| {
                        let a = if layout == 2 { by_column(&a, m) } else { by_row(&a, k) };
                        let b = if layout == 1 { by_column(&b, k) } else { by_row(&b, n) };
                        product([m, n, k], (a, b), &mut output, true);
                    });
                    output
                });
                assert!(results.iter().all(|result| *result == results[0]), "{m}x{n}x{k}, layout {layout}");
            }
        }
    }
}
