//! Twins of `shaders/group_norm.wgsl`. They work on whole rows with a number for each channel, which is vector code; the
//! channels of a group are put together at the end.

use super::Real;
use super::call::{Call, by_costly_rows, put};
use super::norm::Affine;
use super::real::vectorised_by;
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

    /// Elements of an item.
    fn item(self) -> usize {
        self.space * self.stride
    }

    /// For each channel number `index` of its group's four in `values`; 0 in the padding.
    fn spread<T: Real>(self, values: &[T], item: usize, index: usize) -> Vec<T> {
        let of = |c: usize| values[4 * (item * self.groups + c / self.width()) + index];
        (0..self.stride).map(|c| if c < self.channels { of(c) } else { T::zero() }).collect()
    }

    /// The means over the pixels and channels of each group, of sums over the pixels of each channel.
    fn means<T: Real>(self, sums: &[T]) -> impl Iterator<Item = T> {
        let count = T::of((self.width() * self.space) as f64);
        sums[..self.channels].chunks(self.width()).map(move |sums| sums.iter().copied().sum::<T>() / count)
    }
}

/// Sums over rows, `term(row, c)` for each channel.
#[inline(always)]
fn column_sums<T: Real>(stride: usize, x: &[T], term: impl Fn(usize, T) -> T) -> Vec<T> {
    let mut sums = vec![T::zero(); stride];
    for row in x.chunks(stride) {
        for (c, (sum, &x)) in sums.iter_mut().zip(row).enumerate() {
            *sum += term(c, x);
        }
    }
    sums
}

pub(super) fn group_moments<T: Real>(call: &mut Call<'_, T>) {
    let (groups, epsilon, x) = (Groups::of(call), call.number("EPSILON"), call.read("x"));
    let moments = &mut call.write("moments")[..4 * groups.items * groups.groups];
    by_costly_rows(moments, 4 * groups.groups, 2 * groups.item(), |item, moments| {
        let x = &x[item * groups.item()..][..groups.item()];
        moments.fill(T::zero());
        let shifts: Vec<T> = (0..groups.groups).map(|group| x[group * groups.width()]).collect();
        for (moments, &shift) in moments.chunks_mut(4).zip(&shifts) {
            moments[0] = shift;
        }
        let shift = groups.spread(moments, 0, 0);
        let sums = column_sums(groups.stride, x, |c, x| x - shift[c]);
        for (moments, mean) in moments.chunks_mut(4).zip(groups.means(&sums)) {
            moments[0] += mean;
        }
        let mean = groups.spread(moments, 0, 0);
        let squares = column_sums(groups.stride, x, |c, x| (x - mean[c]) * (x - mean[c]));
        for (moments, variance) in moments.chunks_mut(4).zip(groups.means(&squares)) {
            moments[1] = T::one() / (variance + epsilon).sqrt();
        }
    });
}

/// What the maps of an item are multiplied with and moved by, channel by channel.
struct Channels<'a, T> {
    means: Vec<T>,
    /// 1 over the standard deviation.
    scales: Vec<T>,
    factors: Vec<T>,
    bias: &'a [T],
}

impl<'a, T: Real> Channels<'a, T> {
    fn of(groups: Groups, moments: &[T], scale: &'a [T], item: usize) -> Self {
        let (weight, bias) = scale.split_at(groups.stride);
        let scales = groups.spread(moments, item, 1);
        let factors = scales.iter().zip(weight).map(|(&scale, &weight)| scale * weight).collect();
        Self { means: groups.spread(moments, item, 0), scales, factors, bias }
    }

    fn affine(&self, kind: usize, width: usize) -> Affine<'_, T> {
        Affine { kind, width, means: &self.means, factors: &self.factors, bias: self.bias }
    }

    /// Add the sums over rows of dy * normalised and of dy.
    fn add_sums(&self, [x, dy]: [&[T]; 2], [products, sums]: [&mut [T]; 2]) {
        vectorised_by(Sums { channels: self, x, dy, products, sums });
    }
}

struct Sums<'a, 'b, T> {
    channels: &'b Channels<'a, T>,
    x: &'b [T],
    dy: &'b [T],
    products: &'b mut [T],
    sums: &'b mut [T],
}

impl<T: Real> pulp::WithSimd for Sums<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { channels, x, dy, products, sums } = self;
        let columns = channels.means.len();
        let (means, scales) = (&channels.means[..columns], &channels.scales[..columns]);
        for (x, dy) in x.chunks_exact(columns).zip(dy.chunks_exact(columns)) {
            for (c, (product, sum)) in products.iter_mut().zip(sums.iter_mut()).enumerate() {
                *product += dy[c] * (x[c] - means[c]) * scales[c];
                *sum += dy[c];
            }
        }
    }
}

/// (dy * weight - change - normalised * product) / deviation. In the padding 1 over the deviation is 0.
struct Gradient<'a, 'b, T> {
    channels: &'b Channels<'a, T>,
    add: bool,
    x: &'b [T],
    dy: &'b [T],
    changes: &'b [T],
    products: &'b [T],
    dx: &'b mut [T],
}

impl<T: Real> pulp::WithSimd for Gradient<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { channels, add, x, dy, changes, products, dx } = self;
        let columns = channels.means.len();
        let (means, scales) = (&channels.means[..columns], &channels.scales[..columns]);
        let (factors, changes, products) =
            (&channels.factors[..columns], &changes[..columns], &products[..columns]);
        let rows = x.chunks_exact(columns).zip(dy.chunks_exact(columns));
        for (dx, (x, dy)) in dx.chunks_exact_mut(columns).zip(rows) {
            for (c, dx) in dx.iter_mut().enumerate() {
                let normalised = (x[c] - means[c]) * scales[c];
                put(dx, dy[c] * factors[c] - (changes[c] + normalised * products[c]) * scales[c], add);
            }
        }
    }
}

pub(super) fn group_norm<T: Real>(call: &mut Call<'_, T>) {
    let (groups, x, moments) = (Groups::of(call), call.read("x"), call.read("saved"));
    let (scale, kind) = (call.read("scale"), call.count("ACTIVATION"));
    let y = &mut call.write("y")[..groups.items * groups.item()];
    by_costly_rows(y, groups.item(), groups.item(), |item, y| {
        let channels = Channels::of(groups, moments, scale, item);
        channels.affine(kind, groups.channels).values(&x[item * groups.item()..][..y.len()], y);
    });
}

pub(super) fn group_norm_sums<T: Real>(call: &mut Call<'_, T>) {
    let (groups, kind) = (Groups::of(call), call.count("ACTIVATION"));
    let (x, dy) = (call.read("x"), call.read("y_gradient"));
    let (moments, scale) = (call.read("saved"), call.read("scale"));
    let sums = &mut call.write("sums")[..4 * groups.items * groups.groups];
    by_costly_rows(sums, 4 * groups.groups, 2 * groups.item(), |item, sums| {
        let channels = Channels::of(groups, moments, scale, item);
        let own = item * groups.item()..(item + 1) * groups.item();
        let x = &x[own.clone()];
        let (mut changes, mut products) = (vec![T::zero(); groups.stride], vec![T::zero(); groups.stride]);
        channels.affine(kind, groups.channels).with_upstream(x, &dy[own], |dy| {
            channels.add_sums([x, dy], [&mut products, &mut changes]);
        });
        // The same weight is in every term.
        for (sums, &weight) in products.iter_mut().zip(&mut changes).zip(scale) {
            *sums.0 *= weight;
            *sums.1 *= weight;
        }
        let means = groups.means(&changes).zip(groups.means(&products));
        for (sums, (change, product)) in sums.chunks_mut(4).zip(means) {
            sums.copy_from_slice(&[change, product, T::zero(), T::zero()]);
        }
    });
}

pub(super) fn group_norm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (groups, add, kind) = (Groups::of(call), call.flag("ACCUMULATE"), call.count("ACTIVATION"));
    let (x, dy, scale) = (call.read("x"), call.read("y_gradient"), call.read("scale"));
    let (moments, sums) = (call.read("saved"), call.read("means"));
    let dx = &mut call.write("x_gradient")[..groups.items * groups.item()];
    by_costly_rows(dx, groups.item(), groups.item(), |item, dx| {
        let channels = Channels::of(groups, moments, scale, item);
        let (changes, products) = (groups.spread(sums, item, 0), groups.spread(sums, item, 1));
        let own = item * groups.item()..(item + 1) * groups.item();
        let x = &x[own.clone()];
        channels.affine(kind, groups.channels).with_upstream(x, &dy[own], |dy| {
            let (changes, products) = (&changes[..], &products[..]);
            vectorised_by(Gradient { channels: &channels, add, x, dy, changes, products, dx });
        });
    });
}

pub(super) fn group_norm_scale<T: Real>(call: &mut Call<'_, T>) {
    let (groups, kind) = (Groups::of(call), call.count("ACTIVATION"));
    let (x, dy, moments, scale) =
        (call.read("x"), call.read("y_gradient"), call.read("saved"), call.read("scale"));
    let (block, rows, stride) =
        (kernel("group_norm_scale").constant("BLOCK") as usize, groups.items * groups.space, groups.stride);
    let partial = &mut call.write("partial")[..rows.div_ceil(block) * 2 * stride];
    by_costly_rows(partial, 2 * stride, 2 * block * stride, |k, partial| {
        partial.fill(T::zero());
        let (products, sums) = partial.split_at_mut(stride);
        let (mut row, end) = (k * block, rows.min((k + 1) * block));
        while row < end {
            // The rows of one item have the same moments.
            let item = row / groups.space;
            let channels = Channels::of(groups, moments, scale, item);
            let next = end.min((item + 1) * groups.space);
            let own = row * stride..next * stride;
            let x = &x[own.clone()];
            channels.affine(kind, groups.channels).with_upstream(x, &dy[own], |dy| {
                channels.add_sums([x, dy], [&mut *products, &mut *sums]);
            });
            row = next;
        }
        for padding in [products, sums] {
            padding[groups.channels..].fill(T::zero());
        }
    });
}
