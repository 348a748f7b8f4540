//! Twins of `shaders/activation.wgsl` and `shaders/shared/activation.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

/// 1 / (1 + exp(-x)) with an exponent that is never positive.
#[inline(always)]
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    sigmoid_of(x, (-x.abs()).exponential())
}

/// The square root of the sigmoid, which is not 0 before exp(x / 2) is.
#[inline(always)]
pub(super) fn sigmoid_root<T: Real>(x: T) -> T {
    (T::of(0.5) * x.min(T::zero())).exponential() / (T::one() + (-x.abs()).exponential()).sqrt()
}

/// log(1 + exp(x)) without overflow.
#[inline(always)]
pub(super) fn softplus<T: Real>(x: T) -> T {
    softplus_of(x, (-x.abs()).exponential())
}

/// Both at once: they share the exponential.
#[inline(always)]
pub(super) fn softplus_and_sigmoid<T: Real>(x: T) -> (T, T) {
    let e = (-x.abs()).exponential();
    (softplus_of(x, e), sigmoid_of(x, e))
}

/// The sigmoid, given `e` = exp(-|x|).
#[inline(always)]
fn sigmoid_of<T: Real>(x: T, e: T) -> T {
    (if x >= T::zero() { T::one() } else { e }) / (T::one() + e)
}

#[inline(always)]
fn softplus_of<T: Real>(x: T, e: T) -> T {
    x.max(T::zero()) + e.log_one_plus()
}

#[inline(always)]
fn one<T: Real>(kind: usize, x: T) -> T {
    match kind {
        1 => x.hyperbolic_tangent(),
        2 => x.max(T::zero()),
        3 => x.max(T::of(0.01) * x),
        4 => {
            if x > T::zero() {
                x
            } else {
                x.exp_m1()
            }
        }
        5 => softplus(x),
        6 => sigmoid(x),
        7 => x * sigmoid(x),
        8 => x * x.normal_distribution(),
        _ => x,
    }
}

/// Apply activation number `kind` in place.
#[inline(always)]
pub(super) fn activation<T: Real>(kind: usize, values: &mut [T]) {
    // One loop per function, so that the function is not chosen again for every number.
    match kind {
        0 => {}
        1 => values.iter_mut().for_each(|value| *value = one(1, *value)),
        2 => values.iter_mut().for_each(|value| *value = one(2, *value)),
        5 => values.iter_mut().for_each(|value| *value = one(5, *value)),
        6 => values.iter_mut().for_each(|value| *value = one(6, *value)),
        7 => values.iter_mut().for_each(|value| *value = one(7, *value)),
        8 => values.iter_mut().for_each(|value| *value = one(8, *value)),
        _ => values.iter_mut().for_each(|value| *value = one(kind, *value)),
    }
}

/// Activation number `kind` of one number.
#[inline(always)]
pub(super) fn activated<T: Real>(kind: usize, x: T) -> T {
    one(kind, x)
}

/// The derivative, from the function's value; from its argument for SILU and GELU.
#[inline(always)]
pub(super) fn derivative<T: Real>(kind: usize, y: T) -> T {
    let (zero, one) = (T::zero(), T::one());
    match kind {
        1 => one - y * y,
        2 => {
            if y > zero {
                one
            } else {
                zero
            }
        }
        3 => {
            if y > zero {
                one
            } else {
                T::of(0.01)
            }
        }
        4 => {
            if y > zero {
                one
            } else {
                y + one
            }
        }
        5 => one - (-y).exponential(),
        6 => y * (one - y),
        7 => {
            let s = sigmoid(y);
            s * (one + y * (one - s))
        }
        8 => {
            let density = (T::of(-0.5) * y * y).exponential() / T::of(std::f64::consts::TAU.sqrt());
            y.normal_distribution() + y * density
        }
        _ => one,
    }
}

pub(super) fn activate<T: Real>(call: &mut Call<'_, T>) {
    let (columns, section) = (4 * call.count("COLUMNS"), 4 * call.count("SECTION"));
    let (width, kind, input) = (call.count("WIDTH"), call.count("ACTIVATION"), call.read("input"));
    by_rows(call.write("output"), columns, |row, values| {
        values.copy_from_slice(&input[row * columns..(row + 1) * columns]);
        for values in values.chunks_mut(section) {
            activation(kind, &mut values[..width]);
            values[width..].fill(T::zero());
        }
    });
}

/// `output` = `upstream` times the derivative of activation number `kind`, or that added.
#[inline(always)]
fn pull_back<T: Real>(kind: usize, output: &mut [T], upstream: &[T], saved: &[T], add: bool) {
    for ((output, &upstream), &saved) in output.iter_mut().zip(upstream).zip(saved) {
        put(output, upstream * derivative(kind, saved), add);
    }
}

pub(super) fn activate_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (kind, add) = (call.count("ACTIVATION"), call.flag("ACCUMULATE"));
    let (input, saved) = (call.read("input"), call.read("saved"));
    /// Elements for which the function is chosen once.
    const PIECE: usize = 256;
    by_rows(call.write("output"), PIECE, |piece, output| {
        let (upstream, saved) = (&input[piece * PIECE..], &saved[piece * PIECE..]);
        match kind {
            1 => pull_back(1, output, upstream, saved, add),
            2 => pull_back(2, output, upstream, saved, add),
            5 => pull_back(5, output, upstream, saved, add),
            6 => pull_back(6, output, upstream, saved, add),
            7 => pull_back(7, output, upstream, saved, add),
            8 => pull_back(8, output, upstream, saved, add),
            _ => pull_back(kind, output, upstream, saved, add),
        }
    });
}
