//! Twins of `shaders/activation.wgsl` and `shaders/shared/activation.wgsl`.

use super::Real;
use super::call::{Call, add_to};
use super::real::vectorised_by;
use super::scratch::with_scratch;
use rayon::prelude::*;

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
        9 => x.max(T::of(0.2) * x),
        _ => x,
    }
}

#[inline(always)]
fn apply<T: Real>(kind: usize, values: &mut [T]) {
    for value in values {
        *value = one(kind, *value);
    }
}

/// Apply activation number `kind` in place.
#[inline(always)]
pub(super) fn activation<T: Real>(kind: usize, values: &mut [T]) {
    match kind {
        0 => {}
        5 => apply(5, values),
        _ => for_kind!(kind, |kind| apply(kind, values)),
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
        3 | 9 => match kind {
            _ if y > zero => one,
            9 => T::of(0.2),
            _ => T::of(0.01),
        },
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

/// What the layers of a network apply to rows of sums.
#[derive(Clone, Copy)]
pub(super) enum Finish<'a, T> {
    /// Add the bias and apply an activation to the first `width` elements of each section; the rest is padding.
    Bias {
        kind: usize,
        bias: &'a [T],
        section: usize,
        width: usize,
    },
    /// Multiply by the derivative of an activation.
    Derivative {
        kind: usize,
        saved: &'a [T],
    },
    Nothing,
}

impl<T: Real> Finish<'_, T> {
    /// Finish whole rows of `row` elements, the first of which is element `start` of the output.
    pub(super) fn apply(self, values: &mut [T], row: usize, start: usize) {
        vectorised_by(Finishing { finish: self, values, row, start });
    }
}

struct Finishing<'a, 'b, T> {
    finish: Finish<'a, T>,
    values: &'b mut [T],
    row: usize,
    start: usize,
}

impl<T: Real> pulp::WithSimd for Finishing<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        match self.finish {
            Finish::Bias { kind, bias, section, width } => {
                for row in self.values.chunks_mut(self.row) {
                    for (values, bias) in row.chunks_mut(section).zip(bias.chunks(section)) {
                        for (value, &bias) in values.iter_mut().zip(bias) {
                            *value += bias;
                        }
                        activation(kind, &mut values[..width]);
                        values[width..].fill(T::zero());
                    }
                }
            }
            Finish::Derivative { kind, saved } => {
                multiply_derivative(kind, self.values, &saved[self.start..]);
            }
            Finish::Nothing => {}
        }
    }
}

/// Elements that a thread finishes at a time.
pub(super) const PIECE: usize = 1 << 14;

pub(super) fn activate<T: Real>(call: &mut Call<'_, T>) {
    let (columns, section) = (4 * call.count("COLUMNS"), 4 * call.count("SECTION"));
    let (width, kind, input) = (call.count("WIDTH"), call.count("ACTIVATION"), call.read("input"));
    let nothing = vec![T::zero(); columns];
    let finish = Finish::Bias { kind, bias: &nothing, section, width };
    let each = PIECE.div_ceil(columns) * columns;
    call.write("output").par_chunks_mut(each).zip(input.par_chunks(each)).for_each(|(output, input)| {
        output.copy_from_slice(input);
        finish.apply(output, columns, 0);
    });
}

pub(super) fn activate_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (kind, add) = (call.count("ACTIVATION"), call.flag("ACCUMULATE"));
    let (input, saved) = (call.read("input"), call.read("saved"));
    call.write("output").par_chunks_mut(PIECE).enumerate().for_each(|(piece, output)| {
        let start = piece * PIECE;
        let upstream = &input[start..][..output.len()];
        let finish = Finish::Derivative { kind, saved };
        if add {
            with_scratch(output.len(), |change: &mut [T]| {
                change.copy_from_slice(upstream);
                finish.apply(change, 1, start);
                add_to(output, change);
            });
        } else {
            output.copy_from_slice(upstream);
            finish.apply(output, 1, start);
        }
    });
}
