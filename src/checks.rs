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

/// Accept counts above 0.
pub(crate) fn counted(path: &str, value: u64) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    Err(Error::setting(path, "0 is too few", "give 1 or more"))
}
