//! One dispatch at a time on a device: checked against its twin on the CPU, then timed.
//!
//! [`crate::tuning`] and [`crate::bench`] time kernels by it. [`crate::selftest`] and [`crate::deck`] use its
//! one-kernel plans.

mod case;
mod content;
mod runner;
mod spread;

pub(crate) use case::{Case, IMAGES};
pub(crate) use content::{Content, ONCE, append, single};
pub(crate) use runner::{Expected, Runner};
pub use spread::Spread;

use crate::Result;
use crate::device::OpenDevice;
use crate::plan::{Plan, Variant};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The error of a number as a share of its tolerance, from the actual and the expected value and the absolute tolerance;
/// above 1 is a failure.
pub(crate) type Near = fn(f64, f64, f64) -> f64;

/// The [`Near`] of a sound adapter: 2e-5 of the expected value on top of `tolerance`. NaN and infinity are never near.
pub(crate) fn error_ratio(actual: f64, expected: f64, tolerance: f64) -> f64 {
    let allowed = tolerance + 2e-5 * expected.abs();
    let ratio = (actual - expected).abs() / allowed;
    if actual.is_finite() && ratio.is_finite() { ratio } else { f64::INFINITY }
}

/// What the twins of dispatches write, by the number of the dispatch: twins take longer than what they check.
pub(crate) type KnownResults = HashMap<usize, Expected>;

/// Check dispatch number `index` of `plan`, for minibatches of `rows` images, in `variant` against its twin, and time it
/// for about `patience` seconds. The inner error describes a wrong result, or a driver's refusal.
///
/// # Errors
/// If the device fails.
pub(crate) fn time_variant(
    device: &OpenDevice,
    plan: &Plan,
    index: usize,
    rows: usize,
    variant: Variant,
    patience: f64,
    known: &mut KnownResults,
) -> Result<std::result::Result<Spread, String>> {
    let case = Case::from_plan(plan, index, rows).with_variant(variant);
    let mut runner = match Runner::new(device, &case) {
        Ok(runner) => runner,
        Err(refusal) => return Ok(Err(refusal.to_string())),
    };
    let expected = match known.entry(index) {
        Entry::Occupied(found) => found.into_mut(),
        Entry::Vacant(place) => place.insert(runner.expected()?),
    };
    runner.measure_against(error_ratio, expected, patience)
}

#[cfg(test)]
mod tests {
    use super::error_ratio;

    #[test]
    fn nan_and_infinity_are_never_near() {
        for value in [f64::NAN, f64::INFINITY] {
            assert!(error_ratio(value, 1.0, 1.0) > 1.0);
            assert!(error_ratio(value, value, 1.0) > 1.0);
        }
        assert!(error_ratio(1.0, 1.0 + 1e-6, 0.0) < 1.0);
        assert!(error_ratio(1.0, 1.001, 1e-6) > 1.0);
    }
}
