//! The twin of `shaders/permute.wgsl`.

use super::Real;
use super::call::Call;
use super::random::words;

pub(super) fn permute_columns<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width, batch) = (call.count("COLUMNS"), call.count("WIDTH"), call.count("BATCH"));
    let (stream, rows, stride) = (call.count("STREAM") as u32, call.rows(), 4 * columns);
    let keys: Vec<[u32; 4]> = (0..rows * columns).map(|i| words(call.step, i, stream)).collect();
    let (input, output) = (call.read("input"), call.write("output"));
    output[..batch * stride].fill(T::zero());
    for column in 0..width {
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by_key(|&row| (keys[row * columns + column / 4][column % 4], row));
        for (rank, row) in order.into_iter().enumerate() {
            output[rank * stride + column] = input[row * stride + column];
        }
    }
}
