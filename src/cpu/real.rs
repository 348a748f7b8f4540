//! The number types the twins run in.

use super::executor::{CpuExecutor, executor};
use super::panel;
use crate::Result;
use crate::plan::Plan;
use num_traits::{Float, FromPrimitive, NumAssign, ToPrimitive};
use std::iter::Sum;

/// `f32`, to train, or `f64`, to prove the kernels.
pub trait Real:
    Float + NumAssign + FromPrimitive + ToPrimitive + Sum + Default + Send + Sync + std::fmt::Debug + 'static
{
    /// The CPU with `plan`'s buffers in this type. It stands here, where nothing is generic, so that all twins are compiled
    /// once: with this crate, and not with each that makes an executor.
    ///
    /// # Errors
    /// As [`CpuExecutor::new`].
    fn executor(plan: &Plan, max_steps: usize) -> Result<CpuExecutor<Self>>;

    /// The number nearest to `value`.
    fn of(value: f64) -> Self;

    /// The nearest `f32`.
    fn single(self) -> f32;

    /// This number as `f64`.
    fn double(self) -> f64;

    /// e to the power of this number; in `f32` within two units in the last place, and fit for vector units.
    fn exponential(self) -> Self;

    /// log(1 + x) for x from 0 to 1; likewise.
    fn log_one_plus(self) -> Self;

    /// Hyperbolic tangent; likewise.
    fn hyperbolic_tangent(self) -> Self;

    /// The products of some rows with a panel, `[length of the rows, WIDTH]`, of a matrix: `sums[r][column]` is the sum over k
    /// of `rows[r][k] * panel[k][column]`, added up in the order of k.
    fn panel_products<S: pulp::Simd>(
        simd: S,
        rows: [&[Self]; panel::ROWS],
        panel: &[Self],
        sums: &mut [[Self; panel::WIDTH]; panel::ROWS],
    );

    /// The probability that a standard normal number is below this one; in `f32` within 1e-6 of itself from -3 on.
    fn normal_distribution(self) -> Self;
}

/// Run `work` compiled for the widest vector units this processor has. A closure that is too long to be inlined is not: see
/// [`vectorised_by`].
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    ARCH.dispatch(work)
}

/// The same for work of any length, in a method that is always inlined.
pub(super) fn vectorised_by<W: pulp::WithSimd>(work: W) -> W::Output {
    ARCH.dispatch(work)
}

static ARCH: std::sync::LazyLock<pulp::Arch> = std::sync::LazyLock::new(pulp::Arch::new);

impl Real for f32 {
    fn executor(plan: &Plan, max_steps: usize) -> Result<CpuExecutor<Self>> {
        executor(plan, max_steps)
    }
    #[inline(always)]
    fn panel_products<S: pulp::Simd>(
        simd: S,
        rows: [&[Self]; panel::ROWS],
        panel: &[Self],
        sums: &mut [[Self; panel::WIDTH]; panel::ROWS],
    ) {
        panel::of_singles(simd, rows, panel, sums);
    }
    fn of(value: f64) -> Self {
        value as f32
    }
    fn single(self) -> f32 {
        self
    }
    fn double(self) -> f64 {
        f64::from(self)
    }

    /// Infinite from 88.4 on, where f32 would reach to 88.7; 0 from -87.7 on, where f32 has lost bits.
    ///
    /// 2^n times a polynomial on half a binary order of magnitude around 0 (Cephes, expf). Without a branch, so that
    /// loops over it become vector code.
    #[inline(always)]
    fn exponential(self) -> Self {
        /// Adding it leaves the integer nearest to a small number in the lowest bits.
        const ROUND: f32 = 12_582_912.0;
        // At -88 the power of two is 2^-127, whose bits are those of 0.
        let x = self.clamp(-88.0, 88.8);
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        // log 2 in two parts, the first of which has few bits, so that n times it is exact.
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let mut p = 1.987_569_1e-4;
        for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
            p = p * r + c;
        }
        let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
        (p * r * r + r + 1.0) * power
    }

    /// 2 artanh(x / (2 + x)) by its series: the argument is at most 1/3.
    #[inline(always)]
    fn log_one_plus(self) -> Self {
        let s = self / (2.0 + self);
        let square = s * s;
        let mut series = 1.0 / 13.0;
        for divisor in [11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
            series = series * square + 1.0 / divisor;
        }
        2.0 * s * series
    }

    /// Near 0 by its series; else from exp(-2 |x|), whose difference to 1 is then well known.
    #[inline(always)]
    fn hyperbolic_tangent(self) -> Self {
        let magnitude = self.abs();
        let e = (-2.0 * magnitude).exponential();
        let far = (1.0 - e) / (1.0 + e);
        let square = magnitude * magnitude;
        let mut near = -8.863_235e-3;
        for c in [2.186_949e-2, -5.396_825_4e-2, 0.133_333_34, -0.333_333_34, 1.0] {
            near = near * square + c;
        }
        (if magnitude < 0.35 { near * magnitude } else { far }).copysign(self)
    }

    /// The formula of `shaders/shared/activation.wgsl`.
    #[inline(always)]
    fn normal_distribution(self) -> Self {
        let z = self.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.5 * z);
        let mut p = 0.170_872_77;
        for c in
            [-0.822_152_2, 1.488_515_9, -1.135_204, 0.278_868_07, -0.186_288_06, 0.096_784_18, 0.374_091_96]
        {
            p = p * t + c;
        }
        p = (p * t + 1.000_023_7) * t - 1.265_512_2;
        let tail = 0.5 * t * (p - z * z).exponential();
        if self > 0.0 { 1.0 - tail } else { tail }
    }
}

impl Real for f64 {
    fn executor(plan: &Plan, max_steps: usize) -> Result<CpuExecutor<Self>> {
        executor(plan, max_steps)
    }
    #[inline(always)]
    fn panel_products<S: pulp::Simd>(
        simd: S,
        rows: [&[Self]; panel::ROWS],
        panel: &[Self],
        sums: &mut [[Self; panel::WIDTH]; panel::ROWS],
    ) {
        panel::of_doubles(simd, rows, panel, sums);
    }
    fn of(value: f64) -> Self {
        value
    }
    fn single(self) -> f32 {
        self as f32
    }
    fn double(self) -> f64 {
        self
    }
    fn exponential(self) -> Self {
        self.exp()
    }
    fn log_one_plus(self) -> Self {
        self.ln_1p()
    }
    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }
    fn normal_distribution(self) -> Self {
        crate::activation::normal_distribution(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(values: impl Iterator<Item = f32>, fast: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        values
            .map(|x| {
                let (fast, exact) = (f64::from(fast(x)), exact(f64::from(x)));
                (fast - exact).abs() / exact.abs().max(1e-37)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn fast_functions_are_right_to_some_units_in_the_last_place() {
        let range =
            |low: f32, high: f32| (0..=200_000).map(move |i| low + (high - low) * i as f32 / 200_000.0);
        let unit = f64::from(f32::EPSILON);
        assert!(worst(range(-86.9, 88.3), f32::exponential, f64::exp) < 2.0 * unit);
        assert!(worst(range(1e-30, 1.0), f32::log_one_plus, f64::ln_1p) < 3.0 * unit);
        assert!(worst(range(-20.0, 20.0), f32::hyperbolic_tangent, f64::tanh) < 4.0 * unit);
        assert!(worst(range(-0.4, 0.4), f32::hyperbolic_tangent, f64::tanh) < 4.0 * unit);
        let exact = crate::activation::normal_distribution;
        assert!(worst(range(-3.0, 40.0), f32::normal_distribution, exact) < 10.0 * unit);
        // The exponent of the tail has lost bits.
        assert!(worst(range(-10.0, -3.0), f32::normal_distribution, exact) < 150.0 * unit);
    }

    #[test]
    fn extremes_of_fast_functions() {
        assert_eq!(0.0_f32.exponential(), 1.0);
        assert_eq!(200.0_f32.exponential(), f32::INFINITY);
        assert_eq!((-200.0_f32).exponential(), 0.0);
        assert_eq!(f32::NEG_INFINITY.hyperbolic_tangent(), -1.0);
        assert_eq!(0.0_f32.hyperbolic_tangent(), 0.0);
        assert_eq!(0.0_f32.log_one_plus(), 0.0);
        assert!(f32::NAN.exponential().is_nan() && f32::NAN.hyperbolic_tangent().is_nan());
    }
}
