//! Twins of `shaders/activation.wgsl` and `shaders/shared/activation.wgsl`.

use super::Real;
use super::call::{Call, by_rows, put};

/// Run `$work` with `$kind` a constant where it is one that is used much: the function is then chosen once, and not for every
/// number.
macro_rules! for_kind {
    ($number:expr, |$kind:ident| $work:expr) => {
        match $number {
            1 => for_kind!(@ 1, $kind, $work),
            2 => for_kind!(@ 2, $kind, $work),
            6 => for_kind!(@ 6, $kind, $work),
            7 => for_kind!(@ 7, $kind, $work),
            8 => for_kind!(@ 8, $kind, $work),
            $kind => $work,
        }
    };
    (@ $number:expr, $kind:ident, $work:expr) => {{
        let $kind = $number;
        $work
    }};
}

/// The numbers of the functions whose derivatives do not follow from their values.
const FROM_ARGUMENT: [usize; 2] = [7, 8];

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
    match kind {
        0 => {}
        5 => values.iter_mut().for_each(|value| *value = one(5, *value)),
        _ => for_kind!(kind, |kind| values.iter_mut().for_each(|value| *value = one(kind, *value))),
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

/// `values` times the derivative of activation number `kind`, from what was `saved`.
#[inline(always)]
pub(super) fn multiply_derivative<T: Real>(kind: usize, values: &mut [T], saved: &[T]) {
    for_kind!(kind, |kind| for (value, &saved) in values.iter_mut().zip(saved) {
        *value *= derivative(kind, saved);
    });
}

/// The same from the function's arguments, which its values may replace.
#[inline(always)]
pub(super) fn multiply_slope<T: Real>(kind: usize, values: &mut [T], arguments: &mut [T]) {
    if !FROM_ARGUMENT.contains(&kind) {
        activation(kind, arguments);
    }
    multiply_derivative(kind, values, arguments);
}

pub(super) fn activate_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (kind, add) = (call.count("ACTIVATION"), call.flag("ACCUMULATE"));
    let (input, saved) = (call.read("input"), call.read("saved"));
    /// Elements for which the function is chosen once.
    const PIECE: usize = 256;
    by_rows(call.write("output"), PIECE, |piece, output| {
        let (upstream, saved) = (&input[piece * PIECE..], &saved[piece * PIECE..]);
        for_kind!(kind, |kind| {
            for ((output, &upstream), &saved) in output.iter_mut().zip(upstream).zip(saved) {
                put(output, upstream * derivative(kind, saved), add);
            }
        });
    });
}
