//! Twins of `shaders/reshape.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

pub(super) fn put_columns<T: Real>(call: &mut Call<'_, T>) {
    let [rows, width, from, cover] = ["ROWS", "WIDTH", "FROM", "COVER"].map(|name| call.count(name));
    let (part_row, whole_row) = (call.count("PART"), call.count("WHOLE"));
    let part = call.read("part");
    by_rows(&mut call.write("whole")[..rows * whole_row], whole_row, |row, whole| {
        let whole = &mut whole[from..from + cover];
        whole[..width].copy_from_slice(&part[row * part_row..][..width]);
        whole[width..].fill(T::zero());
    });
}

pub(super) fn repack<T: Real>(call: &mut Call<'_, T>) {
    let [rows, width, stride] = ["ROWS", "WIDTH", "STRIDE"].map(|name| call.count(name));
    let (input_width, input_stride) = (call.count("INPUT_WIDTH"), call.count("INPUT_STRIDE"));
    let (input, add) = (call.read("input"), call.flag("ACCUMULATE"));
    by_rows(&mut call.write("output")[..rows * stride], stride, |row, output| {
        let (own, padding) = output.split_at_mut(width);
        let (mut input_row, mut column) = (row * width / input_width, row * width % input_width);
        let mut rest = own;
        // Runs of elements that lie in one row of the input.
        while !rest.is_empty() {
            let (run, behind) = rest.split_at_mut(rest.len().min(input_width - column));
            for (output, &input) in run.iter_mut().zip(&input[input_row * input_stride + column..]) {
                put(output, input, add);
            }
            (input_row, column, rest) = (input_row + 1, 0, behind);
        }
        padding.iter_mut().for_each(|output| put(output, T::zero(), add));
    });
}
