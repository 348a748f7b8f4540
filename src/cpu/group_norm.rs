//! Twins of `shaders/group_norm.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows, by_rows, put};
use crate::kernels::kernel;

/// The maps of an item and their groups.
#[derive(Clone, Copy)]
struct Groups {
    items: usize,
    space: usize,
    channels: usize,
    stride: usize,
    groups: usize,
}

impl Groups {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        let [items, space, channels, stride, groups] =
            ["ITEMS", "SPACE", "CHANNELS", "STRIDE", "GROUPS"].map(|name| call.count(name));
        Self { items, space, channels, stride, groups }
    }

    fn width(self) -> usize {
        self.channels / self.groups
    }

    /// Numbers in a group.
    fn count<T: Real>(self) -> T {
        T::of((self.width() * self.space) as f64)
    }

    fn elements(self) -> usize {
        self.items * self.space * self.stride
    }

    /// Where the channels of `group` of an item lie, pixel by pixel.
    fn runs(self, item: usize, group: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts =
            (0..self.space).map(move |p| (item * self.space + p) * self.stride + group * self.width());
        starts.map(move |start| start..start + self.width())
    }
}

pub(super) fn group_moments<T: Real>(call: &mut Call<'_, T>) {
    let (groups, epsilon, x) = (Groups::of(call), call.number("EPSILON"), call.read("x"));
    let moments = &mut call.write("moments")[..4 * groups.items * groups.groups];
    by_costly_rows(moments, 4 * groups.groups, groups.space * groups.stride, |item, moments| {
        for (group, moments) in moments.chunks_mut(4).enumerate() {
            let runs = || groups.runs(item, group).map(|run| &x[run]);
            let shift = x[item * groups.space * groups.stride + group * groups.width()];
            let sum: T = runs().map(|run| run.iter().map(|&x| x - shift).sum()).sum();
            let mean = shift + sum / groups.count();
            let squares: T = runs().map(|run| run.iter().map(|&x| (x - mean) * (x - mean)).sum()).sum();
            let variance = squares / groups.count();
            moments.copy_from_slice(&[mean, T::one() / (variance + epsilon).sqrt(), T::zero(), T::zero()]);
        }
    });
}

pub(super) fn group_norm<T: Real>(call: &mut Call<'_, T>) {
    let (groups, x, moments) = (Groups::of(call), call.read("x"), call.read("saved"));
    let (weight, bias) = call.read("scale").split_at(groups.stride);
    by_rows(&mut call.write("y")[..groups.elements()], groups.stride, |row, y| {
        let x = &x[row * groups.stride..];
        for group in 0..groups.groups {
            let moments = &moments[4 * (row / groups.space * groups.groups + group)..];
            for c in group * groups.width()..(group + 1) * groups.width() {
                y[c] = (x[c] - moments[0]) * moments[1] * weight[c] + bias[c];
            }
        }
        y[groups.channels..].fill(T::zero());
    });
}

pub(super) fn group_norm_sums<T: Real>(call: &mut Call<'_, T>) {
    let groups = Groups::of(call);
    let (x, dy) = (call.read("x"), call.read("y_gradient"));
    let (moments, weight) = (call.read("saved"), call.read("scale"));
    let sums = &mut call.write("sums")[..4 * groups.items * groups.groups];
    by_costly_rows(sums, 4 * groups.groups, groups.space * groups.stride, |item, sums| {
        for (group, sums) in sums.chunks_mut(4).enumerate() {
            let moments = &moments[4 * (item * groups.groups + group)..];
            let weight = &weight[group * groups.width()..];
            sums.fill(T::zero());
            for run in groups.runs(item, group) {
                for ((&x, &dy), &weight) in x[run.clone()].iter().zip(&dy[run]).zip(weight) {
                    sums[0] += dy * weight;
                    sums[1] += dy * weight * (x - moments[0]) * moments[1];
                }
            }
            sums[0] /= groups.count();
            sums[1] /= groups.count();
        }
    });
}

pub(super) fn group_norm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (groups, add) = (Groups::of(call), call.flag("ACCUMULATE"));
    let (x, dy, weight) = (call.read("x"), call.read("y_gradient"), call.read("scale"));
    let (moments, means) = (call.read("saved"), call.read("means"));
    by_rows(&mut call.write("x_gradient")[..groups.elements()], groups.stride, |row, dx| {
        let (x, dy) = (&x[row * groups.stride..], &dy[row * groups.stride..]);
        for group in 0..groups.groups {
            let at = 4 * (row / groups.space * groups.groups + group);
            let (moments, means) = (&moments[at..at + 2], &means[at..at + 2]);
            for c in group * groups.width()..(group + 1) * groups.width() {
                let normalised = (x[c] - moments[0]) * moments[1];
                put(&mut dx[c], (dy[c] * weight[c] - means[0] - normalised * means[1]) * moments[1], add);
            }
        }
        dx[groups.channels..].iter_mut().for_each(|dx| put(dx, T::zero(), add));
    });
}

pub(super) fn group_norm_scale<T: Real>(call: &mut Call<'_, T>) {
    let (groups, x, dy, moments) =
        (Groups::of(call), call.read("x"), call.read("y_gradient"), call.read("saved"));
    let (block, rows, stride) =
        (kernel("group_norm_scale").constant("BLOCK") as usize, groups.items * groups.space, groups.stride);
    let partial = &mut call.write("partial")[..rows.div_ceil(block) * 2 * stride];
    by_costly_rows(partial, 2 * stride, 2 * block * stride, |k, partial| {
        partial.fill(T::zero());
        let (products, sums) = partial.split_at_mut(stride);
        for row in k * block..rows.min((k + 1) * block) {
            let (x, dy) = (&x[row * stride..], &dy[row * stride..]);
            for group in 0..groups.groups {
                let moments = &moments[4 * (row / groups.space * groups.groups + group)..];
                for c in group * groups.width()..(group + 1) * groups.width() {
                    products[c] += dy[c] * (x[c] - moments[0]) * moments[1];
                    sums[c] += dy[c];
                }
            }
        }
    });
}
