//! Twin of `shaders/keep_largest.wgsl`.

use super::Real;
use super::call::{Call, by_rows};
use std::cmp::Ordering;

pub(super) fn keep_largest<T: Real>(call: &mut Call<'_, T>) {
    let (columns, width) = (4 * call.count("COLUMNS"), call.count("WIDTH"));
    let (code, keep) = (call.read("code"), call.count("KEEP").min(width));
    let length = call.count("ROWS") * columns;
    by_rows(&mut call.write("kept")[..length], columns, |row, kept| {
        let code = &code[row * columns..row * columns + width];
        let mut order: Vec<usize> = (0..width).collect();
        let larger =
            |&a: &usize, &b: &usize| code[b].partial_cmp(&code[a]).unwrap_or(Ordering::Equal).then(a.cmp(&b));
        if keep < width {
            order.select_nth_unstable_by(keep, larger);
        }
        kept.fill(T::zero());
        order[..keep].iter().for_each(|&unit| kept[unit] = T::one());
    });
}
