//! The number types the twins run in.

use num_traits::{Float, FromPrimitive, NumAssign, ToPrimitive};
use std::iter::Sum;

/// `f32`, to train, or `f64`, to prove the kernels.
pub trait Real:
    Float + NumAssign + FromPrimitive + ToPrimitive + Sum + Default + Send + Sync + std::fmt::Debug + 'static
{
    /// The number nearest to `value`.
    fn of(value: f64) -> Self;

    /// The nearest `f32`.
    fn single(self) -> f32;

    /// This number as `f64`.
    fn double(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn single(self) -> f32 {
        self
    }
    fn double(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn single(self) -> f32 {
        self as f32
    }
    fn double(self) -> f64 {
        self
    }
}
