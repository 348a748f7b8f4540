//! Checks that settings share. `path` is a setting's key path, such as `objective.beta`.

use crate::{Error, Result};

/// Accept finite numbers above zero.
pub(crate) fn positive(path: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    let what = if value > 0.0 { "not a finite number" } else { "not above zero" };
    Err(Error::setting(path, format!("{value} is {what}"), "give a number above zero"))
}

/// Accept zero and finite numbers above it.
pub(crate) fn not_negative(path: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    let what = if value < 0.0 { "negative" } else { "not a finite number" };
    Err(Error::setting(path, format!("{value} is {what}"), "give 0 or more"))
}

/// Accept numbers from 0 to 1, the latter excluded.
pub(crate) fn below_one(path: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    let problem = format!("{value} is not between 0 and 1");
    Err(Error::setting(path, problem, "give 0 or a number above it, below 1"))
}

/// Whether a number is 0: a setting that a file may leave out.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Accept counts above 0.
pub(crate) fn counted(path: &str, value: u64) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    Err(Error::setting(path, "0 is too few", "give 1 or more"))
}
